/* magnitude: |W|. */
#include "runtime/sparse/metric.h"

#include <math.h>

static void score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = fabsf(in->weight[i]);
}

const struct sp_metric sp_metric_magnitude = {
    .name = "magnitude", .summary = "the largest weights; needs no data", .needs_weight = true, .score = score,
};
