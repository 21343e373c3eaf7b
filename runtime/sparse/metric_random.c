/* random: uniform scores, a function of the seed, the round, the tensor and the position alone. */
#include "runtime/base/rng.h"
#include "runtime/sparse/metric.h"

static int score(float *out, const struct sp_metric_input *in)
{
    uint64_t seed = in->seed ^ (uint64_t)in->round << 32;

    for (size_t i = 0; i < in->count; i++)
        out[i] = (float)(sp_rng_u32(seed, SP_RNG_MASK, in->tensor, i) >> 8); /* 24 bits: exact in a float */
    return 0;
}

const struct sp_metric sp_metric_random = {
    .name = "random",
    .summary = "uniformly random entries: the baseline",
    .cost = "nothing",
    .cheap = true,
    .score = score,
};
