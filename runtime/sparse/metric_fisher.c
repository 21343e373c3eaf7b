/* fisher: the mean over examples of g_example^2, the diagonal of the empirical Fisher information. */
#include "runtime/sparse/metric.h"

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = in->squares[i];
    return 0;
}

const struct sp_metric sp_metric_fisher = {
    .name = "fisher",
    .summary = "the largest mean squared gradient of single rows",
    .cost = "a forward and backward pass of each scoring row by itself",
    .needs = SP_NEED_SQUARES,
    .score = score,
};
