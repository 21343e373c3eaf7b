/*
 * A run's output_dir (layer 5): what is to be written there is known to be possible before the first step, and the
 * adapter is saved in two moves. What was trained is on disk, under a name that nobody takes for a result, before the
 * last evaluation, which may take long, be killed, or crash in a driver; it becomes `adapter` when that has found its
 * numbers finite:
 *
 *     adapter.unevaluated     after the last step; what a run that was killed since then leaves, whole and of use
 *     adapter                 at the end
 */
#ifndef SP_TRAIN_OUTPUT_H
#define SP_TRAIN_OUTPUT_H

#include "runtime/io/staging.h"
#include "runtime/train/trained.h"

/* SP_ECONFIG where something that a run writes into its output_dir would replace what it reads. The run is open. Its
 * own config.resolved.yaml may be the configuration, but not a file of that name that somebody wrote. Before the folder
 * is locked. */
int sp_output_spare_inputs(const struct sp_run *run);

/* Checks that everything can be written where it belongs, clears away what killed runs left, removes an earlier run's
 * results and writes config.resolved.yaml. The folder must be ours alone (runtime/base/lock.h). */
int sp_output_prepare(const struct sp_config *config);

/* The adapter on its way: first saved, then kept as `adapter`, or discarded. A save that fails may have written it all
 * the same (sp_trained_save), for keep to keep; else keep and discard do nothing. The struct begins zeroed. */
int sp_output_save(struct sp_staging *adapter, struct sp_trained *trained, struct sp_run *run);
int sp_output_keep(struct sp_staging *adapter);
void sp_output_discard(struct sp_staging *adapter);

/* Adds to the error `rc`, numbers that are not finite, what output_dir holds: nothing of this run. */
int sp_output_say_unsaved(const struct sp_config *config, int rc);

#endif
