/* Conformance of a GEMM family against double precision, for the three products and all epilogues. */
#include "runtime/op/check.h"
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdlib.h>

/*
 * size: m, n, k. For SP_GEMM_WEIGHT m = out, n = in, k = T; else m = T and the weight is what remains. With PERIODIC
 * tokens repeat each other after TOKENS of them, and a weight's rows after ROWS, but for a factor, a power of two, so
 * that the reference costs that of a few, and no memory to speak of where the weight is large.
 */
enum {
    BACKWARD = 1,
    WEIGHT = 2,
    BIAS = 4,
    KEEP = 8,
    ACCUMULATE = 16,
    PERIODIC = 32,
    ACTIVATION = 64, /* times enum sp_activation */
    GELU = ACTIVATION * SP_ACTIVATION_GELU,
    RELU = ACTIVATION * SP_ACTIVATION_RELU,
    TANH = ACTIVATION * SP_ACTIVATION_TANH,
    SILU = ACTIVATION * SP_ACTIVATION_SILU,
    GELU_TANH = ACTIVATION * SP_ACTIVATION_GELU_TANH,
};

static enum sp_activation activation_of(const struct sp_op_case *c)
{
    return (enum sp_activation)(c->flags / ACTIVATION);
}

#define TOKENS 7
#define ROWS 61 /* no multiple of what a panel or tile has */

struct sp_launch_check sp_gemm_check(const struct sp_op *op, const struct sp_gemm *gemm, int tokens)
{
    static const unsigned kinds[] = { [SP_GEMM_FORWARD] = 0, [SP_GEMM_BACKWARD] = BACKWARD, [SP_GEMM_WEIGHT] = WEIGHT };
    bool activated = gemm->activation != SP_ACTIVATION_NONE, weight = gemm->kind == SP_GEMM_WEIGHT;
    unsigned flags = PERIODIC | kinds[gemm->kind] | ACTIVATION * (unsigned)gemm->activation;

    flags |= gemm->bias ? BIAS : 0;
    flags |= gemm->accumulate ? ACCUMULATE : 0;
    flags |= gemm->kind == SP_GEMM_FORWARD && activated && gemm->pre ? KEEP : 0;
    return SP_CHECK_OF(op, flags, weight ? gemm->m : tokens, gemm->n, weight ? tokens : gemm->k);
}

const struct sp_op_case sp_gemm_cases[] = {
    { .name = "forward 1x1x1", .size = { 1, 1, 1 }, .flags = BIAS, .tolerance = 1e-6 },
    { .name = "forward 3x5x7", .size = { 3, 5, 7 }, .tolerance = 1e-6 },
    { .name = "forward 11x33x17 bias", .size = { 11, 33, 17 }, .flags = BIAS, .tolerance = 1e-6 },
    { .name = "forward 12x32x16 gelu kept", .size = { 12, 32, 16 }, .flags = BIAS | GELU | KEEP, .tolerance = 1e-6 },
    { .name = "forward 13x37x20 gelu", .size = { 13, 37, 20 }, .flags = BIAS | GELU, .tolerance = 1e-6 },
    { .name = "forward 13x37x20 tanh", .size = { 13, 37, 20 }, .flags = BIAS | TANH | KEEP, .tolerance = 1e-6 },
    { .name = "forward 13x37x20 silu", .size = { 13, 37, 20 }, .flags = BIAS | SILU | KEEP, .tolerance = 1e-6 },
    { .name = "forward 13x37x20 gelu_tanh", .size = { 13, 37, 20 }, .flags = GELU_TANH, .tolerance = 1e-6 },
    { .name = "forward 97x100x300 relu kept",
      .size = { 97, 100, 300 },
      .flags = BIAS | RELU | KEEP,
      .tolerance = 5e-6 },
    { .name = "forward 203x384x768", .size = { 203, 384, 768 }, .flags = BIAS, .tolerance = 1e-5 },
    { .name = "forward 4201x33x17 bias", .size = { 4201, 33, 17 }, .flags = BIAS, .tolerance = 1e-6 },
    { .name = "backward 1x1x1", .size = { 1, 1, 1 }, .flags = BACKWARD, .tolerance = 1e-6 },
    { .name = "backward 5x20x37", .size = { 5, 20, 37 }, .flags = BACKWARD, .tolerance = 1e-6 },
    { .name = "backward 13x37x20 accumulate",
      .size = { 13, 37, 20 },
      .flags = BACKWARD | ACCUMULATE,
      .tolerance = 1e-6 },
    { .name = "backward 29x31x65 gelu", .size = { 29, 31, 65 }, .flags = BACKWARD | GELU, .tolerance = 1e-6 },
    { .name = "backward 29x31x65 relu", .size = { 29, 31, 65 }, .flags = BACKWARD | RELU, .tolerance = 1e-6 },
    { .name = "backward 29x31x65 tanh", .size = { 29, 31, 65 }, .flags = BACKWARD | TANH, .tolerance = 1e-6 },
    { .name = "backward 29x31x65 silu", .size = { 29, 31, 65 }, .flags = BACKWARD | SILU, .tolerance = 1e-6 },
    { .name = "backward 29x31x65 gelu_tanh", .size = { 29, 31, 65 }, .flags = BACKWARD | GELU_TANH, .tolerance = 1e-6 },
    { .name = "forward 40x333x20 periodic",
      .size = { 40, 333, 20 },
      .flags = BIAS | GELU | PERIODIC,
      .tolerance = 1e-6 },
    { .name = "backward 40x33x333 periodic",
      .size = { 40, 33, 333 },
      .flags = BACKWARD | ACCUMULATE | PERIODIC,
      .tolerance = 1e-6 },
    { .name = "weight 20x33x40 periodic", .size = { 20, 33, 40 }, .flags = WEIGHT | PERIODIC, .tolerance = 1e-6 },
    { .name = "backward 100x300x600 accumulate",
      .size = { 100, 300, 600 },
      .flags = BACKWARD | ACCUMULATE,
      .tolerance = 1e-5 },
    { .name = "backward 130x384x384 gelu", .size = { 130, 384, 384 }, .flags = BACKWARD | GELU, .tolerance = 1e-5 },
    { .name = "backward 4201x37x20 accumulate",
      .size = { 4201, 37, 20 },
      .flags = BACKWARD | ACCUMULATE,
      .tolerance = 1e-6 },
    { .name = "weight 1x1x1", .size = { 1, 1, 1 }, .flags = WEIGHT, .tolerance = 1e-6 },
    { .name = "weight 3x384x9", .size = { 3, 384, 9 }, .flags = WEIGHT, .tolerance = 1e-6 },
    { .name = "weight 37x20x65 accumulate", .size = { 37, 20, 65 }, .flags = WEIGHT | ACCUMULATE, .tolerance = 1e-6 },
    { .name = "weight 100x97x700", .size = { 100, 97, 700 }, .flags = WEIGHT, .tolerance = 1e-5 },
    { .name = "weight 37x20x4201 accumulate",
      .size = { 37, 20, 4201 },
      .flags = WEIGHT | ACCUMULATE,
      .tolerance = 1e-5 },
};
_Static_assert(sizeof sp_gemm_cases / sizeof *sp_gemm_cases == SP_GEMM_CASES, "SP_GEMM_CASES is their number");

struct run {
    const struct sp_gemm_family *family;
    const struct sp_op_case *c;
    struct sp_gemm_weight weight;
    struct sp_gemm gemm;
};

static int launch_product(void *user)
{
    struct run *r = user;

    return r->family->run(sp_buffer_device(r->gemm.c), &r->gemm);
}

/* What token t is, as a multiple of token t % period; likewise of a weight's rows. */
static double factor_of(const struct sp_op_case *c, size_t t, size_t period)
{
    static const double factors[] = { 1, -0.5, 2, -1, 0.5 };

    return c->flags & PERIODIC ? factors[t / period % 5] : 1;
}

/* Of `count` tokens or rows those that are not multiples of others. */
static size_t distinct(const struct sp_op_case *c, size_t count, size_t period)
{
    return c->flags & PERIODIC && count > period ? period : count;
}

/* count x width random numbers, a row for each token. */
static const double *tokens(struct sp_check *t, struct sp_buffer **out, const struct sp_op_case *c, size_t count,
                            size_t width)
{
    size_t period = distinct(c, count, TOKENS) * width;
    double *values = sp_check_input(t, out, period, -1, 1), *all = sp_check_double(t, count * width);

    if (!values || !all)
        return NULL;
    for (size_t i = 0; i < count * width; i++)
        all[i] = values[i % period] * factor_of(c, i / width, TOKENS);
    return sp_check_input_values(t, out, all, count * width) < 0 ? NULL : all;
}

/* Fills the run's weight (out x in) with random rows. *distinct_rows are those that are not multiples of others: the
 * whole weight is nowhere but in the family's layouts, as it may be the largest of a model. */
static int fill_weight(struct sp_check *t, const double **distinct_rows, struct run *r, size_t out, size_t in)
{
    struct sp_device *device = sp_check_device(t);
    size_t period = distinct(r->c, out, ROWS) * in, bytes = out * in * sizeof(float);
    struct sp_buffer *plain = NULL;
    float *all = sp_calloc(out * in, sizeof *all);
    const double *rows = sp_check_input(t, &plain, period, -1, 1);
    int rc = all && rows ? 0 : SP_ENOMEM;

    plain = NULL;
    for (size_t i = 0; i < out * in && rc == 0; i++)
        all[i] = (float)(rows[i % period] * factor_of(r->c, i / in, ROWS));
    if (rc == 0)
        rc = sp_buffer_create(&plain, device, bytes);
    if (rc == 0)
        rc = sp_buffer_write(plain, 0, all, bytes);
    free(all);
    if (rc == 0)
        rc = sp_gemm_weight_create(&r->weight, device, r->family, (int)out, (int)in, r->c->flags & BACKWARD);
    if (rc == 0)
        rc = sp_gemm_weight_pack(&r->weight, plain);
    sp_buffer_free(plain);
    *distinct_rows = rows;
    return rc;
}

/* X W^T of the distinct tokens and rows of W (n x k), then of the other rows. */
static void multiply_forward(double *out, const struct sp_op_case *c, const double *x, const double *w)
{
    size_t m = (size_t)c->size[0], n = (size_t)c->size[1], k = (size_t)c->size[2];
    size_t rows = distinct(c, m, TOKENS), columns = distinct(c, n, ROWS);

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) {
            for (size_t p = 0; p < k && j < columns; p++)
                out[i * n + j] += x[i * k + p] * w[j * k + p];
            if (j >= columns)
                out[i * n + j] = out[i * n + j % columns] * factor_of(c, j, ROWS);
        }
}

/* dY W of the distinct tokens: what dY has for W's rows (k x n) goes to the distinct one that they are multiples of. */
static void multiply_backward(double *out, const struct sp_op_case *c, const double *dy, const double *w)
{
    size_t m = (size_t)c->size[0], n = (size_t)c->size[1], k = (size_t)c->size[2];
    size_t rows = distinct(c, m, TOKENS), depth = distinct(c, k, ROWS);

    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < depth; p++) {
            double y = 0;

            for (size_t q = p; q < k; q += depth)
                y += dy[i * k + q] * factor_of(c, q, ROWS);
            for (size_t j = 0; j < n; j++)
                out[i * n + j] += y * w[p * n + j];
        }
}

/* dY^T X, of tokens that repeat with the square of their factors. */
static void multiply_weight(double *out, const struct sp_op_case *c, const double *dy, const double *x)
{
    size_t m = (size_t)c->size[0], n = (size_t)c->size[1], k = (size_t)c->size[2], depth = distinct(c, k, TOKENS);

    for (size_t p = 0; p < depth; p++) {
        double squares = 0;

        for (size_t t = p; t < k; t += depth)
            squares += factor_of(c, t, TOKENS) * factor_of(c, t, TOKENS);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                out[i * n + j] += squares * dy[p * m + i] * x[p * n + j];
    }
}

/* C in double, which depends on `old` where it is added to, or where the derivative at it is multiplied by; `pre`, if
 * it is not NULL, receives the value before the activation. */
static void reference(double *out, double *pre, const struct sp_op_case *c, const double *a, const double *b,
                      const double *bias, const double *old)
{
    size_t n = (size_t)c->size[1], rows = distinct(c, (size_t)c->size[0], TOKENS);

    if (c->flags & WEIGHT)
        multiply_weight(out, c, a, b);
    else if (c->flags & BACKWARD)
        multiply_backward(out, c, a, b);
    else
        multiply_forward(out, c, a, b);
    for (size_t e = 0; e < (size_t)c->size[0] * n; e++)
        if (!(c->flags & WEIGHT) && e >= rows * n)
            out[e] = out[e / n % rows * n + e % n] * factor_of(c, e / n, TOKENS);
    for (size_t e = 0; e < (size_t)c->size[0] * n; e++) {
        double sum = out[e] + (c->flags & BIAS ? bias[e % n] : 0) + (c->flags & ACCUMULATE ? old[e] : 0);

        if (pre)
            pre[e] = sum;
        if (activation_of(c) == SP_ACTIVATION_NONE)
            out[e] = sum;
        else
            out[e] = c->flags & BACKWARD ? sum * sp_activation_derivative(activation_of(c), old[e])
                                         : sp_activation_value(activation_of(c), sum);
    }
}

/* Inputs and outputs of the case; B is the weight, packed as the family wants it. */
static int check_product(struct sp_check *t, const struct sp_op_case *c, struct run *r)
{
    struct sp_gemm *g = &r->gemm;
    size_t m = (size_t)c->size[0], n = (size_t)c->size[1], k = (size_t)c->size[2];
    bool backward = c->flags & BACKWARD, weight = c->flags & WEIGHT, keep = c->flags & KEEP;
    bool differentiates = backward && activation_of(c) != SP_ACTIVATION_NONE, accumulate = c->flags & ACCUMULATE;
    const double *a = weight ? tokens(t, &g->a, c, k, m) : tokens(t, &g->a, c, m, k), *b, *bias, *old = NULL;
    double *expected = sp_check_double(t, m * n), *pre = keep ? sp_check_double(t, m * n) : NULL;

    if (weight)
        b = tokens(t, &g->b, c, k, n);
    else
        SP_TRY(fill_weight(t, &b, r, backward ? k : n, backward ? n : k));
    bias = sp_check_input(t, &g->bias, n, -1, 1);
    if (differentiates || accumulate)
        old = sp_check_input(t, &g->pre, m * n, -3, 3);
    if (!a || !b || !bias || !expected || (keep && !pre) || ((differentiates || accumulate) && !old))
        return SP_ENOMEM;
    reference(expected, pre, c, a, b, bias, old);
    g->kind = weight ? SP_GEMM_WEIGHT : backward ? SP_GEMM_BACKWARD : SP_GEMM_FORWARD;
    g->m = (int)m, g->n = (int)n, g->k = (int)k;
    g->activation = activation_of(c);
    g->accumulate = accumulate;
    if (!weight)
        g->b = backward ? r->weight.backward : r->weight.forward;
    if (!(c->flags & BIAS))
        g->bias = NULL;
    if (keep)
        SP_TRY(sp_check_output(t, &g->pre, m * n));
    else if (!differentiates)
        g->pre = NULL;
    if (accumulate)
        SP_TRY(sp_check_inout(t, &g->c, old, m * n));
    else
        SP_TRY(sp_check_output(t, &g->c, m * n));
    SP_TRY(sp_check_run(t, launch_product, r));
    if (keep)
        SP_TRY(sp_check_compare(t, "pre", g->pre, pre, m * n, c->tolerance));
    return sp_check_compare(t, "C", g->c, expected, m * n, c->tolerance);
}

int sp_gemm_check_family(struct sp_check *t, const struct sp_op_case *c, const struct sp_gemm_family *family)
{
    struct run r = { .family = family, .c = c };
    int rc = check_product(t, c, &r);

    if (rc == 0)
        rc = sp_device_finish(sp_check_device(t));
    sp_gemm_weight_free(&r.weight);
    return rc;
}
