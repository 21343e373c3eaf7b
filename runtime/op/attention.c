#include "runtime/op/attention.h"

#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/kernel/launch.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>

enum { QUERIES = 64 }; /* cl/attn/attention.cl's QB */

/* Of a case. */
enum {
    DROPOUT = 1,
    MANY = 2,  /* the sequences come TIMES times */
    STEEP = 4, /* a scale that leaves few keys with weight, so maxima change from block to block */
    TIMES = 84,
    FORWARD_ONLY = 8,
    BACKWARD_ONLY = 16,
    QUERY_ONLY = 32, /* of a backward pass, dq or dk and dv are compared alone */
    KEY_ONLY = 64,
    OTHER_KEYS = 128, /* a number of keys follows each sequence's number of queries, instead of being the same */
};

/* For CPUs, one work-item a group; and for GPUs, a query or a key a work-item. */
#define CPU "attn/attention.cl"
#define GPU "attn/attention_lanes.cl"

static const struct sp_kernel forward_cpu = { "attention_forward", CPU };
static const struct sp_kernel backward_cpu = { "attention_backward", CPU };
static const struct sp_kernel forward_gpu = { "attention_forward", GPU };
static const struct sp_kernel backward_query_gpu = { "attention_backward_query", GPU };
static const struct sp_kernel backward_key_gpu = { "attention_backward_key", GPU };

/* Runs with `count` buffers, then what all kernels have in common; `part` is the part of a case that checks the
 * kernel. */
static int run_kernel(struct sp_device *device, struct sp_launch *launch, const struct sp_attention *a, unsigned part,
                      struct sp_buffer *const buffers[], size_t count)
{
    sp_launch_define(launch, "H", a->heads);
    sp_launch_define(launch, "D", a->head_dim);
    launch->check = SP_CHECK(attention, part | OTHER_KEYS | (a->dropout.p > 0 ? DROPOUT : 0), a->heads, a->head_dim,
                             QUERIES + 6, QUERIES + 7, 3, 2);
    for (size_t i = 0; i < count; i++)
        sp_launch_buffer(launch, buffers[i]);
    sp_launch_buffer(launch, a->bounds);
    sp_launch_buffer(launch, a->key_bounds);
    sp_launch_float(launch, a->scale);
    sp_dropout_launch(launch, &a->dropout);
    return sp_launch_run(device, launch);
}

/* A work-item for each query, or KEY_ONLY key, of the longest sequence, for each head and sequence. */
static int run_lanes(struct sp_device *device, const struct sp_kernel *kernel, const char *label,
                     const struct sp_attention *a, unsigned part, struct sp_buffer *const buffers[], size_t count)
{
    size_t lanes = (size_t)sp_device_lanes(device), longest = (size_t)(part & KEY_ONLY ? a->longest_keys : a->longest);
    struct sp_launch launch = {
        .kernel = kernel,
        .global = { (longest + lanes - 1) / lanes * lanes, (size_t)a->heads, (size_t)a->sequences },
        .local = { lanes, 1, 1 },
        .label = label,
    };

    sp_launch_define(&launch, "LANES", (long)lanes);
    return run_kernel(device, &launch, a, part, buffers, count);
}

int sp_attention_forward(struct sp_device *device, const struct sp_attention *a)
{
    static const char label[] = "attention forward";
    struct sp_launch launch = {
        .kernel = &forward_cpu,
        .global = { (size_t)((a->longest + QUERIES - 1) / QUERIES), (size_t)a->heads, (size_t)a->sequences },
        .local = { 1, 1, 1 },
        .label = label,
    };
    struct sp_buffer *const buffers[] = { a->q, a->k, a->v, a->out, a->lse };

    if (sp_device_lanes(device) > 1)
        return run_lanes(device, &forward_gpu, label, a, FORWARD_ONLY, buffers, 5);
    return run_kernel(device, &launch, a, FORWARD_ONLY, buffers, 5);
}

int sp_attention_backward(struct sp_device *device, const struct sp_attention *a)
{
    static const char label[] = "attention backward";
    struct sp_launch launch = {
        .kernel = &backward_cpu,
        .global = { (size_t)a->heads, (size_t)a->sequences },
        .local = { 1, 1 },
        .label = label,
    };
    struct sp_buffer *const buffers[] = { a->q, a->k, a->v, a->out, a->lse, a->dout, a->dq, a->dk, a->dv };
    struct sp_buffer *const for_key[] = { a->q, a->k, a->v, a->out, a->lse, a->dout, a->dk, a->dv };

    if (sp_device_lanes(device) == 1)
        return run_kernel(device, &launch, a, BACKWARD_ONLY, buffers, 9);
    /* without dk and dv */
    SP_TRY(run_lanes(device, &backward_query_gpu, label, a, BACKWARD_ONLY | QUERY_ONLY, buffers, 7));
    return run_lanes(device, &backward_key_gpu, label, a, BACKWARD_ONLY | KEY_ONLY, for_key, 8);
}

/* size: heads, head_dim, lengths of up to five sequences, or of up to three pairs of lengths. */
static const struct sp_op_case cases[] = {
    { .name = "1x1, one token", .size = { 1, 1, 1 }, .tolerance = 5e-6 },
    { .name = "5x4, lengths 3 1 7", .size = { 5, 4, 3, 1, 7 }, .tolerance = 5e-6 },
    { .name = "5x4, lengths 33 2, steep", .size = { 5, 4, 33, 2 }, .flags = STEEP, .tolerance = 5e-6 },
    { .name = "3x16, lengths 5 70, dropout", .size = { 3, 16, 5, 70 }, .flags = DROPOUT, .tolerance = 5e-6 },
    { .name = "3x20, lengths 17 64 1 65", .size = { 3, 20, 17, 64, 1, 65 }, .tolerance = 5e-6 },
    { .name = "3x20, length 513, steep", .size = { 3, 20, 513 }, .flags = STEEP, .tolerance = 3e-5 },
    { .name = "2x32, lengths 130 1 31", .size = { 2, 32, 130, 1, 31 }, .tolerance = 5e-6 },
    { .name = "2x32, lengths 5 12 1 25 16, many",
      .size = { 2, 32, 5, 12, 1, 25, 16 },
      .flags = MANY,
      .tolerance = 5e-6 },
    { .name = "5x4, lengths 5 12 1 25 16, many",
      .size = { 5, 4, 5, 12, 1, 25, 16 },
      .flags = MANY,
      .tall = true,
      .tolerance = 5e-6 },
    { .name = "5x4, length 1100", .size = { 5, 4, 1100 }, .tall = true, .tolerance = 5e-6 },
    { .name = "2x64, lengths 33 200, dropout", .size = { 2, 64, 33, 200 }, .flags = DROPOUT, .tolerance = 5e-6 },
    { .name = "1x128, lengths 129 16, dropout", .size = { 1, 128, 129, 16 }, .flags = DROPOUT, .tolerance = 5e-6 },
    { .name = "5x4, 3 of 7, 1 of 1, 9 of 2",
      .size = { 5, 4, 3, 7, 1, 1, 9, 2 },
      .flags = OTHER_KEYS,
      .tolerance = 5e-6 },
    { .name = "5x4, 1 of 9, none of 5, 7 of 2",
      .size = { 5, 4, 1, 9, 0, 5, 7, 2 },
      .flags = OTHER_KEYS,
      .tolerance = 5e-6 },
    { .name = "3x16, 5 of 70, dropout", .size = { 3, 16, 5, 70 }, .flags = OTHER_KEYS | DROPOUT, .tolerance = 5e-6 },
    { .name = "3x16, 70 of 5, dropout", .size = { 3, 16, 70, 5 }, .flags = OTHER_KEYS | DROPOUT, .tolerance = 5e-6 },
    { .name = "3x20, 1 of 513", .size = { 3, 20, 1, 513 }, .flags = OTHER_KEYS, .tolerance = 3e-5 },
    { .name = "2x32, 65 of 17, 130 of 129",
      .size = { 2, 32, 65, 17, 130, 129 },
      .flags = OTHER_KEYS,
      .tolerance = 5e-6 },
    { .name = "5x4, 3 of 7, 5 of 2, 1 of 9, many",
      .size = { 5, 4, 3, 7, 5, 2, 1, 9 },
      .flags = OTHER_KEYS | MANY,
      .tall = true,
      .tolerance = 5e-6 },
    { .name = "5x4, 1100 of 3, 2 of 1100",
      .size = { 5, 4, 1100, 3, 2, 1100 },
      .flags = OTHER_KEYS,
      .tall = true,
      .tolerance = 5e-6 },
    { .name = "2x64, 33 of 200, 97 of 66, dropout",
      .size = { 2, 64, 33, 200, 97, 66 },
      .flags = OTHER_KEYS | DROPOUT,
      .tolerance = 5e-6 },
};

struct run {
    struct sp_device *device;
    unsigned flags;
    struct sp_attention args;
};

static int launch_attention(void *user)
{
    struct run *r = user;

    if (!(r->flags & BACKWARD_ONLY))
        SP_TRY(sp_attention_forward(r->device, &r->args));
    return r->flags & FORWARD_ONLY ? 0 : sp_attention_backward(r->device, &r->args);
}

/* The dropout factor of query i and key j of a sequence whose queries start at `first`. */
static double keep(const struct sp_attention *a, int first, int h, int i, int j)
{
    const uint32_t counter[4] = { (uint32_t)((first + i) * a->heads + h), a->dropout.step, a->dropout.node,
                                  (uint32_t)(j / 8) << 8 | SP_RNG_DROPOUT };
    const uint32_t key[2] = { (uint32_t)a->dropout.seed, (uint32_t)(a->dropout.seed >> 32) };
    uint32_t words[4], limit = (uint32_t)((double)a->dropout.p * 0x1p16);

    if (a->dropout.p <= 0)
        return 1;
    sp_philox(words, counter, key);
    return (words[j % 4] >> (j % 8 < 4 ? 16 : 0) & 0xFFFF) < limit ? 0 : 1 / (1 - limit * 0x1p-16);
}

/* host: q, k, v, dout and out, dq, dk, dv of one sequence and head, row stride C; p is scratch of queries x keys. */
struct head {
    const double *q, *k, *v, *dout;
    double *out, *dq, *dk, *dv, *lse, *p;
};

static double dot(const double *x, const double *y, int count)
{
    double sum = 0;

    for (int d = 0; d < count; d++)
        sum += x[d] * y[d];
    return sum;
}

static void axpy(double *y, double alpha, const double *x, int count)
{
    for (int d = 0; d < count; d++)
        y[d] += alpha * x[d];
}

static void reference(struct head *x, const struct sp_attention *a, int first, int queries, int keys, int h)
{
    int D = a->head_dim, C = D * a->heads;

    for (int i = 0; i < queries; i++) {
        double sum = 0, delta = 0;

        for (int j = 0; j < keys; j++)
            sum += x->p[i * keys + j] = exp((double)a->scale * dot(x->q + i * C, x->k + j * C, D));
        for (int j = 0; j < keys; j++) {
            double p = x->p[i * keys + j] /= sum, kept = p * keep(a, first, h, i, j);

            axpy(x->out + i * C, kept, x->v + j * C, D);
            axpy(x->dv + j * C, kept, x->dout + i * C, D);
            delta += kept * dot(x->dout + i * C, x->v + j * C, D);
        }
        x->lse[i * a->heads] = log2(sum);
        for (int j = 0; j < keys; j++) {
            double dp = keep(a, first, h, i, j) * dot(x->dout + i * C, x->v + j * C, D);
            double ds = x->p[i * keys + j] * (dp - delta) * (double)a->scale;

            axpy(x->dq + i * C, ds, x->k + j * C, D);
            axpy(x->dk + j * C, ds, x->q + i * C, D);
        }
    }
}

/* The case's sequences: their number, the longest ones, and the bounds of queries and keys. */
static void set_bounds(struct sp_attention *a, uint32_t bounds[2][5 * TIMES + 1], const struct sp_op_case *c)
{
    int other = c->flags & OTHER_KEYS ? 1 : 0;

    for (int n = 0; n < (c->flags & MANY ? TIMES : 1); n++)
        for (int i = 2; i < 7 && c->size[i + other]; i += 1 + other, a->sequences++) {
            int queries = c->size[i], keys = c->size[i + other];

            bounds[0][a->sequences + 1] = bounds[0][a->sequences] + (uint32_t)queries;
            bounds[1][a->sequences + 1] = bounds[1][a->sequences] + (uint32_t)keys;
            a->longest = queries > a->longest ? queries : a->longest;
            a->longest_keys = keys > a->longest_keys ? keys : a->longest_keys;
        }
}

static int check_attention(struct sp_check *t, const struct sp_op_case *c)
{
    struct run r = { .device = sp_check_device(t), .flags = c->flags,
                     .args = { .heads = c->size[0], .head_dim = c->size[1],
                               .scale = c->flags & STEEP ? 8.0f : (float)(1 / sqrt(c->size[1])),
                               .dropout = { c->flags & DROPOUT ? 0.3f : 0.0f, 0x123456789abcULL, 7, 3 } } };
    struct sp_attention *a = &r.args;
    uint32_t bounds[2][5 * TIMES + 1] = { { 0 } }; /* of queries and keys */
    double *in[4], *out[4];
    struct sp_buffer **in_buffer[4] = { &a->q, &a->k, &a->v, &a->dout };
    struct sp_buffer **out_buffer[4] = { &a->out, &a->dq, &a->dk, &a->dv };
    static const char *const names[4] = { "out", "dq", "dk", "dv" };
    static const unsigned apart[4] = { BACKWARD_ONLY, FORWARD_ONLY | KEY_ONLY, FORWARD_ONLY | QUERY_ONLY,
                                       FORWARD_ONLY | QUERY_ONLY };
    size_t C = (size_t)(a->heads * a->head_dim), T, all[4]; /* numbers of out, dq, dk and dv */
    double *p, *lse;

    set_bounds(a, bounds, c);
    T = bounds[0][a->sequences];
    SP_TRY(sp_check_input_words(t, &a->bounds, bounds[0], (size_t)a->sequences + 1));
    a->key_bounds = a->bounds;
    if (c->flags & OTHER_KEYS)
        SP_TRY(sp_check_input_words(t, &a->key_bounds, bounds[1], (size_t)a->sequences + 1));
    for (int i = 0; i < 4; i++) {
        all[i] = bounds[i > 1][a->sequences] * C;
        if (!(in[i] = sp_check_input(t, in_buffer[i], bounds[i % 3 > 0][a->sequences] * C, -1, 1)) ||
            !(out[i] = sp_check_double(t, all[i])))
            return SP_ENOMEM;
    }
    p = sp_check_double(t, (size_t)a->longest * (size_t)a->longest_keys);
    lse = sp_check_double(t, T * (size_t)a->heads);
    if (!p || !lse)
        return SP_ENOMEM;
    for (int s = 0; s < a->sequences; s++)
        for (int h = 0; h < a->heads; h++) {
            uint32_t first = bounds[0][s], key = bounds[1][s];
            size_t at = first * C + (size_t)(h * a->head_dim), at_key = key * C + (size_t)(h * a->head_dim);
            struct head x = { in[0] + at,
                              in[1] + at_key,
                              in[2] + at_key,
                              in[3] + at,
                              out[0] + at,
                              out[1] + at,
                              out[2] + at_key,
                              out[3] + at_key,
                              lse + first * (size_t)a->heads + (size_t)h,
                              p };

            reference(&x, a, (int)first, (int)(bounds[0][s + 1] - first), (int)(bounds[1][s + 1] - key), h);
        }
    for (int i = c->flags & BACKWARD_ONLY ? 1 : 0; i < 4; i++)
        SP_TRY(sp_check_output(t, out_buffer[i], all[i]));
    if (c->flags & BACKWARD_ONLY) {
        SP_TRY(sp_check_input_values(t, &a->out, out[0], T * C));
        SP_TRY(sp_check_input_values(t, &a->lse, lse, T * (size_t)a->heads));
    } else {
        SP_TRY(sp_check_output(t, &a->lse, T * (size_t)a->heads));
    }
    SP_TRY(sp_check_run(t, launch_attention, &r));
    for (int i = 0; i < 4; i++)
        if (!(c->flags & apart[i]))
            SP_TRY(sp_check_compare(t, names[i], *out_buffer[i], out[i], all[i], c->tolerance));
    return c->flags & BACKWARD_ONLY ? 0 : sp_check_compare(t, "lse", a->lse, lse, T * (size_t)a->heads, c->tolerance);
}

const struct sp_op sp_op_attention = {
    .name = "attention", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_attention,
};
