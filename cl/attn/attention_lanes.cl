// lint: -DD=32 -DH=12 -DDROPOUT=0 -DLANES=64
// lint: -DD=20 -DH=3 -DDROPOUT=1 -DLANES=64
/*
 * attention.cl for GPUs: what the two read, write and draw is the same. A work-item owns a query (forward, and dQ of
 * backward) or a key (dK and dV of backward) and holds its rows in registers; the others come by in tiles in local
 * memory, which all work-items of a group read at the same place at the same time. Every sum has one owner and one
 * order.
 */
#include "lib/dropout.h"
#include "lib/lanes.h"

#define C (H * D)
#define TILE 16 /* rows of a tile: a multiple of 8, what one draw decides */
#define LOG2_E 1.44269504f
#define FOR_D _Pragma("unroll") for (int d = 0; d < D; d++)

/* The group's sequence: its queries' first row and their number, its keys' number, and where both begin. */
#define SEQUENCE                                                                                                       \
    size_t sequence = get_group_id(2);                                                                                 \
    int first = (int)bounds[sequence], queries = (int)bounds[sequence + 1] - first;                                    \
    int length = (int)(key_bounds[sequence + 1] - key_bounds[sequence]);                                               \
    size_t origin = (size_t)first * C + (size_t)h * D;                                                                 \
    size_t key_origin = (size_t)key_bounds[sequence] * C + (size_t)h * D;

/* This work-item's row of the sequence, and the last one for work-items beyond it, whose results are not stored. */
#define OWN_ROW(length) min((int)get_global_id(0), (length) - 1)

/* `rows` rows of x, a row being D numbers of C, by all work-items of the group. */
static inline void load_tile(__local float *tile, __global const float *x, int rows)
{
    for (int e = LANE; e < rows * D; e += LANES)
        tile[e] = x[(size_t)(e / D) * C + e % D];
}

static inline float dot_tile(const float *x, __local const float *row)
{
    float sum = 0.0f;

    FOR_D sum = fma(x[d], row[d], sum);
    return sum;
}

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

/* Grid: (queries, H, sequences), LANES queries a group. */
KERNEL void attention_forward(__global const float *restrict q, __global const float *restrict k,
                              __global const float *restrict v, __global float *restrict out,
                              __global float *restrict lse, __global const uint *restrict bounds,
                              __global const uint *restrict key_bounds, float scale, DROPOUT_PARAMETERS)
{
    __local float kt[TILE * D], vt[TILE * D];
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int h = (int)get_group_id(1);
    SEQUENCE
    int i = OWN_ROW(queries);
    size_t own = origin + (size_t)i * C;
    float x[D], sum[D], s[TILE], largest = -INFINITY, total = 0.0f;
    WORDS(words)

    if ((int)get_group_id(0) * LANES >= queries)
        return;
    dropout = dropout_rounded(dropout);
    FOR_D
    {
        x[d] = q[own + d] * (scale * LOG2_E);
        sum[d] = 0.0f;
    }
    for (int j0 = 0; j0 < length; j0 += TILE) {
        int keys = min(TILE, length - j0);
        float most = largest, shrink;

        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(kt, k + key_origin + (size_t)j0 * C, keys);
        load_tile(vt, v + key_origin + (size_t)j0 * C, keys);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = 0; j < keys; j++) {
            s[j] = dot_tile(x, kt + j * D);
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
            FOR_D sum[d] = fma(e, vt[j * D + d], sum[d]);
        }
    }
    if ((int)get_global_id(0) >= queries)
        return;
    FOR_D out[own + d] = sum[d] / total;
    lse[(size_t)(first + i) * H + h] = largest + log2(total);
}

/* dQ. Grid as forward's. */
KERNEL void attention_backward_query(__global const float *restrict q, __global const float *restrict k,
                                     __global const float *restrict v, __global const float *restrict out,
                                     __global const float *restrict lse, __global const float *restrict dout,
                                     __global float *restrict dq, __global const uint *restrict bounds,
                                     __global const uint *restrict key_bounds, float scale, DROPOUT_PARAMETERS)
{
    __local float kt[TILE * D], vt[TILE * D];
    __local float deltas[LANES]; /* Intel's CPU compiler (2026.22) loses the private sum at the loop's barriers */
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int h = (int)get_group_id(1);
    SEQUENCE
    int i = OWN_ROW(queries);
    size_t own = origin + (size_t)i * C;
    float x[D], g[D], sum[D], norm, delta = 0.0f;
    WORDS(words)

    if ((int)get_group_id(0) * LANES >= queries)
        return;
    dropout = dropout_rounded(dropout);
    norm = lse[(size_t)(first + i) * H + h];
    FOR_D
    {
        x[d] = q[own + d] * (scale * LOG2_E);
        g[d] = dout[own + d];
        delta = fma(g[d], out[own + d], delta);
        sum[d] = 0.0f;
    }
    deltas[LANE] = delta;
    for (int j0 = 0; j0 < length; j0 += TILE) {
        int keys = min(TILE, length - j0);

        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(kt, k + key_origin + (size_t)j0 * C, keys);
        load_tile(vt, v + key_origin + (size_t)j0 * C, keys);
        barrier(CLK_LOCAL_MEM_FENCE);
        delta = deltas[LANE];
        for (int j = 0; j < keys; j++) {
            float e = exp2(dot_tile(x, kt + j * D) - norm);

            DRAW(words, (uint)(first + i) * H + (uint)h, j0 + j)
            e *= FACTOR(words, j) * dot_tile(g, vt + j * D) - delta;
            FOR_D sum[d] = fma(e, kt[j * D + d], sum[d]);
        }
    }
    if ((int)get_global_id(0) < queries)
        FOR_D dq[own + d] = sum[d] * scale;
}

/* dK and dV. Grid: (keys, H, sequences), LANES keys a group. */
KERNEL void attention_backward_key(__global const float *restrict q, __global const float *restrict k,
                                   __global const float *restrict v, __global const float *restrict out,
                                   __global const float *restrict lse, __global const float *restrict dout,
                                   __global float *restrict dk, __global float *restrict dv,
                                   __global const uint *restrict bounds, __global const uint *restrict key_bounds,
                                   float scale, DROPOUT_PARAMETERS)
{
    __local float qt[TILE * D], gt[TILE * D], norm[TILE], delta[TILE];
    struct dropout dropout = DROPOUT_ARGUMENTS;
    int h = (int)get_group_id(1);
    SEQUENCE
    int j = OWN_ROW(length);
    size_t own = key_origin + (size_t)j * C;
    float x[D], y[D], sum_k[D], sum_v[D];

    if ((int)get_group_id(0) * LANES >= length)
        return;
    dropout = dropout_rounded(dropout);
    FOR_D
    {
        x[d] = k[own + d] * (scale * LOG2_E);
        y[d] = v[own + d];
        sum_k[d] = sum_v[d] = 0.0f;
    }
    for (int i0 = 0; i0 < queries; i0 += TILE) {
        int rows = min(TILE, queries - i0);
        size_t tile = origin + (size_t)i0 * C;

        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(qt, q + tile, rows);
        load_tile(gt, dout + tile, rows);
        for (int i = LANE; i < rows; i += LANES) {
            float total = 0.0f;

            for (int d = 0; d < D; d++)
                total = fma(dout[tile + (size_t)i * C + d], out[tile + (size_t)i * C + d], total);
            delta[i] = total;
            norm[i] = lse[(size_t)(first + i0 + i) * H + h];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = 0; i < rows; i++) {
            float e = exp2(dot_tile(x, qt + i * D) - norm[i]), factor = 1.0f;

#if DROPOUT
            factor = key_factor(&dropout, draw(&dropout, (uint)(first + i0 + i) * H + (uint)h, j), j);
#endif
            FOR_D sum_v[d] = fma(e * factor, gt[i * D + d], sum_v[d]);
            e *= factor * dot_tile(y, gt + i * D) - delta[i];
            FOR_D sum_k[d] = fma(e, qt[i * D + d], sum_k[d]);
        }
    }
    if ((int)get_global_id(0) >= length)
        return;
    FOR_D
    {
        dk[own + d] = sum_k[d] * scale;
        dv[own + d] = sum_v[d];
    }
}
