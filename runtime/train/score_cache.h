/*
 * Scores kept for other runs (layer 5), in the folder sparse.score_cache: whatever the budget, scope or learning rate,
 * a run with the same scores to make reads them. A file is called after the SHA-256 of everything that decides about
 * its scores: the weights' checksum and config.json, seed, head, task and label smoothing, token ids, types and targets
 * of the rows in their order, batch size, metric and its options, targets, device, driver and kernel family. It is a
 * safetensors file with an F32 tensor for each target, by the target's name, and `digest`, the SHA-256 over their
 * bytes.
 *
 * Only a run's first scoring of a model as it was loaded is kept: later ones are of weights that training has changed.
 */
#ifndef SP_TRAIN_SCORE_CACHE_H
#define SP_TRAIN_SCORE_CACHE_H

#include "runtime/train/salience.h"

/* As sp_salience_score, from the cache where the configuration has one and it holds the scores; otherwise it is
 * written, if that is possible: a file that is damaged or not there is a miss, a folder or file that cannot be used, or
 * is not the user's or root's alone (runtime/base/private.h), a warning. */
int sp_score_cache_score(struct sp_run *run, const struct sp_salience *what, sp_salience_take *take, void *user);

#endif
