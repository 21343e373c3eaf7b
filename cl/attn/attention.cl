// lint: -DD=32 -DH=12 -DKV=4
// lint: -DD=20 -DH=3 -DKV=2 -DDROPOUT=1
/*
 * Scaled dot-product attention over sequences laid end to end, forward and backward, fp32, in blocks of keys: no T x T
 * matrix exists (the online softmax of Milakov and Gimelshein 2018, arXiv 1805.02867, as in FlashAttention).
 *
 * q, k, v and their gradients are (T x C), C = H D; head h owns columns [h D, h D + D). Sequence s owns the rows
 * [bounds[s], bounds[s + 1]) and sees no others. lse and delta are (T x H).
 *
 * For CPUs: one work-item per group. Scores are computed 4 queries x KV vectors of 16 keys at a time, keys in the lanes,
 * from a transposed block of K; products with V, K, Q and dO run with the head's columns in the lanes.
 *
 * Dropout (Philox): the four words of counter ((bounds[s] + i / 4) H + h, step, node, SP_RNG_DROPOUT | j << 8) decide for
 * queries i .. i + 3 and key j, i and j counted from the sequence's start; forward and backward draw the same words.
 */
#include "lib/math.h"
#include "lib/philox.h"
#include "lib/vector.h"

#define C (H * D)
#define DV ((D + 15) / 16)
#define KB (16 * KV) /* keys in a block */
#define QB 4         /* queries in a block: the four words of a Philox block */
#define RNG_DROPOUT 4u

/* Row p of D floats as DV vectors, zero beyond D. */
static inline void load_row(float16 x[DV], __global const float *p)
{
    for (int v = 0; v < DV; v++)
        x[v] = 16 * v + 16 <= D ? vload16(v, p) : load_tail(p + 16 * v, D - 16 * v);
}

static inline void store_row(const float16 x[DV], __global float *p)
{
    for (int v = 0; v < DV; v++)
        if (16 * v + 16 <= D)
            vstore16(x[v], v, p);
        else
            store_tail(x[v], p + 16 * v, D - 16 * v);
}

/* t[d][j] = x[j][d] for the `count` (at most KB) rows at x; zero for the rest. */
static inline void transpose_block(float t[D][KB], __global const float *x, int count)
{
    for (int j = 0; j < KB; j++)
        for (int d = 0; d < D; d++)
            t[d][j] = j < count ? x[(size_t)j * C + d] : 0.0f;
}

/* s[i][v] = sum_d x[i][d] t[d][16 v ..]; rows i at or beyond `rows` repeat the last one and are ignored by the caller. */
static inline void scores(float16 s[QB][KV], __global const float *x, int rows, float t[D][KB])
{
    __global const float *row[QB];

    for (int i = 0; i < QB; i++) {
        row[i] = x + (size_t)min(i, rows - 1) * C;
        for (int v = 0; v < KV; v++)
            s[i][v] = (float16)(0.0f);
    }
    for (int d = 0; d < D; d++) {
        float16 y[KV];

        _Pragma("unroll") for (int v = 0; v < KV; v++) y[v] = vload16(v, t[d]);
        _Pragma("unroll") for (int i = 0; i < QB; i++)
            _Pragma("unroll") for (int v = 0; v < KV; v++) s[i][v] = fma((float16)(row[i][d]), y[v], s[i][v]);
    }
}

#ifdef DROPOUT
/* keep[i][v]: 0 or 1 / (1 - p) for queries i0 .. i0 + 3 and keys j0 + 16 v ... `base` is bounds[s] + i0 / 4. */
static inline void dropout_block(float16 keep[QB][KV], int base, int h, int j0, uint step, uint node, uint2 seed,
                                 uint threshold, float scale)
{
    const uint16 lane = (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    for (int v = 0; v < KV; v++) {
        uint16 c0 = (uint16)((uint)base * H + (uint)h), c1 = (uint16)(step), c2 = (uint16)(node);
        uint16 c3 = ((uint16)((uint)j0 + 16u * (uint)v) + lane) << 8 | RNG_DROPOUT;

        philox4x32_16(&c0, &c1, &c2, &c3, seed.x, seed.y);
        keep[0][v] = select((float16)(0.0f), (float16)(scale), c0 >= threshold);
        keep[1][v] = select((float16)(0.0f), (float16)(scale), c1 >= threshold);
        keep[2][v] = select((float16)(0.0f), (float16)(scale), c2 >= threshold);
        keep[3][v] = select((float16)(0.0f), (float16)(scale), c3 >= threshold);
    }
}
#endif

/* All ones in the lanes of keys that exist: j0 + lane < count. */
static inline int16 key_exists(int v, int count)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    return lane + 16 * v < count;
}

static inline float max_lanes(float16 x)
{
    float8 a = fmax(x.lo, x.hi);
    float4 b = fmax(a.lo, a.hi);
    float2 c = fmax(b.lo, b.hi);

    return fmax(c.x, c.y);
}

static inline float sum_lanes(float16 x)
{
    float8 a = x.lo + x.hi;
    float4 b = a.lo + a.hi;
    float2 c = b.lo + b.hi;

    return c.x + c.y;
}

/*
 * out = dropout(softmax(scale q k^T)) v and lse[t][h] = log sum_j exp(scale q_t k_j).
 * Grid: (sequences, H, blocks of CHUNK queries); work-items beyond a sequence's end have nothing to do.
 */
#define CHUNK 64

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void attention_forward(__global const float *restrict q, __global const float *restrict k,
                       __global const float *restrict v, __global float *restrict out, __global float *restrict lse,
                       __global const uint *restrict bounds, float scale, uint threshold, float keep_scale, uint seed0,
                       uint seed1, uint step, uint node)
{
    int first = (int)bounds[get_global_id(0)], length = (int)bounds[get_global_id(0) + 1] - first;
    int h = (int)get_global_id(1), from = (int)get_global_id(2) * CHUNK, to = min(from + CHUNK, length);
    size_t origin = (size_t)first * C + (size_t)h * D;
    float t[D][KB], largest[CHUNK], total[CHUNK], p[QB][KB];

    for (int j0 = 0; from < to && j0 < length; j0 += KB) {
        int keys = min(KB, length - j0);

        transpose_block(t, k + origin + (size_t)j0 * C, keys);
        for (int i0 = from; i0 < to; i0 += QB) {
            int rows = min(QB, to - i0);
            float16 s[QB][KV], o[QB][DV];
#ifdef DROPOUT
            float16 keep[QB][KV];

            dropout_block(keep, first + i0 / QB, h, j0, step, node, (uint2)(seed0, seed1), threshold, keep_scale);
#endif
            scores(s, q + origin + (size_t)i0 * C, rows, t);
            for (int i = 0; i < QB; i++) {
                int c = i0 - from + min(i, rows - 1);
                float16 m = (float16)(-INFINITY), sum = (float16)(0.0f);
                float before = j0 ? largest[c] : -INFINITY, now, shrink;

                for (int u = 0; u < KV; u++) {
                    s[i][u] = select((float16)(-INFINITY), s[i][u] * scale, key_exists(u, keys));
                    m = fmax(m, s[i][u]);
                }
                now = fmax(before, max_lanes(m));
                shrink = j0 ? exp_v1(before - now) : 0.0f;
                for (int u = 0; u < KV; u++) {
                    float16 e = select((float16)(0.0f), exp_v16(s[i][u] - now), key_exists(u, keys));

                    sum += e;
#ifdef DROPOUT
                    e *= keep[i][u];
#endif
                    vstore16(e, u, p[i]);
                }
                if (i < rows) {
                    largest[c] = now;
                    total[c] = (j0 ? total[c] * shrink : 0.0f) + sum_lanes(sum);
                }
                for (int u = 0; u < DV; u++)
                    o[i][u] = (float16)(0.0f);
                if (j0 && i < rows) {
                    load_row(o[i], out + origin + (size_t)(i0 + i) * C);
                    for (int u = 0; u < DV; u++)
                        o[i][u] *= shrink;
                }
            }
            for (int j = 0; j < keys; j++) {
                float16 y[DV];

                load_row(y, v + origin + (size_t)(j0 + j) * C);
                _Pragma("unroll") for (int i = 0; i < QB; i++)
                    _Pragma("unroll") for (int u = 0; u < DV; u++) o[i][u] = fma((float16)(p[i][j]), y[u], o[i][u]);
            }
            for (int i = 0; i < rows; i++) {
                if (j0 + KB >= length) {
                    float sum = total[i0 - from + i];

                    for (int u = 0; u < DV; u++)
                        o[i][u] /= sum;
                    lse[(size_t)(first + i0 + i) * H + h] = largest[i0 - from + i] + log(sum);
                }
                store_row(o[i], out + origin + (size_t)(i0 + i) * C);
            }
        }
    }
}

/*
 * dq, dk, dv from dout, q, k, v, out and lse. With P = exp(scale q k^T - lse), M the dropout factors, and
 * delta_i = sum_d dout_id out_id:  dV = (P M)^T dO;  dS = P (M (dO V^T) - delta);  dQ = scale dS K;  dK = scale dS^T Q.
 * Grid: (sequences, H). A work-item owns its sequence's and head's rows of all three, so sums have one fixed order.
 * delta is scratch (T x H).
 */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void attention_backward(__global const float *restrict q, __global const float *restrict k,
                        __global const float *restrict v, __global const float *restrict out,
                        __global const float *restrict lse, __global const float *restrict dout,
                        __global float *restrict dq, __global float *restrict dk, __global float *restrict dv,
                        __global float *restrict delta, __global const uint *restrict bounds, float scale,
                        uint threshold, float keep_scale, uint seed0, uint seed1, uint step, uint node)
{
    int first = (int)bounds[get_global_id(0)], length = (int)bounds[get_global_id(0) + 1] - first;
    int h = (int)get_global_id(1);
    size_t origin = (size_t)first * C + (size_t)h * D;
    float kt[D][KB], vt[D][KB], p[QB][KB], ds[QB][KB];
    float16 sum_k[KB][DV], sum_v[KB][DV];

    for (int i = 0; i < length; i++) {
        float16 sum = (float16)(0.0f), x[DV], y[DV];

        load_row(x, dout + origin + (size_t)i * C);
        load_row(y, out + origin + (size_t)i * C);
        for (int u = 0; u < DV; u++)
            sum = fma(x[u], y[u], sum);
        delta[(size_t)(first + i) * H + h] = sum_lanes(sum);
    }
    for (int j0 = 0; j0 < length; j0 += KB) {
        int keys = min(KB, length - j0);

        transpose_block(kt, k + origin + (size_t)j0 * C, keys);
        transpose_block(vt, v + origin + (size_t)j0 * C, keys);
        for (int j = 0; j < KB; j++)
            for (int u = 0; u < DV; u++)
                sum_k[j][u] = sum_v[j][u] = (float16)(0.0f);
        for (int i0 = 0; i0 < length; i0 += QB) {
            int rows = min(QB, length - i0);
            size_t at = origin + (size_t)i0 * C;
            float16 s[QB][KV], dp[QB][KV], x[QB][DV], y[QB][DV], sum_q[QB][DV];
#ifdef DROPOUT
            float16 keep[QB][KV];

            dropout_block(keep, first + i0 / QB, h, j0, step, node, (uint2)(seed0, seed1), threshold, keep_scale);
#endif
            scores(s, q + at, rows, kt);
            scores(dp, dout + at, rows, vt);
            for (int i = 0; i < QB; i++) {
                size_t row = (size_t)(first + i0 + min(i, rows - 1)) * H + h;

                for (int u = 0; u < KV; u++) {
                    float16 e = exp_v16(s[i][u] * scale - lse[row]), d = dp[i][u], kept = e;

                    e = select((float16)(0.0f), e, key_exists(u, i < rows ? keys : 0));
                    kept = e;
#ifdef DROPOUT
                    kept *= keep[i][u];
                    d *= keep[i][u];
#endif
                    vstore16(kept, u, p[i]);
                    vstore16(e * (d - delta[row]) * scale, u, ds[i]);
                }
                load_row(x[i], dout + at + (size_t)min(i, rows - 1) * C);
                load_row(y[i], q + at + (size_t)min(i, rows - 1) * C);
                for (int u = 0; u < DV; u++)
                    sum_q[i][u] = (float16)(0.0f);
                if (j0 && i < rows)
                    load_row(sum_q[i], dq + at + (size_t)i * C);
            }
            for (int j = 0; j < keys; j++) {
                float16 z[DV];

                load_row(z, k + origin + (size_t)(j0 + j) * C);
                _Pragma("unroll") for (int u = 0; u < DV; u++)
                    _Pragma("unroll") for (int i = 0; i < QB; i++)
                    {
                        sum_v[j][u] = fma((float16)(p[i][j]), x[i][u], sum_v[j][u]);
                        sum_k[j][u] = fma((float16)(ds[i][j]), y[i][u], sum_k[j][u]);
                        sum_q[i][u] = fma((float16)(ds[i][j]), z[u], sum_q[i][u]);
                    }
            }
            for (int i = 0; i < rows; i++)
                store_row(sum_q[i], dq + at + (size_t)i * C);
        }
        for (int j = 0; j < keys; j++) {
            store_row(sum_k[j], dk + origin + (size_t)(j0 + j) * C);
            store_row(sum_v[j], dv + origin + (size_t)(j0 + j) * C);
        }
    }
}
