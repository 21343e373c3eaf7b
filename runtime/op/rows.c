#include "runtime/op/rows.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <stdlib.h>

static const struct sp_kernel rows_gather = { "rows_gather", "embed/rows_gather.cl" };
static const struct sp_kernel rows_scatter = { "rows_scatter", "embed/rows_scatter.cl" };

enum { FIRST = 2 }; /* of a case's list of rows that are not used */

/* Of a case. */
enum { ACCUMULATE = 1, GATHER_ONLY = 2, SCATTER_ONLY = 4, KEEP = 8 };

int sp_rows_gather(struct sp_device *device, const struct sp_rows_gather *args)
{
    struct sp_launch launch = { .kernel = &rows_gather };

    sp_geometry_rows(&launch, device, (size_t)args->R, 8);
    sp_launch_define(&launch, "C", args->C);
    launch.check = SP_CHECK(rows, GATHER_ONLY, 3 * SP_GEOMETRY_ROWS + 1, SP_GEOMETRY_ROWS, args->C);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->in);
    sp_launch_buffer(&launch, args->rows);
    sp_launch_int(&launch, args->R);
    sp_launch_int(&launch, args->first);
    return sp_launch_run(device, &launch);
}

int sp_rows_scatter(struct sp_device *device, const struct sp_rows_scatter *args)
{
    struct sp_launch launch = { .kernel = &rows_scatter };

    if (!args->accumulate && !args->keep)
        SP_TRY(sp_buffer_fill(args->out, 0, 0, (size_t)args->T * (size_t)args->C * sizeof(float)));
    sp_geometry_rows(&launch, device, (size_t)args->R, 8);
    sp_launch_define(&launch, "C", args->C);
    sp_launch_define(&launch, "ACCUMULATE", args->accumulate);
    launch.check = SP_CHECK(rows, SCATTER_ONLY | (args->accumulate ? ACCUMULATE : 0), 3 * SP_GEOMETRY_ROWS + 1,
                            SP_GEOMETRY_ROWS, args->C);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->in);
    sp_launch_buffer(&launch, args->rows);
    sp_launch_int(&launch, args->R);
    sp_launch_int(&launch, args->first);
    return sp_launch_run(device, &launch);
}

/* size: T, R, C; row r is T - 1 - r * (T / R). */

static const struct sp_op_case cases[] = {
    { .name = "1 of 1x1", .size = { 1, 1, 1 }, .tolerance = 2e-7 },
    { .name = "9 of 20x17", .size = { 20, 9, 17 }, .tolerance = 2e-7 },
    { .name = "3 of 7x17 accumulate", .size = { 7, 3, 17 }, .flags = ACCUMULATE, .tolerance = 2e-7 },
    { .name = "3 of 7x17 keep", .size = { 7, 3, 17 }, .flags = KEEP, .tolerance = 2e-7 },
    { .name = "32 of 1000x384", .size = { 1000, 32, 384 }, .tolerance = 2e-7 },
    { .name = "300 of 4300x17", .size = { 4300, 300, 17 }, .flags = ACCUMULATE, .tall = true, .tolerance = 2e-7 },
    { .name = "4250 of 8501x17", .size = { 8501, 4250, 17 }, .tall = true, .tolerance = 2e-7 },
};

static int run_gather(void *user)
{
    struct sp_rows_gather *args = user;

    return sp_rows_gather(sp_buffer_device(args->out), args);
}

static int run_scatter(void *user)
{
    struct sp_rows_scatter *args = user;

    return sp_rows_scatter(sp_buffer_device(args->out), args);
}

static int check_with(struct sp_check *t, const struct sp_op_case *c, uint32_t *rows)
{
    size_t T = (size_t)c->size[0], R = (size_t)c->size[1], C = (size_t)c->size[2];
    struct sp_rows_gather gather = { .R = (int)R, .C = (int)C, .first = FIRST };
    struct sp_rows_scatter scatter = { .T = (int)T, .R = (int)R, .C = (int)C, .first = FIRST,
                                       .accumulate = c->flags & ACCUMULATE, .keep = c->flags & KEEP };
    double *in = sp_check_input(t, &gather.in, T * C, -1, 1), *few = sp_check_input(t, &scatter.in, R * C, -1, 1);
    double *gathered = sp_check_double(t, R * C), *scattered = sp_check_double(t, T * C);

    if (!in || !few || !gathered || !scattered)
        return SP_ENOMEM;
    for (size_t i = 0; (scatter.accumulate || scatter.keep) && i < T * C; i++)
        scattered[i] = in[i];
    for (size_t r = 0; r < R; r++)
        rows[FIRST + r] = (uint32_t)(T - 1 - r * (T / R));
    for (size_t i = 0; i < R * C; i++) {
        size_t there = rows[FIRST + i / C] * C + i % C;

        gathered[i] = in[there];
        scattered[there] = few[i] + (scatter.accumulate ? in[there] : 0);
    }
    SP_TRY(sp_check_input_words(t, &gather.rows, rows, FIRST + R));
    scatter.rows = gather.rows;
    SP_TRY(sp_check_output(t, &gather.out, R * C));
    if (scatter.accumulate || scatter.keep)
        SP_TRY(sp_check_inout(t, &scatter.out, in, T * C));
    else
        SP_TRY(sp_check_output(t, &scatter.out, T * C));
    if (!(c->flags & SCATTER_ONLY)) {
        SP_TRY(sp_check_run(t, run_gather, &gather));
        SP_TRY(sp_check_compare(t, "gathered", gather.out, gathered, R * C, c->tolerance));
    }
    if (c->flags & GATHER_ONLY)
        return 0;
    SP_TRY(sp_check_run(t, run_scatter, &scatter));
    return sp_check_compare(t, "scattered", scatter.out, scattered, T * C, c->tolerance);
}

static int check_rows(struct sp_check *t, const struct sp_op_case *c)
{
    uint32_t *rows = sp_calloc(FIRST + (size_t)c->size[1], sizeof *rows);
    int rc = rows ? check_with(t, c, rows) : SP_ENOMEM;

    free(rows);
    return rc;
}

const struct sp_op sp_op_rows = {
    .name = "rows", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_rows,
};
