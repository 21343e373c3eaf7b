/*
 * Dropout factors: 0 or 1 / (1 - p) for each element, from philox.h. Kernels take DROPOUT_PARAMETERS (runtime/op/dropout.h
 * fills them) and are compiled with -DDROPOUT=0 or 1.
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

#define DROPOUT_PARAMETERS uint dropout_threshold, float dropout_scale, ulong dropout_seed, uint dropout_step, uint dropout_node
#define DROPOUT_ARGUMENTS                                                                                              \
    {                                                                                                                  \
        dropout_threshold, dropout_scale, (uint)dropout_seed, (uint)(dropout_seed >> 32), dropout_step, dropout_node   \
    }

/* The factor of element e. */
static inline float dropout_factor(const struct dropout *d, uint e)
{
    uint4 w = philox4x32((uint4)(e / 4, d->step, d->node, DROPOUT_STREAM), d->k0, d->k1);
    uint2 pair = e & 2 ? w.hi : w.lo;

    return (e & 1 ? pair.y : pair.x) < d->threshold ? 0.0f : d->scale;
}

#define DROPOUT_INTERLEAVED(n0, n1, n2, n3)                                                                            \
    (uint16)(w0.s##n0, w1.s##n0, w2.s##n0, w3.s##n0, w0.s##n1, w1.s##n1, w2.s##n1, w3.s##n1, w0.s##n2, w1.s##n2,       \
             w2.s##n2, w3.s##n2, w0.s##n3, w1.s##n3, w2.s##n3, w3.s##n3)
#define DROPOUT_STORE(block, words)                                                                                    \
    vstore16((words) < d->threshold ? (float16)(0.0f) : (float16)(d->scale), block, out)

/* Factors of the 64 elements from e on, a multiple of 4. */
static inline void dropout_factors_64(float *out, const struct dropout *d, uint e)
{
    uint16 w0 = e / 4 + (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    uint16 w1 = d->step, w2 = d->node, w3 = DROPOUT_STREAM;

    philox4x32_16(&w0, &w1, &w2, &w3, d->k0, d->k1);
    DROPOUT_STORE(0, DROPOUT_INTERLEAVED(0, 1, 2, 3));
    DROPOUT_STORE(1, DROPOUT_INTERLEAVED(4, 5, 6, 7));
    DROPOUT_STORE(2, DROPOUT_INTERLEAVED(8, 9, a, b));
    DROPOUT_STORE(3, DROPOUT_INTERLEAVED(c, d, e, f));
}

/* Factors of `count` elements from e on: returns where the first lies in `out`, of count + 67 places. */
static inline int dropout_factors(float *out, const struct dropout *d, uint e, int count)
{
    int shift = e & 3;

    for (int i = 0; i < count + shift; i += 64)
        dropout_factors_64(out + i, d, e - shift + i);
    return shift;
}

/*
 * In a kernel that walks rows of C columns c from element `base` on, with a `struct dropout dropout`: DROPOUT_ROW goes before
 * the walk, and DROPPED(V, x) is x with column c's factor.
 */
#if !DROPOUT
#define DROPOUT_ROW
#define DROPPED(V, x) (x)
#elif LANES == 1
#define DROPOUT_ROW                                                                                                    \
    float factors[C + 67];                                                                                             \
    int shift = dropout_factors(factors, &dropout, base, C);
#define DROPPED(V, x) ((x) * load_##V(factors, shift + c))
#else
#define DROPOUT_ROW
#define DROPPED(V, x) ((x) * dropout_factor(&dropout, base + c))
#endif

#endif
