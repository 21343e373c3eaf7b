/*
 * Mutated GGUF files: whatever the bytes are, opening one as a model ends in an error with a message, or in tensors and
 * a tokenizer that can be read to their last byte. As fuzz_io: seeds are fixed, SPEFT_FUZZ_ROUNDS asks for more rounds.
 */
#include "tests/unit/gguf_files.h"
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/rng.h"
#include "runtime/io/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 4000

static uint64_t draws;

static size_t draw(size_t below)
{
    return (size_t)(sp_rng_u64(11, SP_RNG_SHUFFLE, 0, draws++) % below);
}

/* A model with a bit of everything, small enough that most changes hit what matters. */
static void seed(struct sp_buf *out, bool sentencepiece)
{
    static const char *const tokens[] = { "<s>", "a", "b", "ab", "c", "abc" }, *const merges[] = { "a b", "ab c" };
    static const float scores[] = { 0, -1, -2, -3, -4, -5 };
    static const int32_t types[] = { 3, 1, 1, 1, 1, 4 };
    static const char *const sizes[] = { "llama.block_count", "llama.context_length", "llama.embedding_length",
                                         "llama.feed_forward_length" };
    static const unsigned char blocks[4 * 34] = { 0, 60, 1 };
    struct gguf_file file;

    gguf_begin(&file, "llama");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        gguf_int(&file, sizes[i], 8);
    gguf_int(&file, "llama.attention.head_count", 2);
    gguf_float(&file, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_text(&file, "tokenizer.ggml.model", sentencepiece ? "llama" : "gpt2");
    gguf_text(&file, "tokenizer.ggml.pre", "gpt-2");
    gguf_texts(&file, "tokenizer.ggml.tokens", tokens, 6);
    gguf_ints(&file, "tokenizer.ggml.token_type", types, 6);
    if (sentencepiece)
        gguf_floats(&file, "tokenizer.ggml.scores", scores, 6);
    else
        gguf_texts(&file, "tokenizer.ggml.merges", merges, 2);
    gguf_int(&file, "tokenizer.ggml.bos_token_id", 0);
    gguf_ramp(&file, "token_embd.weight", 6, 8, 1);
    gguf_ramp(&file, "blk.0.attn_q.weight", 8, 8, 1);
    gguf_ramp(&file, "blk.0.attn_k.bias", 8, 0, 1);
    gguf_tensor(&file, "blk.0.ffn_up.weight", GGUF_Q8_0, 4, 32, blocks, sizeof blocks);
    gguf_ramp(&file, "rope_freqs.weight", 2, 0, 1);
    memset(file.data.data + file.data.length - 8, 0, 8);
    memcpy(file.data.data + file.data.length - 8, "\0\0\200\077\0\0\200\077", 8); /* factors of 1 */
    gguf_bytes(out, &file);
}

/* One change; numbers, of which most of the file is made, get the values that break readers. */
static void mutate(struct sp_buf *bytes)
{
    static const uint64_t numbers[] = { 0,          1,          2,          3,          7,     8,
                                        9,          12,         13,         32,         255,   0x7fffffff,
                                        0x80000000, 0xffffffff, 1ull << 32, 1ull << 60, ~0ull, 1ull << 63 };
    size_t at = draw(bytes->length), width = (size_t)1 << draw(4), tail;
    uint64_t number = numbers[draw(sizeof numbers / sizeof *numbers)];

    switch (draw(6)) {
    case 0:
        bytes->data[at] = (char)draw(256);
        break;
    case 1:
        bytes->length = at + 1;
        break;
    case 2: /* a piece again elsewhere, which moves names and shapes about */
        tail = draw(bytes->length);
        width = 1 + draw(24);
        if (at + width <= bytes->length && tail + width <= bytes->length)
            memmove(bytes->data + at, bytes->data + tail, width);
        break;
    case 3:
        bytes->data[at] = (char)(bytes->data[at] ^ (1 << draw(8)));
        break;
    default:
        if (at + width <= bytes->length)
            memcpy(bytes->data + at, &number, width);
        break;
    }
}

/* Reads all there is. */
static double touch(struct sp_checkpoint *model)
{
    json_t *definition, *config;
    const char *sum;
    double all = 0;

    for (size_t i = 0; i < sp_checkpoint_count(model); i++) {
        const struct sp_tensor_info *t = sp_checkpoint_at(model, i);
        float *values = malloc((t->count + 1) * sizeof *values);

        assert_non_null(values);
        assert_ptr_equal(sp_checkpoint_find(model, t->name), t);
        assert_int_equal(sp_tensor_read_f32(values, t, 0, t->count), 0);
        for (size_t k = 0; k < t->count; k++)
            all += isfinite(values[k]) ? (double)values[k] : 1;
        free(values);
    }
    assert_int_equal(sp_checkpoint_checksum(&sum, model), 0);
    if (sp_checkpoint_tokenizer(&definition, &config, model) < 0)
        assert_true(strlen(sp_error_message()) > 10);
    json_decref(definition);
    json_decref(config);
    return all;
}

static void drop(enum sp_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static void save(const struct sp_buf *bytes, const char *path)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data, 1, bytes->length, file), bytes->length);
    assert_int_equal(fclose(file), 0);
}

static void test_models(void **state)
{
    const char *asked = getenv("SPEFT_FUZZ_ROUNDS"), *path = io_path("m.gguf");
    size_t rounds = asked ? (size_t)strtoul(asked, NULL, 10) : ROUNDS, accepted = 0, refused = 0;
    double all = 0;

    (void)state;
    sp_log_set_sink(drop, NULL);
    for (size_t round = 0; round < rounds; round++) {
        struct sp_checkpoint *model;
        struct sp_buf bytes;

        seed(&bytes, round % 2);
        for (size_t changes = 1 + draw(2); round >= 2 && changes; changes--)
            mutate(&bytes);
        save(&bytes, path);
        if (sp_checkpoint_open(&model, path) == 0) {
            accepted++;
            all += touch(model);
        } else {
            assert_true(strlen(sp_error_message()) > 10);
            assert_true(round >= 2); /* the seeds themselves are good */
            refused++;
        }
        sp_checkpoint_close(model);
        sp_buf_free(&bytes);
    }
    sp_log_set_sink(NULL, NULL);
    assert_true(all != 0);
    assert_true(accepted > rounds / 20 && refused > rounds / 20); /* else changes are too wild, or too tame */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_models, io_setup, io_teardown) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
