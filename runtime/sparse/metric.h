/*
 * Salience metrics (layer 4): which entries of a weight are worth training. "Refining Salience-Aware Sparse Fine-Tuning
 * Strategies for Language Models" (SPEFT, arXiv 2412.13488), table 1, and some beyond. A metric turns what it needs of
 * one tensor into a score for each entry; the largest scores are kept, and only their order counts. A metric is one
 * metric_NAME.c and one line of metric.def; what fills its inputs is runtime/train/salience.h.
 */
#ifndef SP_SPARSE_METRIC_H
#define SP_SPARSE_METRIC_H

#include "runtime/base/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a metric needs to be given. */
enum sp_metric_need {
    SP_NEED_WEIGHT = 1,
    SP_NEED_GRADIENT = 2, /* the mean over the scoring rows */
    SP_NEED_SQUARES = 4,  /* the mean over the examples of the squared gradient of each: batches of one row */
    SP_NEED_INPUTS = 8,   /* the norms of the layer's inputs over the scoring batches; forward passes only */
    SP_NEED_HESSIAN = 16, /* the Hessian times the mean gradient, of the loss on logits / 200 */
    SP_NEED_FLOW = 32,    /* the gradient of synaptic flow: of the linearised model with absolute parameters */
};

#define SP_NEED_LABELS (SP_NEED_GRADIENT | SP_NEED_SQUARES | SP_NEED_HESSIAN)
#define SP_NEED_DATA (SP_NEED_LABELS | SP_NEED_INPUTS)

#define SP_METRIC_GROUP "Sparse training" /* of options, in their listings */

/* Options of single metrics, which these export. */
struct sp_metric_options {
    int grasp_code;      /* grasp: 1 for the sign of the released code instead of the paper's */
    long long lift_rank; /* lift: of the approximation */
};

/* One tensor's inputs, row-major; those that the metric does not need are NULL. */
struct sp_metric_input {
    uint32_t tensor;       /* its number among the targets */
    uint32_t round;        /* how often a mask was made before: 0 for the first */
    uint64_t seed;
    size_t rows, cols, count; /* out, in, out * in */
    const float *weight;   /* [count] */
    /* [count]: the mean gradient, or with SP_NEED_FLOW that of synaptic flow, to a common factor */
    const float *gradient;
    const float *squares;  /* [count] */
    const float *hessian;  /* [count]: H g */
    const float *norms;    /* [cols]: the Euclidean norm of input column j over all tokens of the scoring batches */
    struct sp_metric_options options;
};

struct sp_metric {
    const char *name, *summary;
    const char *cost; /* a phrase */
    struct sp_option_rows options; /* its own, in struct sp_metric_options */
    unsigned needs;   /* of enum sp_metric_need */
    bool zero_is_best; /* no score is above 0: scores of zero are the first to be kept, not missing ones */
    bool cheap;       /* made in less time than a file of them is read: never kept in sparse.score_cache */
    /* Writes [count] scores. Fails with SP_ENOMEM or SP_EINTR only; what is not finite is the caller's to find. */
    int (*score)(float *out, const struct sp_metric_input *input);
};

/* The score of several: |weight * gradient|. */
int sp_metric_score_product(float *out, const struct sp_metric_input *input);

#define SP_METRIC(name) extern const struct sp_metric sp_metric_##name;
#include "runtime/sparse/metric.def"
#undef SP_METRIC

/* Every metric in the order of metric.def; sp_metric_count of them. */
extern const struct sp_metric *const sp_metrics[];
extern const size_t sp_metric_count;

/* The metric of that name, or NULL. */
const struct sp_metric *sp_metric_find(const char *name);

#endif
