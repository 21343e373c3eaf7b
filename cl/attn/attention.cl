// lint: -DD=32 -DH=12 -DG=1 -DCAUSAL=0 -DSOFTCAP=0 -DDROPOUT=0 -DQV=4 -DKB=32 -DPIECES=0
// lint: -DD=20 -DH=3 -DG=3 -DCAUSAL=1 -DSOFTCAP=0 -DDROPOUT=1 -DQV=4 -DKB=32 -DPIECES=1
// lint: -DD=256 -DH=8 -DG=2 -DCAUSAL=1 -DSOFTCAP=1 -DDROPOUT=0 -DQV=2 -DKB=16 -DPIECES=2
/*
 * Scaled dot-product attention over sequences laid end to end, forward and backward, fp32, in blocks of keys: no T x T
 * matrix exists (the online softmax of Milakov and Gimelshein 2018, arXiv 1805.02867, as in FlashAttention).
 *
 * q, out and their gradients have C = H D columns; head h owns columns [h D, h D + D). k, v and theirs have CK columns,
 * those of H / G heads, each of which G heads of q share. Sequence s owns the rows [bounds[s], bounds[s + 1]) of q and
 * out and [key_bounds[s], key_bounds[s + 1]) of k and v, and sees no others; one buffer may be both bounds. lse is (T x
 * H): the base-2 logarithm of a query's sum of exponentials.
 *
 * CAUSAL: both are aligned at the end, so that query i of n sees keys up to i + (keys - n), at least one, and of these
 * the last `window`. Blocks that none of a vector's queries sees are passed over. SOFTCAP: scores become softcap
 * tanh(score / softcap) before that.
 *
 * For CPUs: one work-item per group. Scores are kept transposed, s[j] being key j against 16 queries in the lanes, so
 * that a query's maximum and sum are found lane by lane; lanes and rows past the end repeat the last one and are not
 * stored. All five products have one form, product_1 or product_2. Their operands are packed into private arrays of
 * whole vectors first. Functions that hold a product are compiled once, not once a use: drivers build three copies of a
 * kernel.
 *
 * Dropout: the words of counter ((bounds[s] + i) H + h, step, node, SP_RNG_DROPOUT | j / 8 << 8), i and j counted from
 * the starts of the sequence's queries and keys, decide for query i and eight keys j with 16 bits each: the upper half
 * of word j % 4 when j % 8 < 4, else the lower. Forward and backward draw the same ones.
 */
#include "attn/columns.h"
#include "lib/dropout.h"
#include "lib/math.h"

#define C (H * D)
#define CK (H / G * D)
#define QB (16 * QV) /* queries in a block, which has KB keys */
#define LOG2_E 1.44269504f

/* What a work-item of attention_backward gives the gradients of. */
#define ALL 0     /* queries and keys of a sequence and a head of keys. Grid: (1, H / G, sequences) */
#define QUERIES 1 /* QB queries of a sequence and a head. Grid: (blocks of QB queries, H, sequences) */
#define KEYS 2    /* PIECE keys of a sequence and a head of keys. Grid: (pieces, H / G, sequences) */

/* Vectors that a product sums in registers: half of AVX-512's; a float16 is two registers of AVX, four of NEON. */
#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(__AVX512F__)
#define TILE 4
#else
#define TILE 16
#endif

#define ONCE static __attribute__((noinline))
#define LANE_NUMBER ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))

/* Row j of x, DV vectors, = factor * row j of p, for j < count; from `rows` on the last row again. */
static inline void pack(float16 *x, __global const float *p, int stride, int rows, int count, float factor)
{
    for (int j = 0; j < count; j++)
        UNROLL for (int u = 0; u < DV; u++)
            x[j * DV + u] = load_columns(p + (size_t)min(j, rows - 1) * stride, u) * factor;
}

/* y[i] lane j = factor * x[j stride] lane i, 16 x 16 of them. */
ONCE void transpose(float16 *y, const float16 *x, int stride, float factor)
{
    float16 a[16];

    UNROLL for (int i = 0; i < 16; i++) a[i] = x[i * stride];
    transpose_16(a);
    UNROLL for (int i = 0; i < 16; i++) y[i] = a[i] * factor;
}

/* t[d] lane i = factor * x[i][d], for 16 packed rows x. */
static inline void to_lanes(float16 t[W], const float16 *x, float factor)
{
    for (int u = 0; u < DV; u++)
        transpose(t + 16 * u, x + u, DV, factor);
}

/* Row i of p = t[...] lane i, for i < rows and 16. */
static inline void from_lanes(__global float *p, const float16 t[W], int rows)
{
    for (int u = 0; u < DV; u++) {
        float16 x[16];

        transpose(x, t + 16 * u, 1, 1.0f);
        for (int i = 0; i < min(rows, 16); i++)
            store_columns(x[i], p + (size_t)i * C, u);
    }
}

/*
 * s[m N + n] += sum over k < depth of a[m across + k along] * b[k stride + n], for n < N and m < TILE / N. N = 2 loads
 * fewer scalars; N = 1 wastes no vector when there is but one.
 */
#define PRODUCT(N)                                                                                                     \
    static inline void product_##N(float16 s[TILE], const float *a, int across, int along, const float16 *b,           \
                                   int stride, int depth)                                                              \
    {                                                                                                                  \
        for (int k = 0; k < depth; k++)                                                                                \
            UNROLL for (int m = 0; m < TILE; m++)                                                                      \
                s[m] = fma((float16)(a[m / N * across + k * along]), b[k * stride + m % N], s[m]);                     \
    }
PRODUCT(1)
PRODUCT(2)

/* s[j stride] = sum_d x[j][d] t[d], for the first `count` of packed rows x, a multiple of 16. */
ONCE void scores(float16 *s, int stride, const float16 *x, const float16 t[W], int count)
{
    for (int j = 0; j < count; j += TILE) {
        float16 sum[TILE];

        UNROLL for (int m = 0; m < TILE; m++) sum[m] = 0.0f;
        product_1(sum, (const float *)(x + j * DV), W, 1, t, 1, D);
        UNROLL for (int m = 0; m < TILE; m++) s[(j + m) * stride] = sum[m];
    }
}

/* t[d] = shrink t[d] + sum over j < count of x[j][d] s[j stride]; t counts as 0 when `first`. */
ONCE void weigh(float16 t[W], float16 shrink, bool first, const float16 *x, const float16 *s, int stride, int count)
{
    for (int d = 0; d < W; d += TILE) {
        float16 sum[TILE];

        UNROLL for (int m = 0; m < TILE; m++) sum[m] = first ? 0.0f : t[d + m] * shrink;
        product_1(sum, (const float *)x + d, 1, W, s, stride, count);
        UNROLL for (int m = 0; m < TILE; m++) t[d + m] = sum[m];
    }
}

#if DV % 2
#define N 1
#define PRODUCT_N product_1
#else
#define N 2
#define PRODUCT_N product_2
#endif

/* Row j of p += sum over i < rows of s[j][i] times packed row i of x, for j < count; p counts as 0 when `first`. */
ONCE void outer(__global float *p, bool first, const float16 *s, const float16 *x, int rows, int count)
{
    for (int j = 0; j < count; j += TILE / N)
        for (int u = 0; u < DV; u += N) {
            __global float *row = p + (size_t)j * CK;
            float16 sum[TILE];

            UNROLL for (int m = 0; m < TILE; m++)
                sum[m] = first || j + m / N >= count ? 0.0f : load_columns(row + (size_t)(m / N) * CK, u + m % N);
            PRODUCT_N(sum, (const float *)(s + j * QV), QB, 1, x + u, DV, rows);
            UNROLL for (int m = 0; m < TILE; m++)
                if (j + m / N < count)
                    store_columns(sum[m], row + (size_t)(m / N) * CK, u + m % N);
        }
}

#if PIECES == ALL
#define PREFETCH_MOST (1 << 16) /* numbers: beyond, the second-level cache would lose them again */

/*
 * Asks for a head's share of the next sequence's rows, [bounds[1], bounds[2]), of `columns` for each head: whole rows
 * in their order, which hardware follows at full speed, where a head's own columns are short pieces far apart.
 */
ONCE void prefetch_next(__global const float *x, __global const uint *bounds, int head, int heads, int columns)
{
    int length = (int)(bounds[2] - bounds[1]);

    x += ((size_t)bounds[1] * heads + (size_t)head * length) * columns;
    for (int i = 0; i < length * columns && length * heads * columns <= PREFETCH_MOST; i += 16)
        PREFETCH(x + i);
}
#endif

/* Query i sees keys LOW(i) <= j < HIGH(i); FIRST(i): where the block of LOW(i) begins. */
#define AHEAD (length - queries) /* keys before the first query's last */
#if CAUSAL
#define LOW(i) max((i) + AHEAD - window + 1, 0)
#define HIGH(i) min((i) + AHEAD + 1, length)
#else
#define LOW(i) 0
#define HIGH(i) length
#endif
#define FIRST(i) (LOW(i) / KB * KB)

/* How many of the block's keys at j0 the 16 queries from i on may see, 0 or fewer for none, or not each sees all. */
#define SEEN(i) (j0 < FIRST(i) ? 0 : min(keys, HIGH((i) + 15) - j0))
#define PARTLY(i) (CAUSAL && (HIGH(i) < j0 + seen || j0 < LOW((i) + 15)))

#define UNSEEN (-1e30f) /* a score's exponential is 0 then, where any other is seen */

#if CAUSAL
/* s[j stride] of the lanes that do not see key j becomes x; `last` is the last key that lane 0 sees. */
ONCE void hide(float16 *s, int stride, float x, int last, int window, int count)
{
    for (int j = 0; j < count; j++) {
        int16 distance = LANE_NUMBER + (last - j);

        s[j * stride] = distance >= 0 && distance < window ? s[j * stride] : (float16)(x);
    }
}
#define HIDE(s, stride, x, i, count)                                                                                   \
    if (PARTLY(i))                                                                                                     \
    hide(s, stride, x, (i) + AHEAD - j0, window, count)
#else
#define HIDE(s, stride, x, i, count)
#endif

#if DROPOUT
/* words[j] < threshold drops key j0 + j, for j < count, of 16 queries in the lanes: those of c0, the counter's first
 * word. */
ONCE void draw(uint16 *words, uint16 c0, const struct dropout *d, int j0, int count)
{
    for (int j = 0; j < count; j += 8) {
        uint16 w[4] = { c0, (uint16)(d->step), (uint16)(d->node), (uint16)((uint)(j0 + j) / 8 << 8 | DROPOUT_STREAM) };

        philox4x32_16(w, w + 1, w + 2, w + 3, d->k0, d->k1);
        for (int n = 0; n < 4; n++) {
            words[j + n] = w[n];
            words[j + 4 + n] = w[n] << 16;
        }
    }
}

/* A block's words for the 16 queries from row `row` on, and x or the 0 that they make it. */
#define DRAW(words, row, j0, count)                                                                                    \
    uint16 words[KB];                                                                                                  \
    draw(words, (as_uint16(LANE_NUMBER) + (uint)(row)) * H + (uint)h, &dropout, j0, count)
#define KEPT(words, j, x) (words[j] < dropout.threshold ? (float16)(0.0f) : (x))
#else
#define DRAW(words, row, j0, count)
#define KEPT(words, j, x) (x)
#endif

/* What q is multiplied by on its way to scores, of which CAPPED(score), cap being softcap log2 e, are base-2
 * exponents; SLOPE(score) is the derivative of a capped one. */
#if SOFTCAP
#define Q_FACTOR (1.0f / softcap)
#define CAPPED(s) (tanh_v16(s) * (softcap * LOG2_E))
#else
#define Q_FACTOR LOG2_E
#define CAPPED(s) (s)
#endif

/* Of all kernels, after their buffers. */
#define PARAMETERS                                                                                                     \
    __global const uint *restrict bounds, __global const uint *restrict key_bounds, float scale, float softcap,        \
        int window, DROPOUT_PARAMETERS

/* The sequence's first row, and its numbers of queries and keys. */
#define SEQUENCE                                                                                                       \
    bounds += get_global_id(2);                                                                                        \
    key_bounds += get_global_id(2);                                                                                    \
    int first = (int)bounds[0], queries = (int)bounds[1] - first, length = (int)(key_bounds[1] - key_bounds[0]);       \

#if PIECES == ALL
static inline float16 larger(float16 a, float16 b)
{
    return a > b ? a : b;
}

/*
 * out = dropout(softmax(scale q k^T)) v and lse[t][h] = log2 sum_j exp(scale q_t k_j).
 * Grid: (blocks of QB queries, H, sequences); work-items beyond a sequence's end have nothing to do.
 */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void attention_forward(__global const float *restrict q, __global const float *restrict k,
                       __global const float *restrict v, __global float *restrict out, __global float *restrict lse,
                       PARAMETERS)
{
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int h = (int)get_global_id(1), i0 = (int)get_global_id(0) * QB;

    SEQUENCE
    dropout = dropout_rounded(dropout);

    int rows = min(QB, queries - i0);
    size_t origin = (size_t)first * C + (size_t)h * D, key_origin = (size_t)key_bounds[0] * CK + (size_t)(h / G) * D;
    float16 kb[KB * DV], vb[KB * DV], qt[QV][W], ot[QV][W], s[KB], largest[QV], total[QV];

    if (i0 == 0 && get_global_id(2) + 1 < get_global_size(2)) {
        prefetch_next(q, bounds, h, H, D);
        if (h % G == 0) {
            prefetch_next(k, key_bounds, h / G, H / G, D);
            prefetch_next(v, key_bounds, h / G, H / G, D);
        }
        prefetch_next(out, bounds, h, H, D);
    }
    for (int i = 0; 16 * i < rows; i++) {
        pack(kb, q + origin + (size_t)(i0 + 16 * i) * C, C, rows - 16 * i, 16, scale);
        to_lanes(qt[i], kb, Q_FACTOR);
        largest[i] = -INFINITY;
        total[i] = 0.0f;
    }
    for (int j0 = FIRST(i0); rows > 0 && j0 < HIGH(i0 + rows - 1); j0 += KB) {
        int keys = min(KB, HIGH(i0 + rows - 1) - j0), packed = (keys + 15) / 16 * 16;

        pack(kb, k + key_origin + (size_t)j0 * CK, CK, keys, packed, 1.0f);
        pack(vb, v + key_origin + (size_t)j0 * CK, CK, keys, packed, 1.0f);
        for (int i = 0; 16 * i < rows; i++) {
            int seen = SEEN(i0 + 16 * i), whole = (seen + 15) / 16 * 16;
            float16 most = largest[i], sum = 0.0f, shrink;

            if (CAUSAL && seen <= 0)
                continue;
            DRAW(words, first + i0 + 16 * i, j0, seen);
            scores(s, 1, kb, qt[i], whole);
#if SOFTCAP
            for (int j = 0; j < whole; j++)
                s[j] = CAPPED(s[j]);
#endif
            HIDE(s, 1, UNSEEN, i0 + 16 * i, whole);
            for (int j = 0; j < whole; j += 4)
                most = larger(most, larger(larger(s[j], s[j + 1]), larger(s[j + 2], s[j + 3])));
            for (int j = 0; j < seen; j++) {
                float16 e = exp2_v16(s[j] - most);

                sum += e;
                s[j] = KEPT(words, j, e);
            }
            shrink = exp2_v16(largest[i] - most);
            largest[i] = most;
            total[i] = total[i] * shrink + sum;
            weigh(ot[i], shrink, j0 == FIRST(i0 + 16 * i), vb, s, 1, seen);
        }
    }
    for (int i = 0; 16 * i < rows; i++) {
        size_t row = (size_t)(first + i0 + 16 * i);
        float16 factor = dropout.scale / total[i], norm = largest[i] + log_v16(total[i]) * LOG2_E;

        for (int d = 0; d < D; d++)
            ot[i][d] *= factor;
        from_lanes(out + origin + (size_t)(i0 + 16 * i) * C, ot[i], rows - 16 * i);
        for (int n = 0; n < min(16, rows - 16 * i); n++)
            lse[(row + n) * H + h] = ((float *)&norm)[n];
    }
}

#endif

#define PIECE (4 * KB)

/* Rows of zeros. */
ONCE void clear(__global float *p, int rows)
{
    for (int j = 0; j < rows; j++)
        for (int u = 0; u < DV; u++)
            store_columns(0.0f, p + (size_t)j * CK, u);
}

/* Of `count` queries, and 16 with the last one again: q and dout packed and in lanes, lse and delta. */
static inline void load_queries(float16 *qb, float16 *gb, float16 *qt, float16 *gt, float16 *norm, float16 *delta,
                                __global const float *q, __global const float *out, __global const float *dout,
                                __global const float *lse, int count, float scale, float q_factor, float dropout_scale)
{
    float16 x[16], ob[16 * DV];

    pack(qb, q, C, count, 16, scale);
    to_lanes(qt, qb, q_factor);
    pack(gb, dout, C, count, 16, dropout_scale);
    to_lanes(gt, gb, 1.0f);
    pack(ob, out, C, count, 16, 1.0f / dropout_scale);
    for (int n = 0; n < 16; n++) {
        x[n] = 0.0f;
        for (int u = 0; u < DV; u++)
            x[n] += ob[n * DV + u] * gb[n * DV + u];
        ((float *)norm)[n] = lse[(size_t)min(n, count - 1) * H];
    }
    transpose(x, x, 1, 1.0f);
    *delta = 0.0f;
    for (int n = 0; n < 16; n++)
        *delta += x[n];
}

/*
 * dq, dk, dv from dout, q, k, v, out and lse. With P = exp(scale q k^T - lse), M the dropout factors, and
 * delta_i = sum_d dout_id out_id:  dV = (P M)^T dO;  dS = P (M (dO V^T) - delta);  dQ = scale dS K;  dK = scale dS^T Q,
 * the sums of dK and dV being over the head's G heads of queries, too. A row of a gradient has one owner, which adds
 * head after head and block after block, so that sums have one order, the same whatever PIECES is.
 */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void attention_backward(__global const float *restrict q, __global const float *restrict k,
                        __global const float *restrict v, __global const float *restrict out,
                        __global const float *restrict lse, __global const float *restrict dout,
                        __global float *restrict dq, __global float *restrict dk, __global float *restrict dv,
                        PARAMETERS)
{
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int head = (int)get_global_id(1), h_first = PIECES == QUERIES ? head : head * G, heads = PIECES == QUERIES ? 1 : G;

    SEQUENCE
    dropout = dropout_rounded(dropout);

    int key_head = h_first / G, i_first = 0, i_end = queries, j_first = 0, j_end = length;
    size_t key_origin = (size_t)key_bounds[0] * CK + (size_t)key_head * D;
    float16 kb[KB * DV], vb[KB * DV], qb[QB * DV], gb[QB * DV], qt[QV][W], gt[QV][W], dqt[QV][W];
    float16 p[KB * QV], ds[KB * QV], norm[QV], delta[QV];

#if PIECES == ALL
    if (get_global_id(2) + 1 < get_global_size(2)) {
        prefetch_next(q, bounds, head, H / G, G * D);
        prefetch_next(k, key_bounds, head, H / G, D);
        prefetch_next(v, key_bounds, head, H / G, D);
        prefetch_next(out, bounds, head, H / G, G * D);
        prefetch_next(dout, bounds, head, H / G, G * D);
        prefetch_next(dq, bounds, head, H / G, G * D);
        prefetch_next(dk, key_bounds, head, H / G, D);
        prefetch_next(dv, key_bounds, head, H / G, D);
    }
#elif PIECES == QUERIES
    i_first = (int)get_global_id(0) * QB;
    i_end = min(queries, i_first + QB);
#else
    j_first = (int)get_global_id(0) * PIECE;
    j_end = min(length, j_first + PIECE);
#endif
    if (PIECES != QUERIES && (queries == 0 || CAUSAL)) { /* keys that nobody sees have gradients of 0 */
        clear(dk + key_origin + (size_t)j_first * CK, j_end - j_first);
        clear(dv + key_origin + (size_t)j_first * CK, j_end - j_first);
    }
    for (int h = h_first; h < h_first + heads; h++)
        for (int i0 = i_first; i0 < i_end; i0 += QB) {
            int rows = min(QB, i_end - i0), j_begin = max(j_first, FIRST(i0)), j_last = min(j_end, HIGH(i0 + rows - 1));
            size_t origin = (size_t)first * C + (size_t)h * D;

            if (CAUSAL && j_begin >= j_last)
                continue;
            for (int i = 0; 16 * i < rows; i++) {
                size_t at = origin + (size_t)(i0 + 16 * i) * C;

                load_queries(qb + 16 * i * DV, gb + 16 * i * DV, qt[i], gt[i], norm + i, delta + i, q + at, out + at,
                             dout + at, lse + (size_t)(first + i0 + 16 * i) * H + h, rows - 16 * i, scale, Q_FACTOR,
                             dropout.scale);
            }
            for (int j0 = j_begin; j0 < j_last; j0 += KB) {
                int keys = min(KB, j_last - j0), packed = (keys + 15) / 16 * 16, from = QV, to = 0;

                pack(kb, k + key_origin + (size_t)j0 * CK, CK, keys, packed, 1.0f);
                pack(vb, v + key_origin + (size_t)j0 * CK, CK, keys, packed, 1.0f);
                for (int i = 0; 16 * i < rows; i++) {
                    int seen = SEEN(i0 + 16 * i), whole = (seen + 15) / 16 * 16;

                    if (CAUSAL && seen <= 0)
                        continue;
                    DRAW(words, first + i0 + 16 * i, j0, seen);
                    from = min(from, i);
                    to = min(16 * i + 16, rows);
                    scores(p + i, QV, kb, qt[i], whole);
                    scores(ds + i, QV, vb, gt[i], whole);
                    for (int j = 0; j < seen; j++) {
                        int n = j * QV + i;
#if SOFTCAP
                        float16 t = tanh_v16(p[n]), e = exp2_v16(t * (softcap * LOG2_E) - norm[i]);
#else
                        float16 e = exp2_v16(p[n] - norm[i]);
#endif

                        p[n] = KEPT(words, j, e);
                        ds[n] = e * (KEPT(words, j, ds[n]) - delta[i]);
#if SOFTCAP
                        ds[n] *= 1.0f - t * t;
#endif
                    }
                    HIDE(p + i, QV, 0.0f, i0 + 16 * i, seen);
                    HIDE(ds + i, QV, 0.0f, i0 + 16 * i, seen);
                    for (int j = seen; CAUSAL && j < keys; j++)
                        p[j * QV + i] = ds[j * QV + i] = 0.0f;
                    if (PIECES != KEYS)
                        weigh(dqt[i], 1.0f, j0 == FIRST(i0 + 16 * i), kb, ds + i, QV, seen);
                }
                if (PIECES != QUERIES) {
                    size_t at = key_origin + (size_t)j0 * CK;
                    bool store = !CAUSAL && i0 == 0 && h == h_first;

                    outer(dv + at, store, p + from, gb + 16 * from * DV, to - 16 * from, keys);
                    outer(dk + at, store, ds + from, qb + 16 * from * DV, to - 16 * from, keys);
                }
            }
            for (int i = 0; PIECES != KEYS && 16 * i < rows; i++) {
                for (int d = 0; d < D; d++)
                    dqt[i][d] *= scale;
                from_lanes(dq + origin + (size_t)(i0 + 16 * i) * C, dqt[i], rows - 16 * i);
            }
        }
}
