/* A small tokenizer of byte-pair encoding, for its tests. */
#ifndef TESTS_UNIT_BPE_DEFINITION_H
#define TESTS_UNIT_BPE_DEFINITION_H

/* Letters of "hello w" and some merges of them, and the bytes of an emoji. */
static const char definition[] =
    "{\"added_tokens\": [{\"id\": 20, \"content\": \"<s>\", \"special\": true}, {\"id\": 21, \"content\": \"</s>\", "
    "\"special\": true}], "
    "\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\d| ?\\\\p{L}+|.\"}, \"behavior\": \"Isolated\", \"invert\": "
    "false}, "
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}, "
    "\"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"}]}, "
    "\"decoder\": {\"type\": \"ByteLevel\"}, "
    "\"model\": {\"type\": \"BPE\", \"unk_token\": null, \"byte_fallback\": false, \"dropout\": null, "
    "\"vocab\": {\"h\": 0, \"e\": 1, \"l\": 2, \"o\": 3, \"\\u0120\": 4, \"w\": 5, \"ll\": 6, \"he\": 7, \"llo\": 8, "
    "\"hello\": 9, \"\\u0120w\": 10, \"\\u00f0\": 11, \"\\u0141\": 12, \"\\u013a\": 13, \"\\u0122\": 14, \"zz\": 15}, "
    "\"merges\": [\"l l\", [\"h\", \"e\"], [\"ll\", \"o\"], \"he llo\", \"\\u0120 w\"]}}";

#endif
