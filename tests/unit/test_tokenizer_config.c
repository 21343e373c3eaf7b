/*
 * What folders say of their tokenizers beside the vocabulary: the keys that change ids are honoured, with the ids that
 * transformers (4.57 and 5.24 alike) gives for the same folder, or refused by name; what contradicts a tokenizer.json
 * is said.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/text/tokenizer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n<e1>\nthe\nplay\n##ing\nun\ne\n\303\251\n<\n>\n##"
                            "1\nx\n\344\270\255\n"
                            "\346\226\207\n<s>\n</s>\na\n[\n]\nmask\n!\nE\n1\ny\n";

/* A tokenizer.json of a few words; the %s are what a test fills in. */
static const char definition[] =
    "{\"added_tokens\": [{\"id\": 1, \"content\": \"[CLS]\"}, {\"id\": 2, \"content\": \"[SEP]\"}, {\"id\": 0, "
    "\"content\": \"[UNK]\"}],"
    " \"normalizer\": %s, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"truncation\": %s, "
    "\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", 1], \"sep\": [\"[SEP]\", 2]}, "
    "\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3, \"b\": 4, "
    "\"c\": 5}}}";

static void write_optional(const char *name, const char *text)
{
    if (text)
        io_write_text(name, text);
    else
        (void)unlink(io_path(name));
}

static void write_folder(const char *config, const char *map, const char *added)
{
    io_write_text("model/vocab.txt", vocab);
    write_optional("model/tokenizer_config.json", config);
    write_optional("model/special_tokens_map.json", map);
    write_optional("model/added_tokens.json", added);
}

static void write_definition(const char *normalizer, const char *truncation, const char *config)
{
    char text[2000];

    snprintf(text, sizeof text, definition, normalizer, truncation);
    io_write_text("model/tokenizer.json", text);
    io_write_text("model/tokenizer_config.json", config);
}

static struct sp_tokenizer *load(void)
{
    struct sp_tokenizer *tokenizer;

    if (sp_tokenizer_load(&tokenizer, io_path("model")) < 0)
        fail_msg("%s", sp_error_message());
    return tokenizer;
}

/* The folder's "id/type id/type ..." for the texts. */
static void gives(const char *what, const char *text, const char *pair, size_t maximum, const char *expected)
{
    struct sp_tokenizer *tokenizer = load();
    struct sp_encoding encoding = { 0 };
    struct sp_buf got = SP_BUF(1000);

    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, text, strlen(text), pair, pair ? strlen(pair) : 0,
                                         maximum),
                     0);
    for (size_t i = 0; i < encoding.length; i++)
        assert_int_equal(sp_buf_printf(&got, "%s%u/%u", i ? " " : "", (unsigned)encoding.ids[i],
                                       (unsigned)encoding.types[i]),
                         0);
    if (strcmp(got.data, expected) != 0)
        fail_msg("%s: %s, not %s", what, got.data, expected);
    sp_buf_free(&got);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
}

static void refuses(const char *part, const char *other)
{
    struct sp_tokenizer *tokenizer;

    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_EFORMAT, part, other, NULL);
}

static void test_honoured(void **state)
{
    static const struct {
        const char *config, *map, *added, *text, *pair, *expected;
        size_t maximum;
    } cases[] = {
        { "{\"model_max_length\": 1000000000000000019884624838656, \"a\": NaN}", NULL, NULL, "The playing \303\251",
          NULL, "2/0 6/0 7/0 8/0 10/0 3/0", 0 },
        { NULL, NULL, NULL, "the<e1>playing", NULL, "2/0 6/0 12/0 10/0 14/0 13/0 7/0 8/0 3/0", 0 },
        { NULL, "{\"additional_special_tokens\": [\"<e1>\"]}", NULL, "the<e1>playing", NULL, "2/0 6/0 5/0 7/0 8/0 3/0",
          0 },
        { "{\"additional_special_tokens\": [\"<e1>\", \"<x>\"]}", NULL, NULL, "<x>the<e1>", NULL,
          "2/0 28/0 6/0 5/0 3/0", 0 },
        { "{\"extra_special_tokens\": [\"<e1>\"]}", NULL, NULL, "the<e1>", NULL, "2/0 6/0 5/0 3/0", 0 },
        { "{\"extra_special_tokens\": {\"image_token\": \"<e1>\"}}", NULL, NULL, "the<e1>", NULL, "2/0 6/0 5/0 3/0",
          0 },
        { "{\"model_specific_special_tokens\": {\"image_token\": \"<e1>\", \"b_token\": {\"content\": \"<x>\", "
          "\"lstrip\": true}}}",
          NULL, NULL, "the<e1>a <x>a", NULL, "2/0 6/0 5/0 20/0 28/0 20/0 3/0", 0 },
        { "{\"additional_special_tokens\": [{\"__type\": \"AddedToken\", \"content\": \"<e1>\", \"lstrip\": true, "
          "\"single_word\": true, \"normalized\": false}]}",
          NULL, NULL, "a <e1> <e1>a", NULL, "2/0 20/0 5/0 12/0 10/0 14/0 13/0 20/0 3/0", 0 },
        { "{\"mask_token\": {\"__type\": \"AddedToken\", \"content\": \"<mask>\", \"lstrip\": true, \"rstrip\": false, "
          "\"single_word\": false, \"normalized\": false}}",
          NULL, NULL, "a <mask> [MASK]", NULL, "2/0 20/0 28/0 21/0 23/0 22/0 3/0", 0 },
        { "{\"cls_token\": \"<s>\", \"sep_token\": \"</s>\"}", NULL, NULL, "a <s> [CLS]", "the",
          "18/0 20/0 18/0 21/0 1/0 22/0 19/0 6/1 19/1", 0 },
        { "{\"added_tokens_decoder\": {\"5\": {\"content\": \"<e1>\", \"normalized\": false, \"special\": true}, "
          "\"28\": {\"content\": "
          "\"<Y>\", \"normalized\": true, \"special\": false}}}",
          "{\"additional_special_tokens\": [\"un\"]}", NULL, "<e1><y><Y> una", NULL, "2/0 5/0 28/0 28/0 1/0 3/0", 0 },
        { "{\"additional_special_tokens\": [\"<X>\"]}", NULL, "{\"<X>\": 28, \"<Y>\": 29}", "<X><x><y>", NULL,
          "2/0 28/0 12/0 15/0 13/0 29/0 3/0", 0 },
        { "{\"bos_token\": \"<s>\", \"eos_token\": null}", NULL, NULL, "<s></s>", NULL,
          "2/0 18/0 12/0 1/0 1/0 13/0 3/0", 0 },
        { "{\"mask_token\": null, \"pad_token\": null}", NULL, NULL, "a [mask] [MASK]", NULL,
          "2/0 20/0 21/0 23/0 22/0 21/0 23/0 22/0 3/0", 0 },
        { "{\"do_lower_case\": false}", NULL, NULL, "E \303\251 The", NULL, "2/0 25/0 11/0 1/0 3/0", 0 },
        { "{\"strip_accents\": false}", NULL, NULL, "E \303\251 The", NULL, "2/0 10/0 11/0 6/0 3/0", 0 },
        { "{\"tokenize_chinese_chars\": false}", NULL, NULL, "\344\270\255\346\226\207 \344\270\255", NULL,
          "2/0 1/0 16/0 3/0", 0 },
        { "{\"truncation_side\": \"left\"}", NULL, NULL, "the play un e a", "x a the", "2/0 10/0 20/0 3/0 20/1 6/1 3/1",
          7 },
        { "{\"truncation_side\": \"right\"}", NULL, NULL, "the play un e a", "x a the", "2/0 6/0 7/0 3/0 15/1 20/1 3/1",
          7 },
        { "{\"model_input_names\": [\"input_ids\", \"attention_mask\"]}", NULL, NULL, "the", "a",
          "2/0 6/0 3/0 20/0 3/0", 0 },
        { "{\"tokenizer_class\": \"DistilBertTokenizerFast\"}", NULL, NULL, "the", "a", "2/0 6/0 3/0 20/0 3/0", 0 },
        { "{\"never_split\": [\"[MASK]\"], \"do_basic_tokenize\": true, \"tokenizer_class\": \"BertTokenizer\", "
          "\"word_tokenizer_type\": null}",
          NULL, NULL, "[MASK] [mask]", NULL, "2/0 4/0 21/0 23/0 22/0 3/0", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_folder(cases[i].config, cases[i].map, cases[i].added);
        gives(cases[i].config ? cases[i].config : "no configuration", cases[i].text, cases[i].pair, cases[i].maximum,
              cases[i].expected);
    }
}

static void test_refused(void **state)
{
    static const char *const cases[][2] = {
        { "{\"word_tokenizer_type\": \"mecab\", \"do_lower_case\": false}", "\"word_tokenizer_type\" is \"mecab\"" },
        { "{\"word_tokenizer_type\": \"sudachi\", \"tokenizer_class\": \"BertJapaneseTokenizer\"}", "is \"sudachi\"" },
        { "{\"subword_tokenizer_type\": \"character\"}", "\"subword_tokenizer_type\" is \"character\", and only "
                                                         "\"wordpiece\"" },
        { "{\"do_subword_tokenize\": false}", "\"do_subword_tokenize\" is false, and only true" },
        { "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}", "\"tokenizer_class\" is \"BertJapaneseTokenizer\"" },
        { "{\"tokenizer_class\": \"RobertaTokenizer\"}", "is \"RobertaTokenizer\"" },
        { "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}", "add the tokenizer.json" },
        { "{\"tokenizer_class\": 1e400}", "\"tokenizer_class\" is 1e400" },
        { "{\"do_basic_tokenize\": false}", "\"do_basic_tokenize\" is false" },
        { "{\"never_split\": [\"the\"]}", "\"never_split\"" },
        { "{\"split_special_tokens\": true}", "\"split_special_tokens\" is true" },
        { "{\"clean_text\": false}", "\"clean_text\" is false" },
        { "{\"wordpieces_prefix\": \"@@\"}", "\"wordpieces_prefix\" is \"@@\"" },
        { "{\"do_lower_case\": NaN}", "\"do_lower_case\" is NaN" },
        { "{\"tokenize_chinese_chars\": 1}", "\"tokenize_chinese_chars\" is not true or false" },
        { "{\"truncation_side\": \"middle\"}", "\"truncation_side\" is \"middle\"" },
        { "{\"model_input_names\": Infinity}", "\"model_input_names\" is not a list" },
        { "{\"cls_token\": 7}", "\"cls_token\"" },
        { "{\"cls_token\": null}", "\"cls_token\" is null" },
        { "{\"sep_token\": null}", "remove the key if it is BERT's [SEP]" },
        { "{\"unk_token\": null}", "\"unk_token\" is null" },
        { "{\"sep_token\": \"\"}", "\"sep_token\" is empty" },
        { "{\"pad_token\": Infinity}", "\"pad_token\"" },
        { "{\"additional_special_tokens\": NaN}", "\"additional_special_tokens\"" },
        { "{\"additional_special_tokens\": [NaN]}", "\"additional_special_tokens\"" },
        { "{\"model_specific_special_tokens\": {\"a_token\": 1}}", "\"model_specific_special_tokens\" holds something "
                                                                   "that is neither" },
        { "{\"added_tokens_decoder\": {\"-1\": {\"content\": \"<x>\"}}}", "\"<x>\" is not an integer from 0" },
        { "{\"added_tokens_decoder\": 1e400}", "\"added_tokens_decoder\" is not an object" },
        { "{\"mask_token\": {\"content\": \"[MASK]\", \"single_word\": NaN}}", "in the token \"[MASK]\"" },
        { "{\"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": \"yes\"}}", "tokenizer_config.json: \"lstrip\" is "
                                                                              "not true or false" },
        { "{\"mask_token\": {\"content\": \"[MASK]\", \"rstrip\": 1}}", "tokenizer_config.json: \"rstrip\" is not true "
                                                                        "or false" },
        { "{\"additional_special_tokens\": [{\"content\": \"<y>\", \"normalized\": Infinity}]}", "\"normalized\" is "
                                                                                                 "Infinity" },
        { "{\"added_tokens_decoder\": {\"28\": {\"content\": \"<y>\", \"special\": 1}}}", "\"special\" is not true or "
                                                                                          "false" },
        { "{\"added_tokens_decoder\": {\"5\": {\"content\": \"[CLS]\"}}}", "gives the token \"[CLS]\" the id 5, but it "
                                                                           "is line 3 of " },
        { "{\"added_tokens_decoder\": {\"28\": {\"content\": \"<y>\"}, \"29\": {\"content\": \"<y>\"}}}",
          "\"<y>\" has two ids, 28 and 29" },
        { "{\"tokenizer_class\": \"BertTokenizer\", \"auto_map\": {\"AutoTokenizer\": "
          "[\"tokenization_char.CharTokenizer\", null]}}",
          "\"auto_map\" names the tokenizer \"tokenization_char.CharTokenizer\", Python code" },
        { "{\"auto_map\": {\"AutoTokenizer\": [null, \"fast.Fast\"]}}", "\"fast.Fast\"" },
        { "{\"auto_map\": {\"AutoTokenizer\": \"own.Own\"}}", "\"own.Own\"" },
        { "{\"auto_map\": [\"old.Old\", null]}", "\"old.Old\"" },
        { "[]", "is not a JSON object" },
        { "1e400", "is not a JSON object" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_folder(cases[i][0], NULL, NULL);
        refuses("model/tokenizer_config.json", cases[i][1]);
    }
    write_folder(NULL, "{\"sep_token\": [\"x\"]}", NULL);
    refuses("model/special_tokens_map.json", "\"sep_token\"");
    write_folder("{}", "{\"cls_token\": null}", NULL);
    refuses("model/special_tokens_map.json", "\"cls_token\" is null");
    write_folder(NULL, "{\"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": NaN}}", NULL);
    refuses("model/special_tokens_map.json: \"lstrip\" is NaN", "in the token \"[MASK]\"");
    write_folder(NULL, NULL, "{\"[CLS]\": 5}");
    refuses("model/added_tokens.json gives the token \"[CLS]\" the id 5, but it is line 3 of",
            "model/vocab.txt, whose id is 2");
    write_folder(NULL, NULL, "{\"<x>\": 99999999999999999999}");
    refuses("model/added_tokens.json", "\"<x>\" is not an integer from 0");
    write_folder(NULL, NULL, NULL);
    io_write_text("model/config.json", "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}");
    refuses("model/config.json", "is \"BertJapaneseTokenizer\"");
    io_write_text("model/config.json", "{\"auto_map\": {\"AutoModel\": \"m.M\", \"AutoTokenizer\": [\"t.T\", null]}}");
    refuses("model/config.json: \"auto_map\" names the tokenizer \"t.T\"", "remove \"AutoTokenizer\"");
    write_folder("{\"tokenizer_class\": \"BertTokenizer\", \"auto_map\": {\"AutoTokenizer\": [null, null]}}", NULL,
                 NULL);
    gives("a class of transformers', before config.json's", "the", NULL, 0, "2/0 6/0 3/0");
    write_folder(NULL, NULL, NULL);
    io_write_text("model/config.json", "{}");
    io_write_text("model/vocab.txt", "[UNK]\n[CLS]\n[SEP]\n\342\226\201the\ns\n");
    refuses("model/vocab.txt", "SentencePiece");
}

/* Each file that may be absent is asked for where it is a link whose target is. */
static void test_links_to_nothing(void **state)
{
    static const char *const names[] = {
        "model/special_tokens_map.json", "model/added_tokens.json", "model/tokenizer_config.json",
        "model/tokenizer.json",
    };

    (void)state;
    write_folder("{}", "{}", "{}");
    for (size_t i = 0; i < COUNT(names); i++) {
        struct sp_tokenizer *tokenizer;

        (void)unlink(io_path(names[i]));
        assert_int_equal(symlink("../blobs/x", io_path(names[i])), 0);
        io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_ENOTFOUND, io_path(names[i]),
                        ": it is a link to ../blobs/x, which is not there", NULL);
        assert_int_equal(unlink(io_path(names[i])), 0);
    }
}

/* The keys that tokenizer.json says nothing of are refused beside one too; for the others it has its own. */
static void test_beside_definition(void **state)
{
    (void)state;
    write_definition("{\"type\": \"BertNormalizer\"}", "null", "{\"word_tokenizer_type\": \"mecab\"}");
    refuses("\"word_tokenizer_type\" is \"mecab\"", "Remove the key");
    write_definition("{\"type\": \"BertNormalizer\"}", "null", "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}");
    refuses("\"tokenizer_class\" is \"BertJapaneseTokenizer\"", "Remove the key");
    write_definition("{\"type\": \"BertNormalizer\"}", "{\"direction\": \"Left\", \"max_length\": 1}",
                     "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"do_basic_tokenize\": false, "
                     "\"model_input_names\": []}");
    gives("Left in tokenizer.json", "a b c", NULL, 4, "1/0 4/0 5/0 2/0");
    gives("no types", "a", "b", 0, "1/0 3/0 2/0 4/0 2/0");
    write_definition("{\"type\": \"BertNormalizer\"}", "{\"direction\": \"Left\"}", "{\"truncation_side\": \"right\"}");
    gives("right before Left", "a b c", "b", 5, "1/0 3/0 2/0 4/1 2/1");
    write_definition("{\"type\": \"BertNormalizer\"}", "null", "{\"cls_token\": null, \"unk_token\": null}");
    gives("tokenizer.json names its own", "a", NULL, 0, "1/0 3/0 2/0");
    write_definition("{\"type\": \"BertNormalizer\"}", "null",
        "{\"mask_token\": {\"content\": \"[UNK]\", \"lstrip\": NaN}, "
                     "\"added_tokens_decoder\": {\"7\": {\"content\": \"[CLS]\", \"special\": 1e400}}}");
    gives("and the tokens' flags and ids", "a", NULL, 0, "1/0 3/0 2/0");
    io_write_text("model/tokenizer.json", "{\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"model\": "
        "{\"type\": \"WordPiece\", "
                  "\"vocab\": 1e400}}");
    refuses("model/tokenizer.json", "\"vocab\" is not an object of");
}

static void keep_message(enum sp_log_level level, const char *text, void *user)
{
    assert_int_equal(level, SP_LOG_WARNING);
    snprintf(user, 1000, "%s", text);
}

/* Loads the folder and compares what is said; NULL for nothing. */
static void says(const char *first, const char *second)
{
    char message[1000] = "";

    sp_log_set_sink(keep_message, message);
    sp_tokenizer_free(load());
    sp_log_set_sink(NULL, NULL);
    if (!first)
        assert_string_equal(message, "");
    else if (!strstr(message, first) || !strstr(message, second))
        fail_msg("%s and %s are not in \"%s\"", first, second, message);
}

static void test_said(void **state)
{
    static const char lower[] = "{\"type\": \"BertNormalizer\", \"lowercase\": true, \"strip_accents\": null, "
                                "\"handle_chinese_chars\": true}";
    static const char plain[] = "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"BertNormalizer\", "
                                "\"lowercase\": false, \"strip_accents\": true, \"handle_chinese_chars\": false}]}";

    static const char cased[] = "{\"type\": \"BertNormalizer\", \"lowercase\": false, \"strip_accents\": null}";

    (void)state;
    write_definition(cased, "null", "{\"do_lower_case\": false, \"strip_accents\": false}");
    says(NULL, NULL);
    write_definition(cased, "null", "{\"strip_accents\": true}");
    says("\"strip_accents\": null and is followed", "\"strip_accents\": true");
    write_definition(lower, "null",
                     "{\"do_lower_case\": true, \"strip_accents\": null, \"tokenize_chinese_chars\": true}");
    says(NULL, NULL);
    /* the same: accents go with the case */
    write_definition(lower, "null", "{\"do_lower_case\": true, \"strip_accents\": true}");
    says(NULL, NULL);
    write_definition(lower, "null", "{\"strip_accents\": false}");
    says("\"strip_accents\": null and is followed", "\"strip_accents\": false");
    write_definition(lower, "null", "{\"tokenize_chinese_chars\": false}");
    says("\"handle_chinese_chars\": true and is followed", "\"tokenize_chinese_chars\": false");
    write_definition(plain, "null", "{\"do_lower_case\": true}");
    says("\"lowercase\": false and is followed", "\"do_lower_case\": true");
    write_definition(plain, "null", "{\"do_lower_case\": false, \"strip_accents\": null}");
    says("\"strip_accents\": true and is followed", "\"strip_accents\": null");
    /* once: both go with the case */
    write_definition(lower, "null", "{\"do_lower_case\": false, \"strip_accents\": null}");
    says("\"lowercase\": true and is followed", "\"do_lower_case\": false");
    write_definition("null", "null", "{\"do_lower_case\": true}");
    says("has no \"normalizer\", which is as \"lowercase\": false, and is followed", "has \"do_lower_case\": true");
    write_definition("null", "null", "{\"strip_accents\": true}");
    says("as \"strip_accents\": false, and is followed", "has \"strip_accents\": true");
    write_definition("null", "null",
                     "{\"do_lower_case\": false, \"strip_accents\": null, \"tokenize_chinese_chars\": false}");
    says(NULL, NULL);
    write_definition(cased, "null", "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
    says(NULL, NULL);
    /* whose texts are lower-cased where nothing says otherwise */
    write_definition(cased, "null", "{\"tokenizer_class\": \"BertTokenizer\"}");
    says("\"lowercase\": false and is followed",
         "has nothing of it, for which transformers takes \"do_lower_case\": true");
    write_definition(cased, "null", "{}");
    io_write_text("model/config.json", "{\"model_type\": \"bert\"}");
    says("\"lowercase\": false and is followed", "transformers takes \"do_lower_case\": true");
    write_definition(lower, "null", "{}");
    says(NULL, NULL);
    write_definition("{\"type\": \"BertNormalizer\", \"handle_chinese_chars\": false}", "null", "{}");
    says("\"handle_chinese_chars\": false and is followed", "transformers takes \"tokenize_chinese_chars\": true");
    write_definition("{\"type\": \"BertNormalizer\", \"strip_accents\": false}", "null", "{}");
    says("\"strip_accents\": false and is followed", "transformers takes \"strip_accents\": null");
    assert_int_equal(unlink(io_path("model/config.json")), 0);
    write_definition(lower, "null", "{\"auto_map\": {\"AutoTokenizer\": [\"t.T\", null]}}");
    says("\"auto_map\" names the tokenizer \"t.T\"", "tokenizer.json beside it is followed");
    write_definition(lower, "null", "{\"additional_special_tokens\": [\"[CLS]\", \"<e1>\"]}");
    says("takes \"<e1>\" apart", "is followed");
    write_definition(lower, "null", "{\"sep_token\": \"[UNK]\"}");
    says("puts \"[SEP]\" around texts and is followed", "has \"sep_token\": \"[UNK]\"");
    write_definition(lower, "null", "{\"cls_token\": \"[SEP]\"}");
    says("puts \"[CLS]\" around texts and is followed", "has \"cls_token\": \"[SEP]\"");
    write_definition(lower, "null", "{\"unk_token\": \"[CLS]\"}");
    says("gives unknown words the token \"[UNK]\" and is followed", "has \"unk_token\": \"[CLS]\"");
    write_definition(lower, "null", "{\"model_specific_special_tokens\": {\"x_token\": \"<e1>\"}}");
    says("takes \"<e1>\" apart", "is followed");
    write_definition(lower, "null",
                     "{\"cls_token\": \"[CLS]\", \"unk_token\": \"[UNK]\", \"model_max_length\": Infinity}");
    says(NULL, NULL);
    assert_int_equal(unlink(io_path("model/tokenizer.json")), 0);
    write_folder("{\"cls_token\": \"<s>\"}", "{\"cls_token\": \"[CLS]\"}", NULL);
    says("special_tokens_map.json has \"cls_token\": \"[CLS]\"", "\"<s>\"");
    gives("the map first", "<s>", NULL, 0, "2/0 12/0 1/0 13/0 3/0");
}

/* Two tokens with one id are what the file says, and are said; so is a tokenizer.json whose two lists differ. */
static void test_ids(void **state)
{
    static const char two[] =
        "{\"added_tokens\": [{\"id\": 1, \"content\": \"[CLS]\"}, {\"id\": 7, \"content\": \"[SEP]\"}%s], "
        "\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"post_processor\": {\"type\": "
        "\"BertProcessing\", \"cls\": [\"[CLS]\", 1], \"sep\": [\"[SEP]\", 2]}, \"model\": {\"type\": \"WordPiece\", "
        "\"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3}}}";
    char text[2000];

    (void)state;
    write_folder(NULL, NULL, "{\"<x>\": 6}");
    says("model/added_tokens.json gives a token the id of another", ": \"<x>\" and \"the\" (6)");
    sp_log_set_sink(keep_message, text);
    gives("a shared id", "<x>the", NULL, 0, "2/0 6/0 6/0 3/0");
    sp_log_set_sink(NULL, NULL);
    write_folder(NULL, NULL, "{\"<x>\": 28, \"<y>\": 28}");
    says("model/added_tokens.json gives a token the id of another", ": \"<x>\" and \"<y>\" (28)");
    write_folder("{\"added_tokens_decoder\": {\"5\": {\"content\": \"<e1>\"}, \"6\": {\"content\": \"<x>\"}}}", NULL,
        NULL);
    says("model/tokenizer_config.json gives a token the id of another", ": \"<x>\" and \"the\" (6)");
    write_folder(NULL, NULL, "{\"<e1>\": 5, \"<x>\": 28}");
    says(NULL, NULL);
    write_folder(NULL, NULL, "{\"<x>\": 28, \"<y>\": 30}");
    says("model/added_tokens.json gives \"<y>\" the id 30 and is followed", "the vocabulary's 28 tokens");
    write_folder(NULL, NULL, NULL);
    assert_int_equal(unlink(io_path("model/vocab.txt")), 0);
    snprintf(text, sizeof text, two, "");
    io_write_text("model/tokenizer.json", text);
    says("gives \"added_tokens\" other ids than its vocabulary, which is followed", ": \"[SEP]\" (2, not 7)");
    snprintf(text, sizeof text, two, ", {\"id\": 3, \"content\": \"<x>\"}");
    io_write_text("model/tokenizer.json", text);
    says("model/tokenizer.json gives a token the id of another", ": \"<x>\" and \"a\" (3)");
}

/* A vocab.txt beside a tokenizer.json is not used: where the two differ, it is said which counts and where they
 * part. */
static void test_two_vocabularies(void **state)
{
    static const struct {
        const char *vocab, *first, *second; /* NULL: nothing is said */
    } cases[] = {
        { "[UNK]\n[CLS]\n[SEP]\na\nb\nc\n", NULL, NULL },
        { "\357\273\277[UNK] \r\n[CLS]\r\n[SEP]\r\na\r\nb\r\nc\r\n\r\n", NULL, NULL },
        { "[UNK]\n[CLS]\n[SEP]\na\nb\nc\nb", "tokenizer.json has 6 tokens and is followed; ",
          "has 7, is not used, and differs from it: line 7 is \"b\"" },
        { "[UNK]\n[CLS]\n[SEP]\na\nx\nc\n", "has 6 tokens and is followed; ",
          "vocab.txt beside it has 6, is not used, and differs from it: line 5 is \"x\"" },
        { "[UNK]\n[CLS]\n[SEP]\nb\na\nc\n", "is followed", "line 4 is \"b\"" },
        { "[UNK]\n[CLS]\n[SEP]\na", "has 6 tokens and is followed; ",
          "has 4, is not used, and lacks the others, of which the first, 4 is \"b\"" },
        /* cannot be read, and need not */
        { "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 438000000\n", NULL, NULL },
    };
    char message[1000];

    (void)state;
    write_definition("{\"type\": \"BertNormalizer\"}", "null", "{}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        io_write_text("model/vocab.txt", cases[i].vocab);
        says(cases[i].first, cases[i].second);
        sp_log_set_sink(keep_message, message);
        gives("tokenizer.json's", "a x", NULL, 0, "1/0 3/0 0/0 2/0");
        sp_log_set_sink(NULL, NULL);
    }
}

/* So are two words with one id, a word with two, and a post-processor that has another id for a token. */
static void test_word_ids(void **state)
{
    static const char words[] =
        "{\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"post_processor\": %s, "
        "\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3, \"b\": "
        "%d}}}";
    static const char bert[] = "{\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", %d], \"sep\": [\"[SEP]\", 2]}";
    static const char template[] =
        "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}}, "
        "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"pair\": [%s{\"Sequence\": {\"id\": \"A\", \"type_id\": "
        "0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}], \"special_tokens\": {\"[CLS]\": {\"id\": \"[CLS]\", "
        "\"ids\": [4], \"tokens\": [\"[CLS]\"]}}}";
    static const char cls[] = "{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}}, ";
    char text[2000], post[1000];

    (void)state;
    snprintf(text, sizeof text, words, "null", 4);
    io_write_text("model/tokenizer.json", text);
    says("model/tokenizer.json puts no token such as [CLS] before a text (\"post_processor\")", "reads the first word");
    snprintf(post, sizeof post, template, "");
    snprintf(text, sizeof text, words, post, 4);
    io_write_text("model/tokenizer.json", text);
    says("before a pair of texts (\"post_processor\")", "is followed");
    snprintf(post, sizeof post, bert, 1);
    snprintf(text, sizeof text, words, post, 4);
    io_write_text("model/tokenizer.json", text);
    says(NULL, NULL);
    snprintf(text, sizeof text, words, post, 3);
    io_write_text("model/tokenizer.json", text);
    says("\"vocab\" gives \"a\" and \"b\" one id, 3", "cannot tell them apart");
    snprintf(post, sizeof post, bert, 3);
    snprintf(text, sizeof text, words, post, 4);
    io_write_text("model/tokenizer.json", text);
    says("\"post_processor\" gives \"[CLS]\" the id 3, and \"vocab\" 1", "the first is followed");
    snprintf(post, sizeof post, template, cls);
    snprintf(text, sizeof text, words, post, 4);
    io_write_text("model/tokenizer.json", text);
    says("\"post_processor\" gives \"[CLS]\" the id 4, and \"vocab\" 1", "the first is followed");
    assert_int_equal(unlink(io_path("model/tokenizer.json")), 0);
    io_write_text("model/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nthe\n\n\n");
    says("model/vocab.txt:7: the token of this line stands in an earlier one", "the last counts");
    gives("the last", "the", NULL, 0, "2/0 6/0 3/0");
    io_write_text("model/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n\n\n");
    says(NULL, NULL);
}

/* White space behind the tokens of a vocab.txt, of an editor's, is part of none; transformers 5 gives these ids. */
static void test_blanks(void **state)
{
    static const char *const ends[] = { " ", "\t", " \r", "\302\240", "\343\200\200", " \302\205" };
    char text[200];

    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        snprintf(text, sizeof text, "[PAD]\n[UNK]\n[CLS]%s\n[SEP]\n[MASK]\nthe%s\nplay\n \n##ing%s\n", ends[i], ends[i],
                 ends[i]);
        io_write_text("model/vocab.txt", text);
        says("model/vocab.txt has white space behind 3 tokens, first in line 3", "as in transformers 5");
        sp_log_set_sink(keep_message, text);
        gives("cut", "the playing", NULL, 0, "2/0 5/0 6/0 8/0 3/0");
        sp_log_set_sink(NULL, NULL);
    }
    io_write_text("model/vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\n \t\r\nthe\r\n\303\240\r\n\r\n");
    says(NULL, NULL);
    gives("lines of Windows", "the", NULL, 0, "2/0 6/0 3/0");
    io_write_text("model/vocab.txt", "\357\273\277[UNK]\n[CLS]\n[SEP]\nthe\n"); /* a byte order mark */
    says("model/vocab.txt begins with a byte order mark", "not taken for part of its first token");
    sp_log_set_sink(keep_message, text);
    gives("without the mark", "the x", NULL, 0, "1/0 3/0 0/0 2/0");
    sp_log_set_sink(NULL, NULL);
    io_write_text("model/tokenizer_config.json", "\357\273\277{\"sep_token\": \"[UNK]\"}");
    io_write_text("model/vocab.txt", "[UNK]\n[CLS]\n[SEP]\nthe\n");
    gives("JSON with a mark", "the", NULL, 0, "1/0 3/0 0/0");
    io_write_text("model/tokenizer_config.json", "\377\376{");
    refuses("model/tokenizer_config.json is of UTF-16", "save it as UTF-8");
    io_write_text("model/tokenizer_config.json", "{}");
    io_write_text("model/vocab.txt", "\377\376[");
    refuses("model/vocab.txt is of UTF-16", "save it as UTF-8");
}

/* Nothing says that a vocabulary with capital letters is a cased one: that texts are lower-cased all the same is
 * said. */
static void test_cased_vocabulary(void **state)
{
    static const char cased[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nThe\n##s\nNew\nnew\n";

    (void)state;
    io_write_text("model/vocab.txt", cased);
    says("2 tokens with capital letters (\"New\")", "\"do_lower_case\": false into");
    gives("lower-cased", "The", NULL, 0, "2/0 5/0 3/0");
    io_write_text("model/tokenizer_config.json", "{\"do_lower_case\": false}");
    says(NULL, NULL);
    gives("cased", "The", NULL, 0, "2/0 6/0 3/0");
    io_write_text("model/tokenizer_config.json", "{\"do_lower_case\": true}");
    says(NULL, NULL);
    assert_int_equal(unlink(io_path("model/vocab.txt")), 0);
    io_write_text("model/sentencepiece.bpe.model", "");
    io_assert_error(sp_tokenizer_load(&(struct sp_tokenizer *){ NULL }, io_path("model")), SP_ENOTFOUND,
                    "sentencepiece.bpe.model, SentencePiece's own file", "save_pretrained", NULL);
}

static void test_max_length(void **state)
{
    static const struct {
        const char *config;
        size_t length;
        const char *said;
    } cases[] = {
        { "{\"model_max_length\": 512}", 512, NULL },
        { "{\"max_len\": 64}", 64, NULL },
        { "{\"model_max_length\": 128.0, \"max_len\": 64}", 128, NULL },
        { "{\"model_max_length\": 1000000000000000019884624838656}", 0, NULL },
        { "{\"model_max_length\": 1e30}", 0, NULL },
        { "{\"model_max_length\": 1e400}", 0, NULL },
        { "{\"model_max_length\": Infinity}", 0, NULL },
        { "{\"model_max_length\": null}", 0, NULL },
        { "{}", 0, NULL },
        { "{\"model_max_length\": NaN}", 0, "is NaN, which" },
        { "{\"model_max_length\": -1}", 0, "is -1, which" },
        { "{\"model_max_length\": \"512\"}", 0, "is \"512\", which" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sp_tokenizer *tokenizer;

        write_folder(cases[i].config, NULL, NULL);
        says(cases[i].said, "is not used");
        sp_log_set_sink(keep_message, (char[1000]){ "" });
        tokenizer = load();
        sp_log_set_sink(NULL, NULL);
        assert_int_equal(sp_tokenizer_max_length(tokenizer), cases[i].length);
        sp_tokenizer_free(tokenizer);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_honoured),
        TEST(test_refused),
        TEST(test_links_to_nothing),
        TEST(test_beside_definition),
        TEST(test_said),
        TEST(test_ids),
        TEST(test_word_ids),
        TEST(test_two_vocabularies),
        TEST(test_blanks),
        TEST(test_cased_vocabulary),
        TEST(test_max_length),
    };

    return cmocka_run_group_tests_name("tokenizer_config", tests, NULL, NULL);
}
