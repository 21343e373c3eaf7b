/* Filling a plan's parameters (layer 5): from the checkpoint, from an adapter on top of it, or from the seed. */
#ifndef SP_TRAIN_LOAD_H
#define SP_TRAIN_LOAD_H

#include "runtime/train/run.h"

/* Before the building of a plan that has the model's vocabulary: run->model.tied by the checkpoint, which knows better
 * than its config.json, and a warning where it does: embeddings take the place of a weight that is not there, and one
 * with other values than theirs is one of its own. */
int sp_load_tie(struct sp_run *run);

/* Finds every parameter of the built plan in the checkpoint; a head is looked for only when it is kept. Fills
 * run->weights. */
int sp_load_find(struct sp_run *run);

/* Copies all parameters to the device in their layouts, with the run's adapter applied, and gives the mapped pages
 * back. */
int sp_load_params(struct sp_run *run);

/* Has parts hang among the run's additions what the run's adapter adds to layers, which is fixed, and takes that
 * off. */
int sp_load_attach(struct sp_run *run);
void sp_load_detach(struct sp_run *run);

/* Where a new head's bias begins: where its task says, at the mean of labels that are numbers, else at 0. From 0 a
 * distant mean would be learnt through the encoder, whose output runs into its tanh on the way and then teaches nothing
 * for a long time. */
double sp_load_head_bias(const struct sp_run *run);

#endif
