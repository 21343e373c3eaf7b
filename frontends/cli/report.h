/* What several commands say alike (layer 7): a run's observer on the progress line, and metrics as text or JSON. */
#ifndef SP_CLI_REPORT_H
#define SP_CLI_REPORT_H

#include "frontends/cli/command.h"
#include "runtime/train/evaluate.h"
#include "runtime/train/run.h"

/* A fresh run of the configuration over all model families, its progress shown. */
struct sp_run sp_report_run(const struct sp_config *config);

/* "loss 0.4012, accuracy 0.8200, ..." of the task's metrics. */
void sp_report_metrics(char *out, size_t size, const struct sp_evaluation *evaluation, const struct sp_task *task);

#endif
