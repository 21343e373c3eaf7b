// lint: -DD=32 -DH=12 -DG=1 -DCAUSAL=0 -DSOFTCAP=0 -DDROPOUT=0 -DLANES=64 -DPARTS=1
// lint: -DD=20 -DH=3 -DG=3 -DCAUSAL=1 -DSOFTCAP=0 -DDROPOUT=1 -DLANES=64 -DPARTS=1
// lint: -DD=250 -DH=8 -DG=2 -DCAUSAL=1 -DSOFTCAP=1 -DDROPOUT=0 -DLANES=64 -DPARTS=4
/*
 * attention.cl for GPUs: what the two read, write and draw is the same. A row of queries (forward, and dQ of backward)
 * or keys (dK and dV of backward) belongs to a work-item, which holds it in registers, or, where it would be too long
 * for them, to PARTS work-items, of which each has every PARTSth column; the others come by in tiles in local memory,
 * which all work-items of a group read at the same place at the same time. Every sum has one owner and one order.
 */
#include "lib/dropout.h"
#include "lib/lanes.h"

#define C (H * D)
#define CK (H / G * D)
#define TILE (D > 128 ? 8 : 16) /* rows of a tile: a multiple of 8, what one draw decides */
#define OWN (LANES / PARTS)     /* rows of a group */
#define DP ((D + PARTS - 1) / PARTS)
#define W (DP * PARTS)          /* columns of a tile: D and zeros */
#define LOG2_E 1.44269504f
#if defined(__x86_64__) || defined(__aarch64__) /* whose compilers are slow at it, and in tests alone see this form */
#define FOR_D for (int d = 0; d < DP; d++)
#else
#define FOR_D _Pragma("unroll") for (int d = 0; d < DP; d++)
#endif
#define COLUMN(d) ((d) * PARTS + part)
#define HAS(d) (D % PARTS == 0 || COLUMN(d) < D)

#define PARAMETERS                                                                                                     \
    __global const uint *restrict bounds, __global const uint *restrict key_bounds, float scale, float softcap,        \
        int window, DROPOUT_PARAMETERS

/* The group's sequence: its queries' first row and their number, its keys' number, and where they begin; the
 * work-item's part of a row; the row that the group begins with. */
#define SEQUENCE                                                                                                       \
    size_t sequence = get_group_id(2);                                                                                 \
    int first = (int)bounds[sequence], queries = (int)bounds[sequence + 1] - first;                                    \
    int length = (int)(key_bounds[sequence + 1] - key_bounds[sequence]);                                              \
    int part = LANE / OWN, row = LANE % OWN, group = (int)get_group_id(0) * OWN;                                       \
    size_t key_origin = (size_t)key_bounds[sequence] * CK + (size_t)key_head * D;

/* Query i sees keys LOW(i) <= j < HIGH(i). */
#define AHEAD (length - queries) /* keys before the first query's last */
#if CAUSAL
#define LOW(i) max((i) + AHEAD - window + 1, 0)
#define HIGH(i) min((i) + AHEAD + 1, length)
#define SEES(i, j) ((j) <= (i) + AHEAD && (j) > (i) + AHEAD - window)
#else
#define LOW(i) 0
#define HIGH(i) length
#define SEES(i, j) true
#endif
#define UNSEEN (-1e30f) /* a score's exponential is 0 then, where any other is seen */

/* As in attention.cl. */
#if SOFTCAP
#define Q_FACTOR (1.0f / softcap)
#define CAPPED(s) (tanh(s) * (softcap * LOG2_E))
#define SLOPE(s) (1.0f - tanh(s) * tanh(s))
#else
#define Q_FACTOR LOG2_E
#define CAPPED(s) (s)
#define SLOPE(s) 1.0f
#endif

/* `rows` rows of x, a row being D numbers of `columns`, by all work-items of the group. */
static inline void load_tile(__local float *tile, __global const float *x, int columns, int rows)
{
    for (int e = LANE; e < rows * W; e += LANES)
        tile[e] = e % W < D ? x[(size_t)(e / W) * columns + e % W] : 0.0f;
}

/* The work-item's part of a row's product with row j of a tile. */
static inline float dot_part(const float *x, __local const float *tile, int part, int j)
{
    float sum = 0.0f;

    FOR_D sum = fma(x[d], tile[j * W + COLUMN(d)], sum);
    return sum;
}

/* DOTS makes them for `rows` rows of a tile, DOT is one of them: the whole product. */
#if PARTS > 1
#define DOTS_SCRATCH(name) __local float name[TILE * LANES];
#define DOTS(name, x, tile, rows)                                                                                      \
    for (int r = 0; r < rows; r++)                                                                                     \
        name[r * LANES + LANE] = dot_part(x, tile, part, r);
#define DOTS_MADE barrier(CLK_LOCAL_MEM_FENCE);
#define DOT(name, x, tile, r) sum_parts(name + (r) * LANES, row)

static inline float sum_parts(__local const float *parts, int row)
{
    float sum = parts[row];

    for (int p = 1; p < PARTS; p++)
        sum += parts[p * OWN + row];
    return sum;
}
#else
#define DOTS_SCRATCH(name)
#define DOTS(name, x, tile, rows)
#define DOTS_MADE
#define DOT(name, x, tile, r) dot_part(x, tile, part, r)
#endif

#if DROPOUT
/* The factor of key j: w are the words of its eight keys and its query. */
static inline float key_factor(const struct dropout *d, uint4 w, int j)
{
    uint2 pair = j & 2 ? w.hi : w.lo;
    uint word = j & 1 ? pair.y : pair.x;

    return (j & 4 ? word << 16 : word) < d->threshold ? 0.0f : d->scale;
}

static inline uint4 draw(const struct dropout *d, uint c0, int j)
{
    return philox4x32((uint4)(c0, d->step, d->node, (uint)j / 8 << 8 | DROPOUT_STREAM), d->k0, d->k1);
}

/* Of the query whose counter starts with c0: the words of the eight keys from j on, when j begins eight. */
#define WORDS(words) uint4 words = 0;
#define DRAW(words, c0, j)                                                                                             \
    if ((j) % 8 == 0)                                                                                                  \
        words = draw(&dropout, c0, j);
#define FACTOR(words, j) key_factor(&dropout, words, j)
#else
#define WORDS(words)
#define DRAW(words, c0, j)
#define FACTOR(words, j) 1.0f
#endif

/* Grid: (queries, H, sequences), OWN queries a group. */
KERNEL void attention_forward(__global const float *restrict q, __global const float *restrict k,
                              __global const float *restrict v, __global float *restrict out,
                              __global float *restrict lse, PARAMETERS)
{
    __local float kt[TILE * W], vt[TILE * W];
    DOTS_SCRATCH(products)
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int h = (int)get_group_id(1), key_head = h / G;
    SEQUENCE
    int i = min(group + row, queries - 1); /* beyond the last query its own again, which is not stored */
    size_t own = (size_t)(first + i) * C + (size_t)h * D;
    float x[DP], sum[DP], s[TILE], largest = -INFINITY, total = 0.0f;
    WORDS(words)

    if (group >= queries)
        return;
    dropout = dropout_rounded(dropout);
    FOR_D
    {
        x[d] = HAS(d) ? q[own + COLUMN(d)] * (scale * Q_FACTOR) : 0.0f;
        sum[d] = 0.0f;
    }
    int end = HIGH(min(group + OWN, queries) - 1);

    for (int j0 = LOW(group) / TILE * TILE; j0 < end; j0 += TILE) {
        int keys = min(TILE, end - j0);
        float most = largest, shrink;

        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(kt, k + key_origin + (size_t)j0 * CK, CK, keys);
        load_tile(vt, v + key_origin + (size_t)j0 * CK, CK, keys);
        barrier(CLK_LOCAL_MEM_FENCE);
        DOTS(products, x, kt, keys)
        DOTS_MADE
        for (int j = 0; j < keys; j++) {
            s[j] = DOT(products, x, kt, j);
            s[j] = SEES(i, j0 + j) ? CAPPED(s[j]) : UNSEEN;
            most = s[j] > most ? s[j] : most;
        }
        shrink = exp2(largest - most);
        largest = most;
        total *= shrink;
        FOR_D sum[d] *= shrink;
        for (int j = 0; j < keys; j++) {
            float e = exp2(s[j] - most);

            DRAW(words, (uint)(first + i) * H + (uint)h, j0 + j)
            total += e;
            e *= FACTOR(words, j);
            FOR_D sum[d] = fma(e, vt[j * W + COLUMN(d)], sum[d]);
        }
    }
    if (group + row >= queries)
        return;
    FOR_D
        if (HAS(d))
            out[own + COLUMN(d)] = sum[d] / total;
    if (part == 0)
        lse[(size_t)(first + i) * H + h] = largest + log2(total);
}

/* dQ. Grid as forward's. */
KERNEL void attention_backward_query(__global const float *restrict q, __global const float *restrict k,
                                     __global const float *restrict v, __global const float *restrict out,
                                     __global const float *restrict lse, __global const float *restrict dout,
                                     __global float *restrict dq, PARAMETERS)
{
    __local float kt[TILE * W], vt[TILE * W];
    __local float deltas[LANES], norms[LANES]; /* Intel's CPU compiler (2026.22) loses private ones at barriers */
    DOTS_SCRATCH(products)
    DOTS_SCRATCH(gradients)
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int h = (int)get_group_id(1), key_head = h / G;
    SEQUENCE
    int i = min(group + row, queries - 1);
    size_t own = (size_t)(first + i) * C + (size_t)h * D;
    float x[DP], g[DP], sum[DP], delta = 0.0f;
    WORDS(words)

    if (group >= queries)
        return;
    dropout = dropout_rounded(dropout);
    norms[LANE] = lse[(size_t)(first + i) * H + h];
    FOR_D
    {
        x[d] = HAS(d) ? q[own + COLUMN(d)] * (scale * Q_FACTOR) : 0.0f;
        g[d] = HAS(d) ? dout[own + COLUMN(d)] : 0.0f;
        delta = fma(g[d], HAS(d) ? out[own + COLUMN(d)] : 0.0f, delta);
        sum[d] = 0.0f;
    }
    deltas[LANE] = delta;
    int end = HIGH(min(group + OWN, queries) - 1);

    for (int j0 = LOW(group) / TILE * TILE; j0 < end; j0 += TILE) {
        int keys = min(TILE, end - j0);

        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(kt, k + key_origin + (size_t)j0 * CK, CK, keys);
        load_tile(vt, v + key_origin + (size_t)j0 * CK, CK, keys);
        barrier(CLK_LOCAL_MEM_FENCE);
        DOTS(products, x, kt, keys)
        DOTS(gradients, g, vt, keys)
        DOTS_MADE
        delta = deltas[row];
        for (int p = 1; p < PARTS; p++)
            delta += deltas[p * OWN + row];
        for (int j = 0; j < keys; j++) {
            float s = DOT(products, x, kt, j);
            float e = SEES(i, j0 + j) ? exp2(CAPPED(s) - norms[LANE]) * SLOPE(s) : 0.0f;

            DRAW(words, (uint)(first + i) * H + (uint)h, j0 + j)
            e *= FACTOR(words, j) * DOT(gradients, g, vt, j) - delta;
            FOR_D sum[d] = fma(e, kt[j * W + COLUMN(d)], sum[d]);
        }
    }
    if (group + row < queries)
        FOR_D
            if (HAS(d))
                dq[own + COLUMN(d)] = sum[d] * scale;
}

/* dK and dV, head after head of the G that share them. Grid: (keys, H / G, sequences), OWN keys a group. */
KERNEL void attention_backward_key(__global const float *restrict q, __global const float *restrict k,
                                   __global const float *restrict v, __global const float *restrict out,
                                   __global const float *restrict lse, __global const float *restrict dout,
                                   __global float *restrict dk, __global float *restrict dv, PARAMETERS)
{
    __local float qt[TILE * W], gt[TILE * W], norm[TILE], delta[TILE];
    DOTS_SCRATCH(products)
    DOTS_SCRATCH(gradients)
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int key_head = (int)get_group_id(1);
    SEQUENCE
    int j = min(group + row, length - 1);
    size_t own = key_origin + (size_t)j * CK;
    float x[DP], y[DP], sum_k[DP], sum_v[DP];

    if (group >= length)
        return;
    dropout = dropout_rounded(dropout);
    FOR_D
    {
        x[d] = HAS(d) ? k[own + COLUMN(d)] * (scale * Q_FACTOR) : 0.0f;
        y[d] = HAS(d) ? v[own + COLUMN(d)] : 0.0f;
        sum_k[d] = sum_v[d] = 0.0f;
    }
    /* The queries that see any of the group's keys. */
    int begin = 0, end = queries;
#if CAUSAL
    begin = max(group - AHEAD, 0);
    if (window <= length) /* as far as the sum may go */
        end = min(end, min(group + OWN, length) - 1 - AHEAD + window);
#endif

    for (int h = key_head * G; h < key_head * G + G; h++)
        for (int i0 = begin; i0 < end; i0 += TILE) {
            int rows = min(TILE, end - i0);
            size_t tile = (size_t)(first + i0) * C + (size_t)h * D;

            barrier(CLK_LOCAL_MEM_FENCE);
            load_tile(qt, q + tile, C, rows);
            load_tile(gt, dout + tile, C, rows);
            for (int i = LANE; i < rows; i += LANES) {
                float total = 0.0f;

                for (int d = 0; d < D; d++)
                    total = fma(dout[tile + (size_t)i * C + d], out[tile + (size_t)i * C + d], total);
                delta[i] = total;
                norm[i] = lse[(size_t)(first + i0 + i) * H + h];
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            DOTS(products, x, qt, rows)
            DOTS(gradients, y, gt, rows)
            DOTS_MADE
            for (int i = 0; i < rows; i++) {
                float s = DOT(products, x, qt, i), factor = 1.0f;
                float e = SEES(i0 + i, j) ? exp2(CAPPED(s) - norm[i]) : 0.0f;

#if DROPOUT
                factor = key_factor(&dropout, draw(&dropout, (uint)(first + i0 + i) * H + (uint)h, j), j);
#endif
                FOR_D sum_v[d] = fma(e * factor, gt[i * W + COLUMN(d)], sum_v[d]);
                e *= (factor * DOT(gradients, y, gt, i) - delta[i]) * SLOPE(s);
                FOR_D sum_k[d] = fma(e, qt[i * W + COLUMN(d)], sum_k[d]);
            }
        }
    if (group + row >= length)
        return;
    FOR_D
        if (HAS(d)) {
            dk[own + COLUMN(d)] = sum_k[d] * scale;
            dv[own + COLUMN(d)] = sum_v[d];
        }
}
