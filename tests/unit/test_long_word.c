/*
 * A megabyte without a blank goes to tokens within a second, whatever the model: n log n, or n times a bound; not n^2.
 * The tokens are those of the `tokenizers` library 0.23.3.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef __has_feature /* of clang */
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define LIMIT_SECONDS 30
#else
#define LIMIT_SECONDS 1
#endif

enum { LENGTH = 1 << 20, LETTERS = 26 };

typedef void add_token(struct sp_buf *out, size_t id, const char *left, const char *right);

/* All letters, and all pairs and triples of them, by what each is made of. */
static void add_tokens(struct sp_buf *out, size_t id, add_token *each)
{
    for (char a = 'a'; a <= 'z'; a++)
        each(out, id++, (char[]){ a, '\0' }, "");
    for (char a = 'a'; a <= 'z'; a++)
        for (char b = 'a'; b <= 'z'; b++)
            each(out, id++, (char[]){ a, '\0' }, (char[]){ b, '\0' });
    for (char a = 'a'; a <= 'z'; a++)
        for (char b = 'a'; b <= 'z'; b++)
            for (char c = 'a'; c <= 'z'; c++)
                each(out, id++, (char[]){ a, b, '\0' }, (char[]){ c, '\0' });
}

static void put(struct sp_buf *out, const char *text)
{
    assert_int_equal(sp_buf_puts(out, text), 0);
}

static void add_entry(struct sp_buf *out, size_t id, const char *left, const char *right)
{
    assert_int_equal(sp_buf_printf(out, ", \"%s%s\": %zu", left, right, id), 0);
}

static void add_merge(struct sp_buf *out, size_t id, const char *left, const char *right)
{
    (void)id;
    if (*right)
        assert_int_equal(sp_buf_printf(out, "%s\"%s %s\"", out->data[out->length - 1] == '[' ? "" : ", ", left, right),
                         0);
}

/* Longer pieces are likelier, by how much differs: the best way is not to be seen from one place. */
static void add_scored(struct sp_buf *out, size_t id, const char *left, const char *right)
{
    double length = (double)(strlen(left) + strlen(right));

    assert_int_equal(sp_buf_printf(out, ", [\"%s%s\", %.3f]", left, right, -3 - length - (double)(id % 7)), 0);
}

/* Encodes a word, and holds the ids' digest and the processor's time. */
static void check(const struct sp_buf *definition, uint64_t expected)
{
    uint64_t digest = 0;
    struct sp_encoding encoding = { 0 };
    struct sp_tokenizer *tokenizer;
    char *word = malloc(LENGTH);
    double seconds;
    clock_t start;

    assert_non_null(word);
    for (uint32_t i = 0; i < LENGTH; i++)
        word[i] = (char)('a' + sp_rng_u64(1, SP_RNG_SHUFFLE, 0, i) % LETTERS);
    io_write("model/tokenizer.json", definition->data, definition->length);
    if (sp_tokenizer_load(&tokenizer, io_path("model")) < 0)
        fail_msg("%s", sp_error_message());
    start = clock();
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, word, LENGTH, NULL, 0, 0), 0);
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_in_range(encoding.length, LENGTH / 3, LENGTH / 2);
    for (size_t i = 0; i < encoding.length; i++)
        digest = digest * 31 + encoding.ids[i];
    if (digest != expected)
        fail_msg("the digest of the ids is 0x%016llX", (unsigned long long)digest);
    if (seconds > LIMIT_SECONDS)
        fail_msg("it took %.2f s, at most are %d", seconds, LIMIT_SECONDS);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
    free(word);
}

static void check_bpe(const char *stages, const char *options, uint64_t expected)
{
    struct sp_buf definition = SP_BUF(1 << 24);

    assert_int_equal(sp_buf_printf(&definition, "{\"added_tokens\": [], %s, \"post_processor\": null, \"model\": {"
                                                "\"type\": \"BPE\", %s, \"vocab\": {\"<unk>\": 0, \"\xE2\x96\x81\": 1",
                                   stages, options), 0);
    add_tokens(&definition, 2, add_entry);
    put(&definition, "}, \"merges\": [");
    add_tokens(&definition, 2, add_merge);
    put(&definition, "]}}");
    check(&definition, expected);
    sp_buf_free(&definition);
}

static void test_byte_level(void **state)
{
    (void)state;
    check_bpe("\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
              "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}|.\"}, "
              "\"behavior\": \"Isolated\", \"invert\": false}, "
              "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}, "
              "\"decoder\": {\"type\": \"ByteLevel\"}",
              "\"unk_token\": null, \"byte_fallback\": false", 0xE6AE786CAAF4A90Du);
}

static void test_sentencepiece(void **state)
{
    (void)state;
    check_bpe("\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": "
              "\"\xE2\x96\x81\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, "
              "\"content\": \"\xE2\x96\x81\"}]}, "
              "\"pre_tokenizer\": null, \"decoder\": null",
              "\"unk_token\": \"<unk>\", \"fuse_unk\": true, \"byte_fallback\": true", 0xB8E14690D5EC254Eu);
}

static void test_unigram(void **state)
{
    struct sp_buf definition = SP_BUF(1 << 24);

    (void)state;
    put(&definition, "{\"added_tokens\": [], \"normalizer\": {\"type\": \"NFKC\"}, \"pre_tokenizer\": {\"type\": "
                     "\"Metaspace\", \"replacement\": \"\xE2\x96\x81\", \"prepend_scheme\": \"always\"}, "
                     "\"post_processor\": null, \"decoder\": null, \"model\": {\"type\": \"Unigram\", \"unk_id\": 0, "
                     "\"vocab\": [[\"<unk>\", 0], [\"\xE2\x96\x81\", -2]");
    add_tokens(&definition, 2, add_scored);
    put(&definition, "]}}");
    check(&definition, 0xAE2889289716F2F0u);
    sp_buf_free(&definition);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_byte_level), TEST(test_sentencepiece), TEST(test_unigram) };

    return cmocka_run_group_tests_name("long word", tests, NULL, NULL);
}
