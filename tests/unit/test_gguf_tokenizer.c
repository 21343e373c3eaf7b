/* The tokenizer.json that is made of a GGUF's vocabulary: tests/tools/gguf_diff.py holds its ids against other
 * programs; here are its parts, and what is refused. */
#include "tests/unit/gguf_files.h"
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/io/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sp_checkpoint *model;
static json_t *made[2]; /* the last documents */
static char logged[1000];

static void keep_log(enum sp_log_level level, const char *message, void *user)
{
    (void)level;
    (void)user;
    snprintf(logged, sizeof logged, "%s", message);
}

/* The least that is a model. */
static void begin(struct gguf_file *file)
{
    static const char *const keys[] = { "block_count", "context_length", "embedding_length", "feed_forward_length",
                                        "attention.head_count" };

    gguf_begin(file, "llama");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char key[60];

        snprintf(key, sizeof key, "llama.%s", keys[i]);
        gguf_int(file, key, 8);
    }
    gguf_float(file, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_ramp(file, "token_embd.weight", 9, 8, 1);
}

/* Ends the file and gives what is made of it; what was made before is gone then. */
static int make(const json_t **definition, const json_t **config, struct gguf_file *file)
{
    const char *path = gguf_end(file, "m.gguf");
    int rc;

    sp_checkpoint_close(model);
    if (sp_checkpoint_open(&model, path) != 0)
        fail_msg("%s", sp_error_message());
    json_decref(made[0]);
    json_decref(made[1]);
    rc = sp_checkpoint_tokenizer(&made[0], &made[1], model);
    *definition = made[0];
    *config = made[1];
    return rc;
}

static int teardown(void **state)
{
    sp_checkpoint_close(model);
    model = NULL;
    json_decref(made[0]);
    json_decref(made[1]);
    made[0] = made[1] = NULL;
    return io_teardown(state);
}

static void assert_json(const json_t *got, const char *expected)
{
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    char *text = json_dumps(got, JSON_ENCODE_ANY);

    assert_non_null(wanted);
    if (!json_equal((json_t *)(size_t)got, wanted))
        fail_msg("it is %s", text);
    free(text);
    json_decref(wanted);
}

static const json_t *part(const json_t *definition, const char *key)
{
    return json_object_get(definition, key);
}

static const json_t *of_model(const json_t *definition, const char *key)
{
    return json_object_get(json_object_get(definition, "model"), key);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const letters[] = { "<s>", "a", "b", "ab", "c", "abc", "<x>" };
static const int32_t letter_types[] = { 3, 1, 1, 1, 1, 1, 4 };
static const char *const letter_merges[] = { "a b", "ab c" };

/* A byte-level BPE that is taken apart in that way; NULL: the file does not say how. */
static void byte_level(struct gguf_file *file, const char *pre)
{
    begin(file);
    gguf_text(file, "tokenizer.ggml.model", "gpt2");
    if (pre)
        gguf_text(file, "tokenizer.ggml.pre", pre);
    gguf_texts(file, "tokenizer.ggml.tokens", letters, COUNT(letters));
    gguf_ints(file, "tokenizer.ggml.token_type", letter_types, COUNT(letter_types));
    gguf_texts(file, "tokenizer.ggml.merges", letter_merges, COUNT(letter_merges));
    gguf_int(file, "tokenizer.ggml.bos_token_id", 0);
}

#define PLAIN "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}"

static void test_byte_level(void **state)
{
    const json_t *definition, *config;
    struct gguf_file file;

    (void)state;
    byte_level(&file, "smollm");
    gguf_int(&file, "tokenizer.ggml.eos_token_id", 6);
    gguf_text(&file, "tokenizer.chat_template", "{{ x }}");
    assert_int_equal(make(&definition, &config, &file), 0);
    assert_json(part(definition, "added_tokens"),
                "[{\"id\": 0, \"content\": \"<s>\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
                "\"normalized\": false, \"special\": true}, {\"id\": 6, \"content\": \"<x>\", \"single_word\": false, "
                "\"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": false}]");
    assert_json(part(definition, "normalizer"), "null");
    assert_json(
        part(definition, "pre_tokenizer"),
        "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", \"individual_digits\": true}, " PLAIN
        "]}");
    assert_json(part(definition, "post_processor"), "null");
    assert_json(part(definition, "decoder"), PLAIN);
    assert_json(of_model(definition, "vocab"), "{\"<s>\": 0, \"a\": 1, \"b\": 2, \"ab\": 3, \"c\": 4, \"abc\": 5, "
                                               "\"<x>\": 6}");
    assert_json(of_model(definition, "merges"), "[\"a b\", \"ab c\"]");
    assert_json(of_model(definition, "byte_fallback"), "false");
    assert_json(of_model(definition, "ignore_merges"), "false");
    assert_json(of_model(definition, "unk_token"), "null");
    assert_json(config, "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"add_bos_token\": false, "
                        "\"add_eos_token\": false, \"bos_token\": \"<s>\", \"eos_token\": \"<x>\", "
                        "\"chat_template\": \"{{ x }}\"}");
    byte_level(&file, "llama-bpe"); /* which puts a token before each text where the file does not say otherwise */
    assert_int_equal(make(&definition, &config, &file), 0);
    assert_json(of_model(definition, "ignore_merges"), "true");
    assert_json(
        part(definition, "post_processor"),
        "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}}, "
        "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"pair\": [{\"SpecialToken\": {\"id\": \"<s>\", "
        "\"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": "
        "\"<s>\", \"type_id\": 1}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}], \"special_tokens\": "
        "{\"<s>\": {\"id\": \"<s>\", \"ids\": [0], \"tokens\": [\"<s>\"]}}}");
    byte_level(&file, "llama-bpe");
    gguf_bool(&file, "tokenizer.ggml.add_bos_token", false);
    assert_int_equal(make(&definition, &config, &file), 0);
    assert_json(part(definition, "post_processor"), "null");
}

/* Each name has patterns, normalizer and flags of its own. */
static void test_pre_tokenizers(void **state)
{
    static const struct {
        const char *name;
        size_t splits;
        bool nfc, ignores_merges, adds_bos;
    } cases[] = {
        { "gpt-2", 0, false, false, false },   { "smollm", 1, false, false, false },
        { "llama-bpe", 1, false, true, true }, { "qwen2", 1, true, false, false },
        { "tekken", 1, false, true, true },    { "default", 4, false, false, false },
    };
    const json_t *definition, *config, *list;
    struct gguf_file file;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        byte_level(&file, cases[i].name);
        assert_int_equal(make(&definition, &config, &file), 0);
        list = json_object_get(part(definition, "pre_tokenizer"), "pretokenizers");
        assert_int_equal(json_array_size(list), cases[i].splits + 1);
        assert_int_equal(json_is_true(of_model(definition, "ignore_merges")), cases[i].ignores_merges);
        assert_int_equal(json_is_object(part(definition, "post_processor")), cases[i].adds_bos);
        assert_int_equal(json_is_object(part(definition, "normalizer")), cases[i].nfc);
    }
    logged[0] = '\0';
    sp_log_set_sink(keep_log, NULL);
    byte_level(&file, NULL); /* as "default", with a word about it */
    assert_int_equal(make(&definition, &config, &file), 0);
    sp_log_set_sink(NULL, NULL);
    assert_non_null(strstr(logged, "m.gguf has no \"tokenizer.ggml.pre\", which says how texts are taken apart"));
    list = json_object_get(part(definition, "pre_tokenizer"), "pretokenizers");
    assert_int_equal(json_array_size(list), 5);
}

#define SPACE "\xE2\x96\x81"

static const char *const words[] = { "<unk>", "<s>", "</s>", "<0x41>", SPACE, "a", "aa", SPACE "a", "aaa", "  ", "b" };
static const float scores[] = { 0, 0, 0, 0, -9, -8, -2, -1, -3, -1000, -10 };
static const int32_t word_types[] = { 2, 3, 3, 6, 1, 1, 1, 1, 1, 4, 1 };

static void sentencepiece(struct gguf_file *file)
{
    begin(file);
    gguf_text(file, "tokenizer.ggml.model", "llama");
    gguf_texts(file, "tokenizer.ggml.tokens", words, COUNT(words));
    gguf_floats(file, "tokenizer.ggml.scores", scores, COUNT(scores));
}

static void test_sentencepiece(void **state)
{
    const json_t *definition, *config;
    struct gguf_file file;

    (void)state;
    sentencepiece(&file);
    gguf_ints(&file, "tokenizer.ggml.token_type", word_types, COUNT(word_types));
    assert_int_equal(make(&definition, &config, &file), 0);
    /* by score; of one token's, the longer left part first */
    assert_json(of_model(definition, "merges"), "[\"" SPACE " a\", \"a a\", \"aa a\", \"a aa\"]");
    assert_json(of_model(definition, "byte_fallback"), "true");
    assert_json(of_model(definition, "fuse_unk"), "true");
    assert_json(of_model(definition, "unk_token"), "\"<unk>\"");
    assert_json(part(definition, "pre_tokenizer"), "null");
    assert_json(part(definition, "normalizer"),
                "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"" SPACE "\"}, "
                "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" SPACE "\"}]}");
    assert_json(part(definition, "decoder"),
                "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"" SPACE
                "\"}, "
                "\"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\", "
                "\"content\": \" \", \"start\": 1, \"stop\": 0}]}");
    assert_int_equal(json_array_size(part(definition, "added_tokens")), 4);
    assert_json(json_object_get(json_array_get(part(definition, "added_tokens"), 3), "content"), "\"  \"");
    assert_json(config, "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"add_bos_token\": true, "
                        "\"add_eos_token\": false, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"unk_token\": "
                        "\"<unk>\"}");
    sentencepiece(&file); /* without kinds: the tokens that have an id of their own are the special ones */
    gguf_bool(&file, "tokenizer.ggml.add_space_prefix", false);
    gguf_bool(&file, "tokenizer.ggml.add_eos_token", true);
    assert_int_equal(make(&definition, &config, &file), 0);
    assert_int_equal(json_array_size(part(definition, "added_tokens")), 3);
    assert_json(part(definition, "normalizer"),
                "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" SPACE "\"}");
    assert_int_equal(json_array_size(json_object_get(part(definition, "post_processor"), "pair")), 6);
}

static void refused(struct gguf_file *file, int code, const char *text)
{
    const json_t *definition, *config;

    io_assert_error(make(&definition, &config, file), code, io_path("m.gguf"), text, NULL);
}

static void test_refused(void **state)
{
    static const char *const twice[] = { "a", "b", "a" }, *const bad[] = { "a", "\xff" }, *const merges[] = { "ab" };
    static const float nan[] = { 0, 0, 0, 0, 0, 0, 0.0f / 0.0f, 0, 0, 0, 0 };
    struct gguf_file file;
    char *text = malloc(2000);
    const char *list[1] = { text };

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 1999);
    text[1999] = '\0';
    begin(&file);
    refused(&file, SP_ENOTFOUND, "has no tokenizer");
    begin(&file);
    gguf_text(&file, "tokenizer.ggml.model", "t5");
    gguf_texts(&file, "tokenizer.ggml.tokens", letters, COUNT(letters));
    refused(&file, SP_ENOTFOUND, "\"tokenizer.ggml.model\" is \"t5\"; of a GGUF's tokenizers are read: gpt2");
    byte_level(&file, "deepseek-llm");
    refused(&file, SP_ENOTFOUND,
            "\"tokenizer.ggml.pre\" is \"deepseek-llm\", a way to take texts apart that is not known "
            "here; these are: gpt-2, smollm, llama-bpe, qwen2, tekken, default");
    byte_level(&file, "gpt-2");
    gguf_int(&file, "tokenizer.ggml.eos_token_id", 7);
    refused(&file, SP_EFORMAT, "\"tokenizer.ggml.eos_token_id\" is 7, but the tokens are 0 to 6");
    byte_level(&file, "gpt-2");
    gguf_bool(&file, "tokenizer.ggml.add_eos_token", true);
    refused(&file, SP_EFORMAT, "a token is to be put behind each text, but \"tokenizer.ggml.eos_token_id\" is missing");
    byte_level(&file, "gpt-2");
    gguf_floats(&file, "tokenizer.ggml.scores", scores, COUNT(scores));
    refused(&file, SP_EFORMAT, "\"tokenizer.ggml.scores\" has 11 entries for 7 tokens");
    byte_level(&file, "gpt-2");
    gguf_text(&file, "tokenizer.chat_template", "\xff");
    refused(&file, SP_EFORMAT, "\"tokenizer.chat_template\" is not UTF-8");
    for (int i = 0; i < 6; i++) {
        static const char *const messages[] = {
            "tokens 0 and 2 are the same, \"a\"",   "token 1 is not UTF-8, or holds NUL",
            "token 0 has 1999 bytes; at most 1024", "\"tokenizer.ggml.tokens\" has 0 tokens",
            "has no \"tokenizer.ggml.merges\"",     "merge 0 is not two tokens",
        };

        begin(&file);
        gguf_text(&file, "tokenizer.ggml.model", "gpt2");
        gguf_text(&file, "tokenizer.ggml.pre", "gpt-2");
        if (i == 0)
            gguf_texts(&file, "tokenizer.ggml.tokens", twice, 3);
        else if (i == 1)
            gguf_texts(&file, "tokenizer.ggml.tokens", bad, 2);
        else if (i == 2)
            gguf_texts(&file, "tokenizer.ggml.tokens", list, 1);
        else
            gguf_texts(&file, "tokenizer.ggml.tokens", letters, i == 3 ? 0 : COUNT(letters));
        if (i == 5)
            gguf_texts(&file, "tokenizer.ggml.merges", merges, 1);
        refused(&file, i == 2 ? SP_ELIMIT : SP_EFORMAT, messages[i]);
    }
    begin(&file);
    gguf_text(&file, "tokenizer.ggml.model", "llama");
    gguf_texts(&file, "tokenizer.ggml.tokens", words, COUNT(words));
    gguf_floats(&file, "tokenizer.ggml.scores", nan, COUNT(nan));
    refused(&file, SP_EFORMAT, "the score of token 6 is no number");
    begin(&file);
    gguf_text(&file, "tokenizer.ggml.model", "llama");
    text[300] = '\0';
    gguf_texts(&file, "tokenizer.ggml.tokens", list, 1);
    gguf_floats(&file, "tokenizer.ggml.scores", scores, 1);
    gguf_int(&file, "tokenizer.ggml.bos_token_id", 0);
    refused(&file, SP_ELIMIT, "token 0 has 300 bytes; a word of SentencePiece's has at most 256");
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_byte_level),
        TEST(test_pre_tokenizers),
        TEST(test_sentencepiece),
        TEST(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
