// lint: -DLANES=1 -DBLOCK=64 -DACCUMULATE=1
// lint: -DLANES=64 -DBLOCK=1 -DACCUMULATE=0
/*
 * gradient[k] = scale * (row row_k of dY^T) . (row column_k of X^T), rows of `stride` tokens that end in zeros. CPUs: BLOCK
 * entries a work-item, whatever rows they lie in; tokens in chunks whose part of X^T stays in the second-level cache, the
 * entries' partial sums in vectors meanwhile. GPUs: a work-group an entry.
 */
#include "lib/lanes.h"

#if ACCUMULATE
#define PUT(k, x) (gradient[k] += (x))
#else
#define PUT(k, x) (gradient[k] = (x))
#endif

/* The row that entry k lies in: the last r with row_starts[r] <= k, as empty rows have no entry. */
static inline int row_of(__global const uint *row_starts, int rows, uint k)
{
    int low = 0, high = rows;

    while (high - low > 1) {
        int middle = (low + high) / 2;

        if (row_starts[middle] <= k)
            low = middle;
        else
            high = middle;
    }
    return low;
}

#if LANES == 1

#define TOKENS 256

KERNEL void sddmm(__global float *gradient, __global const float *dyt, __global const float *xt,
                  __global const uint *positions, __global const uint *row_starts, int stride, int in, int out, uint K,
                  float scale)
{
    uint first = get_group_id(0) * BLOCK, last = min(first + BLOCK, K);
    int first_row = row_of(row_starts, out, first);
    float16 sums[BLOCK];

    for (int i = 0; i < BLOCK; i++)
        sums[i] = 0.0f;
    for (int start = 0; start < stride; start += TOKENS) {
        int end = min(start + TOKENS, stride), row = first_row;
        __global const float *dy = dyt + (size_t)row * stride;

        for (uint k = first; k < last; k++) {
            while (k >= row_starts[row + 1]) {
                row++;
                dy += stride;
            }

            __global const float *x = xt + (size_t)(positions[k] - (uint)row * in) * stride;
            float16 a = sums[k - first], b = 0.0f, c = 0.0f, d = 0.0f;
            int t = start;

            for (; t + 64 <= end; t += 64) {
                a += vload16(0, dy + t) * vload16(0, x + t);
                b += vload16(0, dy + t + 16) * vload16(0, x + t + 16);
                c += vload16(0, dy + t + 32) * vload16(0, x + t + 32);
                d += vload16(0, dy + t + 48) * vload16(0, x + t + 48);
            }
            for (; t < end; t += 16)
                a += vload16(0, dy + t) * vload16(0, x + t);
            sums[k - first] = (a + b) + (c + d);
        }
    }
    for (uint k = first; k < last; k++)
        PUT(k, scale * sum_v16(sums[k - first]));
}

#else

KERNEL void sddmm(__global float *gradient, __global const float *dyt, __global const float *xt,
                  __global const uint *positions, __global const uint *row_starts, int stride, int in, int out, uint K,
                  float scale)
{
    __local float scratch[LANES];
    uint k = get_group_id(0);
    int row = row_of(row_starts, out, k);
    __global const float *dy = dyt + (size_t)row * stride;
    __global const float *x = xt + (size_t)(positions[k] - (uint)row * in) * stride;
    float sum = 0.0f;

    for (int t = LANE; t < stride; t += LANES)
        sum += dy[t] * x[t];
    sum = LANES_SUM(sum, scratch);
    if (LANE == 0 && k < K)
        PUT(k, scale * sum);
}

#endif
