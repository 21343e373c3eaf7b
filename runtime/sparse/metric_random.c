/* random: uniform scores, a function of the seed, the tensor and the position alone. */
#include "runtime/base/rng.h"
#include "runtime/sparse/metric.h"

static void score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = (float)(sp_rng_u32(in->seed, SP_RNG_MASK, in->tensor, i) >> 8); /* 24 bits: exact in a float */
}

const struct sp_metric sp_metric_random = {
    .name = "random", .summary = "uniformly random entries: the baseline; costs nothing", .score = score,
};
