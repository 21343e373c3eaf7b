/* A GGUF in place of a model's folder: its tokenizer gives the ids of the folder that has the same one, and what is
 * said of the file. */
#include "tests/unit/gguf_files.h"
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/hash.h"
#include "runtime/text/chain.h"
#include "runtime/train/inputs.h"
#include "runtime/train/run.h"
#include "runtime/train/tokenizer.h"
#include "tests/unit/split_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SPACE "\xE2\x96\x81"

static void begin(struct gguf_file *file)
{
    static const char *const keys[] = { "block_count", "context_length", "embedding_length", "feed_forward_length",
                                        "attention.head_count" };

    gguf_begin(file, "llama");
    for (size_t i = 0; i < COUNT(keys); i++) {
        char key[60];

        snprintf(key, sizeof key, "llama.%s", keys[i]);
        gguf_int(file, key, 8);
    }
    gguf_float(file, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_ramp(file, "token_embd.weight", 16, 8, 1);
}

/* Tokens for "low lower" in single bytes and merges, of texts that are taken apart in that way; a special one. */
static void byte_level_of(struct gguf_file *file, const char *pre)
{
    static const char *const tokens[] = { "<s>", "l",   "o",  "w",           "e", "r", "\xC4\xA0",
                                          "lo",  "low", "er", "\xC4\xA0low", "1", "2" };
    static const char *const merges[] = { "l o", "lo w", "e r", "\xC4\xA0 low" };
    static const int32_t types[] = { 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

    begin(file);
    gguf_text(file, "tokenizer.ggml.model", "gpt2");
    gguf_text(file, "tokenizer.ggml.pre", pre);
    gguf_texts(file, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
    gguf_ints(file, "tokenizer.ggml.token_type", types, COUNT(types));
    gguf_texts(file, "tokenizer.ggml.merges", merges, COUNT(merges));
    gguf_int(file, "tokenizer.ggml.bos_token_id", 0);
    gguf_bool(file, "tokenizer.ggml.add_bos_token", true);
}

static void byte_level(struct gguf_file *file)
{
    byte_level_of(file, "smollm");
}

static struct sp_checkpoint *open_model(const char *path)
{
    struct sp_checkpoint *model;

    if (sp_checkpoint_open(&model, path) != 0)
        fail_msg("%s", sp_error_message());
    return model;
}

/* The ids of the text with the model's own tokenizer. */
static void assert_ids(const char *path, const struct sp_checkpoint *model, const char *text, const uint32_t *ids,
                       size_t count)
{
    struct sp_encoding encoding = { 0 };
    struct sp_tokenizer *tokenizer;

    if (sp_train_tokenizer_load(&tokenizer, path, model) != 0)
        fail_msg("%s", sp_error_message());
    assert_int_equal(sp_tokenizer_encode(&encoding, tokenizer, text, strlen(text), NULL, 0, 0), 0);
    assert_int_equal(encoding.length, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(encoding.ids[i], ids[i]);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
}

static void test_byte_level(void **state)
{
    static const uint32_t ids[] = { 0, 8, 10, 9, 6, 11, 12, 0 };
    char first[SP_HASH_HEX], second[SP_HASH_HEX], *text;
    json_t *definition, *config;
    struct sp_checkpoint *model;
    struct gguf_file file;
    const char *path;

    (void)state;
    byte_level(&file);
    path = gguf_end(&file, "m.gguf");
    model = open_model(path);
    assert_ids(path, model, "low lower 12<s>", ids, COUNT(ids));
    assert_int_equal(sp_train_tokenizer_checksum(first, model), 0);
    /* a folder with the same files gives the same */
    assert_int_equal(sp_checkpoint_tokenizer(&definition, &config, model), 0);
    text = json_dumps(definition, 0);
    io_write_text("folder/tokenizer.json", text);
    free(text);
    json_decref(definition);
    json_decref(config);
    sp_checkpoint_close(model);
    assert_ids(io_path("folder"), NULL, "low lower 12<s>", ids, COUNT(ids));
    byte_level(&file); /* what the tokenizer's checksum is of */
    gguf_bool(&file, "tokenizer.ggml.add_eos_token", false);
    model = open_model(gguf_end(&file, "m.gguf"));
    assert_int_equal(sp_train_tokenizer_checksum(second, model), 0);
    assert_string_equal(first, second);
    sp_checkpoint_close(model);
    byte_level(&file);
    gguf_text(&file, "tokenizer.chat_template", "{{ x }}");
    model = open_model(gguf_end(&file, "m.gguf"));
    assert_int_equal(sp_train_tokenizer_checksum(second, model), 0);
    assert_string_not_equal(first, second);
    sp_checkpoint_close(model);
}

static int add_piece(void *context, const char *word, size_t length)
{
    struct sp_buf *out = context;

    SP_TRY(sp_buf_puts(out, out->length ? " " : ""));
    return sp_buf_append(out, word, length);
}

/* Texts go to pieces as their family's pattern has it, which the mere name stands for. */
static void test_splits(void **state)
{
    struct sp_scratch scratch;

    (void)state;
    sp_scratch_init(&scratch);
    for (size_t i = 0; i < COUNT(split_cases); i++) {
        struct sp_chain normalizers = { .count = 0 }, splits = { .count = 0 };
        struct sp_buf pieces = SP_BUF(10000);
        json_t *definition, *config;
        struct sp_checkpoint *model;
        struct gguf_file file;

        byte_level_of(&file, split_cases[i].name);
        model = open_model(gguf_end(&file, "m.gguf"));
        assert_int_equal(sp_checkpoint_tokenizer(&definition, &config, model), 0);
        io_assert_ok(sp_chain_load(&normalizers, NULL, "normalizer", json_object_get(definition, "normalizer"), "m"));
        io_assert_ok(sp_chain_load(&splits, NULL, "pre_tokenizer", json_object_get(definition, "pre_tokenizer"), "m"));
        for (size_t j = 0; j < COUNT(split_texts); j++) {
            struct sp_piece text = { split_texts[j], strlen(split_texts[j]), true };

            io_assert_ok(sp_chain_normalize(&normalizers, &scratch, &text.text, &text.length));
            sp_buf_clear(&pieces);
            io_assert_ok(sp_chain_split(&splits, &scratch, text, add_piece, &pieces));
            if (strcmp(pieces.data, split_cases[i].pieces[j]) != 0)
                fail_msg("%s: \"%s\" goes to\n%s\nnot\n%s", split_cases[i].name, split_texts[j], pieces.data,
                         split_cases[i].pieces[j]);
        }
        sp_buf_free(&pieces);
        sp_chain_free(&normalizers);
        sp_chain_free(&splits);
        json_decref(definition);
        json_decref(config);
        sp_checkpoint_close(model);
    }
    sp_scratch_release(&scratch);
}

/* By scores, with blanks as SentencePiece has them, bytes for what is no token, and a symbol of the user's own. */
static void test_sentencepiece(void **state)
{
    static const char *const words[] = { "<unk>", "<s>", "</s>", SPACE, "a", "b", "ab", SPACE "ab", "  " };
    static const float scores[] = { 0, 0, 0, -5, -6, -7, -1, -2, -1000 };
    static const uint32_t ids[] = { 1, 7, 7, 8, 7 };
    const char *tokens[COUNT(words) + 256];
    float all_scores[COUNT(words) + 256] = { 0 };
    int32_t types[COUNT(words) + 256];
    char names[256][8];
    struct sp_checkpoint *model;
    struct gguf_file file;
    const char *path;

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        tokens[i] = words[i];
        all_scores[i] = scores[i];
        types[i] = i == 0 ? 2 : i < 3 ? 3 : i == 8 ? 4 : 1;
    }
    for (size_t i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "<0x%02X>", (unsigned)i);
        tokens[COUNT(words) + i] = names[i];
        types[COUNT(words) + i] = 6;
    }
    begin(&file);
    gguf_text(&file, "tokenizer.ggml.model", "llama");
    gguf_texts(&file, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
    gguf_floats(&file, "tokenizer.ggml.scores", all_scores, COUNT(tokens));
    gguf_ints(&file, "tokenizer.ggml.token_type", types, COUNT(tokens));
    path = gguf_end(&file, "m.gguf");
    model = open_model(path);
    assert_ids(path, model, "ab ab  ab", ids, COUNT(ids)); /* behind the symbol a prefix again, as llama.cpp does it */
    assert_ids(path, model, "c", (const uint32_t[]){ 1, 3, COUNT(words) + 'c' }, 3);
    sp_checkpoint_close(model);
}

/* Rows of token ids need no tokenizer: one that is missing, or not known, is not the model's end. */
static void test_none(void **state)
{
    struct sp_tokenizer *tokenizer;
    struct sp_checkpoint *model;
    char sum[SP_HASH_HEX];
    struct gguf_file file;
    const char *path;

    (void)state;
    begin(&file);
    path = gguf_end(&file, "m.gguf");
    model = open_model(path);
    io_assert_error(sp_train_tokenizer_load(&tokenizer, path, model), SP_ENOTFOUND, path, "has no tokenizer", NULL);
    assert_int_equal(sp_train_tokenizer_checksum(sum, model), 0);
    sp_checkpoint_close(model);
}

/* What is to be written must not be the model. */
static void test_spared(void **state)
{
    struct sp_config config = { .model_name_or_path = NULL };
    const char *path = io_write_text("m.gguf", "GGUF and no more");
    const char *outputs[] = { path, NULL };

    (void)state;
    config.model_name_or_path = (char *)(size_t)path;
    io_assert_error(sp_inputs_spare_model(&config, "--output", outputs, "predict"), SP_ECONFIG, path, "is an input",
                    NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_byte_level),
        TEST(test_splits),
        TEST(test_sentencepiece),
        TEST(test_none),
        TEST(test_spared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
