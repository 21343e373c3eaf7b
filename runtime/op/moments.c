#include "runtime/op/moments.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>

static const struct sp_kernel moments = { "moments", "optim/moments.cl" };

/* Of a case: SCALED has a norm's coefficient, SHUT one that is NaN. */
enum { SCALED = 1, SHUT = 2 };

int sp_moments(struct sp_device *device, const struct sp_moments *args)
{
    struct sp_launch launch = { .kernel = &moments };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    launch.check = SP_CHECK(moments, SCALED, SP_GEOMETRY_ELEMENTS);
    sp_launch_buffer(&launch, args->sum);
    sp_launch_buffer(&launch, args->squares);
    sp_launch_buffer(&launch, args->gradient);
    sp_launch_buffer(&launch, args->norm);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

/* size: count */

static const struct sp_op_case cases[] = {
    { .name = "1", .size = { 1 }, .tolerance = 1e-6 },
    { .name = "3 scaled", .size = { 3 }, .flags = SCALED, .tolerance = 1e-6 },
    { .name = "33", .size = { 33 }, .tolerance = 1e-6 },
    { .name = "33 shut", .size = { 33 }, .flags = SHUT, .tolerance = 1e-6 },
    { .name = "70001 scaled", .size = { 70001 }, .flags = SCALED, .tolerance = 1e-6 },
};

static int launch_moments(void *user)
{
    struct sp_moments *args = user;

    return sp_moments(sp_buffer_device(args->sum), args);
}

static int check_moments(struct sp_check *t, const struct sp_op_case *c)
{
    const double norm[2] = { 4, c->flags & SHUT ? NAN : 0.25 };
    size_t count = (size_t)c->size[0];
    struct sp_moments args = { .count = count };
    double *sum = sp_check_input(t, &args.sum, count, -1, 1), *squares = sp_check_input(t, &args.squares, count, 0, 1);
    double *gradient = sp_check_input(t, &args.gradient, count, -1, 1), coefficient = c->flags & SCALED ? norm[1] : 1;

    if (!sum || !squares || !gradient)
        return SP_ENOMEM;
    SP_TRY(sp_check_inout(t, &args.sum, sum, count));
    SP_TRY(sp_check_inout(t, &args.squares, squares, count));
    if (c->flags & (SCALED | SHUT))
        SP_TRY(sp_check_input_values(t, &args.norm, norm, 2));
    for (size_t i = 0; i < count && !(c->flags & SHUT); i++) {
        double g = gradient[i] * coefficient;

        sum[i] += g;
        squares[i] += g * g;
    }
    SP_TRY(sp_check_run(t, launch_moments, &args));
    SP_TRY(sp_check_compare(t, "sum", args.sum, sum, count, c->tolerance));
    return sp_check_compare(t, "squares", args.squares, squares, count, c->tolerance);
}

const struct sp_op sp_op_moments = {
    .name = "moments", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_moments,
};
