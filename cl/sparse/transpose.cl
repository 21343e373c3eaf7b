// lint: -DLANES=1
// lint: -DLANES=64
/*
 * out[c * stride + t] = in[t * C + c], and zeros for T <= t < stride. CPUs: TILE tokens a work-item, 16 x 16 numbers at a time
 * in registers; GPUs: 32 x 32 through local memory.
 */
#include "lib/lanes.h"

#if LANES == 1

#define TOKENS 64

#define ZIP_LOW(a, b)                                                                                                  \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define ZIP_HIGH(a, b)                                                                                                 \
    (float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)

/* Zips rows i and i + 8: rotates the bits of (row, column) by one; four times transposes. */
static inline void zip(float16 *out, const float16 *in)
{
#pragma unroll
    for (int i = 0; i < 8; i++) {
        out[2 * i] = ZIP_LOW(in[i], in[i + 8]);
        out[2 * i + 1] = ZIP_HIGH(in[i], in[i + 8]);
    }
}

KERNEL void transpose(__global float *out, __global const float *in, int T, int C, int stride)
{
    int first = get_group_id(0) * TOKENS, last = min(first + TOKENS, stride);
    int c = 0;

    for (; c + 16 <= C; c += 16) {
        for (int t = first; t < last; t += 16) {
            float16 a[16], b[16];

            if (t + 16 <= T) {
#pragma unroll
                for (int i = 0; i < 16; i++)
                    a[i] = vload16(0, in + (size_t)(t + i) * C + c);
            } else {
#pragma unroll
                for (int i = 0; i < 16; i++)
                    a[i] = t + i < T ? vload16(0, in + (size_t)(t + i) * C + c) : (float16)(0.0f);
            }
            zip(b, a);
            zip(a, b);
            zip(b, a);
            zip(a, b);
#pragma unroll
            for (int i = 0; i < 16; i++)
                vstore16(a[i], 0, out + (size_t)(c + i) * stride + t);
        }
    }
    for (; c < C; c++)
        for (int t = first; t < last; t++)
            out[(size_t)c * stride + t] = t < T ? in[(size_t)t * C + c] : 0.0f;
}

#else

#define TILE 32

KERNEL void transpose(__global float *out, __global const float *in, int T, int C, int stride)
{
    __local float tile[TILE][TILE + 1];
    int t0 = get_group_id(0) * TILE, c0 = get_group_id(1) * TILE;

    for (int i = LANE; i < TILE * TILE; i += LANES) {
        int t = t0 + i / TILE, c = c0 + i % TILE;

        tile[i / TILE][i % TILE] = t < T && c < C ? in[(size_t)t * C + c] : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = LANE; i < TILE * TILE; i += LANES) {
        int t = t0 + i % TILE, c = c0 + i / TILE;

        if (t < stride && c < C)
            out[(size_t)c * stride + t] = tile[i % TILE][i / TILE];
    }
}

#endif
