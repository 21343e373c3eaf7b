/*
 * A run's data files (layer 5): how they are read by the configuration and by what an adapter remembers of its
 * training, what is said of them, and how that is kept in adapter.json.
 */
#ifndef SP_TRAIN_DATA_H
#define SP_TRAIN_DATA_H

#include "runtime/train/run.h"

/* How data files are read for this model; task and labels are the configuration's. */
struct sp_dataset_options sp_run_dataset_options(const struct sp_run *run);

/* Says what a data set is and what of its file is used, and warns of what looks wrong. */
void sp_run_tell(const struct sp_run *run, const struct sp_dataset *dataset, const char *path);

/* adapter.json's "data" (doc/adapter-format.md); the caller's to release. */
int sp_run_layout_json(json_t **out, const struct sp_data_layout *layout);

/* Reads it back into run->remembered, from the run's adapter. */
int sp_run_recall(struct sp_run *run);

#endif
