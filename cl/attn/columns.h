/* For CPUs: a head's D columns in DV whole vectors of 16, and memory that is asked for before it is read. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include "lib/vector.h"

#define DV ((D + 15) / 16)
#define W (16 * DV) /* columns of a packed row: D and zeros */

#define UNROLL _Pragma("unroll")

static inline float16 load_columns(__global const float *row, int u)
{
    return 16 * u + 16 <= D ? load_16(row + 16 * u) : load_tail(row + 16 * u, D - 16 * u);
}

static inline void store_columns(float16 x, __global float *row, int u)
{
    if (16 * u + 16 <= D)
        store_16(x, row + 16 * u);
    else
        store_tail(x, row + 16 * u, D - 16 * u);
}

/* PoCL's prefetch() does nothing. */
#if defined(__x86_64__) || defined(__aarch64__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) prefetch(p, 16)
#endif

#endif
