/*
 * lift: |A|, A the best approximation of W of rank r (LIFT, "Principal Weights Emerge after Rank Reduction", arXiv
 * 2506.00772).
 *
 * The approximation is by subspace iteration from a random start (Halko, Martinsson and Tropp, arXiv 0909.4061,
 * algorithm 4.4) in double precision: an orthonormal basis Q of l = 2 r + 8 columns, Q <- orth(W orth(W^T Q)) until the
 * energy in its first r directions stands still, at most ROUNDS times; then A = Q U_r U_r^T Q^T W, U the eigenvectors
 * of Q^T W W^T Q. The start is a function of the seed and the tensor. At a rank of the smaller side or more A is W.
 */
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/sparse/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 32
#define STILL 1e-10 /* relative change of the energy: vectors are off by about its root */
#define SWEEPS 40

static const struct sp_option options[] = {
    { "sparse.lift_rank", SP_OPTION_INT, offsetof(struct sp_metric_options, lift_rank), "32", "[1, 1000000]", NULL,
      SP_METRIC_GROUP, "lift: the rank of the approximation whose largest entries are kept.", NULL },
};

/* Bases are kept as l rows: q (l x m) spans columns of W (m x n), p (l x n) its rows. */
struct sketch {
    const float *w;
    size_t m, n, l, r;
    double *q, *p, *gram, *vectors, *row; /* (l x m), (l x n), (l x l), (l x l), (n) */
};

static double dot(const double *x, const double *y, size_t n)
{
    double sums[8] = { 0 }, sum = 0; /* eight at a time: additions wait for one another */
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += x[i + k] * y[i + k];
    for (; i < n; i++)
        sums[0] += x[i] * y[i];
    for (size_t k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

static void axpy(double *y, double a, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* Rows of x (l x n) made orthonormal by Gram and Schmidt, twice for the sake of rounding; a row that is spent becomes
 * zero. */
static void orthonormalise(double *x, size_t l, size_t n)
{
    for (size_t k = 0; k < l; k++) {
        double *row = x + k * n, before = sqrt(dot(row, row, n)), norm;

        for (int pass = 0; pass < 2; pass++)
            for (size_t j = 0; j < k; j++)
                axpy(row, -dot(row, x + j * n, n), x + j * n, n);
        norm = sqrt(dot(row, row, n));
        for (size_t i = 0; i < n; i++)
            row[i] = norm > 1e-12 * before ? row[i] / norm : 0;
    }
}

/* Row o of W, as doubles. */
static const double *row_of(struct sketch *s, size_t o)
{
    for (size_t i = 0; i < s->n; i++)
        s->row[i] = (double)s->w[o * s->n + i];
    return s->row;
}

/* p = q W */
static void times_w(struct sketch *s)
{
    memset(s->p, 0, s->l * s->n * sizeof *s->p);
    for (size_t o = 0; o < s->m; o++) {
        const double *row = row_of(s, o);

        for (size_t k = 0; k < s->l; k++)
            axpy(s->p + k * s->n, s->q[k * s->m + o], row, s->n);
    }
}

/* q = p W^T */
static void times_w_transposed(struct sketch *s)
{
    for (size_t o = 0; o < s->m; o++) {
        const double *row = row_of(s, o);

        for (size_t k = 0; k < s->l; k++)
            s->q[k * s->m + o] = dot(s->p + k * s->n, row, s->n);
    }
}

/* One Jacobi rotation that clears a[p][q] of the symmetric a (l x l); columns of v turn with it. */
static void rotate(double *a, double *v, size_t l, size_t p, size_t q)
{
    double theta, t, c, s;

    if (fabs(a[p * l + q]) <= 1e-300)
        return;
    theta = (a[q * l + q] - a[p * l + p]) / (2 * a[p * l + q]);
    t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    c = 1 / sqrt(t * t + 1);
    s = t * c;
    for (size_t k = 0; k < l; k++) {
        double x = a[k * l + p], y = a[k * l + q];

        a[k * l + p] = c * x - s * y;
        a[k * l + q] = s * x + c * y;
    }
    for (size_t k = 0; k < l; k++) {
        double x = a[p * l + k], y = a[q * l + k];

        a[p * l + k] = c * x - s * y;
        a[q * l + k] = s * x + c * y;
    }
    for (size_t k = 0; k < l; k++) {
        double x = v[k * l + p], y = v[k * l + q];

        v[k * l + p] = c * x - s * y;
        v[k * l + q] = s * x + c * y;
    }
}

/* Eigenvectors of p p^T into the columns of `vectors`, largest first. Returns the sum of the r largest eigenvalues. */
static double decompose(struct sketch *s)
{
    size_t l = s->l;
    double *a = s->gram, *v = s->vectors, energy = 0, total = 0, off = 1;

    for (size_t i = 0; i < l; i++)
        for (size_t j = 0; j <= i; j++)
            a[i * l + j] = a[j * l + i] = dot(s->p + i * s->n, s->p + j * s->n, s->n);
    memset(v, 0, l * l * sizeof *v);
    for (size_t i = 0; i < l; i++) {
        v[i * l + i] = 1;
        total += a[i * l + i];
    }
    for (int sweep = 0; sweep < SWEEPS && off > 1e-15 * total; sweep++) {
        off = 0;
        for (size_t p = 0; p < l; p++)
            for (size_t q = p + 1; q < l; q++) {
                off = fmax(off, fabs(a[p * l + q]));
                rotate(a, v, l, p, q);
            }
    }
    for (size_t k = 0; k < s->r; k++) { /* selection sort of the r largest to the front */
        size_t best = k;

        for (size_t j = k + 1; j < l; j++)
            best = a[j * l + j] > a[best * l + best] ? j : best;
        for (size_t i = 0; i < l && best != k; i++) {
            double t = v[i * l + k];

            v[i * l + k] = v[i * l + best];
            v[i * l + best] = t;
        }
        energy += a[best * l + best];
        a[best * l + best] = a[k * l + k];
    }
    return energy;
}

/* |A| from the final q, p = q W and eigenvectors: A = sum over k < r of (U_k q)^T (U_k p). */
static void approximate(float *out, struct sketch *s, double *left, double *right)
{
    memset(left, 0, s->r * s->m * sizeof *left);
    memset(right, 0, s->r * s->n * sizeof *right);
    for (size_t k = 0; k < s->r; k++)
        for (size_t j = 0; j < s->l; j++) {
            axpy(left + k * s->m, s->vectors[j * s->l + k], s->q + j * s->m, s->m);
            axpy(right + k * s->n, s->vectors[j * s->l + k], s->p + j * s->n, s->n);
        }
    for (size_t o = 0; o < s->m; o++) {
        memset(s->row, 0, s->n * sizeof *s->row);
        for (size_t k = 0; k < s->r; k++)
            axpy(s->row, left[k * s->m + o], right + k * s->n, s->n);
        for (size_t i = 0; i < s->n; i++)
            out[o * s->n + i] = (float)fabs(s->row[i]);
    }
}

static int iterate(struct sketch *s, const struct sp_metric_input *in)
{
    double energy = 0, before;

    for (size_t i = 0; i < s->l * s->n; i++)
        s->p[i] = sp_rng_normal(in->seed, SP_RNG_SKETCH, in->tensor, i);
    for (int round = 0; round < ROUNDS; round++) {
        if (sp_interrupted())
            return sp_error(SP_EINTR, "interrupted while scoring");
        orthonormalise(s->p, s->l, s->n);
        times_w_transposed(s);
        orthonormalise(s->q, s->l, s->m);
        times_w(s);
        before = energy;
        energy = decompose(s);
        if (fabs(energy - before) <= STILL * energy)
            break;
    }
    return 0;
}

static int score(float *out, const struct sp_metric_input *in)
{
    size_t smaller = in->rows < in->cols ? in->rows : in->cols, r = (size_t)in->options.lift_rank, l = 2 * r + 8;
    struct sketch s = { .w = in->weight, .m = in->rows, .n = in->cols, .l = l < smaller ? l : smaller, .r = r };
    double *memory;
    int rc;

    if (r >= smaller) {
        for (size_t i = 0; i < in->count; i++)
            out[i] = fabsf(in->weight[i]);
        return 0;
    }
    memory = sp_calloc((s.l + r) * (s.m + s.n) + 2 * s.l * s.l + s.n, sizeof *memory);
    if (!memory)
        return SP_ENOMEM;
    s.q = memory;
    s.p = s.q + s.l * s.m;
    s.gram = s.p + s.l * s.n;
    s.vectors = s.gram + s.l * s.l;
    s.row = s.vectors + s.l * s.l;
    rc = iterate(&s, in);
    if (rc == 0)
        approximate(out, &s, s.row + s.n, s.row + s.n + r * s.m);
    free(memory);
    return rc;
}

const struct sp_metric sp_metric_lift = {
    .name = "lift",
    .summary = "the largest entries of the weight's approximation of rank sparse.lift_rank; needs no data",
    .cost = "some dozens of products of the weight and 2 ranks + 8 vectors, on the host",
    .options = { options, sizeof options / sizeof *options, 0 },
    .needs = SP_NEED_WEIGHT,
    .score = score,
};
