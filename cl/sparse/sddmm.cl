// lint: -DLANES=1 -DBLOCK=512 -DACCUMULATE=1
// lint: -DLANES=64 -DACCUMULATE=0
/*
 * gradient[k] = scale * sum over tokens of dY[token][row_k] * X[token][column_k]; dY and X come in panels of 64 tokens
 * (transpose.cl). CPUs: `share` entries a work-item (at most BLOCK), whatever rows they lie in; panels in groups that
 * stay in the second-level cache, the entries' partial sums in vectors meanwhile. GPUs: a work-group an entry.
 */
#include "lib/lanes.h"

#define PANEL 64

#if ACCUMULATE
#define PUT(k, x) (gradient[k] += (x))
#else
#define PUT(k, x) (gradient[k] = (x))
#endif

/* The row that entry k lies in: the last r with row_starts[r] <= k, as empty rows have no entry. */
static inline uint row_of(__global const uint *row_starts, uint rows, uint k)
{
    uint low = 0, high = rows;

    while (high - low > 1) {
        uint middle = (low + high) / 2;

        if (row_starts[middle] <= k)
            low = middle;
        else
            high = middle;
    }
    return low;
}

#if LANES == 1

#define TOGETHER 4u /* panels of a group */

KERNEL void sddmm(__global float *gradient, __global const float *dy, __global const float *x,
                  __global const uint *positions, __global const uint *row_starts, uint panels, uint in, uint out,
                  uint K, float scale, uint share)
{
    uint first = get_group_id(0) * share, count = min(share, K - first);
    uint row_of_entry[BLOCK], column_of_entry[BLOCK];
    float16 sums[BLOCK];

    gradient += first;
    for (uint k = 0; k < count; k++) {
        row_of_entry[k] = row_of(row_starts, out, first + k);
        column_of_entry[k] = positions[first + k] - row_of_entry[k] * in;
        sums[k] = 0.0f;
    }
    for (uint group = 0; group < panels; group += TOGETHER) {
        uint together = min(TOGETHER, panels - group);
        __global const float *dy_group = dy + (size_t)group * PANEL * out, *x_group = x + (size_t)group * PANEL * in;

        for (uint k = 0; k < count; k++) {
            __global const float *a = dy_group + row_of_entry[k] * PANEL, *b = x_group + column_of_entry[k] * PANEL;
            float16 s0 = sums[k], s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;

            for (uint i = 0; i < together; i++) {
                s0 += vload16(0, a) * vload16(0, b);
                s1 += vload16(1, a) * vload16(1, b);
                s2 += vload16(2, a) * vload16(2, b);
                s3 += vload16(3, a) * vload16(3, b);
                a += (size_t)PANEL * out;
                b += (size_t)PANEL * in;
            }
            sums[k] = (s0 + s1) + (s2 + s3);
        }
    }
    for (uint k = 0; k < count; k++)
        PUT(k, scale * sum_v16(sums[k]));
}

#else

KERNEL void sddmm(__global float *gradient, __global const float *dy, __global const float *x,
                  __global const uint *positions, __global const uint *row_starts, uint panels, uint in, uint out,
                  uint K, float scale, uint share)
{
    __local float scratch[LANES];
    uint k = get_group_id(0);
    uint row = row_of(row_starts, out, k), column = positions[k] - row * in;
    float sum = 0.0f;

    for (uint t = LANE; t < panels * PANEL; t += LANES) {
        size_t panel = t / PANEL, i = t % PANEL;

        sum += dy[(panel * out + row) * PANEL + i] * x[(panel * in + column) * PANEL + i];
    }
    sum = LANES_SUM(sum, scratch);
    if (LANE == 0)
        PUT(k, scale * sum);
}

#endif
