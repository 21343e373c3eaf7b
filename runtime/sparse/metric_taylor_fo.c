/*
 * taylor_fo: (W g)^2, the squared first-order change of the loss. Its order is snip's by construction, so the score is
 * |W g|: in fp32 a square would make small products zero and large ones infinite, and ties where there are none.
 */
#include "runtime/sparse/metric.h"

const struct sp_metric sp_metric_taylor_fo = {
    .name = "taylor_fo",
    .summary = "the largest squared weight times gradient: snip's mask",
    .cost = "a forward and backward pass over the scoring rows",
    .needs = SP_NEED_WEIGHT | SP_NEED_GRADIENT,
    .score = sp_metric_score_product,
};
