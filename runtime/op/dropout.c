#include "runtime/op/dropout.h"

#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

static const struct sp_kernel dropout_apply = { "dropout_apply", "act/dropout_apply.cl" };

static uint32_t threshold(const struct sp_dropout *dropout)
{
    return (uint32_t)((double)dropout->p * 0x1p32);
}

void sp_dropout_launch(struct sp_launch *launch, const struct sp_dropout *dropout)
{
    sp_launch_define(launch, "DROPOUT", dropout->p > 0);
    sp_launch_uint(launch, threshold(dropout));
    sp_launch_float(launch, (float)(1 / (1 - (double)dropout->p)));
    sp_launch_ulong(launch, dropout->seed);
    sp_launch_uint(launch, dropout->step);
    sp_launch_uint(launch, dropout->node);
}

int sp_dropout_apply(struct sp_device *device, const struct sp_dropout_apply *args)
{
    struct sp_launch launch = { .kernel = &dropout_apply };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    launch.check = SP_CHECK(dropout, 0, SP_GEOMETRY_ELEMENTS, args->dropout.p > 0 ? 50 : 0);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->in);
    sp_launch_uint(&launch, (uint32_t)args->count);
    sp_dropout_launch(&launch, &args->dropout);
    return sp_launch_run(device, &launch);
}

double sp_dropout_factor(const struct sp_dropout *dropout, uint64_t element)
{
    const uint32_t counter[4] = { (uint32_t)(element / 4), dropout->step, dropout->node, SP_RNG_DROPOUT };
    const uint32_t key[2] = { (uint32_t)dropout->seed, (uint32_t)(dropout->seed >> 32) };
    uint32_t words[4];

    if (dropout->p <= 0)
        return 1;
    sp_philox(words, counter, key);
    return words[element % 4] < threshold(dropout) ? 0 : 1 / (1 - (double)dropout->p);
}

/* size: count, percent dropped */
enum { IN_PLACE = 1 };

static const struct sp_op_case cases[] = {
    { .name = "1", .size = { 1, 10 }, .tolerance = 1e-6 },
    { .name = "3", .size = { 3, 50 }, .tolerance = 1e-6 },
    { .name = "17 in place", .size = { 17, 10 }, .flags = IN_PLACE, .tolerance = 1e-6 },
    { .name = "389 none", .size = { 389, 0 }, .tolerance = 0 },
    { .name = "4097", .size = { 4097, 10 }, .tolerance = 1e-6 },
    { .name = "300037 in place", .size = { 300037, 90 }, .flags = IN_PLACE, .tolerance = 1e-6 },
};

static int launch_dropout(void *user)
{
    struct sp_dropout_apply *args = user;

    return sp_dropout_apply(sp_buffer_device(args->out), args);
}

static int check_dropout(struct sp_check *t, const struct sp_op_case *c)
{
    size_t count = (size_t)c->size[0];
    struct sp_dropout_apply args = {
        .count = count,
        .dropout = { .p = (float)c->size[1] / 100, .seed = 0x0123456789ABCDEF, .step = 5, .node = 3 },
    };
    double *in = sp_check_input(t, &args.in, count, -2, 2), *expected = sp_check_double(t, count);

    if (!in || !expected)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++)
        expected[i] = in[i] * sp_dropout_factor(&args.dropout, i);
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &args.out, in, count));
        args.in = args.out;
    } else {
        SP_TRY(sp_check_output(t, &args.out, count));
    }
    SP_TRY(sp_check_run(t, launch_dropout, &args));
    return sp_check_compare(t, "out", args.out, expected, count, c->tolerance);
}

const struct sp_op sp_op_dropout = {
    .name = "dropout", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_dropout,
};
