/*
 * Scoring (layer 5): the passes over a run's plan that give a metric what it needs of each target, and the scores made
 * of it. SPEFT, section 3: the first scoring_examples rows of an epoch's order, in batches of the training batch size
 * (single rows for squares), dropout off.
 *
 * The first scoring of a run takes the rows in epoch 0's order, the k-th one after it in epoch k's. grasp's second set
 * of rows are those that follow the first in that order, as many, beginning again where the data runs out. synflow
 * reads no rows.
 *
 * Scores are streamed: dense gradients exist for one group of targets at a time, as many as fit sparse.scoring_memory,
 * at least one. grasp is the exception: its Hessian-vector product couples all targets, so that their gradients and
 * weights are kept in host memory. H g is a central difference of mean gradients at W +- e g with e = SP_SALIENCE_STEP
 * |W| / |g| (norms over all targets). Its error is of the order e^2 (the third derivatives) plus fp32's rounding over
 * e: of the small models of the tests, whose loss bends far more than a trained one's, the scores are 9e-5 to 2.2e-4
 * away from double precision's exact ones (Euclidean, relative); a test asserts 5e-4.
 * Where a relu bends the difference steps across, and what that gives is not in H: such models are refused.
 *
 * The weights are those on the device, so that scoring may be repeated in the midst of training; afterwards every
 * parameter has the bits that it had, and no gradient of the caller's is written to. The plan's batch is lost.
 */
#ifndef SP_TRAIN_SALIENCE_H
#define SP_TRAIN_SALIENCE_H

#include "runtime/sparse/metric.h"
#include "runtime/train/run.h"

#include <stddef.h>
#include <stdint.h>

#define SP_SALIENCE_STEP 2e-4
#define SP_SALIENCE_TEMPERATURE 200 /* GraSP's: divides the logits */

/* What to score: parameters of the plan, linear weights all, each of which the plan was compiled to train. */
struct sp_salience {
    const struct sp_metric *metric;
    const size_t *params; /* [count] */
    size_t count;
    uint32_t round; /* 0 for the run's first scoring, then 1, 2, ... */
};

/* Takes target t's scores [out * in], each t once and in order; they are borrowed for the call. */
typedef int sp_salience_take(void *user, size_t t, const float *scores);

/* Scores every target. Scores that are not finite are for `take` to refuse, with SP_ENUMERIC: where that began, in a
 * weight, an activation or a gradient of a batch, is then added to its message. */
int sp_salience_score(struct sp_run *run, const struct sp_salience *what, sp_salience_take *take, void *user);

/* Bytes that it takes on the device. The plan is compiled. */
size_t sp_salience_memory(const struct sp_run *run, const struct sp_salience *what);

/* Rows that one scoring reads, at most those that there are. */
size_t sp_salience_rows(const struct sp_run *run);

/* Their numbers, in the order of the scoring's epoch; behind them those of a metric's second set (grasp's), which makes
 * twice as many. The caller frees them. */
int sp_salience_order(uint32_t **out, size_t *count, const struct sp_run *run, const struct sp_salience *what);

#endif
