#include "runtime/op/layernorm.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>

#define ROWS 8 /* rows a work-item on CPUs */

static const struct sp_kernel layernorm_forward = { "layernorm_forward", "norm/layernorm_forward.cl" };
static const struct sp_kernel layernorm_backward = { "layernorm_backward", "norm/layernorm_backward.cl" };

/* Of a case. IN_PLACE: y is x, xhat is y; dx is dy. */
enum {
    RESIDUAL = 1,
    ACCUMULATE = 2,
    NO_DRESIDUAL = 4,
    NO_DX = 8,
    IN_PLACE = 16,
    POISON = 32,
    FORWARD_ONLY = 64,
    BACKWARD_ONLY = 128,
};

int sp_layernorm(struct sp_device *device, const struct sp_layernorm *args)
{
    struct sp_launch launch = { .kernel = &layernorm_forward };

    sp_geometry_rows(&launch, device, (size_t)args->T, ROWS);
    sp_launch_define(&launch, "C", args->C);
    sp_launch_define(&launch, "RESIDUAL", args->residual != NULL);
    launch.check = SP_CHECK(layernorm, FORWARD_ONLY | (args->residual ? RESIDUAL : 0), SP_GEOMETRY_ROWS, args->C,
                            args->dropout.p > 0 ? 50 : 0);
    sp_launch_buffer(&launch, args->y);
    sp_launch_buffer(&launch, args->xhat);
    sp_launch_buffer(&launch, args->rstd);
    sp_launch_buffer(&launch, args->x);
    sp_launch_buffer(&launch, args->residual);
    sp_launch_buffer(&launch, args->gamma);
    sp_launch_buffer(&launch, args->beta);
    sp_launch_int(&launch, args->T);
    sp_launch_float(&launch, args->epsilon);
    sp_dropout_launch(&launch, &args->dropout);
    return sp_launch_run(device, &launch);
}

int sp_layernorm_backward(struct sp_device *device, const struct sp_layernorm_backward *args)
{
    struct sp_launch launch = { .kernel = &layernorm_backward };

    sp_geometry_rows(&launch, device, (size_t)args->T, ROWS);
    sp_launch_define(&launch, "C", args->C);
    sp_launch_define(&launch, "DRESIDUAL", args->dresidual ? 1 + args->accumulate : 0);
    sp_launch_define(&launch, "DX", args->dx != NULL);
    launch.check = SP_CHECK(layernorm,
                            BACKWARD_ONLY | (args->dresidual ? args->accumulate ? ACCUMULATE : 0 : NO_DRESIDUAL) |
                                (args->dx ? 0 : NO_DX),
                            SP_GEOMETRY_ROWS, args->C, args->dropout.p > 0 ? 50 : 0);
    sp_launch_buffer(&launch, args->dresidual);
    sp_launch_buffer(&launch, args->dx);
    sp_launch_buffer(&launch, args->dy);
    sp_launch_buffer(&launch, args->xhat);
    sp_launch_buffer(&launch, args->rstd);
    sp_launch_buffer(&launch, args->gamma);
    sp_launch_int(&launch, args->T);
    sp_dropout_launch(&launch, &args->dropout);
    return sp_launch_run(device, &launch);
}

/* size: T, C, percent dropped */

static const struct sp_op_case cases[] = {
    { .name = "1x1", .size = { 1, 1 }, .tolerance = 1e-6 },
    { .name = "3x3 accumulate", .size = { 3, 3 }, .flags = RESIDUAL | ACCUMULATE | NO_DX, .tolerance = 2e-6 },
    { .name = "9x17 dropout", .size = { 9, 17, 30 }, .flags = RESIDUAL, .tolerance = 2e-6 },
    { .name = "4x17 dropout, one row NaN", .size = { 4, 17, 30 }, .flags = RESIDUAL | POISON, .tolerance = 2e-6 },
    { .name = "1100x17 dropout", .size = { 1100, 17, 30 }, .flags = RESIDUAL, .tolerance = 2e-6 },
    { .name = "4201x17 dropout", .size = { 4201, 17, 30 }, .flags = RESIDUAL, .tall = true, .tolerance = 2e-6 },
    { .name = "5x64 in place", .size = { 5, 64 }, .flags = RESIDUAL | IN_PLACE | NO_DRESIDUAL, .tolerance = 2e-6 },
    { .name = "203x384 dropout", .size = { 203, 384, 10 }, .flags = RESIDUAL | ACCUMULATE, .tolerance = 2e-6 },
    { .name = "3x1030 dropout in place", .size = { 3, 1030, 50 }, .flags = IN_PLACE | NO_DRESIDUAL, .tolerance = 2e-6 },
};

#define EPSILON 1e-5f

struct reference {
    const double *x, *residual, *gamma, *beta, *dy;
    double *y, *xhat, *rstd, *ds, *dx;
};

/* One row: forward, then backward from the forward's exact xhat and rstd. */
static void reference_row(const struct reference *r, int t, int C, const struct sp_dropout *dropout)
{
    size_t base = (size_t)t * (size_t)C;
    double mean = 0, square = 0, total = 0, product = 0;

    for (int c = 0; c < C; c++) {
        r->xhat[base + c] = r->x[base + c] * sp_dropout_factor(dropout, base + c) +
                            (r->residual ? r->residual[base + c] : 0);
        mean += r->xhat[base + c] / C;
    }
    for (int c = 0; c < C; c++) {
        r->xhat[base + c] -= mean;
        square += r->xhat[base + c] * r->xhat[base + c] / C;
    }
    r->rstd[t] = 1 / sqrt(square + (double)EPSILON);
    for (int c = 0; c < C; c++) {
        r->xhat[base + c] *= r->rstd[t];
        r->y[base + c] = r->gamma[c] * r->xhat[base + c] + r->beta[c];
        total += r->gamma[c] * r->dy[base + c] / C;
        product += r->gamma[c] * r->dy[base + c] * r->xhat[base + c] / C;
    }
    for (int c = 0; c < C; c++) {
        r->ds[base + c] = r->rstd[t] * (r->gamma[c] * r->dy[base + c] - total - r->xhat[base + c] * product);
        r->dx[base + c] = r->ds[base + c] * sp_dropout_factor(dropout, base + c);
    }
}

static int run_forward(void *user)
{
    struct sp_layernorm *args = user;

    return sp_layernorm(sp_buffer_device(args->y), args);
}

static int run_backward(void *user)
{
    struct sp_layernorm_backward *args = user;

    return sp_layernorm_backward(sp_buffer_device(args->dy), args);
}

static int check_forward(struct sp_check *t, const struct sp_op_case *c, struct sp_layernorm *args,
                         const struct reference *r)
{
    size_t T = (size_t)c->size[0], count = T * (size_t)c->size[1];

    SP_TRY(sp_check_output(t, &args->rstd, T));
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &args->y, r->x, count));
        args->x = args->xhat = args->y;
    } else {
        SP_TRY(sp_check_output(t, &args->y, count));
        SP_TRY(sp_check_output(t, &args->xhat, count));
    }
    SP_TRY(sp_check_run(t, run_forward, args));
    SP_TRY(sp_check_compare(t, "y", args->y, r->y, count, c->tolerance));
    if (!(c->flags & IN_PLACE))
        SP_TRY(sp_check_compare(t, "xhat", args->xhat, r->xhat, count, c->tolerance));
    return sp_check_compare(t, "rstd", args->rstd, r->rstd, T, c->tolerance);
}

static int check_backward(struct sp_check *t, const struct sp_op_case *c, struct sp_layernorm_backward *args,
                          struct reference *r)
{
    size_t count = (size_t)c->size[0] * (size_t)c->size[1];
    double *old = sp_check_double(t, count);

    if (!old)
        return SP_ENOMEM;
    SP_TRY(sp_check_input_values(t, &args->xhat, r->xhat, count));
    SP_TRY(sp_check_input_values(t, &args->rstd, r->rstd, (size_t)c->size[0]));
    args->accumulate = c->flags & ACCUMULATE;
    for (size_t i = 0; args->accumulate && i < count; i++) {
        old[i] = (double)i / (double)count;
        r->ds[i] += (float)old[i];
    }
    if (args->accumulate)
        SP_TRY(sp_check_inout(t, &args->dresidual, old, count));
    else if (!(c->flags & NO_DRESIDUAL))
        SP_TRY(sp_check_output(t, &args->dresidual, count));
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &args->dx, r->dy, count));
        args->dy = args->dx;
    } else if (!(c->flags & NO_DX)) {
        SP_TRY(sp_check_output(t, &args->dx, count));
    }
    SP_TRY(sp_check_run(t, run_backward, args));
    if (args->dresidual)
        SP_TRY(sp_check_compare(t, "dresidual", args->dresidual, r->ds, count, c->tolerance));
    return args->dx ? sp_check_compare(t, "dx", args->dx, r->dx, count, c->tolerance) : 0;
}

static int check_layernorm(struct sp_check *t, const struct sp_op_case *c)
{
    int T = c->size[0], C = c->size[1];
    size_t rows = (size_t)T, columns = (size_t)C, count = rows * columns;
    struct sp_dropout dropout = { .p = (float)c->size[2] / 100, .seed = 0xFEDCBA9876543210, .step = 2, .node = 11 };
    struct sp_layernorm forward = { .T = T, .C = C, .epsilon = EPSILON, .dropout = dropout };
    struct sp_layernorm_backward backward = { .T = T, .C = C, .dropout = dropout };
    double *x = sp_check_input(t, &forward.x, count, -1, 3);
    struct reference r = {
        .x = x,
        .residual = c->flags & RESIDUAL ? sp_check_input(t, &forward.residual, count, -2, 2) : NULL,
        .gamma = sp_check_input(t, &forward.gamma, columns, 0.5, 1.5),
        .beta = sp_check_input(t, &forward.beta, columns, -1, 1),
        .dy = sp_check_input(t, &backward.dy, count, -1, 1),
        .y = sp_check_double(t, count), .xhat = sp_check_double(t, count), .rstd = sp_check_double(t, rows),
        .ds = sp_check_double(t, count), .dx = sp_check_double(t, count),
    };

    if (!x || (c->flags & RESIDUAL && !r.residual) || !r.gamma || !r.beta || !r.dy || !r.y || !r.xhat || !r.rstd ||
        !r.ds || !r.dx)
        return SP_ENOMEM;
    if (c->flags & POISON) {
        x[columns + 1] = NAN;
        SP_TRY(sp_check_input_values(t, &forward.x, x, count));
    }
    backward.gamma = forward.gamma;
    for (int row = 0; row < T; row++)
        reference_row(&r, row, C, &dropout);
    if (!(c->flags & BACKWARD_ONLY))
        SP_TRY(check_forward(t, c, &forward, &r));
    return c->flags & FORWARD_ONLY ? 0 : check_backward(t, c, &backward, &r);
}

const struct sp_op sp_op_layernorm = {
    .name = "layernorm", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_layernorm,
};
