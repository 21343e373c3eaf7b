/*
 * SentencePiece's stages against what the `tokenizers` library gave (sentencepiece_cases.h): normalizers, Metaspace,
 * Unigram; and their sections when they are wrong.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/rng.h"
#include "runtime/text/chain.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/unicode.h"
#include "tests/unit/sentencepiece_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct sp_tokenizer *load(const char *text)
{
    struct sp_tokenizer *tokenizer;

    io_write_text("model/tokenizer.json", text);
    if (sp_tokenizer_load(&tokenizer, io_path("model")) < 0)
        fail_msg("%s", sp_error_message());
    return tokenizer;
}

static void check_cases(const char *definition, const struct text_case *cases, size_t count)
{
    struct sp_tokenizer *tokenizer = load(definition);
    struct sp_encoding encoding = { 0 };
    struct sp_buf ids = SP_BUF(1 << 20);

    for (size_t i = 0; i < count; i++) {
        const struct text_case *c = &cases[i];

        if (sp_tokenizer_encode(&encoding, tokenizer, c->text, c->length, c->pair, c->pair_length, 0) < 0)
            fail_msg("%s", sp_error_message());
        sp_buf_clear(&ids);
        assert_int_equal(sp_buf_puts(&ids, ""), 0);
        for (size_t j = 0; j < encoding.length; j++)
            assert_int_equal(sp_buf_printf(&ids, "%s%u", j ? " " : "", (unsigned)encoding.ids[j]), 0);
        if (strcmp(ids.data, c->ids) != 0)
            fail_msg("case %zu, \"%s\": %s, not %s", i, c->text, ids.data, c->ids);
    }
    sp_buf_free(&ids);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
}

static void test_cases(void **state)
{
    (void)state;
    check_cases(roberta_definition, roberta_cases, COUNT(roberta_cases));
    check_cases(first_definition, first_cases, COUNT(first_cases));
    check_cases(first_stripped_definition, first_stripped_cases, COUNT(first_stripped_cases));
    check_cases(cleaned_definition, cleaned_cases, COUNT(cleaned_cases));
    check_cases(unknown_definition, unknown_cases, COUNT(unknown_cases));
}

static size_t put(char *out, const char *const parts[], size_t count, uint32_t c)
{
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        length += sp_unicode_encode(out + length, c);
        memcpy(out + length, parts[i], strlen(parts[i]));
        length += strlen(parts[i]);
    }
    return length;
}

/* As digest() in tests/tools/sentencepiece_cases.py. */
static uint32_t digest(const struct sp_chain *chain, struct sp_scratch *scratch, uint32_t first)
{
    static const char *const parts[] = { "a",
                                         "\314\201b\314\243",
                                         "\341\204\200",
                                         "\341\205\241\341\206\250\302\251\342\200\215",
                                         "\302\251\340\244\225\340\245\215",
                                         "\340\244\225\314\202" };
    uint32_t hash = SP_VOCAB_HASH;

    for (uint32_t c = first; c < first + 0x4000; c++) {
        char in[100];
        const char *text = in;
        size_t length;

        if (c >= 0xD800 && c < 0xE000)
            continue;
        length = put(in, parts, COUNT(parts), c);
        assert_int_equal(sp_chain_normalize(chain, scratch, &text, &length), 0);
        for (size_t i = 0; i < length; i++)
            hash = sp_vocab_hash(hash, text[i]);
        hash = sp_vocab_hash(hash, '\n');
    }
    return hash;
}

static void test_every_character(void **state)
{
    struct sp_scratch scratch;

    (void)state;
    sp_scratch_init(&scratch);
    for (size_t i = 0; i < COUNT(normalized); i++) {
        json_t *section =
            json_pack("{s:s, s:s}", "type", normalized[i].type, normalized[i].key, normalized[i].value);
        struct sp_chain chain = { .count = 0 };

        assert_int_equal(sp_chain_load(&chain, NULL, "normalizer", section, "none"), 0);
        for (size_t j = 0; j < COUNT(blocks); j++)
            if (digest(&chain, &scratch, blocks[j]) != normalized[i].digests[j])
                fail_msg("%s from U+%04X: not the library's text", normalized[i].type, (unsigned)blocks[j]);
        sp_chain_free(&chain);
        json_decref(section);
    }
    sp_scratch_release(&scratch);
}

/* The library's Unicode is 9.0, and a Hangul syllable takes in no U+11A7, from which its trailing consonants are
 * counted. */
static void test_compositions(void **state)
{
    (void)state;
    assert_int_equal(sp_unicode_compose('e', 0x301), 0xE9);
    assert_int_equal(sp_unicode_compose(0x1100, 0x1161), 0xAC00);
    assert_int_equal(sp_unicode_compose(0xAC00, 0x11A8), 0xAC01);
    assert_int_equal(sp_unicode_compose(0xAC00, 0x11A7), 0);
    assert_int_equal(sp_unicode_compose(0x915, 0x93C), 0);     /* U+0958 is excluded */
    assert_int_equal(sp_unicode_compose(0x11935, 0x11930), 0); /* U+11938 is of Unicode 13 */
    assert_int_equal(sp_unicode_compose(0x114B9, 0x114BA), 0x114BB);
}

/* Words without end, of pieces and of none, and combining marks. What takes the square of a length would not come to an
 * end here. */
static void test_long_texts(void **state)
{
    enum { LENGTH = 1 << 19 };
    static const char *const definitions[] = { roberta_definition, first_definition, cleaned_definition };
    static const struct {
        const char *unit;
        size_t bytes;
    } repeated[] = {
        { "aba", 3 }, { "x", 1 }, { "\314\201\314\247", 4 }, { "a\314\247", 3 }, { "\360\237\207\251", 4 },
    };
    char *text = malloc(LENGTH);
    struct sp_encoding encoding = { 0 };

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(definitions); i++) {
        struct sp_tokenizer *tokenizer = load(definitions[i]);

        for (size_t j = 0; j < COUNT(repeated); j++) {
            size_t count = LENGTH / repeated[j].bytes;

            for (size_t k = 0; k < count; k++)
                memcpy(text + k * repeated[j].bytes, repeated[j].unit, repeated[j].bytes);
            assert_int_equal(
                sp_tokenizer_encode(&encoding, tokenizer, text, count * repeated[j].bytes, NULL, 0, 0), 0);
            assert_true(encoding.length > 0 || j == 2); /* the marks are stripped */
        }
        sp_tokenizer_free(tokenizer);
    }
    free(text);
    sp_encoding_free(&encoding);
}

static void write_edited(const char *definition, const char *from, const char *to)
{
    const char *place = strstr(definition, from);
    struct sp_buf buf = SP_BUF(1 << 20);

    assert_non_null(place);
    assert_int_equal(sp_buf_append(&buf, definition, (size_t)(place - definition)), 0);
    assert_int_equal(sp_buf_puts(&buf, to), 0);
    assert_int_equal(sp_buf_puts(&buf, place + strlen(from)), 0);
    io_write_text("model/tokenizer.json", buf.data);
    sp_buf_free(&buf);
}

static void refuses(const char *definition, const char *from, const char *to, const char *part, const char *other)
{
    struct sp_tokenizer *tokenizer;

    write_edited(definition, from, to);
    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), SP_EFORMAT, "tokenizer.json", part, other, NULL);
    assert_null(tokenizer);
}

static void test_bad_sections(void **state)
{
    (void)state;
    refuses(roberta_definition, "\"unk_id\":3", "\"unk_id\":43", "\"unk_id\" is 43", "0 to 42");
    refuses(roberta_definition, "\"unk_id\":3", "\"unk_id\":-1", "\"unk_id\" is -1", "0 to 42");
    refuses(roberta_definition, "[\"<s>\",0.0]", "[\"<s>\",1e999]", "piece 0", "finite number");
    refuses(roberta_definition, "[\"<s>\",0.0]", "[\"<s>\",NaN]", "piece 0", "finite number");
    refuses(roberta_definition, "[\"<s>\",0.0]", "[\"<s>\"]", "piece 0", "finite number");
    refuses(roberta_definition, "[\"<s>\",0.0]", "{}", "piece 0", "string");
    refuses(roberta_definition, "[\"<s>\",0.0]", "[\"the\",0.0]", "\"the\"", "twice");
    refuses(roberta_definition, "\"vocab\":[", "\"vocab\":[],\"unused\":[", "\"vocab\"", "tokens");
    refuses(roberta_definition, "\"byte_fallback\":false", "\"byte_fallback\":0", "byte_fallback", "true or false");
    refuses(roberta_definition, "\"replacement\":\"\342\226\201\"", "\"replacement\":\"__\"", "\"__\"",
            "one character");
    refuses(roberta_definition, "\"replacement\":\"\342\226\201\"", "\"unused\":1", "\"replacement\"", "one character");
    refuses(roberta_definition, "\"add_prefix_space\":true", "\"prepend_scheme\":\"often\"", "\"often\"", "first");
    refuses(roberta_definition, "\"add_prefix_space\":true", "\"add_prefix_space\":false,\"prepend_scheme\":\"first\"",
            "add_prefix_space", "never");
    refuses(roberta_definition, "\"precompiled_charsmap\":\"", "\"precompiled_charsmap\":\"*", "base64", "cut");
    refuses(roberta_definition, "\"precompiled_charsmap\":\"", "\"precompiled_charsmap\":\"////////", "no trie", "cut");
    refuses(roberta_definition, "\"precompiled_charsmap\":\"", "\"precompiled_charsmap\":\"\",\"unused\":\"", "0 bytes",
            "no trie");
    refuses(roberta_definition, "\"precompiled_charsmap\"", "\"charsmap\"", "Precompiled", "precompiled_charsmap");
    refuses(roberta_definition, "\"precompiled_charsmap\":\"",
            "\"precompiled_charsmap\":\"BAAAAAAAAAD/\",\"unused\":\"", "replacements", "UTF-8");
    refuses(cleaned_definition, "\"content\":\"\\\"\"", "\"content\":1", "content", "string");
    refuses(cleaned_definition, "{\"String\":\"``\"}", "{}", "Replace", "pattern");
    refuses(cleaned_definition, "{\"Regex\":\"\\\\s{2,}\"}", "{\"Regex\":\"(a\"}", "\"(a\"", "pattern");
    refuses(cleaned_definition, "\"prepend\":", "\"unused\":", "Prepend", "\"prepend\"");
    refuses(cleaned_definition, "\"strip_left\":true", "\"strip_left\":1", "strip_left", "true or false");
}

/* The older spelling of Metaspace without a prefix. */
static void test_no_prefix(void **state)
{
    struct sp_encoding encoding = { 0 };
    struct sp_tokenizer *tokenizer;

    (void)state;
    write_edited(roberta_definition, "\"add_prefix_space\":true", "\"add_prefix_space\":false");
    assert_int_equal(sp_tokenizer_load(&tokenizer, io_path("model")), 0);
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, "the", 3, NULL, 0, 0), 0);
    assert_int_equal(encoding.length, 4); /* <s> t he </s>, and no U+2581 */
    assert_int_equal(encoding.ids[1], 11);
    assert_int_equal(encoding.ids[2], 8);
    sp_tokenizer_free(tokenizer);
    sp_encoding_free(&encoding);
}

/* Without an unknown token a text of the model's pieces is encoded, and no other. */
static void test_no_unknown(void **state)
{
    struct sp_encoding encoding = { 0 };
    struct sp_tokenizer *tokenizer;

    (void)state;
    write_edited(first_definition, "\"unk_id\":3", "\"unk_id\":null");
    assert_int_equal(sp_tokenizer_load(&tokenizer, io_path("model")), 0);
    assert_int_equal(sp_tokenizer_special(tokenizer, SP_TOKEN_UNK), SP_TOKEN_NONE);
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, "the", 3, NULL, 0, 0), 0);
    assert_int_equal(encoding.length, 1);
    io_assert_error(sp_tokenizer_encode(&encoding, tokenizer, "x", 1, NULL, 0, 0), SP_EFORMAT, "unknown token",
                    "unk_id", NULL);
    sp_tokenizer_free(tokenizer);
    sp_encoding_free(&encoding);
}

static void keep_message(enum sp_log_level level, const char *text, void *user)
{
    assert_int_equal(level, SP_LOG_WARNING);
    snprintf(user, 500, "%s", text);
}

/* A folder as it is saved for XLM-R says nothing against itself; one that names another unknown token does. */
static void test_configuration(void **state)
{
    static const char config[] = "{\"tokenizer_class\": \"XLMRobertaTokenizer\", \"cls_token\": \"<s>\", "
                                 "\"sep_token\": \"</s>\", \"unk_token\": \"<unk>\", \"mask_token\": \"<mask>\"}";
    char message[500] = "";

    (void)state;
    sp_log_set_sink(keep_message, message);
    io_write_text("model/tokenizer_config.json", config);
    sp_tokenizer_free(load(roberta_definition));
    assert_string_equal(message, "");
    io_write_text("model/tokenizer_config.json", "{\"unk_token\": \"<pad>\"}");
    sp_tokenizer_free(load(roberta_definition));
    sp_log_set_sink(NULL, NULL);
    assert_non_null(strstr(message, "gives unknown words the token \"<unk>\""));
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Files with errors here and there, most of them in the map, are refused or do no harm. */
static void test_damaged(void **state)
{
    static const char text[] = "a\342\226\201b \303\251\314\201 \357\254\201 \360\237\207\251 q<mask> \340\244\225";
    static const char *const definitions[] = { roberta_definition, roberta_definition, cleaned_definition };
    struct sp_encoding encoding = { 0 };
    const char *path = io_write_text("model/tokenizer.json", ""), *model = io_path("model");
    size_t loaded = 0;

    (void)state;
    for (uint64_t i = 0; i < 1500; i++) {
        const char *definition = definitions[i % COUNT(definitions)];
        size_t length = strlen(definition), first = 0, range = length;
        char *damaged = strdup(definition);
        const char *map = strstr(damaged, "charsmap\":\""), *end = map ? strstr(map + 11, "\"}") : NULL;
        struct sp_tokenizer *tokenizer;

        if (i % 3 == 0) {
            first = (size_t)(map + 11 - damaged);
            range = (size_t)(end - map) - 11;
        }
        for (uint64_t j = 0; j < 1 + i % 7; j++) {
            uint64_t random = sp_rng_u64(2, SP_RNG_SHUFFLE, j, i);

            damaged[first + random % range] =
                i % 3 ? "\"{}[],:0-e\377 a"[(random >> 40) % 14] : "AQgwBz+/9DEaV4"[(random >> 40) % 14];
        }
        write_file(path, damaged);
        free(damaged);
        if (sp_tokenizer_load(&tokenizer, model) < 0) {
            assert_string_not_equal(sp_error_message(), "");
            continue;
        }
        loaded++;
        if (sp_tokenizer_encode(&encoding, tokenizer, text, strlen(text), "\001a\343\200\200", 5, 8) < 0)
            assert_string_not_equal(sp_error_message(), "");
        else
            assert_in_range(encoding.length, 0, 8);
        sp_tokenizer_free(tokenizer);
    }
    assert_true(loaded > 300);
    sp_encoding_free(&encoding);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cases),        TEST(test_compositions), TEST(test_every_character), TEST(test_long_texts),
        TEST(test_bad_sections), TEST(test_no_prefix),    TEST(test_no_unknown),      TEST(test_configuration),
        TEST(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
