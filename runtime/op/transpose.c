#include "runtime/op/transpose.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#define PANEL 64   /* tokens, as in the kernels */
#define COLUMNS 16 /* of a tile on GPUs */

static const struct sp_kernel transpose = { "transpose", "sparse/transpose.cl" };

int sp_transpose_stride(int T)
{
    return (T + PANEL - 1) / PANEL * PANEL;
}

int sp_transpose(struct sp_device *device, const struct sp_transpose *args)
{
    struct sp_launch launch = { .kernel = &transpose };
    size_t lanes = (size_t)sp_device_lanes(device);

    launch.local[0] = lanes;
    launch.global[0] = (size_t)sp_transpose_stride(args->T) / PANEL * lanes;
    launch.global[1] = lanes > 1 ? ((size_t)args->C + COLUMNS - 1) / COLUMNS : 1;
    sp_launch_define(&launch, "LANES", (long)lanes);
    launch.check = SP_CHECK(transpose, 0, 2 * PANEL + 3, 37);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->in);
    sp_launch_int(&launch, args->T);
    sp_launch_int(&launch, args->C);
    return sp_launch_run(device, &launch);
}

/* size: T, C */
static const struct sp_op_case cases[] = {
    { .name = "1x1", .size = { 1, 1 } },
    { .name = "3x17", .size = { 3, 17 } },
    { .name = "16x16", .size = { 16, 16 } },
    { .name = "33x35", .size = { 33, 35 } },
    { .name = "128x384", .size = { 128, 384 } },
    { .name = "1003x100", .size = { 1003, 100 } },
    { .name = "1024x64", .size = { 1024, 64 } },
    { .name = "4201x17", .size = { 4201, 17 }, .tall = true },
};

static int launch_transpose(void *user)
{
    struct sp_transpose *args = user;

    return sp_transpose(sp_buffer_device(args->out), args);
}

static int check_transpose(struct sp_check *t, const struct sp_op_case *c)
{
    size_t T = (size_t)c->size[0], C = (size_t)c->size[1], stride = (size_t)sp_transpose_stride(c->size[0]);
    struct sp_transpose args = { .T = (int)T, .C = (int)C };
    double *in = sp_check_input(t, &args.in, T * C, -1, 1), *expected = sp_check_double(t, C * stride);

    if (!in || !expected)
        return SP_ENOMEM;
    for (size_t i = 0; i < T * C; i++)
        expected[(i / C / PANEL * C + i % C) * PANEL + i / C % PANEL] = in[i];
    SP_TRY(sp_check_output(t, &args.out, C * stride));
    SP_TRY(sp_check_run(t, launch_transpose, &args));
    return sp_check_compare(t, "out", args.out, expected, C * stride, c->tolerance);
}

const struct sp_op sp_op_transpose = {
    .name = "transpose", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_transpose,
};
