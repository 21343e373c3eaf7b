#include "runtime/op/column_sum.h"

#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#define BLOCK 64 /* rows summed first */

static const struct sp_kernel column_sum = { "column_sum", "norm/column_sum.cl" };

/* Of a case. */
enum { FACTOR = 1, ACCUMULATE = 2, SCALE = 4 };

static int blocks_of(int T)
{
    return (T + BLOCK - 1) / BLOCK;
}

size_t sp_column_sum_workspace(int T, int C)
{
    return (size_t)blocks_of(T) * (size_t)C * sizeof(float);
}

/* Sums `in`, whether with the factors or not, in blocks of `block` rows: row b of `out` is block b. */
static int sum(struct sp_device *device, const struct sp_column_sum *args, struct sp_buffer *out, struct sp_buffer *in,
               bool factors, int T, int block, bool accumulate)
{
    struct sp_buffer *factor = factors ? args->factor : NULL, *scale = factors ? args->scale : NULL;
    struct sp_launch launch = { .kernel = &column_sum };
    size_t lanes = (size_t)sp_device_lanes(device), columns = lanes > 1 ? lanes : 64;

    launch.local[0] = lanes;
    launch.global[0] = ((size_t)args->C + columns - 1) / columns * lanes;
    launch.global[1] = (size_t)((T + block - 1) / block);
    sp_launch_define(&launch, "LANES", (long)lanes);
    sp_launch_define(&launch, "C", args->C);
    sp_launch_define(&launch, "FACTOR", factor != NULL);
    sp_launch_define(&launch, "SCALE", scale != NULL);
    sp_launch_define(&launch, "ACCUMULATE", accumulate);
    launch.check = SP_CHECK(column_sum,
                            (args->factor ? FACTOR : 0) | (args->scale ? SCALE : 0) |
                                (args->accumulate ? ACCUMULATE : 0),
                            2 * BLOCK + 5, args->C);
    sp_launch_buffer(&launch, out);
    sp_launch_buffer(&launch, in);
    sp_launch_buffer(&launch, factor);
    sp_launch_buffer(&launch, scale);
    sp_launch_int(&launch, T);
    sp_launch_int(&launch, block);
    return sp_launch_run(device, &launch);
}

int sp_column_sum(struct sp_device *device, const struct sp_column_sum *args)
{
    int blocks = blocks_of(args->T);

    SP_TRY(sum(device, args, args->workspace, args->in, true, args->T, BLOCK, false));
    return sum(device, args, args->out, args->workspace, false, blocks, blocks, args->accumulate);
}

/* size: T, C */

static const struct sp_op_case cases[] = {
    { .name = "1x1", .size = { 1, 1 }, .tolerance = 1e-6 },
    { .name = "3x17 factor", .size = { 3, 17 }, .flags = FACTOR, .tolerance = 1e-6 },
    { .name = "65x17 factor accumulate", .size = { 65, 17 }, .flags = FACTOR | ACCUMULATE, .tolerance = 1e-6 },
    { .name = "133x80 factor scale", .size = { 133, 80 }, .flags = FACTOR | SCALE, .tolerance = 1e-6 },
    { .name = "131x17 factor scale accumulate",
      .size = { 131, 17 },
      .flags = FACTOR | SCALE | ACCUMULATE,
      .tolerance = 1e-6 },
    { .name = "1x40037 factor accumulate", .size = { 1, 40037 }, .flags = FACTOR | ACCUMULATE, .tolerance = 1e-6 },
    { .name = "64x384", .size = { 64, 384 }, .tolerance = 1e-6 },
    { .name = "4099x387", .size = { 4099, 387 }, .tolerance = 2e-6 },
    { .name = "8300x17 factor accumulate",
      .size = { 8300, 17 },
      .flags = FACTOR | ACCUMULATE,
      .tall = true,
      .tolerance = 2e-6 },
};

static int launch_column_sum(void *user)
{
    struct sp_column_sum *args = user;

    return sp_column_sum(sp_buffer_device(args->out), args);
}

static int check_column_sum(struct sp_check *t, const struct sp_op_case *c)
{
    size_t T = (size_t)c->size[0], C = (size_t)c->size[1];
    struct sp_column_sum args = { .T = (int)T, .C = (int)C, .accumulate = c->flags & ACCUMULATE };
    double *in = sp_check_input(t, &args.in, T * C, -1, 1), *factor = NULL, *scale = NULL;
    double *old = sp_check_double(t, C), *expected = sp_check_double(t, C);

    if (c->flags & FACTOR)
        factor = sp_check_input(t, &args.factor, T * C, -1, 1);
    if (c->flags & SCALE)
        scale = sp_check_input(t, &args.scale, T, 0.5, 2);
    if (!in || !old || !expected || (c->flags & FACTOR && !factor) || (c->flags & SCALE && !scale))
        return SP_ENOMEM;
    for (size_t i = 0; i < C; i++)
        expected[i] = old[i] = args.accumulate ? (float)(8 * sp_rng_uniform(1, SP_RNG_INIT, 1, i)) : 0;
    for (size_t i = 0; i < T * C; i++)
        expected[i % C] += in[i] * (factor ? factor[i] : 1) * (scale ? scale[i / C] : 1);
    SP_TRY(sp_check_output(t, &args.workspace, sp_column_sum_workspace(args.T, args.C) / sizeof(float)));
    if (args.accumulate)
        SP_TRY(sp_check_inout(t, &args.out, old, C));
    else
        SP_TRY(sp_check_output(t, &args.out, C));
    SP_TRY(sp_check_run(t, launch_column_sum, &args));
    return sp_check_compare(t, "out", args.out, expected, C, c->tolerance);
}

const struct sp_op sp_op_column_sum = {
    .name = "column_sum", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_column_sum,
};
