/*
 * Training (layer 5): mask, optimizer, the loop, evaluation in between, and the files of output_dir.
 * doc/adapter-format.md and the manual describe the files.
 */
#ifndef SP_TRAIN_TRAINER_H
#define SP_TRAIN_TRAINER_H

#include "runtime/base/hash.h"
#include "runtime/tensor/state.h"
#include "runtime/train/evaluate.h"
#include "runtime/train/run.h"

/* At the end the loss had been far above its start since `step`; 0: it had not. */
struct sp_train_divergence {
    size_t step;
    double loss, start; /* lately, and at the start (loss_watch.h) */
};

struct sp_train_result {
    size_t steps, tokens;            /* done; real tokens in them */
    double seconds;                  /* of the loop, evaluation left out */
    size_t trained, parameters;      /* trained numbers, and all of the model */
    struct sp_train_divergence divergence;
    bool evaluated;                  /* there was a validation file */
    struct sp_evaluation before, after;
    size_t host_peak, device_peak;   /* bytes */
    double ready_seconds;            /* from the start of sp_train to the start of the first step */
    double first_step_seconds;       /* to its end */
    double total_seconds;            /* to the end of the last evaluation */
    bool interrupted;
    char tokenizer_sha256[SP_HASH_HEX], train_sha256[SP_HASH_HEX]; /* of the files when they had been read */
    char validation_sha256[SP_HASH_HEX];                           /* "" without one */
};

/* The lock of a run in its output_dir (runtime/base/lock.h). */
#define SP_TRAIN_LOCK "train.lock"

/* Trains as run->config says and writes output_dir/adapter, config.resolved.yaml, metrics.jsonl and, when all is done,
 * result.json. The run must be fresh: only config, families and observer set. Interrupted, it saves the adapter as of
 * the last step and returns SP_EINTR. Where a number stops being finite it saves no adapter and returns SP_ENUMERIC;
 * after any other failure between two steps, or in the last evaluation, what was trained is saved. One run at a time
 * works in an output_dir, and everything that it is to leave there is known to be possible before its first step. */
int sp_train(struct sp_train_result *out, struct sp_run *run);

/* The state of a run between two steps, for sp_observer.between: all that the coming steps depend on besides
 * configuration, model and data. */
int sp_train_visit(struct sp_train_loop *loop, struct sp_state *visitor);

#endif
