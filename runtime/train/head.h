/*
 * The head of a run's model (layer 5): the checkpoint's own, or a new one, and what its outputs are called. A task may
 * be about the model's own output instead (sp_task.keeps_output); all else is of tasks that put a head on it.
 *
 * The checkpoint's own head is kept where the data's labels are its names, in whatever case, or where they are
 * integers, as many as it has outputs, which then stand for them in their order, unless one is the name of another
 * output; a regression's where it has one output. It is not where config.json says that it is another task's
 * (BertForTokenClassification), or of several labels or values at once. keep_head: true also takes as many labels of
 * any kind in their order, and is SP_ECONFIG where no head can be kept; keep_head: false always makes a new one. What
 * was decided, why, and which label got which output is one line in the log. A label that is not the head's name never
 * gets one: outputs are called as the data calls them, and as the head does only where the data has no row of them.
 */
#ifndef SP_TRAIN_HEAD_H
#define SP_TRAIN_HEAD_H

#include "runtime/train/run.h"

#define SP_HEAD_WHY 4500  /* room for why a head is not kept */
#define SP_HEAD_UNFIT 200 /* and for why it is not the task's at all */

/* The head that the checkpoint has. */
struct sp_own_head {
    size_t outputs;         /* 0: none */
    char unfit[SP_HEAD_UNFIT]; /* why it cannot be the task's; empty where it can */
    struct sp_labels names; /* of its outputs; by their numbers where config.json has no names. None for one output */
    bool named;
};

/* For run->train: sets keep_head and labels, and numbers the rows' classes as the head's outputs. */
int sp_head_settle(struct sp_run *run);

/* Without training labels: sets task, keep_head and labels as the adapter has them, or the checkpoint's own head. Where
 * there is none, a head of one output is made with `or_new`, otherwise it is SP_EINVAL. */
int sp_head_settle_untrained(struct sp_run *run, bool or_new);

#endif
