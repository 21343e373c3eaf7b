/*
 * What a training run will take of the device's memory (layer 5), known when its plan is compiled and its data are
 * read, and told before a weight is loaded: whoever started it learns at once whether it fits. Each owner of device
 * memory says what it will take (part.h, method.h, salience.h, the optimizer); here it is added up.
 *
 * It is the largest sum of what exists at a time: while the weights are loaded, while they are scored, in the steps,
 * and while sample_prompt is answered before and after them. Kernels' programs, what the self-test takes at a kernel's
 * first use, and what a driver keeps for itself are not in it. Threading: one thread.
 */
#ifndef SP_TRAIN_LEDGER_H
#define SP_TRAIN_LEDGER_H

#include "runtime/train/run.h"

#include <stddef.h>

/* Bytes. The first three are there all the time; of the others what is trained comes when scoring is done, and beside
 * it moving, in the steps of runs whose mask moves, and sample, before and after the steps. */
struct sp_ledger {
    size_t weights, activations, batch;
    size_t trained; /* entries, gradients and the optimizer's state; copies of weights that are trained whole */
    size_t loading, scoring, moving, sample;
    bool moving_stays; /* while the sample is made, too */
};

/* Of a run whose plan is compiled for training, its parameters' roles assigned. */
int sp_ledger_make(struct sp_ledger *out, const struct sp_run *run);
size_t sp_ledger_total(const struct sp_ledger *ledger);

/* Tells it in a line; SP_ELIMIT, with the same numbers, where the device has less. */
int sp_ledger_tell(const struct sp_run *run);

#endif
