#include "runtime/op/attention.h"

#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/kernel/launch.h"
#include "runtime/op/check.h"
#include "runtime/op/tuned.h"

#include <limits.h>
#include <math.h>
#include <string.h>

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
    CAUSAL = 256,
    SOFTCAP = 512, /* at 1, or, where it is steep, at 50 */
    PIECES = 1024, /* backward is shared out so */
};

/* Of a case's size, behind the lengths. */
enum {
    GROUP = 8,  /* heads of queries to a head of keys; 0: 1 */
    WINDOW = 9, /* 0: none */
};

/* For CPUs, one work-item a group; and for GPUs, a query or a key a work-item. */
#define CPU "attn/attention.cl"
#define GPU "attn/attention_lanes.cl"

static const struct sp_kernel forward_cpu = { "attention_forward", CPU };
static const struct sp_kernel backward_cpu = { "attention_backward", CPU };
static const struct sp_kernel forward_gpu = { "attention_forward", GPU };
static const struct sp_kernel backward_query_gpu = { "attention_backward_query", GPU };
static const struct sp_kernel backward_key_gpu = { "attention_backward_key", GPU };

/* ---- CPUs: blocks ------------------------------------------------------------------------------------------------ */

enum { QUERY_BLOCK, KEY_BLOCK };
enum { LEAST = 16, QUERIES = 64, KEYS = 32 }; /* in a block: at least, and at most */

/* How many numbers of a block's rows, packed, stay in a near cache. */
const struct sp_tuned sp_tuned_attention = {
    .kernel = "attention",
    .tunables = {
        [QUERY_BLOCK] = { "QUERY_BLOCK", 8192, .allowed = { 1024, 2048, 4096, 8192, 16384 } },
        [KEY_BLOCK] = { "KEY_BLOCK", 4096, .allowed = { 1024, 2048, 4096, 8192 } },
    },
};

/* Queries and keys in a block: powers of two times 16. */
struct blocks {
    int queries, keys;
};

static int block_of(int numbers, int head_dim, int most)
{
    int rows = most;

    while (rows > LEAST && rows * head_dim > numbers)
        rows /= 2;
    return rows;
}

static int find_blocks(struct blocks *out, struct sp_device *device, const struct sp_attention *a)
{
    int v[SP_TUNABLES];

    SP_TRY(sp_tuned_values(v, device, &sp_tuned_attention));
    out->queries = block_of(v[QUERY_BLOCK], a->head_dim, QUERIES);
    out->keys = block_of(v[KEY_BLOCK], a->head_dim, KEYS);
    return 0;
}

/* cl/attn/attention.cl's PIECES, and its PIECE in blocks of keys. */
enum pieces { ALL, OF_QUERIES, OF_KEYS };
enum { PIECE = 4 };

/* A whole backward has five products, pieces have seven. */
static bool wants_pieces(const struct sp_device *device, const struct sp_attention *a, int sequences)
{
    long items = (long)sequences * a->kv_heads, units = (long)sp_device_info(device)->compute_units;

    if (a->share != SP_ATTENTION_SUITED)
        return a->share == SP_ATTENTION_PIECES;
    return a->longest > 2 * QUERIES && 7 * items < 5 * ((items + units - 1) / units * units);
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

/* Runs with `count` buffers, then what all kernels have in common; `part` is the part of a case that checks the
 * kernel. */
static int run_kernel(struct sp_device *device, struct sp_launch *launch, const struct sp_attention *a, unsigned part,
                      struct sp_buffer *const buffers[], size_t count)
{
    int group = a->heads / a->kv_heads, window = a->causal && a->window > 0 ? a->window : INT_MAX;

    sp_launch_define(launch, "H", a->heads);
    sp_launch_define(launch, "D", a->head_dim);
    sp_launch_define(launch, "G", group);
    sp_launch_define(launch, "CAUSAL", a->causal);
    sp_launch_define(launch, "SOFTCAP", a->softcap > 0);
    part |= OTHER_KEYS | (a->dropout.p > 0 ? DROPOUT : 0) | (a->causal ? CAUSAL : 0) | (a->softcap > 0 ? SOFTCAP : 0);
    launch->check = SP_CHECK(attention, part, a->heads, a->head_dim, QUERIES + 6,
                             part & PIECES ? PIECE * KEYS + 7 : QUERIES + 7, a->causal ? 2 : 3, a->causal ? 3 : 2,
                             [GROUP] = group, [WINDOW] = a->causal ? KEYS + 5 : 0);
    for (size_t i = 0; i < count; i++)
        sp_launch_buffer(launch, buffers[i]);
    sp_launch_buffer(launch, a->bounds);
    sp_launch_buffer(launch, a->key_bounds);
    sp_launch_float(launch, a->scale);
    sp_launch_float(launch, a->softcap);
    sp_launch_int(launch, window);
    sp_dropout_launch(launch, &a->dropout);
    return sp_launch_run(device, launch);
}

/* A work-item for each query, or KEY_ONLY key, of the longest sequence, for each head and sequence; several for a long
 * row. */
static int run_lanes(struct sp_device *device, const struct sp_kernel *kernel, const char *label,
                     const struct sp_attention *a, unsigned part, struct sp_buffer *const buffers[], size_t count)
{
    size_t lanes = (size_t)sp_device_lanes(device), longest = (size_t)(part & KEY_ONLY ? a->longest_keys : a->longest);
    size_t parts = a->head_dim <= 64 ? 1 : a->head_dim <= 128 ? 2 : 4, own = lanes / parts;
    struct sp_launch launch = {
        .kernel = kernel,
        .global = { (longest + own - 1) / own * lanes, (size_t)(part & KEY_ONLY ? a->kv_heads : a->heads),
                    (size_t)a->sequences },
        .local = { lanes, 1, 1 },
        .label = label,
    };

    sp_launch_define(&launch, "LANES", (long)lanes);
    sp_launch_define(&launch, "PARTS", (long)parts);
    return run_kernel(device, &launch, a, part, buffers, count);
}

/* Forward's work-items are those for queries. */
static int run_blocks(struct sp_device *device, const struct sp_kernel *kernel, const char *label,
                      const struct sp_attention *a, unsigned part, enum pieces pieces,
                      struct sp_buffer *const buffers[], size_t count)
{
    bool of_queries = part & FORWARD_ONLY || pieces == OF_QUERIES;
    struct sp_launch launch = { .kernel = kernel, .local = { 1, 1, 1 }, .label = label };
    struct blocks blocks;
    int rows, own;

    SP_TRY(find_blocks(&blocks, device, a));
    rows = of_queries ? a->longest : a->longest_keys;
    own = of_queries ? blocks.queries : PIECE * blocks.keys;
    launch.global[0] = (size_t)(of_queries || pieces == OF_KEYS ? (rows + own - 1) / own : 1);
    launch.global[1] = (size_t)(of_queries ? a->heads : a->kv_heads);
    launch.global[2] = (size_t)a->sequences;
    sp_launch_define(&launch, "QV", blocks.queries / 16);
    sp_launch_define(&launch, "KB", blocks.keys);
    sp_launch_define(&launch, "PIECES", pieces);
    return run_kernel(device, &launch, a, part, buffers, count);
}

int sp_attention_forward(struct sp_device *device, const struct sp_attention *a)
{
    static const char label[] = "attention forward";
    struct sp_buffer *const buffers[] = { a->q, a->k, a->v, a->out, a->lse };

    if (sp_device_lanes(device) > 1)
        return run_lanes(device, &forward_gpu, label, a, FORWARD_ONLY, buffers, 5);
    return run_blocks(device, &forward_cpu, label, a, FORWARD_ONLY, ALL, buffers, 5);
}

/* A plan is recorded with the most sequences that a batch may have, and the longest: others may be shared otherwise. */
static int backward_blocks(struct sp_device *device, const struct sp_attention *a, const char *label,
                           struct sp_buffer *const buffers[])
{
    bool recording = sp_device_recording(device) && a->share == SP_ATTENTION_SUITED, pieces = false;

    for (int s = recording ? 1 : a->sequences; s <= a->sequences && !pieces; s++)
        pieces = wants_pieces(device, a, s);
    if (pieces) {
        unsigned part = BACKWARD_ONLY | PIECES;

        SP_TRY(run_blocks(device, &backward_cpu, label, a, part | QUERY_ONLY, OF_QUERIES, buffers, 9));
        SP_TRY(run_blocks(device, &backward_cpu, label, a, part | KEY_ONLY, OF_KEYS, buffers, 9));
    }
    return pieces && !recording ? 0 : run_blocks(device, &backward_cpu, label, a, BACKWARD_ONLY, ALL, buffers, 9);
}

int sp_attention_backward(struct sp_device *device, const struct sp_attention *a)
{
    static const char label[] = "attention backward";
    struct sp_buffer *const buffers[] = { a->q, a->k, a->v, a->out, a->lse, a->dout, a->dq, a->dk, a->dv };
    struct sp_buffer *const for_key[] = { a->q, a->k, a->v, a->out, a->lse, a->dout, a->dk, a->dv };

    if (sp_device_lanes(device) == 1)
        return backward_blocks(device, a, label, buffers);
    /* without dk and dv */
    SP_TRY(run_lanes(device, &backward_query_gpu, label, a, BACKWARD_ONLY | QUERY_ONLY, buffers, 7));
    return run_lanes(device, &backward_key_gpu, label, a, BACKWARD_ONLY | KEY_ONLY, for_key, 8);
}

/* size: heads, head_dim, lengths of up to five sequences, or of up to three pairs of lengths; GROUP, WINDOW. */
static const struct sp_op_case cases[] = {
    { .name = "3x1 over 1, causal, 18 of 21, a window of 2",
      .size = { 3, 1, 18, 21, [GROUP] = 3, [WINDOW] = 2 },
      .flags = CAUSAL | OTHER_KEYS,
      .tolerance = 5e-6 },
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
    { .name = "1x65, causal, lengths 9 3, capped at 1",
      .size = { 1, 65, 9, 3 },
      .flags = CAUSAL | SOFTCAP,
      .tolerance = 5e-6 },
    { .name = "6x20 over 2, causal, 17 of 17, 64 of 65, 1 of 70, a window of 9, dropout",
      .size = { 6, 20, 17, 17, 64, 65, 1, 70, [GROUP] = 3, [WINDOW] = 9 },
      .flags = CAUSAL | OTHER_KEYS | DROPOUT,
      .tolerance = 5e-6 },
    { .name = "7x80 over 1, causal, length 33, a window of 100",
      .size = { 7, 80, 33, [GROUP] = 7, [WINDOW] = 100 },
      .flags = CAUSAL,
      .tolerance = 5e-6 },
    { .name = "2x96, causal, lengths 70 3, capped at 1",
      .size = { 2, 96, 70, 3 },
      .flags = CAUSAL | SOFTCAP,
      .tolerance = 5e-6 },
    { .name = "2x256 over 1, causal, length 37, a window of 7, steep, capped at 50",
      .size = { 2, 256, 37, [GROUP] = 2, [WINDOW] = 7 },
      .flags = CAUSAL | SOFTCAP | STEEP,
      .tolerance = 3e-5 },
    { .name = "6x20 over 2, causal, lengths 300 259, dropout",
      .size = { 6, 20, 300, 259, [GROUP] = 3 },
      .flags = CAUSAL | DROPOUT,
      .tall = true,
      .tolerance = 5e-6 },
    { .name = "6x20 over 2, causal, none of 5, 259 of 300, a window of 70, dropout, in pieces",
      .size = { 6, 20, 0, 5, 259, 300, [GROUP] = 3, [WINDOW] = 70 },
      .flags = CAUSAL | OTHER_KEYS | DROPOUT | PIECES,
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

/* host: q, dout and out, dq of one sequence and head, row stride C; k, v and dk, dv of its head of keys, stride CK;
 * scratch of queries x keys: p, and how scores depend on products. */
struct head {
    const double *q, *k, *v, *dout;
    double *out, *dq, *dk, *dv, *lse, *p, *slope;
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

static bool sees(const struct sp_attention *a, int i, int j, int ahead)
{
    return !a->causal || (j <= i + ahead && (!a->window || j > i + ahead - a->window));
}

static void reference(struct head *x, const struct sp_attention *a, int first, int queries, int keys, int h)
{
    int D = a->head_dim, C = D * a->heads, CK = D * a->kv_heads;
    double cap = (double)a->softcap;

    for (int i = 0; i < queries; i++) {
        double sum = 0, delta = 0, *p = x->p + i * keys, *slope = x->slope + i * keys;

        for (int j = 0; j < keys; j++) {
            double s = (double)a->scale * dot(x->q + i * C, x->k + j * CK, D), t = cap > 0 ? tanh(s / cap) : 0;

            slope[j] = (1 - t * t) * (double)a->scale;
            sum += p[j] = sees(a, i, j, keys - queries) ? exp(cap > 0 ? cap * t : s) : 0;
        }
        for (int j = 0; j < keys; j++) {
            double kept = (p[j] /= sum) * keep(a, first, h, i, j);

            axpy(x->out + i * C, kept, x->v + j * CK, D);
            axpy(x->dv + j * CK, kept, x->dout + i * C, D);
            delta += kept * dot(x->dout + i * C, x->v + j * CK, D);
        }
        x->lse[i * a->heads] = log2(sum);
        for (int j = 0; j < keys; j++) {
            double dp = keep(a, first, h, i, j) * dot(x->dout + i * C, x->v + j * CK, D);
            double ds = p[j] * (dp - delta) * slope[j];

            axpy(x->dq + i * C, ds, x->k + j * CK, D);
            axpy(x->dk + j * CK, ds, x->q + i * C, D);
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

/* However work-items share backward, its bits are those that pieces have left. */
static int check_shares(struct sp_check *t, const struct run *r, const size_t all[4])
{
    struct sp_attention a = r->args;
    struct sp_buffer *const out[4] = { a.out, a.dq, a.dk, a.dv };

    for (int i = 1; i < 4; i++) {
        double *pieces = sp_check_double(t, all[i]), *whole = sp_check_double(t, all[i]); /* room for floats */

        if (!pieces || !whole)
            return SP_ENOMEM;
        SP_TRY(sp_buffer_read(pieces, out[i], 0, all[i] * sizeof(float)));
        a.share = SP_ATTENTION_WHOLE;
        SP_TRY(sp_attention_backward(r->device, &a));
        SP_TRY(sp_buffer_read(whole, out[i], 0, all[i] * sizeof(float)));
        if (memcmp(pieces, whole, all[i] * sizeof(float)) != 0)
            return sp_error(SP_EDEVICE, "attention: its gradients depend on how work-items share them");
    }
    return 0;
}

/* What a case is of, but for its sequences. */
static struct sp_attention attention_of(const struct sp_op_case *c)
{
    int group = c->size[GROUP] ? c->size[GROUP] : 1;

    return (struct sp_attention){
        .heads = c->size[0],
        .kv_heads = c->size[0] / group,
        .head_dim = c->size[1],
        .scale = c->flags & STEEP ? 8.0f : (float)(1 / sqrt(c->size[1])),
        .softcap = !(c->flags & SOFTCAP) ? 0.0f : c->flags & STEEP ? 50.0f : 1.0f,
        .causal = c->flags & CAUSAL,
        .window = c->size[WINDOW],
        .dropout = { c->flags & DROPOUT ? 0.3f : 0.0f, 0x123456789abcULL, 7, 3 },
        .share = c->flags & PIECES ? SP_ATTENTION_PIECES : SP_ATTENTION_WHOLE,
    };
}

static int check_attention(struct sp_check *t, const struct sp_op_case *c)
{
    struct run r = { .device = sp_check_device(t), .flags = c->flags, .args = attention_of(c) };
    struct sp_attention *a = &r.args;
    uint32_t bounds[2][5 * TIMES + 1] = { { 0 } }; /* of queries and keys */
    double *in[4], *out[4];
    struct sp_buffer **in_buffer[4] = { &a->q, &a->k, &a->v, &a->dout };
    struct sp_buffer **out_buffer[4] = { &a->out, &a->dq, &a->dk, &a->dv };
    static const char *const names[4] = { "out", "dq", "dk", "dv" };
    static const unsigned apart[4] = { BACKWARD_ONLY, FORWARD_ONLY | KEY_ONLY, FORWARD_ONLY | QUERY_ONLY,
                                       FORWARD_ONLY | QUERY_ONLY };
    int group = a->heads / a->kv_heads;
    size_t C = (size_t)(a->heads * a->head_dim), CK = C / (size_t)group, T;
    size_t all[4]; /* numbers of out, dq, dk and dv */
    double *p, *lse;

    set_bounds(a, bounds, c);
    T = bounds[0][a->sequences];
    SP_TRY(sp_check_input_words(t, &a->bounds, bounds[0], (size_t)a->sequences + 1));
    a->key_bounds = a->bounds;
    if (c->flags & OTHER_KEYS)
        SP_TRY(sp_check_input_words(t, &a->key_bounds, bounds[1], (size_t)a->sequences + 1));
    for (int i = 0; i < 4; i++) {
        size_t keys = bounds[1][a->sequences] * CK;

        all[i] = i > 1 ? keys : T * C;
        if (!(in[i] = sp_check_input(t, in_buffer[i], i % 3 > 0 ? keys : T * C, -1, 1)) ||
            !(out[i] = sp_check_double(t, all[i])))
            return SP_ENOMEM;
    }
    p = sp_check_double(t, 2 * (size_t)a->longest * (size_t)a->longest_keys);
    lse = sp_check_double(t, T * (size_t)a->heads);
    if (!p || !lse)
        return SP_ENOMEM;
    for (int s = 0; s < a->sequences; s++)
        for (int h = 0; h < a->heads; h++) {
            uint32_t first = bounds[0][s], key = bounds[1][s];
            size_t at = first * C + (size_t)(h * a->head_dim), at_key = key * CK + (size_t)(h / group * a->head_dim);
            struct head x = { in[0] + at,
                              in[1] + at_key,
                              in[2] + at_key,
                              in[3] + at,
                              out[0] + at,
                              out[1] + at,
                              out[2] + at_key,
                              out[3] + at_key,
                              lse + first * (size_t)a->heads + (size_t)h,
                              p,
                              p + (size_t)a->longest * (size_t)a->longest_keys };

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
    if (!(c->flags & BACKWARD_ONLY))
        SP_TRY(sp_check_compare(t, "lse", a->lse, lse, T * (size_t)a->heads, c->tolerance));
    return c->flags & PIECES && !(c->flags & BACKWARD_ONLY) ? check_shares(t, &r, all) : 0;
}

const struct sp_op sp_op_attention = {
    .name = "attention", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_attention,
};
