/*
 * Dropout factors: 0 or 1 / (1 - p) for each element, from philox.h. Kernels take DROPOUT_PARAMETERS
 * (runtime/op/dropout.h fills them) and are compiled with -DDROPOUT=0 or 1.
 */
#ifndef DROPOUT_H
#define DROPOUT_H

#include "lib/philox.h"

#define DROPOUT_STREAM 4 /* SP_RNG_DROPOUT */

struct dropout {
    uint threshold; /* p * 2^32: a smaller word drops its element */
    float scale;
    uint k0, k1, step, node;
};

#define DROPOUT_PARAMETERS                                                                                             \
    uint dropout_threshold, float dropout_scale, ulong dropout_seed, uint dropout_step, uint dropout_node
#define DROPOUT_ARGUMENTS                                                                                              \
    {                                                                                                                  \
        dropout_threshold, dropout_scale, (uint)dropout_seed, (uint)(dropout_seed >> 32), dropout_step, dropout_node   \
    }

/* For kernels that decide with the upper 16 bits of a word: p is rounded down to a multiple of 2^-16. */
static inline struct dropout dropout_rounded(struct dropout d)
{
    d.threshold &= 0xFFFF0000u;
    d.scale = 1.0f / (1.0f - (float)(d.threshold >> 16) * 0x1p-16f);
    return d;
}

/* The factor of element e. */
static inline float dropout_factor(const struct dropout *d, uint e)
{
    uint4 w = philox4x32((uint4)(e / 4, d->step, d->node, DROPOUT_STREAM), d->k0, d->k1);
    uint2 pair = e & 2 ? w.hi : w.lo;

    return (e & 1 ? pair.y : pair.x) < d->threshold ? 0.0f : d->scale;
}

#define DROPOUT_STORE(block, i, j, k, l)                                                                               \
    words = as_uint16((ulong8)(low.s##i, high.s##i, low.s##j, high.s##j, low.s##k, high.s##k, low.s##l, high.s##l));   \
    vstore16(words < d->threshold ? (float16)(0.0f) : (float16)(d->scale), block, out)

/* Factors of the 32 elements from e on, a multiple of 4. */
static inline void dropout_factors_32(float *out, const struct dropout *d, uint e)
{
    ulong8 w0 = (ulong)(e / 4) + (ulong8)(0, 1, 2, 3, 4, 5, 6, 7);
    ulong8 w1 = d->step, w2 = d->node, w3 = DROPOUT_STREAM, low, high;
    uint16 words;

    philox4x32_8(&w0, &w1, &w2, &w3, d->k0, d->k1);
    low = (w0 & 0xFFFFFFFFul) | w1 << 32; /* words 0 and 1, words 2 and 3 of each block */
    high = (w2 & 0xFFFFFFFFul) | w3 << 32;
    DROPOUT_STORE(0, 0, 1, 2, 3);
    DROPOUT_STORE(1, 4, 5, 6, 7);
}

/* Factors of `count` elements from e on: returns where the first lies in `out`, of count + 35 places. */
static inline int dropout_factors(float *out, const struct dropout *d, uint e, int count)
{
    int shift = e & 3;

    for (int i = 0; i < count + shift; i += 32)
        dropout_factors_32(out + i, d, e - shift + i);
    return shift;
}

/*
 * In a kernel that walks rows of C columns c from element `base` on, with a `struct dropout dropout`: DROPOUT_ROW goes
 * before the walk, and DROPPED(V, x) is x with column c's factor.
 */
#if !DROPOUT
#define DROPOUT_ROW
#define DROPPED(V, x) (x)
#elif LANES == 1
#define DROPOUT_ROW                                                                                                    \
    float factors[C + 35];                                                                                             \
    int shift = dropout_factors(factors, &dropout, base, C);
#define DROPPED(V, x) ((x) * load_##V(factors, shift + c))
#else
#define DROPOUT_ROW
#define DROPPED(V, x) ((x) * dropout_factor(&dropout, base + c))
#endif

#endif
