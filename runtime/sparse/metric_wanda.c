/* wanda: |W_ij| |x_j|, x_j the layer's input column over all tokens (Wanda, arXiv 2306.11695). */
#include "runtime/sparse/metric.h"

#include <math.h>

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = fabsf(in->weight[i]) * in->norms[i % in->cols];
    return 0;
}

const struct sp_metric sp_metric_wanda = {
    .name = "wanda",
    .summary = "the largest weights times the norm of their input; needs no labels",
    .cost = "a forward pass over the scoring rows",
    .needs = SP_NEED_WEIGHT | SP_NEED_INPUTS,
    .score = score,
};
