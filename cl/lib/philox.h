/*
 * Philox4x32-10 (Salmon et al., SC 2011), the same function as runtime/base/rng.c. Dropout draws the word of element e of
 * node n in step s from counter (e / 4, s, n, SP_RNG_DROPOUT), word e % 4, under the run's seed: no state, no order.
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

/* Sixteen blocks at once, in the lanes of uint16s: the counter's words in, four words a lane out. */
static inline void philox4x32_16(uint16 *c0, uint16 *c1, uint16 *c2, uint16 *c3, uint k0, uint k1)
{
    uint16 a = *c0, b = *c1, c = *c2, d = *c3;

    for (int round = 0; round < 10; round++) {
        uint16 h0 = mul_hi((uint16)(0xD2511F53u), a), l0 = 0xD2511F53u * a;
        uint16 h1 = mul_hi((uint16)(0xCD9E8D57u), c), l1 = 0xCD9E8D57u * c;

        a = h1 ^ b ^ k0, b = l1, c = h0 ^ d ^ k1, d = l0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    *c0 = a, *c1 = b, *c2 = c, *c3 = d;
}

#endif
