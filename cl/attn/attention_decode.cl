// lint: -DD=64 -DH=9 -DG=3 -DSOFTCAP=0 -DLANES=1
// lint: -DD=20 -DH=7 -DG=7 -DSOFTCAP=1 -DLANES=1
// lint: -DD=250 -DH=8 -DG=2 -DSOFTCAP=1 -DLANES=64
/*
 * Attention of one query a sequence, its last token, over all keys: what attention.cl gives of it, for decoding, where
 * reading keys and values is all that takes time. Each is read once, for all of the G heads that share it, in chunks of
 * CHUNK keys, which give work to many units: attention_decode leaves each chunk's share of every head's output, its
 * largest score and the sum of exponentials to that, and attention_combine puts them together, chunk after chunk.
 * Chunks begin at multiples of CHUNK, so that other sequences do not change sums.
 *
 * Rows, columns, bounds, window and SOFTCAP are attention.cl's. shares is (sequences x chunks x H) rows of SHARE: W
 * columns, that largest score and that sum, scores being base-2 exponents. A sequence without a query has no share.
 */
#include "attn/columns.h"
#include "lib/lanes.h"
#include "lib/math.h"

#define C (H * D)
#define CK (H / G * D)
#define SHARE (W + 2)
#define CHUNK 64 /* keys: a multiple of 16 */
#define LOG2_E 1.44269504f
#define UNSEEN (-1e30f)

#if SOFTCAP
#define Q_FACTOR (1.0f / softcap)
#define CAPPED(s) (tanh_v1(s) * (softcap * LOG2_E))
#else
#define Q_FACTOR LOG2_E
#define CAPPED(s) (s)
#endif

/* Of a sequence: how many keys it has, and where those begin that its query sees. */
#define SEQUENCE(s)                                                                                                    \
    int length = (int)(key_bounds[(s) + 1] - key_bounds[s]), low = max(length - window, 0);                            \
    bool queried = bounds[(s) + 1] != bounds[s];

/* This work-item's or group's chunk: keys begin <= j < end. */
#define CHUNK_OF(s)                                                                                                    \
    int chunk = (int)get_group_id(0), from = (low / CHUNK + chunk) * CHUNK;                                            \
    int begin = max(from, low), end = min(from + CHUNK, length);                                                       \
    size_t origin = (size_t)bounds[s] * C, key_origin = ((size_t)key_bounds[s] + (size_t)begin) * CK;                  \
    __global float *share = shares + ((size_t)(s) * chunks + (size_t)chunk) * H * SHARE;

#if LANES == 1

/* Keys whose products are summed in registers together: a float16 is two registers of AVX, four of NEON. */
#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(__AVX512F__)
#define SUMS 6
#else
#define SUMS 16
#endif
#define TOGETHER (G < SUMS ? SUMS / G : 1)

#define ROWS_AHEAD 8 /* that are asked for: hardware alone gives half the speed here */

static inline float16 larger_v16(float16 a, float16 b)
{
    return a > b ? a : b;
}

static inline float most_v16(float16 x)
{
    float8 a = fmax(x.lo, x.hi);
    float4 b = fmax(a.lo, a.hi);

    return fmax(fmax(b.x, b.z), fmax(b.y, b.w));
}

/* s[h][j] = q_h . k_j of `count` rows k, in their order; up to TOGETHER - 1 more are written, of the last one. */
static inline void scores(float s[H][CHUNK + SUMS], const float16 *x, __global const float *k, int count)
{
    for (int j = 0; j < count; j += TOGETHER)
        for (int n = 0; n < H / G; n++) {
            float16 sum[TOGETHER * G];

            UNROLL for (int m = 0; m < TOGETHER * G; m++) sum[m] = 0.0f;
            for (int u = 0; u < DV; u++) {
                float16 key[TOGETHER];

                UNROLL for (int m = 0; m < TOGETHER; m++) {
                    PREFETCH(k + (size_t)(j + m + ROWS_AHEAD) * CK + n * D + 16 * u);
                    key[m] = load_columns(k + (size_t)min(j + m, count - 1) * CK + n * D, u);
                }
                UNROLL for (int g = 0; g < G; g++)
                    UNROLL for (int m = 0; m < TOGETHER; m++)
                        sum[m * G + g] = fma(x[(n * G + g) * DV + u], key[m], sum[m * G + g]);
            }
            UNROLL for (int g = 0; g < G; g++)
                UNROLL for (int m = 0; m < TOGETHER; m++) s[n * G + g][j + m] = sum_v16(sum[m * G + g]);
        }
}

/* y[h] += sum over `count` rows j of s[h][j] v_j. */
static inline void weigh(float16 *y, float s[H][CHUNK + SUMS], __global const float *v, int count)
{
    for (int j0 = 0; j0 < count; j0 += 16)
        for (int n = 0; n < H / G; n++)
            for (int u = 0; u < DV; u++) {
                float16 sum[G];

                UNROLL for (int g = 0; g < G; g++) sum[g] = y[(n * G + g) * DV + u];
                for (int j = j0; j < min(j0 + 16, count); j++) {
                    float16 value = load_columns(v + (size_t)j * CK + n * D, u);

                    PREFETCH(v + (size_t)(j + 16) * CK + n * D + 16 * u);

                    UNROLL for (int g = 0; g < G; g++)
                        sum[g] = fma((float16)(s[n * G + g][j]), value, sum[g]);
                }
                UNROLL for (int g = 0; g < G; g++) y[(n * G + g) * DV + u] = sum[g];
            }
}

/* Grid: (chunks, 1, sequences): all heads, so that rows are read in their order. */
KERNEL void attention_decode(__global const float *restrict q, __global const float *restrict k,
                             __global const float *restrict v, __global float *restrict shares,
                             __global const uint *restrict bounds, __global const uint *restrict key_bounds,
                             float scale, float softcap, int window, int chunks)
{
    int sequence = (int)get_group_id(2);
    SEQUENCE(sequence)
    CHUNK_OF(sequence)
    float16 x[H * DV], y[H * DV];
    float s[H][CHUNK + SUMS];

    if (!queried || begin >= end)
        return;
    for (int i = 0; i < H * DV; i++) {
        x[i] = load_columns(q + origin + (size_t)(i / DV) * D, i % DV) * (scale * Q_FACTOR);
        y[i] = 0.0f;
    }
    scores(s, x, k + key_origin, end - begin);
    for (int h = 0; h < H; h++) {
        float16 most = UNSEEN, sum = 0.0f;
        float largest;

        for (int j = end - begin; j < CHUNK; j++)
            s[h][j] = UNSEEN;
#if SOFTCAP
        for (int j = 0; j < end - begin; j++)
            s[h][j] = CAPPED(s[h][j]);
#endif
        for (int j = 0; j < CHUNK; j += 16)
            most = larger_v16(most, vload16(0, s[h] + j));
        largest = most_v16(most);
        for (int j = 0; j < CHUNK; j += 16) {
            float16 e = exp2_v16(vload16(0, s[h] + j) - largest);

            sum += e;
            vstore16(e, 0, s[h] + j);
        }
        share[h * SHARE + W] = largest;
        share[h * SHARE + W + 1] = sum_v16(sum);
    }
    weigh(y, s, v + key_origin, end - begin);
    for (int i = 0; i < H * DV; i++)
        store_16(y[i], share + (i / DV) * SHARE + i % DV * 16);
}

#else

#define PARTS 8    /* work-items that share a key's products */
#define TOGETHER 4 /* heads of queries whose products are made together */

/* Grid: (chunks of LANES work-items, H / G, sequences). A chunk that no query sees has no keys, and its share nobody
 * reads: a condition around barriers PoCL may run wrong (SP_AVOID in quirk.def). */
KERNEL void attention_decode(__global const float *restrict q, __global const float *restrict k,
                             __global const float *restrict v, __global float *restrict shares,
                             __global const uint *restrict bounds, __global const uint *restrict key_bounds,
                             float scale, float softcap, int window, int chunks)
{
    __local float x[G * D], products[TOGETHER * CHUNK * PARTS], s[G * CHUNK], scratch[LANES];
    int sequence = (int)get_group_id(2), n = (int)get_group_id(1);
    SEQUENCE(sequence)
    CHUNK_OF(sequence)
    int count = queried ? max(end - begin, 0) : 0;

    key_origin += (size_t)n * D;
    share += n * G * SHARE;
    for (int d = LANE; d < G * D; d += LANES)
        x[d] = count > 0 ? q[origin + (size_t)n * G * D + d] * (scale * Q_FACTOR) : 0.0f;
    for (int g = 0; g < G; g += TOGETHER) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = LANE; e < count * PARTS; e += LANES) {
            __global const float *key = k + key_origin + (size_t)(e / PARTS) * CK;
            float sum[TOGETHER] = { 0.0f };

            for (int d = e % PARTS; d < D; d += PARTS)
                UNROLL for (int m = 0; m < TOGETHER; m++)
                    sum[m] = fma(x[min(g + m, G - 1) * D + d], key[d], sum[m]);
            UNROLL for (int m = 0; m < TOGETHER; m++) products[m * CHUNK * PARTS + e] = sum[m];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = LANE; e < min(TOGETHER, G - g) * CHUNK; e += LANES) {
            float sum = 0.0f;

            for (int p = 0; p < PARTS; p++)
                sum += products[e * PARTS + p];
            s[g * CHUNK + e] = e % CHUNK < count ? CAPPED(sum) : UNSEEN;
        }
    }
    for (int g = 0; g < G; g++) {
        float most = UNSEEN, sum = 0.0f;

        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = LANE; j < CHUNK; j += LANES)
            most = fmax(most, s[g * CHUNK + j]);
        most = LANES_MAX(most, scratch);
        for (int j = LANE; j < CHUNK; j += LANES)
            sum += s[g * CHUNK + j] = exp2(s[g * CHUNK + j] - most);
        sum = LANES_SUM(sum, scratch);
        if (LANE == 0) {
            share[g * SHARE + W] = most;
            share[g * SHARE + W + 1] = sum;
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int d = LANE; d < D; d += LANES) {
        float sum[G];

        UNROLL for (int g = 0; g < G; g++) sum[g] = 0.0f;
        for (int j = 0; j < count; j++) {
            float value = v[key_origin + (size_t)j * CK + d];

            UNROLL for (int g = 0; g < G; g++) sum[g] = fma(s[g * CHUNK + j], value, sum[g]);
        }
        UNROLL for (int g = 0; g < G; g++) share[g * SHARE + d] = sum[g];
    }
}

#endif

/* What a work-item combines of a share's columns: COLUMNS of type F. */
#if LANES == 1
#define COLUMNS DV
#define F float16
#define LOAD(p, i) load_16((p) + 16 * (i))
#define STORE(x, p, i) store_columns(x, p, i)
#else
#define COLUMNS ((W + LANES - 1) / LANES)
#define F float
#define LOAD(p, i) (p)[min(LANE + (i) * LANES, W - 1)]
#define STORE(x, p, i)                                                                                                 \
    if (LANE + (i) * LANES < D)                                                                                        \
    (p)[LANE + (i) * LANES] = (x)
#endif

/* Grid: (LANES, H, sequences). lse as attention.cl's. */
KERNEL void attention_combine(__global const float *restrict shares, __global float *restrict out,
                              __global float *restrict lse, __global const uint *restrict bounds,
                              __global const uint *restrict key_bounds, int window, int chunks)
{
    int sequence = (int)get_group_id(2), h = (int)get_group_id(1);
    SEQUENCE(sequence)
    int count = queried ? (length + CHUNK - 1) / CHUNK - low / CHUNK : 0;
    __global const float *share = shares + ((size_t)sequence * chunks * H + (size_t)h) * SHARE;
    float most = UNSEEN, total = 0.0f;
    F sum[COLUMNS];

    for (int c = 0; c < count; c++)
        most = fmax(most, share[(size_t)c * H * SHARE + W]);
    for (int i = 0; i < COLUMNS; i++)
        sum[i] = 0.0f;
    for (int c = 0; c < count; c++, share += H * SHARE) {
        float weight = exp2_v1(share[W] - most);

        total += weight * share[W + 1];
        for (int i = 0; i < COLUMNS; i++)
            sum[i] += weight * LOAD(share, i);
    }
    for (int i = 0; i < COLUMNS && queried; i++)
        STORE(sum[i] / total, out + (size_t)bounds[sequence] * C + (size_t)h * D, i);
    if (LANE == 0 && queried)
        lse[(size_t)bounds[sequence] * H + h] = most + log_v1(total) * LOG2_E;
}
