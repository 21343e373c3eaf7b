/* gradient: |g|. SPEFT's recommended metric. */
#include "runtime/sparse/metric.h"

#include <math.h>

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = fabsf(in->gradient[i]);
    return 0;
}

const struct sp_metric sp_metric_gradient = {
    .name = "gradient",
    .summary = "the largest mean gradients; SPEFT recommends it",
    .cost = "a forward and backward pass over the scoring rows",
    .needs = SP_NEED_GRADIENT,
    .score = score,
};
