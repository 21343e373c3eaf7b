/* What several commands say alike (layer 7): a run's observer on the progress line, and metrics as text or JSON. */
#ifndef SP_CLI_REPORT_H
#define SP_CLI_REPORT_H

#include "frontends/cli/command.h"
#include "runtime/train/evaluate.h"
#include "runtime/train/run.h"

#include <stdio.h>

/* A fresh run of the configuration over all model families, its progress shown. */
struct sp_run sp_report_run(const struct sp_config *config);

/* The configuration of a command without a file of its own, which is the caller's to release: the command line's, over
 * the adapter's (NULL: none) length, over the defaults. An adapter without "data", of an older version, names its
 * columns in its configuration alone. */
int sp_report_config(struct sp_config *out, const struct sp_arguments *arguments, const char *model,
                     const struct sp_adapter *adapter);

/* Refuses, before the long work, an --output that is the --input, or that cannot be written; "-" is none of both. */
int sp_report_check_output(const char *input, const char *output, const char *what);

/* Writes a row as a line of JSON and releases it; NULL is out of memory. `what` is written, for messages. */
int sp_report_row(FILE *file, json_t *row, const char *what);

/* Has `write` write to the file at `path`, which is then complete or not there, or to standard output ("-"). */
int sp_report_rows(const char *path, int (*write)(void *user, FILE *file), void *user);

/* "loss 0.4012, accuracy 0.8200, ..." of the task's metrics. */
void sp_report_metrics(char *out, size_t size, const struct sp_evaluation *evaluation, const struct sp_task *task);

#endif
