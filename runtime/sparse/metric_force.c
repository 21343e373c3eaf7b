/* force: -W g with its sign (FORCE, arXiv 2006.09081). */
#include "runtime/sparse/metric.h"

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = -in->weight[i] * in->gradient[i];
    return 0;
}

const struct sp_metric sp_metric_force = {
    .name = "force",
    .summary = "minus weight times gradient, signed",
    .cost = "a forward and backward pass over the scoring rows",
    .needs = SP_NEED_WEIGHT | SP_NEED_GRADIENT,
    .score = score,
};
