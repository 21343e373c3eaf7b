/*
 * Byte-pair encoding, patterns and decoding where bpe_diff.py, which holds them against the `tokenizers` library, does
 * not reach: files that are wrong or made to harm, streams, and what stands at a text's ends.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/text/tokenizer.h"
#include "tests/unit/bpe_definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct sp_tokenizer *load(const char *text, const char *config)
{
    struct sp_tokenizer *tokenizer;

    io_write_text("model/tokenizer.json", text);
    io_write_text("model/tokenizer_config.json", config);
    if (sp_tokenizer_load(&tokenizer, io_path("model")) < 0)
        fail_msg("%s", sp_error_message());
    return tokenizer;
}

/* The definition with `from` replaced by `to`. */
static char *edited(const char *from, const char *to)
{
    const char *place = strstr(definition, from);
    struct sp_buf buf = SP_BUF(1 << 24);

    assert_non_null(place);
    assert_int_equal(sp_buf_append(&buf, definition, (size_t)(place - definition)), 0);
    assert_int_equal(sp_buf_puts(&buf, to), 0);
    assert_int_equal(sp_buf_puts(&buf, place + strlen(from)), 0);
    return buf.data;
}

static void assert_ids(const struct sp_tokenizer *tokenizer, const char *text, const char *expected)
{
    struct sp_encoding encoding = { 0 };
    struct sp_buf ids = SP_BUF(1000);

    if (sp_tokenizer_encode(&encoding, tokenizer, text, strlen(text), NULL, 0, 0) < 0)
        fail_msg("%s", sp_error_message());
    assert_int_equal(sp_buf_puts(&ids, ""), 0);
    for (size_t i = 0; i < encoding.length; i++)
        assert_int_equal(sp_buf_printf(&ids, "%s%u", i ? " " : "", (unsigned)encoding.ids[i]), 0);
    assert_string_equal(ids.data, expected);
    sp_buf_free(&ids);
    sp_encoding_free(&encoding);
}

static void keep_message(enum sp_log_level level, const char *text, void *user)
{
    assert_int_equal(level, SP_LOG_WARNING);
    snprintf(user, 1000, "%s", text);
}

static void test_ends(void **state)
{
    static const struct {
        const char *config, *ids;
        bool warns;
    } cases[] = {
        { "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}", "9 10", false },
        { "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_bos_token\": true}", "20 9 10", true },
        { "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_bos_token\": true, \"add_eos_token\": true}",
          "20 9 10 21", true },
        { "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_bos_token\": false}", "9 10", false },
        { "{\"bos_token\": null, \"eos_token\": \"</s>\", \"add_bos_token\": true}", "9 10", false },
    };
    char message[1000];

    (void)state;
    sp_log_set_sink(keep_message, message);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sp_tokenizer *tokenizer;

        message[0] = '\0';
        tokenizer = load(definition, cases[i].config);
        assert_ids(tokenizer, "hello w", cases[i].ids);
        assert_int_equal(strstr(message, "add_bos_token") != NULL, cases[i].warns);
        assert_int_equal(sp_tokenizer_special(tokenizer, SP_TOKEN_EOS), 21);
        assert_int_equal(sp_tokenizer_special(tokenizer, SP_TOKEN_BOS), i == 4 ? SP_TOKEN_NONE : 20);
        sp_tokenizer_free(tokenizer);
    }
    sp_log_set_sink(NULL, NULL);
}

/* The four bytes of an emoji come in four tokens: nothing of it before the last. */
static void test_stream(void **state)
{
    static const uint32_t ids[] = { 20, 9, 11, 12, 13, 14, 99, 11, 21, 11 };
    static const char *const text[] = { "", "hello", "hello", "hello", "hello", "hello\360\237\230\200",
                                        "hello\360\237\230\200", "hello\360\237\230\200",
                                        "hello\360\237\230\200", "hello\360\237\230\200" };
    struct sp_tokenizer *tokenizer = load(definition, "{}");
    struct sp_token_stream *stream;
    struct sp_buf out = SP_BUF(1000);

    (void)state;
    assert_int_equal(sp_token_stream_open(&stream, tokenizer, true), 0);
    for (int round = 0; round < 2; round++) { /* behind the end it begins anew */
        assert_int_equal(sp_buf_puts(&out, ""), 0);
        for (size_t i = 0; i < COUNT(ids); i++) {
            assert_int_equal(sp_token_stream_add(stream, &out, ids[i]), 0);
            if (i < 7)
                assert_string_equal(out.data, text[i]);
        }
        assert_int_equal(sp_token_stream_end(stream, &out), 0);
        assert_string_equal(out.data, "hello\360\237\230\200\357\277\275\357\277\275");
        sp_buf_clear(&out);
    }
    assert_int_equal(sp_tokenizer_decode(&out, tokenizer, ids, 2, false), 0);
    assert_string_equal(out.data, "<s>hello");
    sp_token_stream_free(stream);
    sp_tokenizer_free(tokenizer);
    sp_buf_free(&out);
}

static void refuses(int code, const char *from, const char *to, const char *part, const char *other)
{
    struct sp_tokenizer *tokenizer;
    char *text = edited(from, to);

    io_write_text("model/tokenizer.json", text);
    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), code, "tokenizer.json", part, other, NULL);
    assert_null(tokenizer);
    free(text);
}

/* Both texts, until the next call. */
static const char *joined(const char *a, const char *b)
{
    static char out[4000];

    snprintf(out, sizeof out, "%s%s", a, b);
    return out;
}

static void test_hostile(void **state)
{
    struct sp_buf deep = SP_BUF(1 << 20);

    (void)state;
    refuses(SP_EFORMAT, "\"l l\"", "\"l x\"", "merge 1", "\"x\"");
    refuses(SP_EFORMAT, "\"l l\"", "\"h h\"", "merge 1 needs the token \"hh\"", "not in the vocabulary");
    refuses(SP_EFORMAT, "\"l l\"", "\"l\"", "merge 1 is not a pair", "");
    refuses(SP_EFORMAT, "\"l l\"", "\"l l l\"", "merge 1 is not a pair", "");
    refuses(SP_EFORMAT, "[\"h\", \"e\"]", "[\"h\", 1]", "merge 2 is not a pair", "");
    refuses(SP_EFORMAT, "[\"h\", \"e\"]", "7", "merge 2 is not a pair", "");
    refuses(SP_EFORMAT, "\"merges\": [", "\"merges\": 1, \"x\": [", "\"merges\"", "list");
    refuses(SP_EFORMAT, "\"dropout\": null", "\"dropout\": 0.1", "\"dropout\"", "null");
    refuses(SP_EFORMAT, "\"h\": 0", "\"h\": -1", "\"h\"", "integer");
    refuses(SP_EFORMAT, "\"h\": 0", "\"h\": 67108864", "\"h\"", "integer");
    refuses(SP_EFORMAT, "\"byte_fallback\": false", "\"byte_fallback\": 1", "byte_fallback", "true or false");
    refuses(SP_EFORMAT, "\"Isolated\"", "\"Sideways\"", "Sideways", "MergedWithNext");
    refuses(SP_EFORMAT, "{\"Regex\": \"", "{\"Other\": \"", "Split", "\"Regex\" or a \"String\"");
    refuses(SP_ENOTFOUND, "{\"type\": \"ByteLevel\"}]}", "{\"type\": \"Strange\"}]}", "Strange", "supported");
    refuses(SP_EFORMAT, "\"decoder\": {\"type\": \"ByteLevel\"}",
            "\"decoder\": {\"type\": \"Strip\", \"content\": \"ab\", \"start\": 1, \"stop\": 0}", "Strip", "content");
    refuses(SP_ENOTFOUND, "\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"CTC\"}", "CTC",
            "supported: ");
    /* Sequences in each other, and more stages than there is room for */
    for (int i = 0; i < 20; i++)
        assert_int_equal(sp_buf_puts(&deep, "{\"type\": \"Sequence\", \"decoders\": ["), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(sp_buf_puts(&deep, "]}"), 0);
    refuses(SP_ELIMIT, "{\"type\": \"ByteLevel\"}, \"model\"", joined(deep.data, ", \"model\""), "Sequences",
            "decoder");
    sp_buf_clear(&deep);
    assert_int_equal(sp_buf_puts(&deep, "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}"), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(sp_buf_puts(&deep, ", {\"type\": \"Fuse\"}"), 0);
    refuses(SP_ELIMIT, "{\"type\": \"ByteLevel\"}, \"model\"", joined(deep.data, "]}, \"model\""), "more than 16",
            "stages");
    sp_buf_free(&deep);
}

/* Patterns that are refused by what is in them, or by PCRE2. */
static void test_patterns(void **state)
{
    static const char *const patterns[][2] = {
        { "(a)\\\\1", "an escape" },        { "\\\\p{Klingon}", "\"Klingon\", which is not known" },
        { "a(?x: b )", "an option" },       { "(a", "not closed" },
        { "a)", "without its" },            { "[a", "not closed" },
        { "*a", "a repeat of nothing" },    { "(?i:\\u00e9)", "beyond ASCII" },
        { "(?i)s(?:s)", "one character may stand for" }, { "(?i)(?:s){1}s", "one character may stand for" },
        { "(?i:ss)", "one character" },     { "\\\\x{110000}", "no character's" },
        { "[z-a]", "ends before it begins" }, { "a{99999}", "cannot be used" },
        { "(?<=a*)b", "cannot be used" },   { "\\\\X", "an escape" },
        { "a\\\\", "backslash" },           { "\\\\p", "an escape" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(patterns); i++)
        refuses(SP_EFORMAT, "\\\\d| ?\\\\p{L}+|.", patterns[i][0], "the pattern", patterns[i][1]);
}

/* A pattern that needs more and more steps ends in an error, not in hours. */
static void test_steps(void **state)
{
    char *text = edited("\\\\d| ?\\\\p{L}+|.", "(?:a|aa|a?)*(?:b|c)"), *long_one = calloc(1, 4001);
    struct sp_tokenizer *tokenizer = load(text, "{}");
    struct sp_encoding encoding = { 0 };

    (void)state;
    memset(long_one, 'a', 4000);
    io_assert_error(sp_tokenizer_encode(&encoding, tokenizer, long_one, 4000, NULL, 0, 0), SP_ELIMIT, "steps", NULL);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
    free(text);
    free(long_one);
}

static void test_vocab_json(void **state)
{
    struct sp_tokenizer *tokenizer;

    (void)state;
    io_write_text("model/vocab.json", "{\"a\": 0, \"b\": 1, \"ab\": 2, \"</s>\": 3}");
    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_EFORMAT, "tokenizer_class", "\"model_type\"",
                    "GPT2Tokenizer or RobertaTokenizer", NULL);
    io_write_text("model/config.json", "{\"model_type\": \"opt\"}");
    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_ENOTFOUND, "merges.txt is not there", NULL);
    io_write_text("model/merges.txt", "#version: 0.2\na b\nab\n");
    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_EFORMAT, "merges.txt:3", "\"ab\"", NULL);
    io_write_text("model/merges.txt", "#version: 0.2\r\na b\r\n");
    io_write_text("model/tokenizer_config.json", "{\"bos_token\": \"</s>\", \"add_bos_token\": true}");
    assert_int_equal(sp_tokenizer_load(&tokenizer, io_path("model")), 0);
    assert_ids(tokenizer, "aba", "3 2 0");
    sp_tokenizer_free(tokenizer);
    io_write_text("model/tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}");
    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_EFORMAT, "BertTokenizer", NULL);
    io_write_text("model/tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\", \"sep_token\": null}");
    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_EFORMAT, "sep_token", "null", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ends),     TEST(test_stream), TEST(test_hostile),
        TEST(test_patterns), TEST(test_steps),  TEST(test_vocab_json),
    };

    return cmocka_run_group_tests_name("bpe", tests, NULL, NULL);
}
