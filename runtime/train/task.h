/*
 * What a model is trained to do (layer 5): one file task_<name>.c each, listed in task.def. A task owns how its rows are read, its
 * targets and their loss, its scores, the head that it puts on a model and what that head's outputs are called, what predict
 * prints, and what an adapter keeps of it. All else asks the task of the run.
 *
 * Errors as everywhere: 0, or negative with a message. Threading: descriptors are constant.
 */
#ifndef SP_TRAIN_TASK_H
#define SP_TRAIN_TASK_H

#include "runtime/train/head.h"
#include "runtime/train/run.h"

struct sp_buf;

#define SP_TASK_SCORES 4 /* the most that a task has */

/* What a score is of its rows, from which its standard error follows. */
enum sp_score_kind {
    SP_SCORE_OTHER,
    SP_SCORE_SHARE, /* of the rows: those that are right */
    SP_SCORE_CORRELATION,
    SP_SCORE_RANK_CORRELATION,
};

struct sp_score {
    const char *name;  /* its key in result.json and metrics.jsonl */
    const char *label; /* for people */
    enum sp_score_kind kind;
    bool lower_is_better;
};

struct sp_evaluation {
    double loss; /* the mean over rows */
    size_t rows;
    double scores[SP_TASK_SCORES]; /* in the order of the task's */
    char guessing[512]; /* in what way the model tells the rows not apart, with no smaller a loss than guessing gives; "": it does */
};

struct sp_task {
    const char *name;   /* as the option `task`, adapter.json and result.json have it */
    const char *labels; /* what they are, in messages */
    enum sp_targets targets;
    const struct sp_score *scores; /* besides the loss; the first is the one that counts */
    size_t score_count;

    /* The option that the configuration gives in vain, and what it is for; NULL: none is. The hook may be NULL: sp_task_misfit. */
    const char *(*misfit)(const char **why, const struct sp_config *config);
    int (*load)(struct sp_dataset *out, const char *path, const struct sp_tokenizer *tokenizer,
                const struct sp_dataset_options *options); /* as sp_dataset_load */
    /* The labels as a line of the log has them, "2 classes: neg (12), pos (14)", without counts where the rows have none; NULL:
     * the task's name says all. */
    int (*say)(struct sp_buf *out, const struct sp_run *run, const struct sp_dataset *dataset);
    void (*warn)(const struct sp_dataset *dataset, const char *path); /* of labels to train on that are probably none; NULL: never */

    /* head.h: whether it can have so many outputs; how many it has; where its bias begins (NULL: at 0). */
    bool (*has_head)(size_t outputs);
    size_t (*outputs)(const struct sp_run *run);
    double (*head_bias)(const struct sp_run *run);
    /* The checkpoint's head, which may be kept: sets run->keep_head if the training rows' labels let it be, and then run->labels and
     * the rows' targets by its outputs. */
    int (*keep_head)(struct sp_run *run, const struct sp_own_head *own);
    void (*why_new)(char *why, size_t size, const struct sp_own_head *own, const struct sp_run *run); /* it was not kept */
    int (*check_labels)(const json_t *labels, const char *file); /* adapter.json's; NULL for null. SP_EFORMAT */

    /* Puts the loss over the model's output; as the sp_nn_* builders. */
    void (*loss)(struct sp_plan *plan, int logits, const struct sp_config *config);
    double (*guess)(const struct sp_run *run); /* the loss over the training rows that guessing gives, as sp_loss_watch_init wants it */
    const char *overflow;                      /* where the loss alone is not finite */

    /* An evaluation over the dataset: logits come as sp_logits_fn has them; predictions[rows] (a class, a value) may be NULL. The
     * end fills scores and guessing of an evaluation whose loss is known. Release is safe on NULL. */
    int (*score_begin)(void **scoring, const struct sp_run *run, const struct sp_dataset *dataset, float *predictions);
    void (*score_add)(void *scoring, const float *logits, size_t from, size_t rows, size_t outputs);
    int (*score_end)(struct sp_evaluation *out, void *scoring);
    void (*score_release)(void *scoring);

    /* A row of predict's output, and of predictions.jsonl; the caller's, NULL: out of memory. */
    json_t *(*predicted)(const struct sp_run *run, const float *logits, size_t outputs);
    json_t *(*outcome)(const struct sp_run *run, const struct sp_dataset *dataset, size_t row, float prediction);
};

#define SP_TASK(name) extern const struct sp_task sp_task_##name;
#include "runtime/train/task.def"
#undef SP_TASK

extern const struct sp_task *const sp_tasks[]; /* NULL at the end */

const struct sp_task *sp_task_find(const char *name);          /* NULL: there is none */
const struct sp_task *sp_task_of_targets(enum sp_targets targets); /* NULL for auto */
const struct sp_task *sp_task_of_head(size_t outputs);         /* whose head has so many */
const struct sp_task *sp_config_task(const struct sp_config *config); /* NULL for auto */

const char *sp_task_misfit(const char **why, const struct sp_task *task, const struct sp_config *config);

/* The task's score of that name, or any task's (task NULL); NULL: there is none. "loss" is every task's. */
const struct sp_score *sp_task_score(const struct sp_task *task, const char *name);

/* run->task by the adapter, whose labels are checked. */
int sp_task_recall(struct sp_run *run);

/* For tasks: {"label": label, "logits": [...]}; takes the label. */
json_t *sp_task_row(json_t *label, const float *logits, size_t outputs);

#endif
