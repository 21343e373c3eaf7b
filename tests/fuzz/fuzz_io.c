/*
 * Mutated model files and adapters: whatever the bytes are, opening ends in an error with a message
 * or in tensors that can be read to the last byte. Seeds are fixed, so a failure repeats;
 * SPEFT_FUZZ_ROUNDS asks for more rounds than the default, which takes about two seconds. Worth
 * running under the address sanitizer, which is what sees a stray read.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/io/adapter.h"
#include "runtime/io/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096
#define ROUNDS 5000 /* of each kind */

static uint64_t draws;

static size_t draw(size_t below)
{
    return (size_t)(sp_rng_u64(7, SP_RNG_SHUFFLE, 0, draws++) % below);
}

static size_t rounds(void)
{
    const char *asked = getenv("SPEFT_FUZZ_ROUNDS");

    return asked ? (size_t)strtoul(asked, NULL, 10) : ROUNDS;
}

struct text {
    unsigned char bytes[ROOM];
    size_t length;
};

/* Replaces `removed` bytes at `at` by `added` of `with`; does nothing when the result would not
 * fit. */
static void splice(struct text *t, size_t at, size_t removed, const void *with, size_t added)
{
    if (removed > t->length - at)
        removed = t->length - at;
    if (t->length - removed + added > ROOM)
        return;
    memmove(t->bytes + at + added, t->bytes + at + removed, t->length - at - removed);
    memcpy(t->bytes + at, with, added);
    t->length += added - removed;
}

static void mutate_number(struct text *t, size_t at)
{
    static const char *const numbers[] = {
        "0", "-1", "1", "2", "4", "7", "255", "4294967295", "4294967296", "9223372036854775807",
        "9223372036854775808", "18446744073709551615", "1e3", "0.5", "-0", "null", "[]",
    };
    const char *number = numbers[draw(sizeof numbers / sizeof *numbers)];
    size_t end;

    while (at < t->length && (t->bytes[at] < '0' || t->bytes[at] > '9'))
        at++;
    for (end = at; end < t->length && t->bytes[end] >= '0' && t->bytes[end] <= '9'; end++)
        ;
    splice(t, at, end - at, number, strlen(number));
}

/* One change somewhere in [from, length). */
static void mutate(struct text *t, size_t from)
{
    static const char *const pieces[] = {
        "\"", "{", "}", "[", "]", ",", ":", "\\", "\\u0000", "\xff", " ", "\n", "\"a\":", "{}",
        "\"F16\"", "\"U8\"", "\"I64\"", "__metadata__", ".indices", ".values", "../", "w",
    };
    const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
    unsigned char copy[64];
    size_t at = from + draw(t->length - from + 1), size = 1 + draw(sizeof copy), source;
    unsigned char byte = (unsigned char)draw(256);

    switch (draw(8)) {
    case 0:
        splice(t, at, 1, &byte, 1);
        break;
    case 1:
        splice(t, at, size, "", 0);
        break;
    case 2:
        t->length = at;
        break;
    case 3:
        splice(t, at, 0, piece, strlen(piece));
        break;
    case 4: /* a part again elsewhere */
        source = from + draw(t->length - from + 1);
        size = size < t->length - source ? size : t->length - source;
        memcpy(copy, t->bytes + source, size);
        splice(t, at, draw(2) ? size : 0, copy, size);
        break;
    default: /* numbers are where the traps are */
        mutate_number(t, at);
        break;
    }
}

/* Reads all of a tensor; returns the sum of its bytes, so that no compiler leaves the reading
 * out. */
static size_t touch(const struct sp_tensor_info *tensor)
{
    const unsigned char *bytes = tensor->data;
    size_t sum = 0;
    float value;

    assert_true(tensor->bytes == tensor->count * sp_dtype_size(tensor->dtype));
    for (size_t i = 0; i < tensor->bytes; i++)
        sum += bytes[i];
    if (sp_dtype_is_float(tensor->dtype) && tensor->count > 0)
        assert_int_equal(sp_tensor_read_f32(&value, tensor, tensor->count - 1, 1), 0);
    return sum;
}

/* Counts what came of the rounds; an error must have said something. */
struct tally {
    size_t accepted, refused;
};

static void count(struct tally *tally, int rc)
{
    if (rc == 0) {
        tally->accepted++;
        return;
    }
    assert_true(rc < 0);
    assert_true(strlen(sp_error_message()) > 10);
    tally->refused++;
}

static void check_tally(const struct tally *tally)
{
    assert_true(tally->accepted > 0); /* else the mutations are too wild to reach what lies deep */
    assert_true(tally->refused > tally->accepted / 10);
}

static void load_text(struct text *t, const char *path)
{
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    t->length = fread(t->bytes, 1, sizeof t->bytes, file);
    fclose(file);
    assert_true(t->length > 0 && t->length < ROOM);
}

static void save_text(const struct text *t, const char *path)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(t->bytes, 1, t->length, file), t->length);
    assert_int_equal(fclose(file), 0);
}

/* Changes a safetensors file, mostly its header, whose length is then mostly put right so that
 * parsing goes deep. */
static void mutate_tensors(struct text *t)
{
    uint64_t header;
    size_t before = t->length;

    memcpy(&header, t->bytes, sizeof header);
    do {
        mutate(t, draw(10) ? sizeof header : 0);
    } while (draw(3) == 0 && t->length > sizeof header);
    if (draw(10) && header + t->length > before && t->length >= sizeof header) {
        header += t->length - before;
        memcpy(t->bytes, &header, sizeof header);
    }
}

static const float floats[6] = { 1, 2, 3, 4, 5, 6 };
static const uint32_t words[4] = { 0, 1, 4, 5 };

static const struct sp_tensor_info tensors[] = {
    { .name = "w", .dtype = SP_F32, .rank = 2, .shape = { 2, 3 }, .data = floats },
    { .name = "v", .dtype = SP_F16, .rank = 1, .shape = { 7 }, .data = floats },
    { .name = "s", .dtype = SP_F64, .data = floats },
    { .name = "empty", .dtype = SP_BF16, .rank = 2, .shape = { 0, 3 } },
    { .name = "u", .dtype = SP_U8, .rank = 1, .shape = { 3 }, .data = floats },
};

static void test_safetensors(void **state)
{
    const char *path = io_path("t.safetensors");
    struct tally tally = { 0, 0 };
    struct text seed, t;
    size_t sum = 0;

    (void)state;
    assert_int_equal(sp_safetensors_write(path, tensors, 5), 0);
    load_text(&seed, path);
    for (size_t round = 0; round < rounds(); round++) {
        struct sp_safetensors *file;

        t = seed;
        mutate_tensors(&t);
        save_text(&t, path);
        count(&tally, sp_safetensors_open(&file, path));
        for (size_t i = 0; file && i < sp_safetensors_count(file); i++) {
            const struct sp_tensor_info *tensor = sp_safetensors_at(file, i);

            assert_ptr_equal(sp_safetensors_find(file, tensor->name), tensor);
            sum += touch(tensor);
        }
        sp_safetensors_close(file);
    }
    assert_true(sum > 0);
    check_tally(&tally);
}

static void test_adapter(void **state)
{
    struct sp_adapter_sparse sparse = { "w", 2, 3, 4, words, floats };
    struct sp_adapter_dense dense = { "h", 2, { 2, 2 }, floats };
    struct sp_adapter adapter = { .sparse = &sparse,
                                  .sparse_count = 1,
                                  .dense = &dense,
                                  .dense_count = 1,
                                  .base_name = "base",
                                  .base_checksum = "0",
                                  .method = "static",
                                  .task = "classification",
                                  .labels = json_pack("[s, s]", "no", "yes"),
                                  .config = json_object() };
    const char *dir = io_path("a"), *paths[2] = { io_path("a/adapter.json"),
                                                  io_path("a/adapter.safetensors") };
    struct tally tally = { 0, 0 };
    struct text seeds[2], t;

    (void)state;
    assert_int_equal(sp_adapter_save(dir, &adapter), 0);
    json_decref((json_t *)(size_t)adapter.labels);
    json_decref((json_t *)(size_t)adapter.config);
    load_text(&seeds[0], paths[0]);
    load_text(&seeds[1], paths[1]);
    for (size_t round = 0; round < rounds(); round++) {
        int which = (int)draw(2);
        struct sp_adapter got;

        t = seeds[which];
        if (which == 0)
            mutate(&t, 0);
        else
            mutate_tensors(&t);
        save_text(&t, paths[which]);
        count(&tally, sp_adapter_load(&got, dir));
        for (size_t i = 0; i < got.sparse_count; i++)
            for (size_t k = 0; k < got.sparse[i].count; k++) {
                assert_true(got.sparse[i].indices[k] < got.sparse[i].rows * got.sparse[i].cols);
                assert_true(isfinite(got.sparse[i].values[k]));
            }
        sp_adapter_release(&got);
        save_text(&seeds[which], paths[which]);
    }
    check_tally(&tally);
}

/* config.json and the index of a sharded model. */
static void test_checkpoint(void **state)
{
    const char *dir = io_path("m"), *paths[2];
    struct tally tally = { 0, 0 };
    struct text seeds[2], t;

    (void)state;
    paths[0] = io_write_text("m/config.json", "{\"model_type\": \"bert\", \"hidden_size\": 384}");
    paths[1] = io_write_text("m/model.safetensors.index.json",
                             "{\"metadata\":{\"total_size\":46},\"weight_map\":{"
                             "\"w\":\"x.safetensors\",\"v\":\"x.safetensors\","
                             "\"s\":\"y.safetensors\"}}");
    assert_int_equal(sp_safetensors_write(io_path("m/x.safetensors"), tensors, 2), 0);
    assert_int_equal(sp_safetensors_write(io_path("m/y.safetensors"), tensors + 2, 1), 0);
    load_text(&seeds[0], paths[0]);
    load_text(&seeds[1], paths[1]);
    for (size_t round = 0; round < rounds(); round++) {
        int which = (int)draw(2);
        struct sp_checkpoint *model;

        t = seeds[which];
        mutate(&t, 0);
        save_text(&t, paths[which]);
        count(&tally, sp_checkpoint_open(&model, dir));
        for (size_t i = 0; model && i < sp_checkpoint_count(model); i++)
            touch(sp_checkpoint_at(model, i));
        sp_checkpoint_close(model);
        save_text(&seeds[which], paths[which]);
    }
    check_tally(&tally);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_safetensors),
        TEST(test_adapter),
        TEST(test_checkpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
