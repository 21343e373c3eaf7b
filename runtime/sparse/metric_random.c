/* random: uniform scores, a function of the seed, the round, the tensor and the position alone. */
#include "runtime/base/rng.h"
#include "runtime/sparse/metric.h"

static int score(float *out, const struct sp_metric_input *in)
{
    uint64_t seed = in->seed ^ (uint64_t)in->round << 32;
    uint32_t words[1024];

    for (size_t first = 0, n; first < in->count; first += n) {
        n = in->count - first < 1024 ? in->count - first : 1024;
        sp_rng_fill_u32(words, n, seed, SP_RNG_MASK, in->tensor, first);
        for (size_t i = 0; i < n; i++)
            out[first + i] = (float)(words[i] >> 8); /* 24 bits: exact in a float */
    }
    return 0;
}

const struct sp_metric sp_metric_random = {
    .name = "random",
    .summary = "uniformly random entries: the baseline",
    .cost = "nothing",
    .cheap = true,
    .score = score,
};
