#include "runtime/op/adamw.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>

static const struct sp_kernel adamw = { "adamw", "optim/adamw.cl" };

int sp_adamw(struct sp_device *device, const struct sp_adamw *args)
{
    struct sp_launch launch = { .kernel = &adamw };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    sp_launch_buffer(&launch, args->value);
    sp_launch_buffer(&launch, args->m);
    sp_launch_buffer(&launch, args->v);
    sp_launch_buffer(&launch, args->gradient);
    sp_launch_buffer(&launch, args->norm);
    sp_launch_uint(&launch, (uint32_t)args->count);
    sp_launch_float(&launch, (float)args->beta1);
    sp_launch_float(&launch, (float)(1 - args->beta1));
    sp_launch_float(&launch, (float)args->beta2);
    sp_launch_float(&launch, (float)(1 - args->beta2));
    sp_launch_float(&launch, (float)(1 - args->lr * args->decay));
    sp_launch_float(&launch, (float)(args->lr / (1 - pow(args->beta1, args->step))));
    sp_launch_float(&launch, (float)(1 / sqrt(1 - pow(args->beta2, args->step))));
    sp_launch_float(&launch, (float)args->epsilon);
    return sp_launch_run(device, &launch);
}

/* size: count, step. SCALED has a norm's coefficient. */
enum { SCALED = 1, DECAY = 2, POISON = 4 };

static const struct sp_op_case cases[] = {
    { .name = "1, first step", .size = { 1, 1 }, .tolerance = 1e-6 },
    { .name = "3 scaled", .size = { 3, 2 }, .flags = SCALED, .tolerance = 1e-6 },
    { .name = "17 decay", .size = { 17, 7 }, .flags = DECAY, .tolerance = 1e-6 },
    { .name = "33 NaN", .size = { 33, 7 }, .flags = POISON, .tolerance = 1e-6 },
    { .name = "384 scaled decay", .size = { 384, 1000 }, .flags = SCALED | DECAY, .tolerance = 1e-6 },
    { .name = "70001 decay", .size = { 70001, 100000 }, .flags = DECAY, .tolerance = 1e-6 },
};

struct reference {
    double *p, *m, *v, *gradient;
};

static void reference(const struct reference *r, const struct sp_adamw *args, double coefficient)
{
    double bias1 = 1 - pow(args->beta1, args->step), bias2 = 1 - pow(args->beta2, args->step);

    for (size_t i = 0; i < args->count; i++) {
        double g = r->gradient[i] * coefficient;

        r->p[i] *= 1 - args->lr * args->decay;
        r->m[i] = args->beta1 * r->m[i] + (1 - args->beta1) * g;
        r->v[i] = args->beta2 * r->v[i] + (1 - args->beta2) * g * g;
        r->p[i] -= args->lr / bias1 * r->m[i] / (sqrt(r->v[i]) / sqrt(bias2) + args->epsilon);
    }
}

static int run(void *user)
{
    struct sp_adamw *args = user;

    return sp_adamw(sp_buffer_device(args->value), args);
}

/* `count` random values in [low, high), already in a buffer that the op updates. */
static double *state(struct sp_check *t, struct sp_buffer **out, size_t count, double low, double high)
{
    double *values = sp_check_input(t, out, count, low, high);

    return values && sp_check_inout(t, out, values, count) == 0 ? values : NULL;
}

static int check(struct sp_check *t, const struct sp_op_case *c)
{
    static const double norm[2] = { 4, 0.25 };
    size_t count = (size_t)c->size[0];
    struct sp_adamw args = { .count = count, .lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8,
                             .decay = c->flags & DECAY ? 0.1 : 0, .step = (uint32_t)c->size[1] };
    struct reference r = { .p = state(t, &args.value, count, -1, 1), .m = state(t, &args.m, count, -0.1, 0.1),
                           .v = state(t, &args.v, count, 0, 0.1),
                           .gradient = sp_check_input(t, &args.gradient, count, -1, 1) };

    if (!r.p || !r.m || !r.v || !r.gradient)
        return SP_ENOMEM;
    if (c->flags & POISON) {
        r.gradient[count / 2] = NAN;
        SP_TRY(sp_check_input_values(t, &args.gradient, r.gradient, count));
    }
    if (c->flags & SCALED)
        SP_TRY(sp_check_input_values(t, &args.norm, norm, 2));
    reference(&r, &args, c->flags & SCALED ? norm[1] : 1);
    SP_TRY(sp_check_run(t, run, &args));
    SP_TRY(sp_check_compare(t, "m", args.m, r.m, count, c->tolerance));
    SP_TRY(sp_check_compare(t, "v", args.v, r.v, count, c->tolerance));
    return sp_check_compare(t, "value", args.value, r.p, count, c->tolerance);
}

const struct sp_op sp_op_adamw = { "adamw", cases, sizeof cases / sizeof *cases, check };
