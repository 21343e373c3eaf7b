#include "runtime/base/rng.h"

#include <math.h>

void sp_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;

        c0 = n0, c1 = (uint32_t)p1, c2 = n2, c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static void block(uint32_t out[4], uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index)
{
    const uint32_t counter[4] = { (uint32_t)index, (uint32_t)(index >> 32), sub, (uint32_t)stream };
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };

    sp_philox(out, counter, key);
}

uint32_t sp_rng_u32(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index)
{
    uint32_t words[4];

    block(words, seed, stream, sub, index);
    return words[0];
}

/* As many counters side by side as compilers make vectors of. */
enum { LANES = 8 };

void sp_rng_fill_u32(uint32_t *out, size_t count, uint64_t seed, enum sp_rng_stream stream, uint32_t sub,
                     uint64_t first)
{
    size_t done = 0;

    for (; done + LANES <= count; done += LANES) {
        uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

        for (size_t l = 0; l < LANES; l++) {
            c0[l] = (uint32_t)(first + done + l), c1[l] = (uint32_t)((first + done + l) >> 32);
            c2[l] = sub, c3[l] = (uint32_t)stream;
        }
        for (int round = 0; round < 10; round++) {
            for (int l = 0; l < LANES; l++) {
                uint64_t p0 = (uint64_t)0xD2511F53u * c0[l], p1 = (uint64_t)0xCD9E8D57u * c2[l];

                c0[l] = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0, c1[l] = (uint32_t)p1;
                c2[l] = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1, c3[l] = (uint32_t)p0;
            }
            k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
        }
        for (int l = 0; l < LANES; l++)
            out[done + (size_t)l] = c0[l];
    }
    for (; done < count; done++)
        out[done] = sp_rng_u32(seed, stream, sub, first + done);
}

uint64_t sp_rng_u64(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index)
{
    uint32_t words[4];

    block(words, seed, stream, sub, index);
    return (uint64_t)words[1] << 32 | words[0];
}

static double unit(uint32_t low, uint32_t high)
{
    uint64_t bits = ((uint64_t)high << 32 | low) >> 12;

    return ((double)bits + 0.5) * 0x1p-52;
}

double sp_rng_uniform(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index)
{
    uint32_t words[4];

    block(words, seed, stream, sub, index);
    return unit(words[0], words[1]);
}

double sp_rng_normal(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index)
{
    uint32_t words[4];

    block(words, seed, stream, sub, index);
    return sqrt(-2.0 * log(unit(words[0], words[1]))) * cos(6.283185307179586477 * unit(words[2], words[3]));
}

void sp_rng_permutation(uint32_t *out, size_t count, uint64_t seed, enum sp_rng_stream stream, uint32_t sub)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (uint32_t)i;
    for (size_t i = count; i-- > 1;) {
        /* the bias of 64 bits modulo i + 1 is below 2^-32 */
        size_t j = (size_t)(sp_rng_u64(seed, stream, sub, i) % (i + 1));
        uint32_t swap = out[i];

        out[i] = out[j];
        out[j] = swap;
    }
}
