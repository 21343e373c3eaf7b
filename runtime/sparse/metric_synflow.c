/* synflow: |W dR/dW| of the linearised model with absolute parameters (SynFlow, arXiv 2006.05467). The gradient comes
 * with a factor of its own choosing, the same for all tensors, so that deep models' products stay inside fp32's range:
 * only the order counts. */
#include "runtime/sparse/metric.h"

const struct sp_metric sp_metric_synflow = {
    .name = "synflow",
    .summary = "the largest synaptic flow: no layer is cut off; needs no data",
    .cost = "a pass of one token, and every parameter rewritten twice",
    .needs = SP_NEED_WEIGHT | SP_NEED_FLOW,
    .score = sp_metric_score_product,
};
