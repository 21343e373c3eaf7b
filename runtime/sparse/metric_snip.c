/* snip: |W g|, the change of the loss when the entry is removed, to first order (SNIP, arXiv 1810.02340). */
#include "runtime/sparse/metric.h"

const struct sp_metric sp_metric_snip = {
    .name = "snip",
    .summary = "the largest weight times gradient",
    .cost = "a forward and backward pass over the scoring rows",
    .needs = SP_NEED_WEIGHT | SP_NEED_GRADIENT,
    .score = sp_metric_score_product,
};
