/*
 * Changing a plan's parameters for a while (layer 5), as synflow and grasp do, and bringing back the bits that they
 * had: by their signs, a bit each, where they were made absolute, or by a copy on the host where they were moved.
 * Threading: as the device.
 */
#ifndef SP_TRAIN_REWRITE_H
#define SP_TRAIN_REWRITE_H

#include "runtime/nn/plan.h"

#include <stddef.h>

struct sp_rewrite;

/* `targets`: how many weights sp_rewrite_keep will be told of. */
int sp_rewrite_create(struct sp_rewrite **out, struct sp_plan *plan, struct sp_device *device, size_t targets);
void sp_rewrite_free(struct sp_rewrite *rewrite); /* NULL is fine; restores nothing */

/* Replaces every parameter of the plan by its absolute value, one at a time. */
int sp_rewrite_absolute(struct sp_rewrite *rewrite);

/* Keeps linear weight `param` as target t with a direction v [out * in], which is copied; then all that were kept are
 * moved together, to W + step v. */
int sp_rewrite_keep(struct sp_rewrite *rewrite, size_t t, size_t param, const float *direction);
int sp_rewrite_move(struct sp_rewrite *rewrite, double step);

/* relative |W| / |v|, the norms over all that were kept; 0 directions give `relative`. */
double sp_rewrite_step(const struct sp_rewrite *rewrite, double relative);

/* Undoes all of it; waits for the device. */
int sp_rewrite_restore(struct sp_rewrite *rewrite);

#endif
