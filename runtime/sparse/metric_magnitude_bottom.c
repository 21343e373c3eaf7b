/* magnitude_bottom: -|W|, the smallest weights first. */
#include "runtime/sparse/metric.h"

#include <math.h>

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = -fabsf(in->weight[i]);
    return 0;
}

const struct sp_metric sp_metric_magnitude_bottom = {
    .name = "magnitude_bottom",
    .summary = "the smallest weights",
    .cost = "reads the weights",
    .needs = SP_NEED_WEIGHT,
    .zero_is_best = true, .cheap = true, .score = score,
};
