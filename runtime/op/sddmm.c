#include "runtime/op/sddmm.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"
#include "runtime/op/transpose.h"

#include <stdlib.h>

#define PANEL 64  /* tokens, as in the kernels */
#define BLOCK 512 /* most entries of a work-item on CPUs */

static const struct sp_kernel sddmm = { "sddmm", "sparse/sddmm.cl" };

/* Of a case: positions are spread evenly, or with FEW_ROWS packed into the last rows. */
enum { ACCUMULATE = 1, FEW_ROWS = 2 };

/* Entries of a work-item: equal shares, as many for each compute unit. Sums do not depend on it. */
static size_t share_of(const struct sp_device *device, size_t K)
{
    size_t units = sp_device_info(device)->compute_units, items = units * ((K + units * BLOCK - 1) / (units * BLOCK));

    return (K + items - 1) / items;
}

int sp_sddmm(struct sp_device *device, const struct sp_sddmm *args)
{
    struct sp_launch launch = { .kernel = &sddmm };
    size_t lanes = (size_t)sp_device_lanes(device), share = 1;

    if (args->K == 0)
        return 0;
    if (lanes == 1)
        share = share_of(device, (size_t)args->K);
    launch.local[0] = lanes;
    launch.global[0] = ((size_t)args->K + share - 1) / share * lanes;
    sp_launch_define(&launch, "LANES", (long)lanes);
    sp_launch_define(&launch, "BLOCK", BLOCK);
    sp_launch_define(&launch, "ACCUMULATE", args->accumulate);
    launch.check = SP_CHECK(sddmm, args->accumulate ? ACCUMULATE : 0, 2 * PANEL + 3, 97, 101, 3 * BLOCK + 5);
    sp_launch_buffer(&launch, args->gradient);
    sp_launch_buffer(&launch, args->dyt);
    sp_launch_buffer(&launch, args->xt);
    sp_launch_buffer(&launch, args->positions);
    sp_launch_buffer(&launch, args->row_starts);
    sp_launch_uint(&launch, (uint32_t)(sp_transpose_stride(args->T) / PANEL));
    sp_launch_uint(&launch, (uint32_t)args->in);
    sp_launch_uint(&launch, (uint32_t)args->out);
    sp_launch_uint(&launch, (uint32_t)args->K);
    sp_launch_float(&launch, args->scale);
    sp_launch_uint(&launch, (uint32_t)share);
    return sp_launch_run(device, &launch);
}

void sp_sddmm_row_starts(uint32_t *row_starts, const uint32_t *positions, size_t K, int out, int in)
{
    size_t k = 0;

    for (size_t row = 0; row <= (size_t)out; row++) {
        while (k < K && positions[k] < row * (size_t)in)
            k++;
        row_starts[row] = (uint32_t)k;
    }
}

/* size: T, out, in, K */

static const struct sp_op_case cases[] = {
    { .name = "T 1, 1 of 1x1", .size = { 1, 1, 1, 1 }, .tolerance = 1e-6 },
    { .name = "T 3, 5 of 3x2", .size = { 3, 3, 2, 5 }, .tolerance = 1e-6 },
    { .name = "T 17, 30 of 17x5", .size = { 17, 17, 5, 30 }, .flags = ACCUMULATE, .tolerance = 1e-6 },
    { .name = "T 40, 70 of 40x33", .size = { 40, 40, 33, 70 }, .flags = FEW_ROWS, .tolerance = 1e-6 },
    { .name = "T 300, all of 20x10", .size = { 300, 20, 10, 200 }, .tolerance = 1e-6 },
    { .name = "T 517, 1000 of 384x384", .size = { 517, 384, 384, 1000 }, .tolerance = 1e-6 },
    { .name = "T 1025, 1475 of 100x200",
      .size = { 1025, 100, 200, 1475 },
      .flags = FEW_ROWS | ACCUMULATE,
      .tolerance = 1e-6 },
    { .name = "T 4201, 60 of 9x7", .size = { 4201, 9, 7, 60 }, .flags = ACCUMULATE, .tall = true, .tolerance = 2e-6 },
};

static int launch_sddmm(void *user)
{
    struct sp_sddmm *args = user;

    return sp_sddmm(sp_buffer_device(args->gradient), args);
}

/* T x columns numbers, and their panels on the device. */
static double *panels(struct sp_check *t, struct sp_buffer **out, size_t T, size_t columns)
{
    size_t count = columns * (size_t)sp_transpose_stride((int)T);
    double *values = sp_check_double(t, T * columns), *places = sp_check_double(t, count);

    if (!values || !places)
        return NULL;
    for (size_t i = 0; i < T * columns; i++) {
        values[i] = (float)(2 * sp_rng_uniform(columns, SP_RNG_INIT, 3, i) - 1);
        places[(i / columns / PANEL * columns + i % columns) * PANEL + i / columns % PANEL] = values[i];
    }
    return sp_check_input_values(t, out, places, count) < 0 ? NULL : values;
}

static int check_with(struct sp_check *t, const struct sp_op_case *c, uint32_t *positions, uint32_t *row_starts)
{
    size_t T = (size_t)c->size[0], out = (size_t)c->size[1], in = (size_t)c->size[2], K = (size_t)c->size[3];
    struct sp_sddmm args = { .T = (int)T, .in = (int)in, .out = (int)out, .K = (int)K, .scale = 0.125f,
                             .accumulate = c->flags & ACCUMULATE };
    double *dy = panels(t, &args.dyt, T, out), *x = panels(t, &args.xt, T, in);
    double *expected = sp_check_double(t, K), *old = sp_check_double(t, K);

    if (!dy || !x || !expected || !old)
        return SP_ENOMEM;
    for (size_t k = 0; k < K; k++) {
        positions[k] = (uint32_t)(c->flags & FEW_ROWS ? out * in - K + k : k * (out * in) / K);
        for (size_t i = 0; i < T; i++)
            expected[k] += 0.125 * dy[i * out + positions[k] / in] * x[i * in + positions[k] % in];
        old[k] = (double)(k % 4);
        expected[k] += args.accumulate ? old[k] : 0;
    }
    sp_sddmm_row_starts(row_starts, positions, K, args.out, args.in);
    SP_TRY(sp_check_input_words(t, &args.positions, positions, K));
    SP_TRY(sp_check_input_words(t, &args.row_starts, row_starts, out + 1));
    if (args.accumulate)
        SP_TRY(sp_check_inout(t, &args.gradient, old, K));
    else
        SP_TRY(sp_check_output(t, &args.gradient, K));
    SP_TRY(sp_check_run(t, launch_sddmm, &args));
    return sp_check_compare(t, "gradient", args.gradient, expected, K, c->tolerance);
}

static int check_sddmm(struct sp_check *t, const struct sp_op_case *c)
{
    uint32_t *words = sp_calloc((size_t)c->size[3] + (size_t)c->size[1] + 1, sizeof *words);
    int rc = words ? check_with(t, c, words, words + c->size[3]) : SP_ENOMEM;

    free(words);
    return rc;
}

const struct sp_op sp_op_sddmm = {
    .name = "sddmm", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_sddmm,
};
