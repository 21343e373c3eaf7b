/*
 * Making a static mask (layer 5): the budget, the scoring passes, the selection. SPEFT, sections 3 and 4: the first
 * scoring_examples rows in training order, in batches of the training batch size, dropout off; the gradient of an entry is
 * the mean over the batches of the batch's mean gradient.
 */
#ifndef SP_TRAIN_MASK_H
#define SP_TRAIN_MASK_H

#include "runtime/train/run.h"

#include <stddef.h>
#include <stdint.h>

/* One target's entries. */
struct sp_mask_tensor {
    size_t param; /* number in the plan */
    uint32_t *positions;
    size_t count;
};

struct sp_mask {
    struct sp_mask_tensor *tensors; /* every target in the model's order, also those without entries */
    size_t count;
    size_t entries, targeted; /* sums: entries chosen, and weights chosen from */
};

/* SP_ECONFIG when the budget comes to nothing or to more than all targets hold; for a word before the long work. */
int sp_mask_check_budget(const struct sp_run *run);

/* Scores and selects as the configuration says. The plan must be compiled for training. */
int sp_mask_make(struct sp_mask *out, struct sp_run *run);
void sp_mask_release(struct sp_mask *mask); /* safe on a zeroed one */

#endif
