/* Between trained.c and move.c (layer 5): what making and moving the delta share. */
#ifndef SP_TRAIN_MOVE_PRIV_H
#define SP_TRAIN_MOVE_PRIV_H

#include "runtime/train/trained.h"

/* The mask's tensors as the delta's targets, in a new array; positions are borrowed. */
int sp_trained_targets(struct sp_delta_target **out, const struct sp_mask *mask, struct sp_run *run);

/* Target i as the optimizer's view i. */
struct sp_optim_view sp_trained_view(const struct sp_trained *trained, struct sp_run *run, size_t i);

/* Adds the mask's positions to those that were touched, with the delta's base as their originals when the method merges. */
int sp_trained_touch(struct sp_trained *trained);

#endif
