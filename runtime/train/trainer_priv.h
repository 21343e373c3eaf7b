/*
 * The training loop's state (layer 5, private to this folder), which trainer.c makes and ends, and whose steps are in
 * steps.c. Threading: one thread.
 */
#ifndef SP_TRAIN_TRAINER_PRIV_H
#define SP_TRAIN_TRAINER_PRIV_H

#include "runtime/base/lock.h"
#include "runtime/io/staging.h"
#include "runtime/train/journal.h"
#include "runtime/train/trained.h"
#include "runtime/train/trainer.h"

#define SP_TRAIN_NO_EPOCH UINT32_MAX

/* A step, and where it stands in the run. */
struct sp_train_step {
    struct sp_journal_step told;
    size_t first, count; /* its micro-batches: how many came before them, and how many they are */
};

/*
 * The loop's state. A step is put on its way whole, and its norm and losses are read behind it (`reports`), to be
 * looked at once the next step is on its way, too: the device need not wait for the host. Where one is not finite, that
 * step and the one behind it have changed nothing (runtime/op/norm.h).
 */
struct sp_train_loop {
    struct sp_run *run;
    struct sp_trained trained;
    struct sp_train_result *result;
    struct sp_journal journal;
    struct sp_lock lock; /* of output_dir */
    uint32_t *order;
    uint32_t epoch; /* whose order `order` holds; SP_TRAIN_NO_EPOCH: none's */
    size_t batches, steps_per_epoch, total, warmup;
    size_t micro_batches;     /* put on their way so far: the step number of dropout */
    struct sp_plan_pass pass; /* of the last of them */
    struct sp_buffer *losses; /* of a step's micro-batches */
    double *shares;           /* of each of them in the step's terms, and of those of the step before: by turns */
    struct sp_download *reports;
    struct sp_train_step pending; /* on its way, its numbers not looked at; number 0: none is */
    struct sp_staging adapter; /* on its way into output_dir */
    bool saved;                /* the adapter is this run's */
    bool whole;                /* a step was taken, and none is half put on its way: what was trained could be saved */
    double started;            /* of sp_train */
};

/* Every step to the end or an interrupt, with the evaluations between them. */
int sp_train_steps(struct sp_train_loop *loop);

/* How many the step has; none has more than the first. */
size_t sp_train_micro_batches(const struct sp_train_loop *loop, size_t step);

/* Looks at the numbers of the step that is on its way, if one is. */
int sp_train_read_pending(struct sp_train_loop *loop);

/* The held-out rows after so many steps; predictions may be NULL. */
int sp_train_evaluate(struct sp_train_loop *loop, size_t step, struct sp_evaluation *out, float *predictions);

/* `what`, a loss of step `step`, is not finite: the error with the tensor where that begins. */
int sp_train_loss_not_finite(struct sp_train_loop *loop, size_t step, const char *what);

#endif
