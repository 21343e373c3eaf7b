/*
 * Making a mask (layer 5): the budget, and the selection from scores (salience.h). SPEFT, sections 3 and 4. With scope
 * global a tensor may end with no entry; scores of zero come after every positive one. With tensor and uniform_count a
 * tensor whose scores are all zero is an error with its name; with every scope it is one when all targets' are, or when
 * one is not finite.
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

/* The budget: entries of the mask to be made. The roles are assigned. */
int sp_mask_entries(size_t *out, const struct sp_run *run);

/* Bytes that making it will take on the device (salience.h), unless its scores are cached. */
int sp_mask_memory(size_t *out, const struct sp_run *run);

/* Scores the weights as they are on the device and selects, as the configuration says. `round` is how many masks the
 * run has made before: rows come in that epoch's order, and only round 0 is read from or kept in sparse.score_cache.
 * The plan must be compiled for training; what it holds, but for its batch, is the same afterwards (salience.h). */
int sp_mask_make(struct sp_mask *out, struct sp_run *run, uint32_t round);
void sp_mask_release(struct sp_mask *mask); /* safe on a zeroed one */

#endif
