/* gradient: |g|, the mean over the scoring batches of the batch's mean gradient. SPEFT's recommended metric. */
#include "runtime/sparse/metric.h"

#include <math.h>

static void score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = fabsf(in->gradient[i]);
}

const struct sp_metric sp_metric_gradient = {
    .name = "gradient",
    .summary = "the largest mean gradients; costs a forward and backward pass over the scoring examples",
    .needs_gradient = true,
    .score = score,
};
