#include "runtime/op/linear_attention.h"

#include "runtime/base/error.h"
#include "runtime/kernel/launch.h"
#include "runtime/op/check.h"

#include <limits.h>

static const struct sp_kernel linear_attention = { "linear_attention", "attn/linear_attention.cl" };

/* Of a case. */
enum {
    OTHER_KEYS = 1, /* a number of rows j follows each sequence's number of rows i, instead of being the same */
    CAUSAL = 2,
    OF_KEYS = 4,
};

/* Of a case's size, behind the lengths. */
enum {
    GROUP = 8,  /* heads of queries to a head of keys; 0: 1 */
    WINDOW = 9, /* 0: none */
};

int sp_linear_attention(struct sp_device *device, const struct sp_linear_attention *args)
{
    int group = args->heads / args->kv_heads;
    bool keys = args->of_keys && (group > 1 || args->causal); /* else it is the same */
    unsigned flags = OTHER_KEYS | (args->causal ? CAUSAL : 0) | (keys ? OF_KEYS : 0);
    struct sp_launch launch = {
        .kernel = &linear_attention,
        .global = { (size_t)args->longest, (size_t)(args->of_keys ? args->kv_heads : args->heads),
                    (size_t)args->sequences },
        .local = { 1, 1, 1 },
        .label = "linear attention",
    };

    sp_launch_define(&launch, "H", args->heads);
    sp_launch_define(&launch, "D", args->head_dim);
    sp_launch_define(&launch, "G", group);
    sp_launch_define(&launch, "CAUSAL", args->causal);
    sp_launch_define(&launch, "OF_KEYS", keys);
    launch.check = SP_CHECK(linear_attention, flags, args->heads, args->head_dim, keys ? 33 : 9, keys ? 9 : 33,
                            keys ? 21 : 2, keys ? 2 : 21, [GROUP] = group, [WINDOW] = args->causal ? 7 : 0);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->a);
    sp_launch_buffer(&launch, args->b);
    sp_launch_buffer(&launch, args->c);
    sp_launch_buffer(&launch, args->bounds);
    sp_launch_buffer(&launch, args->key_bounds);
    sp_launch_float(&launch, args->scale);
    sp_launch_int(&launch, args->causal && args->window > 0 ? args->window : INT_MAX);
    return sp_launch_run(device, &launch);
}

/* size: heads, head_dim, lengths of up to three sequences, or pairs of lengths; GROUP, WINDOW */
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
    { .name = "6x5 over 2, causal, 1 of 1, 9 of 12",
      .size = { 6, 5, 1, 1, 9, 12, [GROUP] = 3 },
      .flags = OTHER_KEYS | CAUSAL,
      .tolerance = 2e-6 },
    { .name = "6x5 over 2, causal, keys: 9 of 7, a window of 3",
      .size = { 6, 5, 9, 7, [GROUP] = 3, [WINDOW] = 3 },
      .flags = OTHER_KEYS | CAUSAL | OF_KEYS,
      .tolerance = 2e-6 },
};

static int launch_linear_attention(void *user)
{
    struct sp_linear_attention *args = user;

    return sp_linear_attention(sp_buffer_device(args->out), args);
}

/* x: a, b, c and out of one sequence and head, a row being C[...] after the one before: a's and out's, b's and c's. */
static void reference(double *const x[4], const struct sp_linear_attention *args, const int C[2], int rows, int keys)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < keys; j++) {
            int distance = args->of_keys ? j - i + rows - keys : i - j + keys - rows;
            double product = 0;

            if (args->causal && (distance < 0 || (args->window && distance >= args->window)))
                continue;
            for (int d = 0; d < args->head_dim; d++)
                product += x[0][i * C[0] + d] * x[1][j * C[1] + d];
            for (int d = 0; d < args->head_dim; d++)
                x[3][i * C[0] + d] += (double)args->scale * product * x[2][j * C[1] + d];
        }
}

static int check_linear_attention(struct sp_check *t, const struct sp_op_case *c)
{
    int D = c->size[1], group = c->size[GROUP] ? c->size[GROUP] : 1;
    struct sp_linear_attention args = { .heads = c->size[0],
                                        .kv_heads = c->size[0] / group,
                                        .head_dim = D,
                                        .scale = 0.3f,
                                        .causal = c->flags & CAUSAL,
                                        .of_keys = c->flags & OF_KEYS,
                                        .window = c->size[WINDOW] };
    struct sp_buffer **in[3] = { &args.a, &args.b, &args.c };
    uint32_t bounds[4] = { 0 }, key_bounds[4] = { 0 };
    /* columns of i and of j */
    int C[2] = { D * (args.of_keys ? args.kv_heads : args.heads), D * (args.of_keys ? args.heads : args.kv_heads) };
    int other = c->flags & OTHER_KEYS ? 1 : 0;
    double *x[4];
    size_t out;

    for (int i = 2; i + other < 8 && args.sequences < 3 && c->size[i + other]; i += 1 + other, args.sequences++) {
        bounds[args.sequences + 1] = bounds[args.sequences] + (uint32_t)c->size[i];
        key_bounds[args.sequences + 1] = key_bounds[args.sequences] + (uint32_t)c->size[i + other];
        args.longest = c->size[i] > args.longest ? c->size[i] : args.longest;
    }
    out = bounds[args.sequences] * (size_t)C[0];
    SP_TRY(sp_check_input_words(t, &args.bounds, bounds, (size_t)args.sequences + 1));
    SP_TRY(sp_check_input_words(t, &args.key_bounds, key_bounds, (size_t)args.sequences + 1));
    for (int i = 0; i < 3; i++)
        if (!(x[i] = sp_check_input(t, in[i], i ? key_bounds[args.sequences] * (size_t)C[1] : out, -1, 1)))
            return SP_ENOMEM;
    if (!(x[3] = sp_check_double(t, out)))
        return SP_ENOMEM;
    SP_TRY(sp_check_output(t, &args.out, out));
    for (int s = 0; s < args.sequences; s++)
        for (int h = 0; h < args.heads; h++) { /* of queries, each of which adds to its keys' */
            int own = (args.of_keys ? h / group : h) * D, others = (args.of_keys ? h : h / group) * D;
            size_t at = bounds[s] * (size_t)C[0] + (size_t)own, key = key_bounds[s] * (size_t)C[1] + (size_t)others;

            reference((double *const[]){ x[0] + at, x[1] + key, x[2] + key, x[3] + at }, &args, C,
                      (int)(bounds[s + 1] - bounds[s]), (int)(key_bounds[s + 1] - key_bounds[s]));
        }
    SP_TRY(sp_check_run(t, launch_linear_attention, &args));
    return sp_check_compare(t, "out", args.out, x[3], out, c->tolerance);
}

const struct sp_op sp_op_linear_attention = {
    .name = "linear_attention",
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
    .check = check_linear_attention,
    .laneless = true,
};
