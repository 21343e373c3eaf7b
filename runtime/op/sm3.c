#include "runtime/op/sm3.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>
#include <stdlib.h>

static const struct sp_kernel sm3 = { "sm3", "optim/sm3.cl" };

/* Of a case: DENSE has every entry; else they are spread evenly. SHUT: the norm's coefficient is NaN. */
enum { SCALED = 1, DECAY = 2, DENSE = 4, SHUT = 8 };

int sp_sm3(struct sp_device *device, const struct sp_sm3 *args)
{
    struct sp_launch launch = { .kernel = &sm3 };

    if (args->count == 0)
        return 0;
    SP_TRY(sp_buffer_copy(args->scratch, 0, args->accumulators, 0,
                          ((size_t)args->rows + (size_t)args->cols) * sizeof(float)));
    sp_geometry_elements(&launch, device, args->count);
    sp_launch_define(&launch, "SPARSE", args->positions != NULL);
    launch.check = SP_CHECK(sm3, SCALED | DECAY | (args->positions ? 0 : DENSE), 97, 101,
                            args->positions ? SP_GEOMETRY_ELEMENTS : 97 * 101);
    sp_launch_buffer(&launch, args->value);
    sp_launch_buffer(&launch, args->accumulators);
    sp_launch_buffer(&launch, args->scratch);
    sp_launch_buffer(&launch, args->gradient);
    /* unread; some drivers refuse null */
    sp_launch_buffer(&launch, args->positions ? args->positions : args->gradient);
    sp_launch_buffer(&launch, args->norm);
    sp_launch_uint(&launch, (uint32_t)args->count);
    sp_launch_uint(&launch, (uint32_t)args->rows);
    sp_launch_uint(&launch, (uint32_t)args->cols);
    sp_launch_float(&launch, (float)args->lr);
    sp_launch_float(&launch, (float)(1 - args->lr * args->decay));
    sp_launch_float(&launch, (float)args->epsilon);
    return sp_launch_run(device, &launch);
}

/* size: rows, cols, count */

static const struct sp_op_case cases[] = {
    { .name = "1 of 1x1", .size = { 1, 1, 1 }, .flags = DENSE, .tolerance = 1e-6 },
    { .name = "3 of 2x3, scaled", .size = { 2, 3, 3 }, .flags = SCALED, .tolerance = 1e-6 },
    { .name = "vector of 17, decay", .size = { 17, 1, 17 }, .flags = DENSE | DECAY, .tolerance = 1e-6 },
    { .name = "70 of 40x33, scaled, decay", .size = { 40, 33, 70 }, .flags = SCALED | DECAY, .tolerance = 1e-6 },
    { .name = "all of 37x20", .size = { 37, 20, 740 }, .flags = DENSE, .tolerance = 1e-6 },
    { .name = "70 of 40x33, shut", .size = { 40, 33, 70 }, .flags = SHUT | DECAY, .tolerance = 1e-6 },
    { .name = "vector of 17, shut", .size = { 17, 1, 17 }, .flags = SHUT | DECAY | DENSE, .tolerance = 1e-6 },
    { .name = "9001 of 384x391", .size = { 384, 391, 9001 }, .tolerance = 1e-6 },
};

static int launch_sm3(void *user)
{
    struct sp_sm3 *args = user;

    return sp_sm3(sp_buffer_device(args->value), args);
}

/* `acc` and `p` become what they are after the step. */
static int reference(double *p, double *acc, const double *gradient, const uint32_t *positions,
                     const struct sp_sm3 *args, double coefficient)
{
    size_t rows = (size_t)args->rows, cols = (size_t)args->cols;
    double *old = sp_calloc(rows + cols, sizeof *old);

    if (!old)
        return SP_ENOMEM;
    for (size_t i = 0; i < rows + cols; i++)
        old[i] = acc[i];
    for (size_t k = 0; k < args->count; k++) {
        size_t row = positions[k] / cols, col = rows + positions[k] % cols;
        double g = gradient[k] * coefficient, u = fmin(old[row], old[col]) + g * g;

        acc[row] = fmax(acc[row], u);
        acc[col] = fmax(acc[col], u);
        p[k] = (p[k] - args->lr * g / sqrt(u + args->epsilon)) * (1 - args->lr * args->decay);
    }
    free(old);
    return 0;
}

static int check_with(struct sp_check *t, const struct sp_op_case *c, uint32_t *positions)
{
    const double norm[2] = { 4, c->flags & SHUT ? NAN : 0.25 };
    size_t rows = (size_t)c->size[0], cols = (size_t)c->size[1], count = (size_t)c->size[2];
    struct sp_sm3 args = { .count = count, .rows = c->size[0], .cols = c->size[1], .lr = 1e-2, .epsilon = 1e-8,
                           .decay = c->flags & DECAY ? 0.1 : 0 };
    double *acc = sp_check_input(t, &args.accumulators, rows + cols, 0, 0.5);
    double *p = sp_check_input(t, &args.value, count, -1, 1),
           *gradient = sp_check_input(t, &args.gradient, count, -1, 1);

    if (!acc || !p || !gradient)
        return SP_ENOMEM;
    acc[0] = 0; /* a row that had no entry */
    SP_TRY(sp_check_inout(t, &args.accumulators, acc, rows + cols));
    SP_TRY(sp_check_inout(t, &args.value, p, count));
    SP_TRY(sp_check_output(t, &args.scratch, rows + cols));
    for (size_t k = 0; k < count; k++)
        positions[k] = (uint32_t)(k * (rows * cols) / count);
    if (!(c->flags & DENSE))
        SP_TRY(sp_check_input_words(t, &args.positions, positions, count));
    if (c->flags & (SCALED | SHUT))
        SP_TRY(sp_check_input_values(t, &args.norm, norm, 2));
    if (!(c->flags & SHUT))
        SP_TRY(reference(p, acc, gradient, positions, &args, c->flags & SCALED ? norm[1] : 1));
    SP_TRY(sp_check_run(t, launch_sm3, &args));
    SP_TRY(sp_check_compare(t, "accumulators", args.accumulators, acc, rows + cols, c->tolerance));
    return sp_check_compare(t, "value", args.value, p, count, c->tolerance);
}

static int check_sm3(struct sp_check *t, const struct sp_op_case *c)
{
    uint32_t *positions = sp_calloc((size_t)c->size[2], sizeof *positions);
    int rc = positions ? check_with(t, c, positions) : SP_ENOMEM;

    free(positions);
    return rc;
}

const struct sp_op sp_op_sm3 = {
    .name = "sm3", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_sm3,
};
