/*
 * Salience metrics (layer 4): which entries of a weight are worth training. "Refining Salience-Aware Sparse Fine-Tuning
 * Strategies for Language Models" (SPEFT, arXiv 2412.13488), table 1. A metric turns one tensor's weight and mean gradient
 * into a score for each entry; the largest scores are kept. A metric is one metric_NAME.c and one line of metric.def.
 */
#ifndef SP_SPARSE_METRIC_H
#define SP_SPARSE_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One tensor's inputs; those that the metric does not need are NULL. */
struct sp_metric_input {
    uint32_t tensor;       /* its number among the targets */
    uint64_t seed;
    const float *weight;   /* [count] */
    const float *gradient; /* [count]: the mean over the scoring batches of the batch's mean gradient */
    size_t count;
};

struct sp_metric {
    const char *name, *summary;
    bool needs_weight, needs_gradient;
    void (*score)(float *out, const struct sp_metric_input *input);
};

#define SP_METRIC(name) extern const struct sp_metric sp_metric_##name;
#include "runtime/sparse/metric.def"
#undef SP_METRIC

/* Every metric in the order of metric.def; sp_metric_count of them. */
extern const struct sp_metric *const sp_metrics[];
extern const size_t sp_metric_count;

/* The metric of that name, or NULL. */
const struct sp_metric *sp_metric_find(const char *name);

#endif
