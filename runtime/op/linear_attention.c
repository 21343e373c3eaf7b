#include "runtime/op/linear_attention.h"

#include "runtime/base/error.h"
#include "runtime/kernel/launch.h"
#include "runtime/op/check.h"

static const struct sp_kernel linear_attention = { "linear_attention", "attn/linear_attention.cl" };

/* Of a case: a number of rows j follows each sequence's number of rows i, instead of being the same. */
enum { OTHER_KEYS = 1 };

int sp_linear_attention(struct sp_device *device, const struct sp_linear_attention *args)
{
    struct sp_launch launch = {
        .kernel = &linear_attention,
        .global = { (size_t)args->longest, (size_t)args->heads, (size_t)args->sequences },
        .local = { 1, 1, 1 },
        .label = "linear attention",
    };

    sp_launch_define(&launch, "H", args->heads);
    sp_launch_define(&launch, "D", args->head_dim);
    launch.check = SP_CHECK(linear_attention, OTHER_KEYS, args->heads, args->head_dim, 9, 33, 21, 2);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->a);
    sp_launch_buffer(&launch, args->b);
    sp_launch_buffer(&launch, args->c);
    sp_launch_buffer(&launch, args->bounds);
    sp_launch_buffer(&launch, args->key_bounds);
    sp_launch_float(&launch, args->scale);
    return sp_launch_run(device, &launch);
}

/* size: heads, head_dim, lengths of up to three sequences, or pairs of lengths */
static const struct sp_op_case cases[] = {
    { .name = "1x1, one token", .size = { 1, 1, 1 }, .tolerance = 2e-6 },
    { .name = "5x4, lengths 3 1 7", .size = { 5, 4, 3, 1, 7 }, .tolerance = 2e-6 },
    { .name = "3x17, lengths 9 33", .size = { 3, 17, 9, 33 }, .tolerance = 2e-6 },
    { .name = "12x32, lengths 1 65", .size = { 12, 32, 1, 65 }, .tolerance = 2e-6 },
    { .name = "5x4, 3 of 8, 1 of 1, 9 of 2",
      .size = { 5, 4, 3, 8, 1, 1, 9, 2 },
      .flags = OTHER_KEYS,
      .tolerance = 2e-6 },
    { .name = "3x17, none of 3, 1 of 33", .size = { 3, 17, 0, 3, 1, 33 }, .flags = OTHER_KEYS, .tolerance = 2e-6 },
};

static int launch_linear_attention(void *user)
{
    struct sp_linear_attention *args = user;

    return sp_linear_attention(sp_buffer_device(args->out), args);
}

/* x: a, b, c and out of one sequence and head, row stride C. */
static void reference(double *const x[4], const struct sp_linear_attention *args, int rows, int keys)
{
    int D = args->head_dim, C = D * args->heads;

    for (int i = 0; i < rows; i++)
        for (int j = 0; j < keys; j++) {
            double product = 0;

            for (int d = 0; d < D; d++)
                product += x[0][i * C + d] * x[1][j * C + d];
            for (int d = 0; d < D; d++)
                x[3][i * C + d] += (double)args->scale * product * x[2][j * C + d];
        }
}

static int check_linear_attention(struct sp_check *t, const struct sp_op_case *c)
{
    struct sp_linear_attention args = { .heads = c->size[0], .head_dim = c->size[1], .scale = 0.3f };
    struct sp_buffer **in[3] = { &args.a, &args.b, &args.c };
    uint32_t bounds[4] = { 0 }, key_bounds[4] = { 0 };
    size_t C = (size_t)(args.heads * args.head_dim), T;
    int other = c->flags & OTHER_KEYS ? 1 : 0;
    double *x[4];

    for (int i = 2; i + other < 8 && args.sequences < 3 && c->size[i + other]; i += 1 + other, args.sequences++) {
        bounds[args.sequences + 1] = bounds[args.sequences] + (uint32_t)c->size[i];
        key_bounds[args.sequences + 1] = key_bounds[args.sequences] + (uint32_t)c->size[i + other];
        args.longest = c->size[i] > args.longest ? c->size[i] : args.longest;
    }
    T = bounds[args.sequences];
    SP_TRY(sp_check_input_words(t, &args.bounds, bounds, (size_t)args.sequences + 1));
    SP_TRY(sp_check_input_words(t, &args.key_bounds, key_bounds, (size_t)args.sequences + 1));
    for (int i = 0; i < 3; i++)
        if (!(x[i] = sp_check_input(t, in[i], (i ? key_bounds[args.sequences] : T) * C, -1, 1)))
            return SP_ENOMEM;
    if (!(x[3] = sp_check_double(t, T * C)))
        return SP_ENOMEM;
    SP_TRY(sp_check_output(t, &args.out, T * C));
    for (int s = 0; s < args.sequences; s++)
        for (int h = 0; h < args.heads; h++) {
            size_t at = bounds[s] * C + (size_t)(h * args.head_dim),
                   key = key_bounds[s] * C + (size_t)(h * args.head_dim);

            reference((double *const[]){ x[0] + at, x[1] + key, x[2] + key, x[3] + at }, &args,
                      (int)(bounds[s + 1] - bounds[s]), (int)(key_bounds[s + 1] - key_bounds[s]));
        }
    SP_TRY(sp_check_run(t, launch_linear_attention, &args));
    return sp_check_compare(t, "out", args.out, x[3], T * C, c->tolerance);
}

const struct sp_op sp_op_linear_attention = {
    .name = "linear_attention",
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
    .check = check_linear_attention,
    .laneless = true,
};
