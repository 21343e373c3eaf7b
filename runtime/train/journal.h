/*
 * What a training run tells while it works (layer 5): metrics.jsonl, the lines of the log, progress, and whether the
 * loss has gone astray (loss_watch.h). Steps are told in their order, each once its numbers are known.
 *
 * Ownership: a value that begins zeroed but for `run` and `result`, which are borrowed; release it, after failures too.
 */
#ifndef SP_TRAIN_JOURNAL_H
#define SP_TRAIN_JOURNAL_H

#include "runtime/train/loss_watch.h"
#include "runtime/train/trained.h"
#include "runtime/train/trainer.h"

#include <stdio.h>

struct sp_journal {
    struct sp_run *run;
    struct sp_train_result *result; /* its divergence is kept here */
    FILE *metrics;
    char *path;
    size_t total, steps_per_epoch;
    struct sp_loss_watch watch;
    double first_loss;   /* of the first micro-batch, before any update */
    double window_start; /* of the logging window */
    double window_loss;
    size_t window_tokens, window_steps;
};

/* A step's numbers. */
struct sp_journal_step {
    size_t number, tokens; /* number: from 1 */
    double loss, learning_rate, norm;
};

int sp_journal_open(struct sp_journal *journal); /* output_dir/metrics.jsonl, empty */
/* Returns `rc`, or the error of closing the file where that is 0. */
int sp_journal_release(struct sp_journal *journal, int rc);

/* Before the first step. */
void sp_journal_begin(struct sp_journal *journal, size_t total, size_t steps_per_epoch);

int sp_journal_step(struct sp_journal *journal, const struct sp_journal_step *step);
int sp_journal_mask(struct sp_journal *journal, size_t step, const struct sp_mask_change *change);

/* An evaluation after `step` steps, which began then and is no part of the steps' speed. */
int sp_journal_evaluation(struct sp_journal *journal, size_t step, const struct sp_evaluation *evaluation,
                          double began);

/* At the end: the first and the last batch's loss after the last update, and then that on held-out rows (`result`). */
void sp_journal_end(struct sp_journal *journal, double first, double last);
void sp_journal_held_out(struct sp_journal *journal);

/* Its part of a run's state (sp_train_visit). */
int sp_journal_visit(struct sp_journal *journal, struct sp_state *visitor);

#endif
