#include "runtime/op/embedding.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <stdlib.h>

#define ROWS 8 /* rows a work-item on CPUs */

static const struct sp_kernel embedding_forward = { "embedding_forward", "embed/embedding_forward.cl" };
static const struct sp_kernel embedding_backward = { "embedding_backward", "embed/embedding_backward.cl" };

/* Of a case. */
enum { ACCUMULATE = 1, FORWARD_ONLY = 2, BACKWARD_ONLY = 4, NO_POSITION = 8, NO_TYPE = 16 };

int sp_embedding(struct sp_device *device, const struct sp_embedding *args)
{
    struct sp_launch launch = { .kernel = &embedding_forward };
    const struct sp_gemm_layout row_major = { 1, args->C, (size_t)args->C, 0 };
    const struct sp_gemm_layout layout = args->layout.rows ? args->layout : row_major;
    unsigned without = (args->position ? 0 : NO_POSITION) | (args->type ? 0 : NO_TYPE);

    sp_geometry_rows(&launch, device, (size_t)args->T, ROWS);
    sp_launch_define(&launch, "C", args->C);
    sp_launch_define(&launch, "POSITION", args->position != NULL);
    sp_launch_define(&launch, "TYPE", args->type != NULL);
    sp_launch_define(&launch, "PANEL_ROWS", layout.rows);
    sp_launch_define(&launch, "PANEL_COLUMNS", layout.columns);
    launch.check = SP_CHECK(embedding, FORWARD_ONLY | without, SP_GEOMETRY_ROWS, args->C, 23, args->layout.rows,
                            args->layout.columns);
    sp_launch_buffer(&launch, args->y);
    sp_launch_buffer(&launch, args->word);
    sp_launch_buffer(&launch, args->position ? args->position : args->word); /* unread; some drivers refuse null */
    sp_launch_buffer(&launch, args->type ? args->type : args->word);
    sp_launch_buffer(&launch, args->ids);
    sp_launch_buffer(&launch, args->positions);
    sp_launch_buffer(&launch, args->types);
    sp_launch_int(&launch, args->T);
    sp_launch_float(&launch, args->scale);
    sp_launch_uint(&launch, (uint32_t)layout.row_block);
    sp_launch_uint(&launch, (uint32_t)layout.column_block);
    return sp_launch_run(device, &launch);
}

int sp_embedding_backward(struct sp_device *device, const struct sp_embedding_backward *args)
{
    struct sp_launch launch = { .kernel = &embedding_backward };
    size_t lanes = (size_t)sp_device_lanes(device);

    if (!args->accumulate)
        SP_TRY(sp_buffer_fill(args->dtable, 0, 0, (size_t)args->rows * (size_t)args->C * sizeof(float)));
    launch.local[0] = lanes;
    launch.global[0] = ((size_t)args->C + 63) / 64 * lanes;
    launch.global[1] = (size_t)args->groups;
    sp_launch_define(&launch, "LANES", (long)lanes);
    sp_launch_define(&launch, "C", args->C);
    sp_launch_define(&launch, "ACCUMULATE", args->accumulate);
    launch.check = SP_CHECK(embedding, BACKWARD_ONLY | (args->accumulate ? ACCUMULATE : 0), SP_GEOMETRY_ROWS, args->C,
                            23);
    sp_launch_buffer(&launch, args->dtable);
    sp_launch_buffer(&launch, args->dy);
    sp_launch_buffer(&launch, args->order);
    sp_launch_buffer(&launch, args->starts);
    sp_launch_buffer(&launch, args->used);
    sp_launch_float(&launch, args->scale);
    return sp_launch_run(device, &launch);
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int sp_embedding_group(uint32_t *order, uint32_t *starts, uint32_t *used, int *groups, const uint32_t *ids, int T)
{
    uint64_t *keys = sp_calloc((size_t)T, sizeof *keys);

    if (!keys)
        return SP_ENOMEM;
    for (int t = 0; t < T; t++)
        keys[t] = (uint64_t)ids[t] << 32 | (uint32_t)t;
    qsort(keys, (size_t)T, sizeof *keys, compare_keys);
    *groups = 0;
    for (int t = 0; t < T; t++) {
        order[t] = (uint32_t)keys[t];
        if (t == 0 || keys[t] >> 32 != keys[t - 1] >> 32) {
            used[*groups] = (uint32_t)(keys[t] >> 32);
            starts[(*groups)++] = (uint32_t)t;
        }
    }
    starts[*groups] = (uint32_t)T;
    free(keys);
    return 0;
}

/* size: T, C, rows of the word table, rows and columns of its layout's panels (0: it is row-major) */

static const struct sp_op_case cases[] = {
    { .name = "1x1 of 1", .size = { 1, 1, 1 }, .tolerance = 1e-6 },
    { .name = "5x17 of 4", .size = { 5, 17, 4 }, .flags = ACCUMULATE, .tolerance = 1e-6 },
    { .name = "70x17 of 1000", .size = { 70, 17, 1000 }, .flags = ACCUMULATE, .tolerance = 1e-6 },
    { .name = "5x17 of 4, words and positions",
      .size = { 5, 17, 4 },
      .flags = FORWARD_ONLY | NO_TYPE,
      .tolerance = 1e-6 },
    { .name = "70x17 of 9, words and types",
      .size = { 70, 17, 9 },
      .flags = FORWARD_ONLY | NO_POSITION,
      .tolerance = 1e-6 },
    { .name = "70x33 of 9, words",
      .size = { 70, 33, 9 },
      .flags = FORWARD_ONLY | NO_POSITION | NO_TYPE,
      .tolerance = 1e-6 },
    { .name = "20x17 of 9, in panels of rows",
      .size = { 20, 17, 9, 4, 1 },
      .flags = FORWARD_ONLY | NO_POSITION | NO_TYPE,
      .tolerance = 1e-6 },
    { .name = "3x37 of 5, in panels of columns",
      .size = { 3, 37, 5, 1, 32 },
      .flags = FORWARD_ONLY | NO_TYPE,
      .tolerance = 1e-6 },
    { .name = "300x384 of 100, in panels of rows",
      .size = { 300, 384, 100, 32, 1 },
      .flags = FORWARD_ONLY | NO_POSITION | NO_TYPE,
      .tolerance = 1e-6 },
    { .name = "600x384 of 900", .size = { 600, 384, 900 }, .tolerance = 1e-6 },
    { .name = "4201x17 of 1000", .size = { 4201, 17, 1000 }, .flags = ACCUMULATE, .tall = true, .tolerance = 1e-6 },
    { .name = "4201x17 of 1", .size = { 4201, 17, 1 }, .flags = ACCUMULATE, .tall = true, .tolerance = 5e-6 },
};

static int run_forward(void *user)
{
    struct sp_embedding *args = user;

    return sp_embedding(sp_buffer_device(args->y), args);
}

static int run_backward(void *user)
{
    struct sp_embedding_backward *args = user;

    return sp_embedding_backward(sp_buffer_device(args->dtable), args);
}

#define SCALE 1.5f

/* The words' table of the case, as it lies: in panels the last of which are full. Its values row by row. */
static const double *words_of(struct sp_check *t, struct sp_embedding *args, const struct sp_op_case *c)
{
    int C = c->size[1], rows = c->size[2], r = c->size[3], columns = c->size[4];
    size_t count = (size_t)rows * (size_t)C, all;
    double *plain = sp_check_input(t, &args->word, count, -1, 1), *packed;

    if (r == 0 || !plain)
        return plain;
    args->layout = r > 1 ? (struct sp_gemm_layout){ r, 1, (size_t)(r * C), (size_t)r }
                         : (struct sp_gemm_layout){ 1, columns, (size_t)columns, (size_t)(rows * columns) };
    all = (size_t)((rows + r - 1) / r * r) * (size_t)((C + columns - 1) / columns * columns);
    packed = sp_check_double(t, all);
    if (!packed)
        return NULL;
    for (size_t i = 0; i < count; i++)
        packed[sp_gemm_position(&args->layout, (int)(i / (size_t)C), (int)(i % (size_t)C))] = plain[i];
    return sp_check_input_values(t, &args->word, packed, all) < 0 ? NULL : plain;
}

static int check_forward(struct sp_check *t, const struct sp_op_case *c, uint32_t *const index[3])
{
    const size_t T = (size_t)c->size[0], C = (size_t)c->size[1];
    struct sp_embedding args = { .T = (int)T, .C = (int)C, .scale = SCALE };
    const double *word = words_of(t, &args, c);
    double *position = sp_check_input(t, &args.position, T * C, -1, 1);
    double *type = sp_check_input(t, &args.type, 2 * C, -1, 1), *expected = sp_check_double(t, T * C);

    if (!word || !position || !type || !expected)
        return SP_ENOMEM;
    for (size_t i = 0; i < T * C; i++)
        expected[i] = (double)SCALE * word[index[0][i / C] * C + i % C] +
                      (c->flags & NO_POSITION ? 0 : position[index[1][i / C] * C + i % C]) +
                      (c->flags & NO_TYPE ? 0 : type[index[2][i / C] * C + i % C]);
    args.position = c->flags & NO_POSITION ? NULL : args.position;
    args.type = c->flags & NO_TYPE ? NULL : args.type;
    SP_TRY(sp_check_input_words(t, &args.ids, index[0], T));
    SP_TRY(sp_check_input_words(t, &args.positions, index[1], T));
    SP_TRY(sp_check_input_words(t, &args.types, index[2], T));
    SP_TRY(sp_check_output(t, &args.y, T * C));
    SP_TRY(sp_check_run(t, run_forward, &args));
    return sp_check_compare(t, "y", args.y, expected, T * C, c->tolerance);
}

/* `scratch` has room for the three arrays of sp_embedding_group. */
static int check_backward(struct sp_check *t, const struct sp_op_case *c, const uint32_t *ids, uint32_t *scratch)
{
    const size_t T = (size_t)c->size[0], C = (size_t)c->size[1], rows = (size_t)c->size[2];
    struct sp_embedding_backward args = { .rows = (int)rows, .C = (int)C, .scale = SCALE,
                                          .accumulate = c->flags & ACCUMULATE };
    uint32_t *order = scratch, *used = scratch + T, *starts = scratch + 2 * T;
    double *dy = sp_check_input(t, &args.dy, T * C, -1, 1), *old = sp_check_double(t, rows * C);
    double *expected = sp_check_double(t, rows * C);

    if (!dy || !old || !expected)
        return SP_ENOMEM;
    SP_TRY(sp_embedding_group(order, starts, used, &args.groups, ids, (int)T));
    for (size_t i = 0; i < rows * C; i++)
        expected[i] = old[i] = args.accumulate ? (double)(i % 16) / 16 : 0;
    for (size_t i = 0; i < T * C; i++)
        expected[ids[i / C] * C + i % C] += (double)SCALE * dy[i];
    SP_TRY(sp_check_input_words(t, &args.order, order, T));
    SP_TRY(sp_check_input_words(t, &args.starts, starts, (size_t)args.groups + 1));
    SP_TRY(sp_check_input_words(t, &args.used, used, (size_t)args.groups));
    if (args.accumulate)
        SP_TRY(sp_check_inout(t, &args.dtable, old, rows * C));
    else
        SP_TRY(sp_check_output(t, &args.dtable, rows * C));
    SP_TRY(sp_check_run(t, run_backward, &args));
    return sp_check_compare(t, "dtable", args.dtable, expected, rows * C, c->tolerance);
}

static int check_embedding(struct sp_check *t, const struct sp_op_case *c)
{
    size_t T = (size_t)c->size[0];
    uint32_t *words = sp_calloc(6 * T + 1, sizeof *words);
    uint32_t *const index[3] = { words, words + T, words + 2 * T };
    int rc = 0;

    if (!words)
        return SP_ENOMEM;
    for (size_t i = 0; i < T; i++) {
        index[0][i] = sp_rng_u32(1, SP_RNG_INIT, 1, i) % (uint32_t)c->size[2];
        index[1][i] = (uint32_t)(T - 1 - i);
        index[2][i] = (uint32_t)i % 2;
    }
    if (!(c->flags & BACKWARD_ONLY))
        rc = check_forward(t, c, index);
    if (rc == 0 && !(c->flags & FORWARD_ONLY))
        rc = check_backward(t, c, index[0], words + 3 * T);
    free(words);
    return rc;
}

const struct sp_op sp_op_embedding = {
    .name = "embedding", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_embedding,
};
