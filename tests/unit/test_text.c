/*
 * The tokenizer against what the `tokenizers` library gave (text_cases.h), and its files when they
 * are wrong. `test_text encode MODEL` and `decode MODEL` are the other side of
 * tests/tools/tokenizer_diff.py and bpe_diff.py.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/rng.h"
#include "runtime/base/text.h"
#include "runtime/text/chain.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/unicode.h"
#include "tests/unit/text_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define UNK 1
#define CLS 2
#define SEP 3

static struct sp_tokenizer *load(const char *folder)
{
    struct sp_tokenizer *tokenizer;

    if (sp_tokenizer_load(&tokenizer, io_path(folder)) < 0)
        fail_msg("%s", sp_error_message());
    return tokenizer;
}

/* The definition with `from` replaced by `to`, in a string of its own. */
static char *edited(const char *from, const char *to)
{
    const char *place = strstr(definition, from);
    struct sp_buf buf = SP_BUF(1 << 20);

    assert_non_null(place);
    assert_int_equal(sp_buf_append(&buf, definition, (size_t)(place - definition)), 0);
    assert_int_equal(sp_buf_puts(&buf, to), 0);
    assert_int_equal(sp_buf_puts(&buf, place + strlen(from)), 0);
    return buf.data;
}

static void write_edited(const char *path, const char *from, const char *to)
{
    char *text = edited(from, to);

    io_write_text(path, text);
    free(text);
}

/* Writes vocab.txt with the definition's vocabulary; returns how many lines. */
static size_t write_vocab_txt(const char *path, const char *newline)
{
    struct sp_buf buf = SP_BUF(1 << 20);
    json_t *json, *vocab, *id;
    const char *token;
    size_t count = 0;

    assert_int_equal(sp_json_parse(&json, definition, strlen(definition), "definition", 1, false), 0);
    vocab = json_object_get(json_object_get(json, "model"), "vocab");
    json_object_foreach (vocab, token, id) {
        assert_int_equal(json_integer_value(id), count++);
        assert_int_equal(sp_buf_printf(&buf, "%s%s", token, newline), 0);
    }
    json_decref(json);
    io_write_text(path, buf.data);
    sp_buf_free(&buf);
    return count;
}

static char *joined(const struct sp_encoding *encoding)
{
    struct sp_buf buf = SP_BUF(1 << 20);

    for (size_t i = 0; i < encoding->length; i++)
        assert_int_equal(sp_buf_printf(&buf, "%s%u", i ? " " : "", (unsigned)encoding->ids[i]), 0);
    return buf.data;
}

static void check_types(const struct sp_encoding *encoding)
{
    uint8_t type = 0;

    for (size_t i = 0; i < encoding->length; i++) {
        assert_int_equal(encoding->types[i], type);
        if (encoding->ids[i] == SEP && i + 1 < encoding->length)
            type = 1;
    }
}

static void check_cases(const struct sp_tokenizer *tokenizer, const struct text_case *cases,
                        size_t count)
{
    struct sp_encoding encoding = { 0 };

    for (size_t i = 0; i < count; i++) {
        const struct text_case *c = &cases[i];
        char *ids;

        assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, c->text, c->length, c->pair,
                                             c->pair_length, 0),
                         0);
        ids = joined(&encoding);
        if (strcmp(ids, c->ids) != 0)
            fail_msg("case %zu, \"%s\": %s, not %s", i, c->text, ids, c->ids);
        free(ids);
        if (c->pair && !strstr(c->text, "[SEP]"))
            check_types(&encoding);
        assert_false(encoding.truncated);
        assert_int_equal(encoding.full_length, encoding.length);
    }
    sp_encoding_free(&encoding);
}

static void test_cases(void **state)
{
    struct sp_tokenizer *tokenizer;

    (void)state;
    io_write_text("model/tokenizer.json", definition);
    tokenizer = load("model");
    check_cases(tokenizer, uncased_cases, COUNT(uncased_cases));
    sp_tokenizer_free(tokenizer);

    write_edited("cased/tokenizer.json", "\"lowercase\":true", "\"lowercase\":false");
    tokenizer = load("cased");
    check_cases(tokenizer, cased_cases, COUNT(cased_cases));
    sp_tokenizer_free(tokenizer);
}

/* An id that only the post-processor names counts too: embeddings are looked up by it. */
static void test_vocab_size(void **state)
{
    struct sp_tokenizer *tokenizer;

    (void)state;
    write_edited("model/tokenizer.json", "\"ids\":[3]", "\"ids\":[5000]");
    tokenizer = load("model");
    assert_int_equal(sp_tokenizer_vocab_size(tokenizer), 5001);
    assert_int_equal(sp_tokenizer_special(tokenizer, SP_TOKEN_UNK), UNK);
    sp_tokenizer_free(tokenizer);
}

/* The post-processor and stages in the other forms that files have them in. */
static void test_other_forms(void **state)
{
    static const char *const edits[][2] = {
        { "{\"type\":\"BertPreTokenizer\"}",
          "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"}]}" },
        { "\"type\":\"WordPiece\",", "" },
        { "\"post_processor\":{\"type\":\"TemplateProcessing\"",
          "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",2],"
          "\"sep\":[\"[SEP]\",3]},\"unused\":{\"type\":\"\"" },
        { "\"truncation\":null", "\"truncation\":{\"max_length\":3},\"padding\":{\"length\":9}" },
    };
    struct sp_tokenizer *tokenizer;

    (void)state;
    for (size_t i = 0; i < COUNT(edits); i++) {
        char *text = edited(edits[i][0], edits[i][1]), *twice;

        twice = i == 3 ? strstr(text, "\"padding\":null,") : NULL;
        if (twice) /* a key twice is an error */
            memset(twice, ' ', strlen("\"padding\":null,"));
        io_write_text("model/tokenizer.json", text);
        free(text);
        tokenizer = load("model");
        check_cases(tokenizer, uncased_cases, COUNT(uncased_cases));
        sp_tokenizer_free(tokenizer);
    }
}

static void test_vocab_txt(void **state)
{
    struct sp_tokenizer *tokenizer;
    size_t count;

    (void)state;
    count = write_vocab_txt("model/vocab.txt", "\r\n");
    tokenizer = load("model");
    assert_int_equal(sp_tokenizer_vocab_size(tokenizer), count);
    check_cases(tokenizer, uncased_cases, PLAIN_CASES);
    sp_tokenizer_free(tokenizer);

    io_write_text("model/tokenizer_config.json",
                  "{\"do_lower_case\": false, \"cls_token\": {\"content\": \"[CLS]\"}, "
                  "\"pad_token\": \"##5\"}");
    io_write_text("model/special_tokens_map.json", "{\"mask_token\": \"##6\"}");
    io_write_text("model/added_tokens.json", "{}");
    tokenizer = load("model");
    check_cases(tokenizer, cased_cases, PLAIN_CASES);
    assert_int_equal(sp_tokenizer_special(tokenizer, SP_TOKEN_CLS), CLS);
    assert_int_equal(sp_tokenizer_special(tokenizer, SP_TOKEN_MASK),
                     sp_tokenizer_special(tokenizer, SP_TOKEN_PAD) + 1);
    sp_tokenizer_free(tokenizer);
}

static void test_truncation(void **state)
{
    static const char as[] = "a a a a a a", bs[] = "b b b b b b";
    struct sp_encoding encoding = { 0 };
    struct sp_tokenizer *tokenizer;

    (void)state;
    io_write_text("model/tokenizer.json", definition);
    tokenizer = load("model");
    for (size_t n = 0; n <= 6; n++) {
        for (size_t m = 0; m <= 6; m++) {
            for (size_t maximum = 3; maximum <= 14; maximum++) {
                const char *left = &truncated_pairs[n][m][2 * (maximum - 3)];
                size_t first = (size_t)(left[0] - '0'), second = (size_t)(left[1] - '0');

                assert_int_equal(
                    sp_tokenizer_encode(&encoding, tokenizer, as, 2 * n, bs, 2 * m, maximum), 0);
                assert_int_equal(encoding.length, 3 + first + second);
                assert_int_equal(encoding.ids[1 + first], SEP);
                check_types(&encoding);
                assert_int_equal(encoding.full_length, 3 + n + m);
                assert_int_equal(encoding.truncated, 3 + n + m > maximum);
            }
        }
    }
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, as, 11, NULL, 0, 4), 0);
    assert_int_equal(encoding.length, 4);
    assert_int_equal(encoding.ids[3], SEP);
    io_assert_error(sp_tokenizer_encode(&encoding, tokenizer, as, 11, NULL, 0, 1), SP_EINVAL,
                    "2 special tokens", NULL);
    io_assert_error(sp_tokenizer_encode(&encoding, tokenizer, as, 1, bs, 1, 2), SP_EINVAL,
                    "3 special tokens", NULL);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
}

static int hash_word(void *context, const char *word, size_t length)
{
    uint32_t *hash = context;

    for (size_t i = 0; i < length; i++)
        *hash = sp_vocab_hash(*hash, word[i]);
    *hash = sp_vocab_hash(*hash, '\n');
    return 0;
}

/* As digests() in tests/tools/tokenizer_cases.py. */
static uint32_t digest(const void *state, uint32_t first, struct sp_buf *text, struct sp_ids *marks)
{
    const struct sp_chain split = { .stages = { &sp_stage_pre_tokenizer_bert }, .count = 1 };
    uint32_t hash = SP_VOCAB_HASH;

    for (uint32_t c = first; c < first + 0x4000; c++) {
        size_t length = 0;
        char in[32];

        if (c >= 0xD800 && c < 0xE000)
            continue;
        in[length++] = 'x';
        length += sp_unicode_encode(in + length, c);
        in[length++] = 'y';
        length += sp_unicode_encode(in + length, 0x302E);
        length += sp_unicode_encode(in + length, c);
        length += sp_unicode_encode(in + length, 0x1D165);
        sp_buf_clear(text);
        assert_int_equal(sp_stage_normalizer_bert.normalize(state, text, marks, in, length), 0);
        assert_int_equal(sp_chain_split(&split, NULL, (struct sp_piece){ text->data, text->length, true }, hash_word,
                                        &hash),
                         0);
    }
    return hash;
}

static void check_digests(int lowercase, const uint32_t *digests)
{
    json_t *section = json_pack("{s:b}", "lowercase", lowercase);
    struct sp_buf text = SP_BUF(1000);
    struct sp_ids marks = { 0 };
    void *normalizer;

    assert_int_equal(sp_stage_normalizer_bert.load(&normalizer, NULL, section, "none"), 0);
    for (uint32_t i = 0; i < 0x110000 / 0x4000; i++)
        if (digest(normalizer, i * 0x4000, &text, &marks) != digests[i])
            fail_msg("lowercase %d, from U+%04X: not the library's text", lowercase, i * 0x4000);
    sp_stage_normalizer_bert.free(normalizer);
    json_decref(section);
    sp_buf_free(&text);
    free(marks.data);
}

static void test_every_character(void **state)
{
    (void)state;
    check_digests(1, digests_uncased);
    check_digests(0, digests_cased);
}

static void test_long_texts(void **state)
{
    enum { LENGTH = 1 << 20 };
    char *text = malloc(LENGTH);
    struct sp_encoding encoding = { 0 };
    struct sp_tokenizer *tokenizer;

    (void)state;
    io_write_text("model/tokenizer.json", definition);
    tokenizer = load("model");
    assert_non_null(text);
    memset(text, 'a', LENGTH);
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, text, LENGTH, NULL, 0, 0), 0);
    assert_int_equal(encoding.length, 3);
    assert_int_equal(encoding.ids[1], UNK);
    for (size_t i = 0; i + 2 <= LENGTH; i += 2) /* marks of two classes in turn, all dropped */
        memcpy(text + i, i % 4 ? "\314\201" : "\314\247", 2);
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, text, LENGTH, NULL, 0, 0), 0);
    assert_int_equal(encoding.length, 2);
    memset(text, '\377', LENGTH);
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, text, LENGTH, NULL, 0, 0), 0);
    assert_int_equal(encoding.length, 2);
    memset(text, '!', LENGTH);
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, text, LENGTH, NULL, 0, 512), 0);
    assert_int_equal(encoding.full_length, 2 + LENGTH);
    assert_int_equal(encoding.length, 512);
    io_assert_error(
        sp_tokenizer_encode(&encoding, tokenizer, text, SP_TOKENIZER_TEXT_MAX + 1, NULL, 0, 0),
        SP_ELIMIT, "limit", NULL);
    free(text);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
}

static void refuses(int code, const char *file, const char *part, const char *other)
{
    struct sp_tokenizer *tokenizer;

    io_assert_error(sp_tokenizer_load(&tokenizer, io_path("model")), code, file, part, other, NULL);
    assert_null(tokenizer);
}

static void refuses_edit(const char *from, const char *to, const char *part, const char *other)
{
    write_edited("model/tokenizer.json", from, to);
    refuses(SP_EFORMAT, "tokenizer.json", part, other);
}

/* A tokenizer of a kind that is not known is none. */
static void refuses_kind(const char *from, const char *to, const char *part, const char *other)
{
    write_edited("model/tokenizer.json", from, to);
    refuses(SP_ENOTFOUND, "tokenizer.json", part, other);
}

static void test_bad_tokenizer_json(void **state)
{
    (void)state;
    assert_int_equal(mkdir(io_path("model"), 0777), 0);
    refuses(SP_ENOTFOUND, "model", "tokenizer.json", "vocab.txt");
    refuses_kind("\"BertNormalizer\"", "\"Upper\"", "\"Upper\"", "supported: BertNormalizer");
    refuses_kind("\"BertPreTokenizer\"", "\"UnicodeScripts\"", "\"UnicodeScripts\"", "BertPreTokenizer");
    refuses_kind("\"WordPiece\"", "\"WordLevel\"", "\"WordLevel\"", "BPE");
    refuses_edit("\"WordPiece\"", "7", "\"type\"", "string");
    refuses_kind("\"TemplateProcessing\"", "\"Other\"", "\"Other\"", "TemplateProcessing");
    refuses_edit("\"unk_token\":\"[UNK]\"", "\"unk_token\":\"<unk>\"", "<unk>", "vocabulary");
    refuses_edit("\"the\":", "\"the\":-", "\"the\"", "integer");
    refuses_edit("\"the\":", "\"the\":1000000000", "\"the\"", "integer");
    refuses_edit("\"the\":", "\"un\":", "a key twice in one object", "un");
    refuses_edit("\"vocab\":{", "\"vocab\":7,\"unused\":{", "\"vocab\"", "object");
    refuses_edit("\"lowercase\":true", "\"lowercase\":1", "lowercase", "true or false");
    refuses_edit("\"id\":\"B\"", "\"id\":\"C\"", "post_processor", "\"C\"");
    refuses_edit("\"type_id\":0", "\"type_id\":256", "post_processor", "type_id");
    refuses_edit("\"added_tokens\":[", "\"added_tokens\":[7,", "added_tokens", "content");
    refuses_edit("\"added_tokens\":[", "\"added_tokens\":7,\"unused\":[", "added_tokens", "list");
    io_write_text("model/tokenizer.json", "{\"model\": ");
    refuses(SP_EFORMAT, "tokenizer.json", "not valid JSON", ":1:");
    io_write_text("model/tokenizer.json", "[]");
    refuses(SP_EFORMAT, "tokenizer.json", "model", "missing");
}

static void keep_message(enum sp_log_level level, const char *text, void *user)
{
    assert_int_equal(level, SP_LOG_WARNING);
    snprintf(user, 1000, "%s", text);
}

/* A tokenizer_config.json that asks for another case is not followed, but it is said. */
static void test_other_case(void **state)
{
    char message[1000] = "";

    (void)state;
    sp_log_set_sink(keep_message, message);
    io_write_text("model/tokenizer.json", definition);
    io_write_text("model/tokenizer_config.json", "{\"do_lower_case\": true}");
    sp_tokenizer_free(load("model"));
    assert_string_equal(message, "");
    io_write_text("model/tokenizer_config.json", "{\"do_lower_case\": false}");
    sp_tokenizer_free(load("model"));
    sp_log_set_sink(NULL, NULL);
    assert_non_null(strstr(message, "\"lowercase\": true"));
    assert_non_null(strstr(message, "\"do_lower_case\": false"));
}

static void test_bad_vocab_txt(void **state)
{
    (void)state;
    io_write_text("model/vocab.txt", "");
    refuses(SP_EFORMAT, "vocab.txt", "is empty", "a vocabulary");
    io_write_text("model/vocab.txt", "[CLS]\n[SEP]\n");
    refuses(SP_EFORMAT, "vocab.txt", "[UNK]", "not in the vocabulary");
    io_write_text("model/vocab.txt", "[UNK]\n[CLS]\n\377\n[SEP]\n");
    refuses(SP_EFORMAT, "vocab.txt:3", "UTF-8", "");
    io_write_text("model/vocab.txt", "[UNK]\n[CLS]\nword");
    refuses(SP_EFORMAT, "vocab.txt", "[SEP]", "");
    io_write_text("model/vocab.txt", "[UNK]\n[CLS]\n[SEP]");
    io_write_text("model/tokenizer_config.json", "{");
    refuses(SP_EFORMAT, "tokenizer_config.json", "not valid JSON", "");
    io_write_text("model/tokenizer_config.json", "{\"added_tokens_decoder\": {\"3\": 7}}");
    refuses(SP_EFORMAT, "tokenizer_config.json", "added_tokens_decoder", "\"3\"");
}

/* Damaged definitions are refused with a message, or give a tokenizer that works. */
static void test_damaged_files(void **state)
{
    static const char text[] = "The <l> unaffable [MASK] New \303\211a";
    size_t length = strlen(definition);
    struct sp_encoding encoding = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        struct sp_tokenizer *tokenizer;
        char *damaged = edited("{", "{");
        const char *path;

        for (uint32_t j = 0; j < 1 + i % 3; j++) {
            uint64_t random = sp_rng_u64(1, SP_RNG_SHUFFLE, j, i);

            damaged[random % length] = "\"{}[],:0-e\377 a"[(random >> 40) % 14];
        }
        path = io_write("model/tokenizer.json", damaged, i % 10 ? length : length * (i % 97) / 97);
        assert_non_null(path);
        free(damaged);
        if (sp_tokenizer_load(&tokenizer, io_path("model")) < 0) {
            assert_string_not_equal(sp_error_message(), "");
            continue;
        }
        assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, text, strlen(text), "a", 1, 8),
                         0);
        assert_in_range(encoding.length, 0, 8);
        sp_tokenizer_free(tokenizer);
    }
    sp_encoding_free(&encoding);
}

/* The bytes that a JSON string of hexadecimal digits stands for, NULL for null. */
static char *from_hex(const json_t *value, size_t *length)
{
    const char *digits = json_string_value(value);
    char *bytes = digits ? malloc(strlen(digits) / 2 + 1) : NULL;

    *length = digits ? strlen(digits) / 2 : 0;
    for (size_t i = 0; i < *length; i++) {
        const char byte[3] = { digits[2 * i], digits[2 * i + 1], '\0' };

        bytes[i] = (char)strtoul(byte, NULL, 16);
    }
    return bytes;
}

/* Encodes one [maximum, text, pair] and prints its ids and types. */
static int encode_item(struct sp_encoding *encoding, const struct sp_tokenizer *tokenizer,
                       const json_t *item)
{
    size_t length, pair_length, maximum = (size_t)json_integer_value(json_array_get(item, 0));
    char *text = from_hex(json_array_get(item, 1), &length);
    char *pair = from_hex(json_array_get(item, 2), &pair_length);
    int rc = sp_tokenizer_encode(encoding, tokenizer, text, length, pair, pair_length, maximum);

    for (size_t i = 0; i < encoding->length; i++)
        printf("%u/%u ", (unsigned)encoding->ids[i], (unsigned)encoding->types[i]);
    printf("\n");
    free(text);
    free(pair);
    return rc;
}

/* Prints the text of [skip_special, ids] in hexadecimal digits; token by token it must be the same, in whole
 * characters. */
static int decode_item(const struct sp_tokenizer *tokenizer, const json_t *item)
{
    struct sp_buf whole = SP_BUF(1 << 24), parts = SP_BUF(1 << 24);
    const json_t *list = json_array_get(item, 1);
    struct sp_token_stream *stream = NULL;
    bool skip = json_is_true(json_array_get(item, 0));
    size_t count = json_array_size(list);
    uint32_t *ids = calloc(count + 1, sizeof *ids);
    int rc = sp_token_stream_open(&stream, tokenizer, skip);

    for (size_t i = 0; i < count; i++)
        ids[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    if (rc == 0)
        rc = sp_tokenizer_decode(&whole, tokenizer, ids, count, skip);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = sp_token_stream_add(stream, &parts, ids[i]);
        if (sp_text_utf8_prefix(parts.data ? parts.data : "", parts.length) < parts.length)
            printf("half a character ");
    }
    if (rc == 0)
        rc = sp_token_stream_end(stream, &parts);
    if (whole.length != parts.length || (whole.length && memcmp(whole.data, parts.data, whole.length) != 0))
        printf("other parts ");
    for (size_t i = 0; i < whole.length; i++)
        printf("%02x", (unsigned)(unsigned char)whole.data[i]);
    printf("\n");
    sp_token_stream_free(stream);
    sp_buf_free(&whole);
    sp_buf_free(&parts);
    free(ids);
    return rc;
}

/* Encodes, or decodes, the list on standard input with the model in `folder`. */
static int do_list(const char *folder, bool decode)
{
    struct sp_encoding encoding = { 0 };
    struct sp_tokenizer *tokenizer;
    json_t *list = NULL;
    int rc = sp_tokenizer_load(&tokenizer, folder);

    if (rc == 0)
        rc = sp_json_load(&list, "/dev/stdin", (size_t)1 << 30);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = decode ? decode_item(tokenizer, json_array_get(list, i))
                    : encode_item(&encoding, tokenizer, json_array_get(list, i));
    if (rc < 0)
        fprintf(stderr, "%s\n", sp_error_message());
    json_decref(list);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
    return rc < 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cases),
        TEST(test_vocab_size),
        TEST(test_other_forms),
        TEST(test_vocab_txt),
        TEST(test_truncation),
        TEST(test_long_texts),
        TEST(test_bad_tokenizer_json),
        TEST(test_bad_vocab_txt),
        TEST(test_other_case),
        TEST(test_damaged_files),
        cmocka_unit_test(test_every_character),
    };

    if (argc == 3 && (strcmp(argv[1], "encode") == 0 || strcmp(argv[1], "decode") == 0))
        return do_list(argv[2], argv[1][0] == 'd');
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
