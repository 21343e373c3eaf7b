/*
 * What a model is trained to do (layer 5): one file task_<name>.c each, listed in task.def. A task owns how its rows
 * are read, its targets and their loss, its scores, the head that it puts on a model and what that head's outputs are
 * called, what predict prints, and what an adapter keeps of it. All else asks the task of the run.
 *
 * Errors as everywhere: 0, or negative with a message. Threading: descriptors are constant.
 */
#ifndef SP_TRAIN_TASK_H
#define SP_TRAIN_TASK_H

#include "runtime/data/shape.h"
#include "runtime/train/evaluate.h"
#include "runtime/train/head.h"
#include "runtime/train/run.h"

struct sp_buf;
struct sp_config_load;

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

struct sp_task {
    const char *name;   /* as the option `task`, adapter.json and result.json have it */
    const char *labels; /* what they are, in messages */
    /* its own rows of the configuration's table, for a struct of its own at <name>_options; another task refuses them
     * by name where they are given (sp_task_misfit), but for one that shares them */
    struct sp_option_rows options;
    const char *const *shares; /* names of others' options that are its, too, by sp_config_value; a NULL ends them.
                                * NULL: none */
    struct sp_row_shape rows; /* how they are read, and what their targets are */
    const struct sp_score *scores; /* besides the loss; the first is the one that counts */
    size_t score_count;            /* at least one */

    /* Refuses what contradicts its options, which it leaves as they are, where the configuration asks for the task or
     * leaves it open (config_priv.h); NULL: nothing does. */
    int (*check)(struct sp_config_load *load);
    /* Where the configuration leaves the task open: whether it is this one's to train on a file whose labels were found
     * to be such (NONE: it has no column of them, and was not read yet). The first task of the list that says so is
     * taken. */
    bool (*takes)(const struct sp_run *run, enum sp_label_kind labels);
    /* The labels as a line of the log has them, "2 classes: neg (12), pos (14)", without counts where the rows have
     * none; NULL: the task's name says all. */
    int (*say)(struct sp_buf *out, const struct sp_run *run, const struct sp_dataset *dataset);
    /* of labels to train on that are probably none; NULL: never */
    void (*warn)(const struct sp_dataset *dataset, const char *path);

    /* What it needs of the opened model before its rows are read, which may be asked for again; NULL: nothing. */
    int (*open)(struct sp_run *run);
    /* SP_ECONFIG for a model that the task is not for; NULL: it is for any. */
    int (*check_model)(const struct sp_run *run);
    /* Whether the model's own output, as its config.json says, is what the task is about: then nothing is put on it,
     * and without training rows the task is this one, unless another is asked for. NULL: never. */
    bool (*keeps_output)(const struct sp_run *run);

    /* Else, head.h: whether the checkpoint's, of so many outputs, can be the task's by what config.json (NULL: nothing)
     * says of it, and why it cannot; how many outputs it has; where its bias begins (NULL: at 0). */
    bool (*fits)(char *why, size_t size, size_t outputs, const json_t *config);
    size_t (*outputs)(const struct sp_run *run);
    double (*head_bias)(const struct sp_run *run);
    /* The checkpoint's head, which fits: sets run->keep_head if the training rows' labels let it be kept, and then
     * run->labels and the rows' targets by its outputs. */
    int (*keep_head)(struct sp_run *run, const struct sp_own_head *own);
    /* it was not kept; NULL: one that fits always is */
    void (*why_new)(char *why, size_t size, const struct sp_own_head *own, const struct sp_run *run);
    int (*check_labels)(const json_t *labels, const char *file); /* adapter.json's; NULL for null. SP_EFORMAT */

    /* The model's forward pass and the loss over it, by the builders of run->plan. */
    void (*build)(const struct sp_run *run);
    /* The loss over the training rows that guessing gives, as sp_loss_watch_init wants it. */
    double (*guess)(const struct sp_run *run);
    const char *overflow;                      /* where the loss alone is not finite */

    /* What is read of a batch, for scores and predictions, is each row of its loss and whether it is right
     * (sp_plan_row_losses) in place of the logits. All rows have targets then. */
    bool by_losses;
    /* An evaluation over the dataset: its rows' logits come in order; predictions[rows] (a class, a value) may be NULL.
     * The end fills scores and guessing of an evaluation whose loss is known. Release is safe on NULL. */
    int (*score_begin)(void **scoring, const struct sp_run *run, const struct sp_dataset *dataset, float *predictions);
    void (*score_add)(void *scoring, const struct sp_logits *logits);
    int (*score_end)(struct sp_evaluation *out, void *scoring);
    void (*score_release)(void *scoring);

    /* Row i of the logits, of run->validation, as a row of predict's output; a row of predictions.jsonl. The caller's,
     * NULL: out of memory. */
    json_t *(*predicted)(const struct sp_run *run, const struct sp_logits *logits, size_t i);
    json_t *(*outcome)(const struct sp_run *run, const struct sp_dataset *dataset, size_t row, float prediction);

    /* What people are to see of a model before training and after it: what it is asked, and what it says to that as it
     * is now, by the run's built plan. Both are the caller's; NULL where the configuration asks for none. The hook may
     * be NULL: there is nothing to show. */
    int (*sample)(char **asked, char **said, struct sp_run *run);
    /* Bytes that sample will take on the device, before the weights are loaded; NULL: none. */
    int (*sample_memory)(size_t *bytes, const struct sp_run *run);
};

#define SP_TASK(name) extern const struct sp_task sp_task_##name;
#include "runtime/train/task.def"
#undef SP_TASK

extern const struct sp_task *const sp_tasks[]; /* NULL at the end */

/* NULL: there is none. */
const struct sp_task *sp_task_find(const char *name);
const struct sp_task *sp_task_of_output(const struct sp_run *run); /* which keeps the model's */
const struct sp_task *sp_task_of_labels(const struct sp_run *run, enum sp_label_kind labels); /* which takes them */
const struct sp_task *sp_task_of_head(size_t outputs, const json_t *config); /* which it fits */
const struct sp_task *sp_config_task(const struct sp_config *config);        /* none for auto */

/* The task's own struct of options, which its shape's hooks find at in->options->user; NULL: it has none. */
void *sp_task_options(const struct sp_task *task, const struct sp_config *config);

/* An option with another value than its default that is not for the task, be it another task's or a column that the
 * task's rows have not, and what it is for; NULL: there is none. */
const char *sp_task_misfit(const char **why, const struct sp_task *task, const struct sp_config *config);

/* The task's score of that name, or any task's (task NULL); NULL: there is none. "loss" is every task's. */
const struct sp_score *sp_task_score(const struct sp_task *task, const char *name);

/* run->task by the adapter, whose labels are checked. */
int sp_task_recall(struct sp_run *run);

/* For tasks: the family's body and the head over it, of task->outputs; its value. */
int sp_task_forward(const struct sp_run *run);

/* For tasks: {"label": label, "logits": [...]} with those of row i, in one list; takes the label. */
json_t *sp_task_row(json_t *label, const struct sp_logits *logits, size_t i);

#endif
