/* What a finished run leaves for programs (layer 5): output_dir/result.json and predictions.jsonl. doc/study.md lists
 * their keys. */
#ifndef SP_TRAIN_RESULT_H
#define SP_TRAIN_RESULT_H

#include "runtime/train/tokenizer.h"
#include "runtime/train/trainer.h"

/* Of all of a model that a run depends on: the weights and the configuration as they were read, and the tokenizer's
 * checksum (tokenizer.h). */
int sp_train_model_checksum(char hex[SP_HASH_HEX], struct sp_checkpoint *checkpoint, const char *tokenizer);

/* Writes the file. */
int sp_train_result_save(const struct sp_train_result *result, const struct sp_run *run);

/* Writes output_dir/predictions.jsonl: the held-out rows' labels and predictions, as sp_evaluate_rows gives them. */
int sp_train_predictions_save(const float *predictions, const struct sp_run *run);

/* Removes both of an earlier run, so that files that are there tell of the run beside them. */
int sp_train_result_remove(const char *output_dir);

#endif
