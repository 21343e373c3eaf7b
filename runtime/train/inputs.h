/*
 * What a run reads (layer 5), which nothing that a command writes may replace: the configuration, the data, and the
 * files of the model's folder and of the adapter's, by whatever name or link they are reached. Threading: one thread.
 */
#ifndef SP_TRAIN_INPUTS_H
#define SP_TRAIN_INPUTS_H

#include "runtime/train/run.h"

/* SP_ECONFIG where `path`, which the option or flag `option` names and where `what` ("the mask") is to go, is an input
 * of the run. The model's files are known once the run is open. */
int sp_inputs_spare(const struct sp_run *run, const char *option, const char *path, const char *what);

/* The same of the configuration's file and the data alone, before anything is opened. */
int sp_inputs_spare_named(const struct sp_config *config, const char *option, const char *path, const char *what);

/* The same, for each of `paths`, the last of which is NULL, of the model that the configuration names, where there is
 * one. */
int sp_inputs_spare_model(const struct sp_config *config, const char *option, const char *const *paths,
                          const char *what);

/* The same of one more file, which messages call `name`. */
int sp_inputs_spare_file(const char *file, const char *name, const char *option, const char *path, const char *what);

#endif
