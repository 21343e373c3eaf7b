/*
 * Counter-based random numbers (layer 0): Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011. A number is a pure function of (seed, stream, counter), so there is no state to save and no order to
 * keep. The same function in OpenCL C is cl/lib/philox.h; a test holds the two together.
 */
#ifndef SP_BASE_RNG_H
#define SP_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Streams of one seed that must not overlap. */
enum sp_rng_stream { SP_RNG_SHUFFLE = 1, SP_RNG_INIT, SP_RNG_MASK, SP_RNG_DROPOUT, SP_RNG_SKETCH, SP_RNG_SAMPLE };

/* The block cipher itself: four words from a 128-bit counter under a 64-bit key. */
void sp_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* 32 and 64 random bits: element `index` of sub-stream `sub` of `stream`. */
uint32_t sp_rng_u32(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index);
/* The 32 bits of elements first .. first + count - 1, in half the time. */
void sp_rng_fill_u32(uint32_t *out, size_t count, uint64_t seed, enum sp_rng_stream stream, uint32_t sub,
                     uint64_t first);
uint64_t sp_rng_u64(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index);

/* Uniform in (0, 1), and standard normal (Box-Muller). */
double sp_rng_uniform(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index);
double sp_rng_normal(uint64_t seed, enum sp_rng_stream stream, uint32_t sub, uint64_t index);

/* A uniform random permutation of 0 .. count-1 (Fisher-Yates). */
void sp_rng_permutation(uint32_t *out, size_t count, uint64_t seed, enum sp_rng_stream stream, uint32_t sub);

#endif
