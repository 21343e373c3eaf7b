// lint: -DLANES=1
// lint: -DLANES=64
/*
 * out[p][c][i] = in[p * 64 + i][c]: panels of 64 tokens, zeros past T. A panel is written while it lies in the cache,
 * and a column's tokens are contiguous. CPUs: a panel a work-item, 16 x 16 numbers at a time in registers; GPUs: 64 x
 * 16 through local memory.
 */
#include "lib/lanes.h"
#include "lib/vector.h"

#define PANEL 64

#if LANES == 1

KERNEL void transpose(__global float *out, __global const float *in, int T, int C)
{
    int first = get_group_id(0) * PANEL, count = min(PANEL, T - first), c = 0;

    in += (size_t)first * C;
    out += (size_t)first * C;
    for (; c + 16 <= C; c += 16) {
        for (int t = 0; t < PANEL; t += 16) {
            float16 a[16];

#pragma unroll
            for (int i = 0; i < 16; i++)
                a[i] = t + i < count ? vload16(0, in + (size_t)(t + i) * C + c) : (float16)(0.0f);
            transpose_16(a);
#pragma unroll
            for (int i = 0; i < 16; i++)
                vstore16(a[i], 0, out + (c + i) * PANEL + t);
        }
    }
    for (; c < C; c++)
        for (int t = 0; t < PANEL; t++)
            out[c * PANEL + t] = t < count ? in[(size_t)t * C + c] : 0.0f;
}

#else

#define COLUMNS 16

KERNEL void transpose(__global float *out, __global const float *in, int T, int C)
{
    __local float tile[PANEL][COLUMNS + 1];
    int first = get_group_id(0) * PANEL, low = get_group_id(1) * COLUMNS;

    for (int i = LANE; i < PANEL * COLUMNS; i += LANES) {
        int t = first + i / COLUMNS, c = low + i % COLUMNS;

        tile[i / COLUMNS][i % COLUMNS] = t < T && c < C ? in[(size_t)t * C + c] : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = LANE; i < PANEL * COLUMNS; i += LANES)
        if (low + i / PANEL < C)
            out[(size_t)first * C + (low + i / PANEL) * PANEL + i % PANEL] = tile[i % PANEL][i / PANEL];
}

#endif
