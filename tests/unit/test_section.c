/*
 * A new kind of an adapter's sections is one file and one list line: runtime/io/adapter.c, compiled with a list that
 * has one kind more (tests/unit/section), writes, checks and reads it as it does the program's own.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/section_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the kind: W + scale B A ------------------------------------------------------------------------------------- */

struct sp_adapter_low_rank {
    const char *name;
    size_t rows, cols, rank;
    double scale;
    const float *a, *b; /* (rank x cols), (rows x rank) */
};

static int check_rank(const void *section, const char *where)
{
    const struct sp_adapter_low_rank *e = section;

    return e->rank ? 0 : sp_error(SP_EFORMAT, "%s: %s has a rank of 0", where, e->name);
}

static void lay_out(struct sp_tensor_info *tensors, const void *section)
{
    const struct sp_adapter_low_rank *e = section;

    tensors[0].rank = tensors[1].rank = 2;
    tensors[0].shape[0] = tensors[1].shape[1] = e->rank;
    tensors[0].shape[1] = e->cols;
    tensors[1].shape[0] = e->rows;
    tensors[0].data = e->a;
    tensors[1].data = e->b;
}

static json_t *describe(const void *section)
{
    return json_pack("{s:f}", "scale", ((const struct sp_adapter_low_rank *)section)->scale);
}

static int parse(void *section, const json_t *description, const char *document)
{
    struct sp_adapter_low_rank *e = section;
    const json_t *scale = json_object_get(description, "scale");

    if (!json_is_real(scale))
        return sp_error(SP_EFORMAT, "%s: \"scale\" of %s is not a number", document, e->name);
    e->scale = json_real_value(scale);
    return 0;
}

static int take(void *section, const struct sp_tensor_info *const *tensors, const char *file)
{
    struct sp_adapter_low_rank *e = section;

    if (tensors[0]->rank != 2 || tensors[1]->rank != 2 || tensors[0]->shape[0] != tensors[1]->shape[1])
        return sp_error(SP_EFORMAT, "%s: the factors of %s do not fit", file, e->name);
    e->rank = tensors[0]->shape[0];
    e->cols = tensors[0]->shape[1];
    e->rows = tensors[1]->shape[0];
    e->a = tensors[0]->data;
    e->b = tensors[1]->data;
    return 0;
}

static void shape(size_t out[2], const void *section)
{
    out[0] = ((const struct sp_adapter_low_rank *)section)->rows;
    out[1] = ((const struct sp_adapter_low_rank *)section)->cols;
}

const struct sp_section_kind sp_section_low_rank = {
    .key = "low_rank",
    .size = sizeof(struct sp_adapter_low_rank),
    .tensors = { { ".a", SP_F32 }, { ".b", SP_F32 } },
    .tensor_count = 2,
    .check = check_rank,
    .lay_out = lay_out,
    .describe = describe,
    .parse = parse,
    .take = take,
    .shape = shape,
};

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static float a[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, b[6] = { 9, 10, 11, 12, 13, 14 }; /* of rank 2 */
static const uint32_t positions[2] = { 1, 7 };
static const float weight[12], deltas[2] = { 0.5f, -2 };
static char checksum[65];

static struct sp_checkpoint *open_base(const char *name, size_t rows)
{
    const struct sp_tensor_info tensor = {
        .name = "w", .dtype = SP_F32, .rank = 2, .shape = { rows, 12 / rows }, .data = weight
    };
    struct sp_checkpoint *base;
    const char *sum;
    char file[64];

    snprintf(file, sizeof file, "%s/config.json", name);
    io_write_text(file, "{}");
    snprintf(file, sizeof file, "%s/model.safetensors", name);
    assert_int_equal(sp_safetensors_write(io_path(file), &tensor, 1), 0);
    assert_int_equal(sp_checkpoint_open(&base, io_path(name)), 0);
    assert_int_equal(sp_checkpoint_checksum(&sum, base), 0);
    snprintf(checksum, sizeof checksum, "%s", sum);
    return base;
}

/* w with factors, v with a delta. */
static int save(const char *dir, size_t rank)
{
    struct sp_adapter_low_rank low_rank = { "w", 3, 4, rank, 0.25, a, b };
    struct sp_adapter_sparse sparse = { "v", 3, 4, 2, positions, deltas };
    struct sp_adapter adapter = { .sparse = &sparse, .sparse_count = 1, .low_rank = &low_rank, .low_rank_count = 1,
                                  .base_name = "tiny", .base_checksum = checksum, .method = "static",
                                  .task = "classification", .config = json_object() };
    int rc = sp_adapter_save(io_path(dir), &adapter);

    json_decref((json_t *)(uintptr_t)adapter.config);
    return rc;
}

static void test_round_trip(void **state)
{
    const struct sp_adapter_low_rank *got;
    struct sp_adapter adapter;

    (void)state;
    assert_int_equal(save("adapter", 2), 0);
    assert_int_equal(sp_adapter_load(&adapter, io_path("adapter")), 0);
    assert_int_equal(adapter.sparse_count, 1);
    assert_int_equal(adapter.dense_count, 0);
    assert_int_equal(adapter.low_rank_count, 1);
    got = sp_adapter_find_low_rank(&adapter, "w");
    assert_non_null(got);
    assert_null(sp_adapter_find_low_rank(&adapter, "v"));
    assert_null(sp_adapter_find_sparse(&adapter, "w"));
    assert_int_equal(got->rows * 100 + got->cols * 10 + got->rank, 342);
    assert_true(got->scale == 0.25);
    assert_memory_equal(got->a, a, sizeof a);
    assert_memory_equal(got->b, b, sizeof b);
    assert_memory_equal(adapter.sparse->values, deltas, sizeof deltas);
    assert_string_equal(sp_adapter_name(&adapter, 0), "v");
    assert_string_equal(sp_adapter_name(&adapter, 1), "w");
    assert_null(sp_adapter_name(&adapter, 2));
    sp_adapter_release(&adapter);
}

static void test_base(void **state)
{
    struct sp_checkpoint *base = open_base("base", 4), *other;
    struct sp_adapter adapter;

    (void)state;
    assert_int_equal(save("wrong", 2), 0);
    assert_int_equal(sp_adapter_load(&adapter, io_path("wrong")), 0);
    adapter.sparse_count = 0; /* of a weight that this model has not */
    io_assert_error(sp_adapter_check_base(&adapter, base), SP_EFORMAT, "says that w has the shape [3, 4]", NULL);
    other = open_base("other", 3);
    io_assert_error(sp_adapter_check_base(&adapter, other), SP_EINVAL, "another base model", NULL);
    adapter.base_checksum = checksum;
    assert_int_equal(sp_adapter_check_base(&adapter, other), 0);
    sp_adapter_release(&adapter);
    sp_checkpoint_close(base);
    sp_checkpoint_close(other);
}

static void rewrite(const char *dir, const char *from, const char *to)
{
    char path[64], *text, *at, out[4096];
    size_t length;

    snprintf(path, sizeof path, "%s/adapter.json", dir);
    assert_int_equal(sp_fs_read(&text, &length, io_path(path), sizeof out), 0);
    at = strstr(text, from);
    assert_non_null(at);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_int_equal(sp_fs_write(io_path(path), out, strlen(out)), 0);
    free(text);
}

static void test_faults(void **state)
{
    static const struct {
        const char *from, *to, *part;
    } faults[] = {
        { "\"low_rank\": {", "\"low_rank\": 3, \"was\": {", "\"low_rank\" is missing or not an object" },
        { "\"scale\": 0.25", "\"scale\": null", "\"scale\" of w is not a number" },
        { "\"low_rank\": {", "\"was\": {", "is not named in adapter.json" },
        { "\"dense\": []", "\"dense\": [\"v.values\"]", "tensor v.values is named twice" },
        { "\"low_rank\": {", "\"low_rank\": {\"v\": {\"scale\": 1.0}, ", "v is both sparse and low_rank" },
        { "\"low_rank\": {", "\"low_rank\": {\"u\": {\"scale\": 1.0}, ", "tensor u.a is missing" },
    };
    struct sp_adapter adapter;
    float kept = b[3];

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        assert_int_equal(save("fault", 2), 0);
        rewrite("fault", faults[i].from, faults[i].to);
        io_assert_error(sp_adapter_load(&adapter, io_path("fault")), SP_EFORMAT, faults[i].part, NULL);
    }
    io_assert_error(save("fault", 0), SP_EFORMAT, "w has a rank of 0", NULL);
    b[3] = NAN;
    io_assert_error(save("fault", 2), SP_ENUMERIC, "w: element 3 is nan", NULL);
    b[3] = kept;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_base),
        TEST(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
