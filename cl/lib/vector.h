/* Vectors of 16 floats at the ends of rows whose length is not a multiple of 16. */
#ifndef VECTOR_H
#define VECTOR_H

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

#endif
