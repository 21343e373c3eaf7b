/* ggml's types of tensors: every bit of fp32 as the reference has it, and tensors in GGUF's forms. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/io/safetensors.h"
#include "runtime/tensor/block.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPES 13

static struct sp_safetensors *open_reference(void)
{
    const char *source = getenv("srcdir");
    struct sp_safetensors *file;
    char path[4096];

    snprintf(path, sizeof path, "%s/tests/data/reference/blocks.safetensors", source ? source : ".");
    assert_int_equal(sp_safetensors_open(&file, path), 0);
    return file;
}

static const struct sp_tensor_info *find(const struct sp_safetensors *file, const char *type, const char *what)
{
    const struct sp_tensor_info *found;
    char name[64];

    snprintf(name, sizeof name, "%s.%s", type, what);
    found = sp_safetensors_find(file, name);
    assert_non_null(found);
    return found;
}

/* The same bits; of NaN, that it is one: which one depends on the processor. */
static void assert_same(const float *got, const float *wanted, size_t count, const char *type)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&got[i], &wanted[i], sizeof *got) != 0 && !(isnan(got[i]) && isnan(wanted[i])))
            fail_msg("%s: number %zu is %a, expected %a", type, i, (double)got[i], (double)wanted[i]);
    }
}

static void test_types(void **state)
{
    struct sp_safetensors *file = open_reference();
    char names[SP_BLOCK_TYPES_TEXT];
    size_t read = 0;

    (void)state;
    for (uint32_t id = 0; id < 64; id++) {
        const struct sp_block_type *type = sp_block_type_find(id);
        const struct sp_tensor_info *blocks, *values;
        float *got;

        if (!type || !type->to_f32)
            continue;
        blocks = find(file, type->name, "blocks");
        values = find(file, type->name, "values");
        assert_int_equal(type->bytes, blocks->shape[1]);
        assert_int_equal(type->elements, values->shape[1]);
        assert_true(type->elements <= SP_BLOCK_ELEMENTS);
        got = malloc(values->bytes);
        assert_non_null(got);
        type->to_f32(got, blocks->data, blocks->shape[0]);
        assert_same(got, values->data, values->count, type->name);
        free(got);
        read++;
    }
    assert_int_equal(read, TYPES);
    assert_string_equal(sp_block_types(names),
                        "F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, BF16");
    assert_string_equal(sp_block_type_find(39)->name, "MXFP4");
    assert_null(sp_block_type_find(39)->to_f32);
    assert_null(sp_block_type_find(4)); /* a number that ggml took back */
    sp_safetensors_close(file);
}

/* Any part of a tensor, beginning and ending within blocks. */
static void test_ranges(void **state)
{
    struct sp_safetensors *file = open_reference();
    const struct sp_tensor_form form = { .type = sp_block_type_find(12) };
    const struct sp_tensor_info *blocks = find(file, "Q4_K", "blocks"), *values = find(file, "Q4_K", "values");
    struct sp_tensor_info tensor = *values;
    float got[700];
    char text[SP_SHAPE_TEXT];

    (void)state;
    tensor.form = &form;
    tensor.data = blocks->data;
    tensor.bytes = blocks->bytes;
    for (size_t first = 0; first < 520; first += 37)
        for (size_t count = 0; count <= 700; count += count < 300 ? 51 : 400) {
            assert_int_equal(sp_tensor_read_f32(got, &tensor, first, count), 0);
            assert_same(got, (const float *)values->data + first, count, "Q4_K");
        }
    assert_string_equal(sp_tensor_describe(text, &tensor), "Q4_K [12, 256]");
    io_assert_error(sp_tensor_read_f32(got, &tensor, tensor.count, 1), SP_EINVAL, "1 elements from 3072", NULL);
    sp_safetensors_close(file);
}

/* Two heads of four rows of three numbers, whose halves lie by turns in the file, and one on top of each. */
static void test_heads(void **state)
{
    static const float in_file[24] = { 1,  2,  3,  7,  8,  9,  4,  5,  6,  10, 11, 12,
                                       13, 14, 15, 19, 20, 21, 16, 17, 18, 22, 23, 24 };
    const struct sp_tensor_form form = { sp_block_type_find(0), 2, 1 };
    struct sp_tensor_info tensor = { .name = "q",         .file = "f",     .dtype = SP_F32,
                                     .form = &form,       .rank = 2,       .shape = { 8, 3 },
                                     .data = in_file,     .count = 24,     .bytes = sizeof in_file };
    float got[24];

    (void)state;
    assert_int_equal(sp_tensor_read_f32(got, &tensor, 0, 24), 0);
    for (int i = 0; i < 24; i++)
        assert_true(got[i] == (float)i);
    assert_int_equal(sp_tensor_read_f32(got, &tensor, 4, 13), 0);
    for (int i = 0; i < 13; i++)
        assert_true(got[i] == (float)(i + 4));
    tensor = (struct sp_tensor_info){ .name = "b",   .file = "f",   .dtype = SP_F32, .form = &form, .rank = 1,
                                      .shape = { 8 }, .data = in_file, .count = 8,      .bytes = 32 };
    assert_int_equal(sp_tensor_read_f32(got, &tensor, 0, 8), 0);
    assert_true(got[0] == 0 && got[1] == 2 && got[2] == 1 && got[3] == 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
