/*
 * Philox4x32-10 (Salmon et al., SC 2011), the same function as runtime/base/rng.c. Dropout draws the word of element e
 * of node n in step s from counter (e / 4, s, n, SP_RNG_DROPOUT), word e % 4, under the run's seed: no state, no order.
 */
#ifndef PHILOX_H
#define PHILOX_H

/* One block: four 32-bit words from a 128-bit counter under a 64-bit key. */
static inline uint4 philox4x32(uint4 c, uint k0, uint k1)
{
    for (int round = 0; round < 10; round++) {
        uint h0 = mul_hi(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
        uint h1 = mul_hi(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;

        c = (uint4)(h1 ^ c.y ^ k0, l1, h0 ^ c.w ^ k1, l0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

/* A round of eight blocks in the low halves of ulong8s, where a CPU has a whole product in one instruction. The high
 * halves do not matter, and are left as anything. */
#define PHILOX_ROUND(a, b, c, d, k0, k1)                                                                               \
    {                                                                                                                  \
        ulong8 p0 = (a & 0xFFFFFFFFul) * 0xD2511F53ul, p1 = (c & 0xFFFFFFFFul) * 0xCD9E8D57ul;                         \
        a = p1 >> 32 ^ b ^ (ulong)(k0), b = p1, c = p0 >> 32 ^ d ^ (ulong)(k1), d = p0;                                \
    }

static inline void philox4x32_8(ulong8 *c0, ulong8 *c1, ulong8 *c2, ulong8 *c3, uint k0, uint k1)
{
    ulong8 a = *c0, b = *c1, c = *c2, d = *c3;

#pragma unroll
    for (int round = 0; round < 10; round++) {
        PHILOX_ROUND(a, b, c, d, k0, k1)
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    *c0 = a, *c1 = b, *c2 = c, *c3 = d;
}

/* Sixteen blocks at once, in the lanes of uint16s: the counter's words in, four words a lane out. The rounds of even
 * and odd lanes alternate, for each alone waits on its products. */
static inline void philox4x32_16(uint16 *c0, uint16 *c1, uint16 *c2, uint16 *c3, uint k0, uint k1)
{
    ulong8 a = as_ulong8(*c0), b = as_ulong8(*c1), c = as_ulong8(*c2), d = as_ulong8(*c3);
    ulong8 e = a >> 32, f = b >> 32, g = c >> 32, h = d >> 32;

#pragma unroll
    for (int round = 0; round < 10; round++) {
        PHILOX_ROUND(a, b, c, d, k0, k1)
        PHILOX_ROUND(e, f, g, h, k0, k1)
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    *c0 = as_uint16((a & 0xFFFFFFFFul) | e << 32);
    *c1 = as_uint16((b & 0xFFFFFFFFul) | f << 32);
    *c2 = as_uint16((c & 0xFFFFFFFFul) | g << 32);
    *c3 = as_uint16((d & 0xFFFFFFFFul) | h << 32);
}

#endif
