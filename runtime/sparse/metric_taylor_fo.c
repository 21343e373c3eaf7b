/*
 * taylor_fo: (W g)^2, the squared first-order change of the loss. Its order is snip's by construction, so the score is |W g|: in
 * fp32 a square would make small products zero and large ones infinite, and ties where there are none.
 */
#include "runtime/sparse/metric.h"

#include <math.h>

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = fabsf(in->weight[i] * in->gradient[i]);
    return 0;
}

const struct sp_metric sp_metric_taylor_fo = {
    .name = "taylor_fo",
    .summary = "the largest squared weight times gradient: snip's mask",
    .cost = "a forward and backward pass over the scoring rows",
    .needs = SP_NEED_WEIGHT | SP_NEED_GRADIENT,
    .score = score,
};
