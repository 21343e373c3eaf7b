/* grad_weight_ratio: |g / W|; of a weight of zero the largest number there is, or 0 where g is 0 too. */
#include "runtime/sparse/metric.h"

#include <float.h>
#include <math.h>

/* Only what two finite numbers give is clipped: the rest must be seen by whoever looks for it. */
static float ratio(float gradient, float weight)
{
    if (!isfinite(gradient) || !isfinite(weight))
        return NAN;
    return gradient == 0 ? 0 : fminf(fabsf(gradient / weight), FLT_MAX);
}

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = ratio(in->gradient[i], in->weight[i]);
    return 0;
}

const struct sp_metric sp_metric_grad_weight_ratio = {
    .name = "grad_weight_ratio",
    .summary = "the largest gradient relative to the weight",
    .cost = "a forward and backward pass over the scoring rows",
    .needs = SP_NEED_WEIGHT | SP_NEED_GRADIENT,
    .score = score,
};
