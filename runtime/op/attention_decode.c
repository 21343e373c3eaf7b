#include "runtime/op/attention_decode.h"

#include "runtime/base/error.h"
#include "runtime/kernel/launch.h"
#include "runtime/op/check.h"

#include <limits.h>
#include <math.h>

enum { CHUNK = 64 }; /* cl/attn/attention_decode.cl's */

/* Of a case: one of the kernels alone, for its self-test. */
enum { SOFTCAP = 1, DECODE_ONLY = 2, COMBINE_ONLY = 4 };

/* Of a case's size, behind the numbers of keys. */
enum {
    GROUP = 8,  /* heads of queries to a head of keys */
    WINDOW = 9, /* 0: none */
};

static const struct sp_kernel decode = { "attention_decode", "attn/attention_decode.cl" };
static const struct sp_kernel combine = { "attention_combine", "attn/attention_decode.cl" };

static int window_of(const struct sp_attention *a)
{
    return a->window > 0 ? a->window : INT_MAX;
}

/* The most chunks that a query sees any key of. */
static int chunks_of(const struct sp_attention *a)
{
    int whole = (a->longest_keys + CHUNK - 1) / CHUNK;

    return a->window > 0 && a->window / CHUNK + 2 < whole ? a->window / CHUNK + 2 : whole;
}

/* Columns of a share: a row's, in whole vectors, the largest score and the sum. */
static size_t width_of(const struct sp_attention *a)
{
    return ((size_t)a->head_dim + 15) / 16 * 16 + 2;
}

size_t sp_attention_decode_shares(const struct sp_attention *a)
{
    return (size_t)a->sequences * (size_t)chunks_of(a) * (size_t)a->heads * width_of(a);
}

static struct sp_launch launch_of(struct sp_device *device, const struct sp_kernel *kernel,
                                  const struct sp_attention *a, int items, int heads, int only)
{
    int group = a->heads / a->kv_heads;
    size_t lanes = (size_t)sp_device_lanes(device);
    struct sp_launch launch = {
        .kernel = kernel,
        .global = { (size_t)items * lanes, (size_t)heads, (size_t)a->sequences },
        .local = { lanes, 1, 1 },
        .label = "attention decode",
    };

    sp_launch_define(&launch, "H", a->heads);
    sp_launch_define(&launch, "D", a->head_dim);
    sp_launch_define(&launch, "G", group);
    sp_launch_define(&launch, "SOFTCAP", a->softcap > 0);
    sp_launch_define(&launch, "LANES", (long)lanes);
    launch.check = SP_CHECK(attention_decode, only | (a->softcap > 0 ? SOFTCAP : 0), a->heads, a->head_dim,
                            2 * CHUNK + 1, 2 * CHUNK + 5, [GROUP] = group, [WINDOW] = CHUNK + 9);
    return launch;
}

static int run_decode(struct sp_device *device, const struct sp_attention *a, struct sp_buffer *shares)
{
    bool lanes = sp_device_lanes(device) > 1;
    struct sp_launch launch = launch_of(device, &decode, a, chunks_of(a), lanes ? a->kv_heads : 1, DECODE_ONLY);

    sp_launch_buffer(&launch, a->q);
    sp_launch_buffer(&launch, a->k);
    sp_launch_buffer(&launch, a->v);
    sp_launch_buffer(&launch, shares);
    sp_launch_buffer(&launch, a->bounds);
    sp_launch_buffer(&launch, a->key_bounds);
    sp_launch_float(&launch, a->scale);
    sp_launch_float(&launch, a->softcap);
    sp_launch_int(&launch, window_of(a));
    sp_launch_int(&launch, chunks_of(a));
    return sp_launch_run(device, &launch);
}

static int run_combine(struct sp_device *device, const struct sp_attention *a, struct sp_buffer *shares)
{
    struct sp_launch launch = launch_of(device, &combine, a, 1, a->heads, COMBINE_ONLY);

    sp_launch_buffer(&launch, shares);
    sp_launch_buffer(&launch, a->out);
    sp_launch_buffer(&launch, a->lse);
    sp_launch_buffer(&launch, a->bounds);
    sp_launch_buffer(&launch, a->key_bounds);
    sp_launch_int(&launch, window_of(a));
    sp_launch_int(&launch, chunks_of(a));
    return sp_launch_run(device, &launch);
}

int sp_attention_decode(struct sp_device *device, const struct sp_attention *a, struct sp_buffer *shares)
{
    SP_TRY(run_decode(device, a, shares));
    return run_combine(device, a, shares);
}

/* size: heads, head_dim, numbers of keys of up to four sequences; GROUP, WINDOW. After each sequence comes one of two
 * keys without a query, but where one kernel runs alone: there every share is one that is read. */
static const struct sp_op_case cases[] = {
    { .name = "5x2 over 1, keys 65", .size = { 5, 2, 65, [GROUP] = 5 }, .tolerance = 5e-6 },
    { .name = "1x1, one key", .size = { 1, 1, 1, [GROUP] = 1 }, .tolerance = 5e-6 },
    { .name = "6x20 over 2, keys 3 130 64 65", .size = { 6, 20, 3, 130, 64, 65, [GROUP] = 3 }, .tolerance = 5e-6 },
    { .name = "6x20 over 2, keys 300 64 1, a window of 70",
      .size = { 6, 20, 300, 64, 1, [GROUP] = 3, [WINDOW] = 70 },
      .tolerance = 5e-6 },
    { .name = "7x80 over 1, keys 97, a window of 9, capped at 1",
      .size = { 7, 80, 97, [GROUP] = 7, [WINDOW] = 9 },
      .flags = SOFTCAP,
      .tolerance = 5e-6 },
    { .name = "4x12 over 2, keys 129 133, a window of 73: shares alone",
      .size = { 4, 12, 129, 133, [GROUP] = 2, [WINDOW] = 73 },
      .flags = DECODE_ONLY,
      .tolerance = 5e-6 },
    { .name = "4x12 over 2, keys 129 133, a window of 73: combined alone",
      .size = { 4, 12, 129, 133, [GROUP] = 2, [WINDOW] = 73 },
      .flags = COMBINE_ONLY,
      .tolerance = 5e-6 },
    { .name = "2x256, keys 33", .size = { 2, 256, 33, [GROUP] = 1 }, .tolerance = 5e-6 },
    { .name = "6x20 over 2, keys 2100 1999",
      .size = { 6, 20, 2100, 1999, [GROUP] = 3 },
      .tall = true,
      .tolerance = 5e-6 },
};

struct run {
    struct sp_device *device;
    struct sp_attention args;
    struct sp_buffer *shares;
};

static int launch_both(void *user)
{
    struct run *r = user;

    return sp_attention_decode(r->device, &r->args, r->shares);
}

static int launch_decode(void *user)
{
    struct run *r = user;

    return run_decode(r->device, &r->args, r->shares);
}

static int launch_combine(void *user)
{
    struct run *r = user;

    return run_combine(r->device, &r->args, r->shares);
}

/* The first key that the query sees of a sequence's `keys`. */
static int first_key(const struct sp_attention *a, int keys)
{
    return a->window && a->window < keys ? keys - a->window : 0;
}

/* Of one head of a sequence: a row of q, and rows from <= j < end of k and v, which have `stride` columns: the sums of
 * exponentials times v, in `out`, and that of exponentials, which is returned; *largest is the largest score. */
static double sums(double *out, double *largest, const struct sp_attention *a, const double *q, const double *k,
                   const double *v, int from, int end, int stride)
{
    double total = 0, cap = (double)a->softcap;

    *largest = -INFINITY;

    for (int j = from; j < end; j++) {
        double s = 0, e;

        for (int d = 0; d < a->head_dim; d++)
            s += (double)a->scale * q[d] * k[j * stride + d];
        s = cap > 0 ? cap * tanh(s / cap) : s;
        *largest = fmax(*largest, s);
        e = exp(s);
        total += e;
        for (int d = 0; d < a->head_dim; d++)
            out[d] += e * v[j * stride + d];
    }
    return total;
}

/* Likewise, of all of its `keys` that are seen: a row of out; its logarithm is returned. */
static double reference(double *out, const struct sp_attention *a, const double *q, const double *k, const double *v,
                        int keys, int stride)
{
    double largest, total = sums(out, &largest, a, q, k, v, first_key(a, keys), keys, stride);

    for (int d = 0; d < a->head_dim; d++)
        out[d] /= total;
    return log2(total);
}

/* What attention_combine makes of shares of any numbers, each of which is read. */
static int check_combine(struct sp_check *t, struct run *r, size_t rows, double tolerance)
{
    struct sp_attention *a = &r->args;
    size_t D = (size_t)a->head_dim, width = width_of(a), heads = (size_t)a->heads, chunks = (size_t)chunks_of(a);
    double *shares = sp_check_input(t, &r->shares, sp_attention_decode_shares(a), 0.5, 1.5);
    double *out = sp_check_double(t, rows * D), *lse = sp_check_double(t, rows);

    if (!shares || !out || !lse)
        return SP_ENOMEM;
    for (size_t row = 0; row < rows; row++) {
        double total = 0;

        for (size_t c = 0; c < chunks; c++) {
            const double *share = shares + ((row / heads * chunks + c) * heads + row % heads) * width;
            double weight = exp2(share[width - 2]);

            total += weight * share[width - 1];
            for (size_t d = 0; d < D; d++)
                out[row * D + d] += weight * share[d];
        }
        for (size_t d = 0; d < D; d++)
            out[row * D + d] /= total;
        lse[row] = log2(total);
    }
    SP_TRY(sp_check_output(t, &a->out, rows * D));
    SP_TRY(sp_check_output(t, &a->lse, rows));
    SP_TRY(sp_check_run(t, launch_combine, r));
    SP_TRY(sp_check_compare(t, "out", a->out, out, rows * D, tolerance));
    return sp_check_compare(t, "lse", a->lse, lse, rows, tolerance);
}

/* A case's inputs. */
struct inputs {
    double *q, *k, *v;
    int queries, stride;    /* of keys */
    uint32_t key_bounds[9]; /* query i's are those of sequence i * `every` */
    int every;
};

static int make_inputs(struct inputs *in, struct sp_check *t, struct run *r, const struct sp_op_case *c, bool alone)
{
    struct sp_attention *a = &r->args;
    uint32_t bounds[9] = { 0 };

    *in = (struct inputs){ .stride = a->kv_heads * a->head_dim, .every = alone ? 1 : 2 };
    for (; in->queries < 4 && c->size[2 + in->queries]; in->queries++) {
        int keys = c->size[2 + in->queries];

        for (int i = 0; i < in->every; i++, a->sequences++) {
            bounds[a->sequences + 1] = (uint32_t)in->queries + 1;
            in->key_bounds[a->sequences + 1] = in->key_bounds[a->sequences] + (i ? 2 : (uint32_t)keys);
        }
        a->longest_keys = keys > a->longest_keys ? keys : a->longest_keys;
    }
    SP_TRY(sp_check_input_words(t, &a->bounds, bounds, (size_t)a->sequences + 1));
    SP_TRY(sp_check_input_words(t, &a->key_bounds, in->key_bounds, (size_t)a->sequences + 1));
    in->q = sp_check_input(t, &a->q, (size_t)(in->queries * a->heads * a->head_dim), -1, 1);
    in->k = sp_check_input(t, &a->k, (size_t)in->key_bounds[a->sequences] * (size_t)in->stride, -1, 1);
    in->v = sp_check_input(t, &a->v, (size_t)in->key_bounds[a->sequences] * (size_t)in->stride, -1, 1);
    return in->q && in->k && in->v ? 0 : SP_ENOMEM;
}

/* Where the keys or values that head h of query i reads begin among all. */
static size_t first_of(const struct inputs *in, const struct sp_attention *a, int i, int h)
{
    return (size_t)in->key_bounds[i * in->every] * (size_t)in->stride +
           (size_t)(h / (a->heads / a->kv_heads) * a->head_dim);
}

/* attention_decode's shares, each of which there is. */
static int check_shares(struct sp_check *t, struct run *r, const struct inputs *in, const int *keys, double tolerance)
{
    struct sp_attention *a = &r->args;
    size_t count = sp_attention_decode_shares(a), width = width_of(a);
    double *shares = sp_check_double(t, count), *share = shares;

    if (!shares)
        return SP_ENOMEM;
    SP_TRY(sp_check_inout(t, &r->shares, shares, count)); /* zeros, as which the columns behind head_dim stay */
    for (int i = 0; i < in->queries; i++)
        for (int chunk = 0; chunk < chunks_of(a); chunk++)
            for (int h = 0; h < a->heads; h++, share += width) {
                int low = first_key(a, keys[i]), from = (low / CHUNK + chunk) * CHUNK, end = from + CHUNK;
                size_t first = first_of(in, a, i, h);
                double largest, total;

                from = from > low ? from : low;
                end = end < keys[i] ? end : keys[i];
                total = sums(share, &largest, a, in->q + (i * a->heads + h) * a->head_dim, in->k + first,
                             in->v + first, from, end, in->stride);
                for (int d = 0; d < a->head_dim; d++)
                    share[d] /= exp(largest);
                share[width - 2] = largest / log(2);
                share[width - 1] = total / exp(largest);
            }
    SP_TRY(sp_check_run(t, launch_decode, r));
    return sp_check_compare(t, "shares", r->shares, shares, count, tolerance);
}

static int check_both(struct sp_check *t, struct run *r, const struct inputs *in, const int *keys, double tolerance)
{
    struct sp_attention *a = &r->args;
    int rows = in->queries * a->heads;
    size_t C = (size_t)(rows * a->head_dim);
    double *out = sp_check_double(t, C), *lse = sp_check_double(t, (size_t)rows);

    if (!out || !lse)
        return SP_ENOMEM;
    for (int row = 0; row < rows; row++) {
        size_t first = first_of(in, a, row / a->heads, row % a->heads);

        lse[row] = reference(out + row * a->head_dim, a, in->q + row * a->head_dim, in->k + first, in->v + first,
                             keys[row / a->heads], in->stride);
    }
    SP_TRY(sp_check_output(t, &r->shares, sp_attention_decode_shares(a)));
    SP_TRY(sp_check_output(t, &a->out, C));
    SP_TRY(sp_check_output(t, &a->lse, (size_t)rows));
    SP_TRY(sp_check_run(t, launch_both, r));
    SP_TRY(sp_check_compare(t, "out", a->out, out, C, tolerance));
    return sp_check_compare(t, "lse", a->lse, lse, (size_t)rows, tolerance);
}

static int check_decode(struct sp_check *t, const struct sp_op_case *c)
{
    struct run r = { .device = sp_check_device(t),
                     .args = { .heads = c->size[0],
                               .kv_heads = c->size[0] / c->size[GROUP],
                               .head_dim = c->size[1],
                               .longest = 1,
                               .scale = (float)(1 / sqrt(c->size[1])),
                               .softcap = c->flags & SOFTCAP ? 1.0f : 0.0f,
                               .causal = true,
                               .window = c->size[WINDOW] } };
    struct inputs in;

    SP_TRY(make_inputs(&in, t, &r, c, c->flags & (DECODE_ONLY | COMBINE_ONLY)));
    if (c->flags & DECODE_ONLY)
        return check_shares(t, &r, &in, c->size + 2, c->tolerance);
    if (c->flags & COMBINE_ONLY)
        return check_combine(t, &r, (size_t)(in.queries * r.args.heads), c->tolerance);
    return check_both(t, &r, &in, c->size + 2, c->tolerance);
}

const struct sp_op sp_op_attention_decode = {
    .name = "attention_decode", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_decode,
};
