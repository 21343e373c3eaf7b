#include "runtime/op/norm.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <float.h>
#include <math.h>

#define CHUNK 4096 /* elements to a slot, on every device */

/*
 * Of a case. POISON: a value is NaN. SMALL: values and max_norm times 1e-6, where the 1e-6 in the coefficient counts.
 * FAR: times 1e20, beyond which squares are infinite. LOST: a loss is infinite. SHUT: the coefficient was NaN before.
 */
enum { POISON = 1, SMALL = 2, SQUARES_ONLY = 4, FINISH_ONLY = 8, FAR = 16, LOST = 32, SHUT = 64 };

static const struct sp_kernel norm_squares = { "norm_squares", "optim/norm_squares.cl" };
static const struct sp_kernel norm_finish = { "norm_finish", "optim/norm_finish.cl" };

size_t sp_norm_slots(size_t count)
{
    return (count + CHUNK - 1) / CHUNK;
}

int sp_norm_squares(struct sp_device *device, const struct sp_norm_squares *args)
{
    struct sp_launch launch = { .kernel = &norm_squares };

    if (args->count == 0)
        return 0;
    sp_geometry_rows(&launch, device, sp_norm_slots(args->count), 1);
    sp_launch_define(&launch, "CHUNK", CHUNK);
    launch.check = SP_CHECK(norm, SQUARES_ONLY, SP_GEOMETRY_ELEMENTS, 33, 10);
    sp_launch_buffer(&launch, args->slots);
    sp_launch_buffer(&launch, args->in);
    sp_launch_uint(&launch, (uint32_t)args->count);
    sp_launch_uint(&launch, (uint32_t)args->first_slot);
    return sp_launch_run(device, &launch);
}

int sp_norm_finish(struct sp_device *device, const struct sp_norm_finish *args)
{
    struct sp_launch launch = { .kernel = &norm_finish };

    sp_geometry_rows(&launch, device, 1, 1);
    sp_launch_define(&launch, "CHUNK", CHUNK);
    launch.check = SP_CHECK(norm, FINISH_ONLY, 70 * CHUNK, 33, 10, 3);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->slots);
    sp_launch_int(&launch, (int)args->slot_count);
    sp_launch_buffer(&launch, args->loss_count ? args->losses : args->slots); /* unread; some drivers refuse null */
    sp_launch_int(&launch, (int)args->loss_count);
    sp_launch_float(&launch, args->max_norm);
    return sp_launch_run(device, &launch);
}

/* size: counts of two buffers, max_norm, losses */

static const struct sp_op_case cases[] = {
    { .name = "1 and 3, no clipping", .size = { 1, 3, 0 }, .tolerance = 1e-6 },
    { .name = "17 and 1, clipped", .size = { 17, 1, 1 }, .tolerance = 1e-6 },
    { .name = "17 and 33, below the limit", .size = { 17, 33, 20, 3 }, .tolerance = 1e-6 },
    { .name = "17 and 33, infinite", .size = { 17, 33, 1, 1 }, .flags = FAR, .tolerance = 1e-6 },
    { .name = "17 and 33, infinite, no clipping", .size = { 17, 33, 0 }, .flags = FAR, .tolerance = 1e-6 },
    { .name = "17 and 33, a loss is infinite", .size = { 17, 33, 1, 3 }, .flags = LOST, .tolerance = 1e-6 },
    { .name = "17 and 33, the only loss is infinite, no clipping", .size = { 17, 33, 0, 1 }, .flags = LOST,
      .tolerance = 1e-6 },
    { .name = "17 and 33, after a step that was not finite", .size = { 17, 33, 1, 2 }, .flags = SHUT,
      .tolerance = 1e-6 },
    { .name = "384 and 33, NaN", .size = { 384, 33, 1 }, .flags = POISON, .tolerance = 1e-6 },
    { .name = "17 and 33, small, clipped", .size = { 17, 33, 1 }, .flags = SMALL, .tolerance = 1e-6 },
    { .name = "17 and 33, small, below the limit", .size = { 17, 33, 20 }, .flags = SMALL, .tolerance = 1e-6 },
    { .name = "4097 and 300000, clipped", .size = { 4097, 300000, 10 }, .tolerance = 2e-6 },
};

struct run {
    unsigned flags;
    struct sp_norm_squares part[2];
    struct sp_norm_finish finish;
};

static int launch_norm(void *user)
{
    struct run *r = user;
    struct sp_device *device = sp_buffer_device(r->finish.out);

    if (r->flags & FINISH_ONLY)
        return sp_norm_finish(device, &r->finish);
    SP_TRY(sp_norm_squares(device, &r->part[0]));
    SP_TRY(sp_norm_squares(device, &r->part[1]));
    return r->flags & SQUARES_ONLY ? 0 : sp_norm_finish(device, &r->finish);
}

/* Into out[2], of what the squares add up to; the gate aside. */
static void expect(double *out, double sum, double max_norm)
{
    out[0] = sum > FLT_MAX ? INFINITY : sqrt(sum);
    out[1] = max_norm > 0 ? fmin(1, max_norm / (out[0] + 1e-6)) : 1;
}

/* The step's losses, and what an earlier step has left in the output. */
static int make_gate(struct sp_check *t, struct sp_norm_finish *finish, unsigned flags)
{
    double before[2] = { 0, flags & SHUT ? NAN : 0 }, *losses;

    SP_TRY(sp_check_inout(t, &finish->out, before, 2));
    if (!finish->loss_count)
        return 0;
    losses = sp_check_input(t, &finish->losses, finish->loss_count, -1, 1);
    if (!losses)
        return SP_ENOMEM;
    if (flags & LOST)
        losses[finish->loss_count - 1] = INFINITY;
    return sp_check_input_values(t, &finish->losses, losses, finish->loss_count);
}

static int check_norm(struct sp_check *t, const struct sp_op_case *c)
{
    double scale = c->flags & SMALL ? 1e-6 : c->flags & FAR ? 1e20 : 1;
    struct run r = { .flags = c->flags, .finish = { .max_norm = (float)(c->size[2] * scale),
                                                    .loss_count = (size_t)c->size[3] } };
    double *slots = sp_check_double(t, sp_norm_slots((size_t)c->size[0]) + sp_norm_slots((size_t)c->size[1]));
    double sum = 0, expected[2];

    if (!slots)
        return SP_ENOMEM;
    for (int i = 0; i < 2; i++) {
        size_t count = (size_t)c->size[i];
        double *in = sp_check_input(t, &r.part[i].in, count, -scale, scale);

        if (!in)
            return SP_ENOMEM;
        if (c->flags & POISON && i == 1) {
            in[count / 2] = NAN;
            SP_TRY(sp_check_input_values(t, &r.part[i].in, in, count));
        }
        for (size_t k = 0; k < count; k++) {
            sum += in[k] * in[k];
            slots[r.finish.slot_count + k / CHUNK] += in[k] * in[k];
        }
        r.part[i].count = count;
        r.part[i].first_slot = r.finish.slot_count;
        r.finish.slot_count += sp_norm_slots(count);
    }
    for (size_t i = 0; i < r.finish.slot_count; i++)
        slots[i] = slots[i] > FLT_MAX ? INFINITY : slots[i];
    expect(expected, sum, (double)r.finish.max_norm);
    if (!isfinite(expected[0]) || c->flags & (LOST | SHUT))
        expected[1] = NAN;
    if (c->flags & FINISH_ONLY)
        SP_TRY(sp_check_input_values(t, &r.finish.slots, slots, r.finish.slot_count));
    else
        SP_TRY(sp_check_output(t, &r.finish.slots, r.finish.slot_count));
    SP_TRY(make_gate(t, &r.finish, c->flags));
    r.part[0].slots = r.part[1].slots = r.finish.slots;
    SP_TRY(sp_check_run(t, launch_norm, &r));
    if (!(c->flags & FINISH_ONLY))
        SP_TRY(sp_check_compare_each(t, "slots", r.finish.slots, slots, slots, r.finish.slot_count, c->tolerance));
    if (c->flags & SQUARES_ONLY)
        return 0;
    return sp_check_compare_each(t, "norm and coefficient", r.finish.out, expected, expected, 2, c->tolerance);
}

const struct sp_op sp_op_norm = {
    .name = "norm", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_norm,
};
