/* magnitude: |W|. */
#include "runtime/sparse/metric.h"

#include <math.h>

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = fabsf(in->weight[i]);
    return 0;
}

const struct sp_metric sp_metric_magnitude = {
    .name = "magnitude",
    .summary = "the largest weights",
    .cost = "reads the weights",
    .needs = SP_NEED_WEIGHT,
    .cheap = true, .score = score,
};
