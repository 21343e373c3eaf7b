#include "runtime/op/adamw.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>
#include <stdlib.h>

static const struct sp_kernel adamw = { "adamw", "optim/adamw.cl" };

/* Of a case: SCALED has a norm's coefficient, SHUT one that is NaN; AGED gives entry i the age step - i % step. */
enum { SCALED = 1, DECAY = 2, POISON = 4, AGED = 8, SHUT = 16 };

int sp_adamw(struct sp_device *device, const struct sp_adamw *args)
{
    struct sp_launch launch = { .kernel = &adamw };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    sp_launch_define(&launch, "AGED", args->births != NULL);
    launch.check = SP_CHECK(adamw, SCALED | DECAY | (args->births ? AGED : 0), SP_GEOMETRY_ELEMENTS, 7);
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
    sp_launch_float(&launch, (float)(args->births ? args->lr : args->lr / (1 - pow(args->beta1, args->step))));
    sp_launch_float(&launch, (float)(1 / sqrt(1 - pow(args->beta2, args->step))));
    sp_launch_float(&launch, (float)args->epsilon);
    if (args->births) {
        sp_launch_buffer(&launch, args->births);
        sp_launch_buffer(&launch, args->corrections);
        sp_launch_uint(&launch, args->step);
    }
    return sp_launch_run(device, &launch);
}

void sp_adamw_corrections(float *out, size_t ages, double beta1, double beta2)
{
    for (size_t age = 0; age < ages; age++) {
        out[2 * age] = age ? (float)(1 / (1 - pow(beta1, (double)age))) : 1;
        out[2 * age + 1] = age ? (float)(1 / sqrt(1 - pow(beta2, (double)age))) : 1;
    }
}

/* size: count, step */

static const struct sp_op_case cases[] = {
    { .name = "1, first step", .size = { 1, 1 }, .tolerance = 1e-6 },
    { .name = "3 scaled", .size = { 3, 2 }, .flags = SCALED, .tolerance = 1e-6 },
    { .name = "17 decay", .size = { 17, 7 }, .flags = DECAY, .tolerance = 1e-6 },
    { .name = "33 NaN", .size = { 33, 7 }, .flags = POISON, .tolerance = 1e-6 },
    { .name = "384 scaled decay", .size = { 384, 1000 }, .flags = SCALED | DECAY, .tolerance = 1e-6 },
    { .name = "70001 decay", .size = { 70001, 100000 }, .flags = DECAY, .tolerance = 1e-6 },
    { .name = "1 aged", .size = { 1, 1 }, .flags = AGED, .tolerance = 1e-6 },
    { .name = "33 aged scaled decay", .size = { 33, 9 }, .flags = AGED | SCALED | DECAY, .tolerance = 1e-6 },
    { .name = "33 shut", .size = { 33, 7 }, .flags = SHUT | DECAY | POISON, .tolerance = 1e-6 },
    { .name = "33 aged, shut", .size = { 33, 9 }, .flags = AGED | SHUT | DECAY, .tolerance = 1e-6 },
    { .name = "70001 aged", .size = { 70001, 3000 }, .flags = AGED, .tolerance = 1e-6 },
};

struct reference {
    double *p, *m, *v, *gradient;
};

static void reference(const struct reference *r, const struct sp_adamw *args, double coefficient, bool aged)
{
    for (size_t i = 0; i < args->count; i++) {
        double age = (double)(aged ? args->step - i % args->step : args->step), g = r->gradient[i] * coefficient;
        double bias1 = 1 - pow(args->beta1, age), bias2 = 1 - pow(args->beta2, age);

        r->p[i] *= 1 - args->lr * args->decay;
        r->m[i] = args->beta1 * r->m[i] + (1 - args->beta1) * g;
        r->v[i] = args->beta2 * r->v[i] + (1 - args->beta2) * g * g;
        r->p[i] -= args->lr / bias1 * r->m[i] / (sqrt(r->v[i]) / sqrt(bias2) + args->epsilon);
    }
}

static int launch_adamw(void *user)
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

/* Births and the table for the case's count and step. */
static int make_ages(struct sp_check *t, struct sp_adamw *args)
{
    size_t ages = (size_t)args->step + 1;
    uint32_t *births = sp_calloc(args->count, sizeof *births);
    float *table = sp_calloc(2 * ages, sizeof *table);
    double *corrections = sp_check_double(t, 2 * ages);
    int rc = births && table && corrections ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < args->count; i++)
        births[i] = (uint32_t)(i % args->step);
    if (rc == 0)
        sp_adamw_corrections(table, ages, args->beta1, args->beta2);
    for (size_t i = 0; rc == 0 && i < 2 * ages; i++)
        corrections[i] = (double)table[i];
    if (rc == 0)
        rc = sp_check_input_words(t, &args->births, births, args->count);
    if (rc == 0)
        rc = sp_check_input_values(t, &args->corrections, corrections, 2 * ages);
    free(births);
    free(table);
    return rc;
}

static int check_adamw(struct sp_check *t, const struct sp_op_case *c)
{
    const double norm[2] = { 4, c->flags & SHUT ? NAN : 0.25 };
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
    if (c->flags & (SCALED | SHUT))
        SP_TRY(sp_check_input_values(t, &args.norm, norm, 2));
    if (c->flags & AGED)
        SP_TRY(make_ages(t, &args));
    if (!(c->flags & SHUT))
        reference(&r, &args, c->flags & SCALED ? norm[1] : 1, c->flags & AGED);
    SP_TRY(sp_check_run(t, launch_adamw, &args));
    SP_TRY(sp_check_compare(t, "m", args.m, r.m, count, c->tolerance));
    SP_TRY(sp_check_compare_each(t, "v", args.v, r.v, r.v, count, c->tolerance));
    return sp_check_compare(t, "value", args.value, r.p, count, c->tolerance);
}

const struct sp_op sp_op_adamw = {
    .name = "adamw", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_adamw,
};
