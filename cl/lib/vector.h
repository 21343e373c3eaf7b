/* Vectors of 16 floats: anywhere in memory, at the ends of rows whose length is not a multiple of 16, and
 * transposed. */
#ifndef VECTOR_H
#define VECTOR_H

/* vload16 and vstore16 in one instruction: PoCL's are made of halves. */
typedef float16 unaligned_float16 __attribute__((aligned(4)));

static inline float16 load_16(__global const float *p)
{
    return *(__global const unaligned_float16 *)p;
}

static inline void store_16(float16 x, __global float *p)
{
    *(__global unaligned_float16 *)p = x;
}

/* The first `count` (at least 0) floats at p, zero in the other lanes; nothing beyond them is read. */
static inline float16 load_tail(__global const float *p, int count)
{
    float t[16];

    for (int i = 0; i < 16; i++)
        t[i] = i < count ? p[i] : 0.0f;
    return vload16(0, t);
}

/* Stores the first `count` lanes only. */
static inline void store_tail(float16 x, __global float *p, int count)
{
    float t[16];

    vstore16(x, 0, t);
    for (int i = 0; i < 16 && i < count; i++)
        p[i] = t[i];
}

#define VECTOR_ZIP_LOW(a, b)                                                                                           \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define VECTOR_ZIP_HIGH(a, b)                                                                                          \
    (float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)

/* Zips rows i and i + 8, which rotates the bits of (row, column) by one: four times transposes. */
static inline void vector_zip(float16 *out, const float16 *in)
{
#pragma unroll
    for (int i = 0; i < 8; i++) {
        out[2 * i] = VECTOR_ZIP_LOW(in[i], in[i + 8]);
        out[2 * i + 1] = VECTOR_ZIP_HIGH(in[i], in[i + 8]);
    }
}

/* x[i] lane j becomes x[j] lane i. */
static inline void transpose_16(float16 x[16])
{
    float16 y[16];

    vector_zip(y, x);
    vector_zip(x, y);
    vector_zip(y, x);
    vector_zip(x, y);
}

#endif
