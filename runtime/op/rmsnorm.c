#include "runtime/op/rmsnorm.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>

static const struct sp_kernel rmsnorm_forward = { "rmsnorm_forward", "norm/rmsnorm_forward.cl" };
static const struct sp_kernel rmsnorm_backward = { "rmsnorm_backward", "norm/rmsnorm_backward.cl" };

/* Of a case. IN_PLACE: y is x; dx is dy. OFFSET: 1, as Gemma has it. */
enum { OFFSET = 1, ACCUMULATE = 2, IN_PLACE = 4, FORWARD_ONLY = 8, BACKWARD_ONLY = 16, POISON = 32 };

int sp_rmsnorm(struct sp_device *device, const struct sp_rmsnorm *args)
{
    struct sp_launch launch = { .kernel = &rmsnorm_forward };
    int rows = sp_geometry_rows_of(args->C);

    sp_geometry_rows(&launch, device, (size_t)args->R, rows);
    sp_launch_define(&launch, "C", args->C);
    launch.check = SP_CHECK(rmsnorm, FORWARD_ONLY, SP_GEOMETRY_ITEMS(rows), args->C);
    sp_launch_buffer(&launch, args->y);
    sp_launch_buffer(&launch, args->rstd);
    sp_launch_buffer(&launch, args->x);
    sp_launch_buffer(&launch, args->gamma);
    sp_launch_int(&launch, args->R);
    sp_launch_float(&launch, args->epsilon);
    sp_launch_float(&launch, args->offset);
    return sp_launch_run(device, &launch);
}

int sp_rmsnorm_backward(struct sp_device *device, const struct sp_rmsnorm_backward *args)
{
    struct sp_launch launch = { .kernel = &rmsnorm_backward };
    int rows = sp_geometry_rows_of(args->C);

    sp_geometry_rows(&launch, device, (size_t)args->R, rows);
    sp_launch_define(&launch, "C", args->C);
    sp_launch_define(&launch, "ACCUMULATE", args->accumulate);
    launch.check = SP_CHECK(rmsnorm, BACKWARD_ONLY | (args->accumulate ? ACCUMULATE : 0), SP_GEOMETRY_ITEMS(rows),
                            args->C);
    sp_launch_buffer(&launch, args->dx);
    sp_launch_buffer(&launch, args->dy);
    sp_launch_buffer(&launch, args->x);
    sp_launch_buffer(&launch, args->rstd);
    sp_launch_buffer(&launch, args->gamma);
    sp_launch_int(&launch, args->R);
    sp_launch_float(&launch, args->offset);
    return sp_launch_run(device, &launch);
}

/* size: R, C */

static const struct sp_op_case cases[] = {
    { .name = "1x1", .size = { 1, 1 }, .tolerance = 1e-6 },
    { .name = "3x3 offset, accumulate", .size = { 3, 3 }, .flags = OFFSET | ACCUMULATE, .tolerance = 2e-6 },
    { .name = "9x17", .size = { 9, 17 }, .tolerance = 2e-6 },
    { .name = "4x17, one row NaN", .size = { 4, 17 }, .flags = POISON, .tolerance = 2e-6 },
    { .name = "131x80 offset, in place", .size = { 131, 80 }, .flags = OFFSET | IN_PLACE, .tolerance = 2e-6 },
    { .name = "1100x17 accumulate", .size = { 1100, 17 }, .flags = ACCUMULATE, .tolerance = 2e-6 },
    { .name = "4201x17 offset", .size = { 4201, 17 }, .flags = OFFSET, .tall = true, .tolerance = 2e-6 },
    { .name = "203x576 accumulate", .size = { 203, 576 }, .flags = ACCUMULATE, .tolerance = 2e-6 },
    { .name = "3x2307 offset", .size = { 3, 2307 }, .flags = OFFSET, .tolerance = 2e-6 },
};

#define EPSILON 1e-3f /* as large as 1e-5 and Gemma's 1e-6 are not: it must be seen */

struct reference {
    const double *x, *gamma, *dy;
    double *y, *rstd, *dx;
    double offset;
};

static void reference_row(const struct reference *r, size_t t, size_t C)
{
    size_t base = t * C;
    double square = 0, product = 0;

    for (size_t c = 0; c < C; c++)
        square += r->x[base + c] * r->x[base + c] / (double)C;
    r->rstd[t] = 1 / sqrt(square + (double)EPSILON);
    for (size_t c = 0; c < C; c++) {
        r->y[base + c] = (r->offset + r->gamma[c]) * r->x[base + c] * r->rstd[t];
        product += r->y[base + c] * r->dy[base + c] / (double)C;
    }
    for (size_t c = 0; c < C; c++)
        r->dx[base + c] = r->rstd[t] * ((r->offset + r->gamma[c]) * r->dy[base + c] -
                                        r->x[base + c] * r->rstd[t] * product);
}

static int run_forward(void *user)
{
    struct sp_rmsnorm *args = user;

    return sp_rmsnorm(sp_buffer_device(args->y), args);
}

static int run_backward(void *user)
{
    struct sp_rmsnorm_backward *args = user;

    return sp_rmsnorm_backward(sp_buffer_device(args->dy), args);
}

static int check_forward(struct sp_check *t, const struct sp_op_case *c, struct sp_rmsnorm args,
                         const struct reference *r)
{
    size_t rows = (size_t)args.R, count = rows * (size_t)args.C;

    SP_TRY(sp_check_output(t, &args.rstd, rows));
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &args.y, r->x, count));
        args.x = args.y;
    } else {
        SP_TRY(sp_check_output(t, &args.y, count));
    }
    SP_TRY(sp_check_run(t, run_forward, &args));
    SP_TRY(sp_check_compare(t, "y", args.y, r->y, count, c->tolerance));
    return sp_check_compare(t, "rstd", args.rstd, r->rstd, rows, c->tolerance);
}

static int check_backward(struct sp_check *t, const struct sp_op_case *c, struct sp_rmsnorm_backward args,
                          struct reference *r)
{
    size_t count = (size_t)args.R * (size_t)args.C;
    double *old = sp_check_double(t, count);

    if (!old)
        return SP_ENOMEM;
    args.accumulate = c->flags & ACCUMULATE;
    for (size_t i = 0; args.accumulate && i < count; i++) {
        old[i] = (float)((double)i / (double)count);
        r->dx[i] += old[i];
    }
    SP_TRY(sp_check_input_values(t, &args.rstd, r->rstd, (size_t)args.R));
    if (args.accumulate)
        SP_TRY(sp_check_inout(t, &args.dx, old, count));
    else if (c->flags & IN_PLACE)
        SP_TRY(sp_check_inout(t, &args.dx, r->dy, count));
    else
        SP_TRY(sp_check_output(t, &args.dx, count));
    args.dy = c->flags & IN_PLACE ? args.dx : args.dy;
    SP_TRY(sp_check_run(t, run_backward, &args));
    return sp_check_compare(t, "dx", args.dx, r->dx, count, c->tolerance);
}

static int check_rmsnorm(struct sp_check *t, const struct sp_op_case *c)
{
    size_t rows = (size_t)c->size[0], columns = (size_t)c->size[1], count = rows * columns;
    float offset = c->flags & OFFSET ? 1 : 0;
    struct sp_rmsnorm forward = { .R = c->size[0], .C = c->size[1], .epsilon = EPSILON, .offset = offset };
    struct sp_rmsnorm_backward backward = { .R = c->size[0], .C = c->size[1], .offset = offset };
    double *x = sp_check_input(t, &forward.x, count, -0.1, 0.2);
    struct reference r = {
        .x = x,
        .gamma = sp_check_input(t, &forward.gamma, columns, 0.5, 1.5),
        .dy = sp_check_input(t, &backward.dy, count, -1, 1),
        .y = sp_check_double(t, count), .rstd = sp_check_double(t, rows), .dx = sp_check_double(t, count),
        .offset = (double)offset,
    };

    if (!x || !r.gamma || !r.dy || !r.y || !r.rstd || !r.dx)
        return SP_ENOMEM;
    if (c->flags & POISON) {
        x[columns + 1] = NAN;
        SP_TRY(sp_check_input_values(t, &forward.x, x, count));
    }
    backward.x = forward.x;
    backward.gamma = forward.gamma;
    for (size_t row = 0; row < rows; row++)
        reference_row(&r, row, columns);
    if (!(c->flags & BACKWARD_ONLY))
        SP_TRY(check_forward(t, c, forward, &r));
    return c->flags & FORWARD_ONLY ? 0 : check_backward(t, c, backward, &r);
}

const struct sp_op sp_op_rmsnorm = {
    .name = "rmsnorm", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_rmsnorm,
};
