#include "runtime/op/rotary.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>
#include <stdlib.h>

static const struct sp_kernel rotary = { "rotary", "act/rotary.cl" };

int sp_rotary(struct sp_device *device, const struct sp_rotary *args)
{
    struct sp_launch launch = { .kernel = &rotary };
    int rows = sp_geometry_rows_of(args->heads * args->D);

    sp_geometry_rows(&launch, device, (size_t)args->T, rows);
    sp_launch_define(&launch, "C", args->heads * args->D);
    sp_launch_define(&launch, "D", args->D);
    launch.check = SP_CHECK(rotary, 0, SP_GEOMETRY_ITEMS(rows), args->heads, args->D);
    sp_launch_buffer(&launch, args->y);
    sp_launch_buffer(&launch, args->x);
    sp_launch_buffer(&launch, args->table);
    sp_launch_buffer(&launch, args->positions);
    sp_launch_int(&launch, args->T);
    sp_launch_float(&launch, args->back ? -1 : 1);
    return sp_launch_run(device, &launch);
}

/* size: T, heads, D */
enum { IN_PLACE = 1 };

#define POSITIONS 37

static const struct sp_op_case cases[] = {
    { .name = "1 of 1x2", .size = { 1, 1, 2 }, .tolerance = 5e-7 },
    { .name = "5 of 3x6 in place", .size = { 5, 3, 6 }, .flags = IN_PLACE, .tolerance = 5e-7 },
    { .name = "19 of 9x64", .size = { 19, 9, 64 }, .tolerance = 5e-7 },
    { .name = "17 of 3x80 in place", .size = { 17, 3, 80 }, .flags = IN_PLACE, .tolerance = 5e-7 },
    { .name = "9 of 4x256", .size = { 9, 4, 256 }, .tolerance = 5e-7 },
    { .name = "301 of 9x100", .size = { 301, 9, 100 }, .tolerance = 5e-7 },
    { .name = "4201 of 3x6", .size = { 4201, 3, 6 }, .tall = true, .tolerance = 5e-7 },
};

static int launch_rotary(void *user)
{
    struct sp_rotary *args = user;

    return sp_rotary(sp_buffer_device(args->y), args);
}

static void reference(double *y, const double *x, const double *table, const uint32_t *positions,
                      const struct sp_rotary *args)
{
    size_t half = (size_t)args->D / 2, heads = (size_t)args->heads;

    for (size_t h = 0; h < (size_t)args->T * heads; h++, x += 2 * half, y += 2 * half)
        for (size_t i = 0; i < half; i++) {
            const double *at = table + positions[h / heads] * 2 * half;
            double c = at[i], s = args->back ? -at[half + i] : at[half + i];

            y[i] = x[i] * c - x[half + i] * s;
            y[half + i] = x[half + i] * c + x[i] * s;
        }
}

static int check_with(struct sp_check *t, const struct sp_op_case *c, const uint32_t *positions)
{
    struct sp_rotary args = { .T = c->size[0], .heads = c->size[1], .D = c->size[2] };
    size_t rows = (size_t)args.T, count = rows * (size_t)args.heads * (size_t)args.D;
    double *x = sp_check_input(t, &args.x, count, -2, 2), *expected = sp_check_double(t, count);
    double *table = sp_check_input(t, &args.table, (size_t)POSITIONS * (size_t)args.D, -1, 1);

    if (!x || !expected || !table)
        return SP_ENOMEM;
    SP_TRY(sp_check_input_words(t, &args.positions, positions, rows));
    for (int back = 0; back <= 1; back++) {
        args.back = back;
        reference(expected, x, table, positions, &args);
        if (c->flags & IN_PLACE) {
            SP_TRY(sp_check_inout(t, &args.y, x, count));
            args.x = args.y;
        } else {
            SP_TRY(sp_check_output(t, &args.y, count));
        }
        SP_TRY(sp_check_run(t, launch_rotary, &args));
        SP_TRY(sp_check_compare(t, back ? "back" : "y", args.y, expected, count, c->tolerance));
    }
    return 0;
}

static int check_rotary(struct sp_check *t, const struct sp_op_case *c)
{
    uint32_t *positions = sp_calloc((size_t)c->size[0], sizeof *positions);
    int rc;

    if (!positions)
        return SP_ENOMEM;
    for (int i = 0; i < c->size[0]; i++)
        positions[i] = (uint32_t)(i * 11 + 5) % POSITIONS;
    rc = check_with(t, c, positions);
    free(positions);
    return rc;
}

const struct sp_op sp_op_rotary = {
    .name = "rotary", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_rotary,
};
