#include "runtime/op/attention_decode.h"

#include "runtime/base/error.h"
#include "runtime/kernel/launch.h"
#include "runtime/op/check.h"

#include <limits.h>
#include <math.h>

enum { CHUNK = 64 }; /* cl/attn/attention_decode.cl's */

/* Of a case. */
enum { SOFTCAP = 1 };

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

size_t sp_attention_decode_shares(const struct sp_attention *a)
{
    size_t width = ((size_t)a->head_dim + 15) / 16 * 16 + 2;

    return (size_t)a->sequences * (size_t)chunks_of(a) * (size_t)a->heads * width;
}

static struct sp_launch launch_of(struct sp_device *device, const struct sp_kernel *kernel,
                                  const struct sp_attention *a, int items, int heads)
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
    launch.check = SP_CHECK(attention_decode, a->softcap > 0 ? SOFTCAP : 0, a->heads, a->head_dim, CHUNK + 5,
                            2 * CHUNK + 1, [GROUP] = group, [WINDOW] = CHUNK + 9);
    return launch;
}

int sp_attention_decode(struct sp_device *device, const struct sp_attention *a, struct sp_buffer *shares)
{
    bool lanes = sp_device_lanes(device) > 1;
    struct sp_launch first = launch_of(device, &decode, a, chunks_of(a), lanes ? a->kv_heads : 1);
    struct sp_launch second = launch_of(device, &combine, a, 1, a->heads);

    sp_launch_buffer(&first, a->q);
    sp_launch_buffer(&first, a->k);
    sp_launch_buffer(&first, a->v);
    sp_launch_buffer(&first, shares);
    sp_launch_buffer(&first, a->bounds);
    sp_launch_buffer(&first, a->key_bounds);
    sp_launch_float(&first, a->scale);
    sp_launch_float(&first, a->softcap);
    sp_launch_int(&first, window_of(a));
    sp_launch_int(&first, chunks_of(a));
    SP_TRY(sp_launch_run(device, &first));
    sp_launch_buffer(&second, shares);
    sp_launch_buffer(&second, a->out);
    sp_launch_buffer(&second, a->lse);
    sp_launch_buffer(&second, a->bounds);
    sp_launch_buffer(&second, a->key_bounds);
    sp_launch_int(&second, window_of(a));
    sp_launch_int(&second, chunks_of(a));
    return sp_launch_run(device, &second);
}

/* size: heads, head_dim, numbers of keys of up to four sequences; GROUP, WINDOW. After each sequence comes one of two
 * keys without a query. */
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

static int launch_decode(void *user)
{
    struct run *r = user;

    return sp_attention_decode(r->device, &r->args, r->shares);
}

/* Of one head of a sequence: rows of q and out, and the first of its `keys` of k and v, which have `stride` columns. */
static double reference(double *out, const struct sp_attention *a, const double *q, const double *k, const double *v,
                        int keys, int stride)
{
    double total = 0, cap = (double)a->softcap;

    for (int j = a->window && a->window < keys ? keys - a->window : 0; j < keys; j++) {
        double s = 0, e;

        for (int d = 0; d < a->head_dim; d++)
            s += (double)a->scale * q[d] * k[j * stride + d];
        e = exp(cap > 0 ? cap * tanh(s / cap) : s);
        total += e;
        for (int d = 0; d < a->head_dim; d++)
            out[d] += e * v[j * stride + d];
    }
    for (int d = 0; d < a->head_dim; d++)
        out[d] /= total;
    return log2(total);
}

static int check_decode(struct sp_check *t, const struct sp_op_case *c)
{
    int D = c->size[1], group = c->size[GROUP], CK = c->size[0] / group * D, count = 0;
    struct run r = { .device = sp_check_device(t),
                     .args = { .heads = c->size[0],
                               .kv_heads = c->size[0] / group,
                               .head_dim = D,
                               .longest = 1,
                               .scale = (float)(1 / sqrt(D)),
                               .softcap = c->flags & SOFTCAP ? 1.0f : 0.0f,
                               .causal = true,
                               .window = c->size[WINDOW] } };
    struct sp_attention *a = &r.args;
    uint32_t bounds[9] = { 0 }, key_bounds[9] = { 0 };
    double *q, *k, *v, *out, *lse;
    size_t C;

    for (; count < 4 && c->size[2 + count]; count++, a->sequences += 2) {
        int keys = c->size[2 + count];

        bounds[a->sequences + 1] = bounds[a->sequences + 2] = (uint32_t)count + 1;
        key_bounds[a->sequences + 1] = key_bounds[a->sequences] + (uint32_t)keys;
        key_bounds[a->sequences + 2] = key_bounds[a->sequences + 1] + 2;
        a->longest_keys = keys > a->longest_keys ? keys : a->longest_keys;
    }
    C = (size_t)count * (size_t)(a->heads * D);
    SP_TRY(sp_check_input_words(t, &a->bounds, bounds, (size_t)a->sequences + 1));
    SP_TRY(sp_check_input_words(t, &a->key_bounds, key_bounds, (size_t)a->sequences + 1));
    q = sp_check_input(t, &a->q, C, -1, 1);
    k = sp_check_input(t, &a->k, (size_t)key_bounds[a->sequences] * (size_t)CK, -1, 1);
    v = sp_check_input(t, &a->v, (size_t)key_bounds[a->sequences] * (size_t)CK, -1, 1);
    out = sp_check_double(t, C);
    lse = sp_check_double(t, (size_t)(count * a->heads));
    if (!q || !k || !v || !out || !lse)
        return SP_ENOMEM;
    for (int s = 0; s < count; s++)
        for (int h = 0; h < a->heads; h++) {
            int row = s * a->heads + h, key = (int)key_bounds[2 * s] * CK + h / group * D;

            lse[row] = reference(out + row * D, a, q + row * D, k + key, v + key, c->size[2 + s], CK);
        }
    SP_TRY(sp_check_output(t, &r.shares, sp_attention_decode_shares(a)));
    SP_TRY(sp_check_output(t, &a->out, C));
    SP_TRY(sp_check_output(t, &a->lse, (size_t)(count * a->heads)));
    SP_TRY(sp_check_run(t, launch_decode, &r));
    SP_TRY(sp_check_compare(t, "out", a->out, out, C, c->tolerance));
    return sp_check_compare(t, "lse", a->lse, lse, (size_t)(count * a->heads), c->tolerance);
}

const struct sp_op sp_op_attention_decode = {
    .name = "attention_decode", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_decode,
};
