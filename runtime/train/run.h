/*
 * A run's parts (layer 5): the device, the base model and its plan, tokenizer, labels and data sets, as the
 * configuration asks for them. Commands open a run, load what data they need, build the plan, and then train, evaluate,
 * predict or make a mask.
 *
 *     struct sp_run run = { .config = &config, .families = sp_model_families, .family_count = sp_model_family_count };
 *     sp_run_open(&run); sp_run_load_data(&run, true, true); sp_run_build(&run, true, 0, 0); ...
 *     sp_run_close(&run);
 *
 * Ownership: a run owns what it opened; close releases it, after failures too. Threading: one thread.
 */
#ifndef SP_TRAIN_RUN_H
#define SP_TRAIN_RUN_H

#include "runtime/data/batch.h"
#include "runtime/io/adapter.h"
#include "runtime/io/weights.h"
#include "runtime/nn/model.h"
#include "runtime/text/tokenizer.h"
#include "runtime/train/config.h"

#include <stdbool.h>

struct sp_chat;
struct sp_mask;
struct sp_task;
struct sp_train_loop;

/* What is told while a run works; functions may be NULL. `loss` is NaN and `tokens_per_second` 0 when there is none. A
 * step of training is told of when its numbers are known: the next one may be on its way. */
struct sp_observer {
    void (*progress)(void *user, const char *phase, size_t step, size_t total, double loss, double tokens_per_second,
                     bool logged);
    void *user;
    /* The mask after it moved, with `done` steps done; borrowed for the call. */
    void (*mask)(void *user, size_t done, const struct sp_mask *mask);
    /* Before each step, with `done` of them done: may visit the run's state (sp_train_visit). Restored, the run goes on
     * from there. */
    int (*between)(void *user, size_t done, struct sp_train_loop *loop);
};

struct sp_run {
    /* set by the caller */
    const struct sp_config *config;
    const struct sp_model_family *const *families;
    size_t family_count;
    const struct sp_adapter *adapter; /* to apply while building; NULL for none */
    struct sp_observer observer;

    /* sp_run_open */
    struct sp_device *device;
    struct sp_checkpoint *checkpoint;
    struct sp_model model;
    char *model_file; /* its config.json or the GGUF itself, for messages */
    struct sp_tokenizer *tokenizer; /* NULL where the model has none that is supported */
    char *no_tokenizer;             /* why; else NULL */
    uint32_t end_token; /* what ends a text that the model writes; SP_TOKEN_NONE: it is not said */
    size_t max_seq_length; /* the configuration's, or the model's when that is less */
    struct sp_chat *chat; /* the form that prompts are put into (prompt.h); NULL: none, they are as they stand */
    struct sp_data_layout remembered; /* how the adapter's training file was read; format NULL: not known */

    /* sp_run_load_data */
    const struct sp_task *task; /* NULL until it is known; one that is set before stays */
    struct sp_labels labels; /* of the head's outputs, where the task has such */
    bool keep_head;          /* the checkpoint's own head is used (head.h) */
    struct sp_dataset train, validation;

    /* sp_run_build */
    struct sp_plan *plan;
    struct sp_weight *weights; /* [parameters]: where each was found; tensor NULL: initialised from the seed */
    struct sp_batch batch;

    struct sp_plan_limits limits; /* of the plan's passes, for whoever keeps memory of its own beside them */

    /* sp_train: what the task shows of the model before and after (task.h); NULL: nothing, or not yet */
    struct sp_run_sample {
        char *asked, *before, *after;
    } sample;

    /* Of its passes, [parameters] both; parts hang theirs here (part.h). */
    struct sp_param_gradient *gradients; /* where a step puts them */
    struct sp_addition **additions;      /* to linear layers' outputs, by sp_run_add */
    void **attached;                     /* [SP_PARTS]: what parts made of the adapter for it */
};

int sp_run_open(struct sp_run *run);

/* After it, where there is training: the model's dropouts, which nothing else needs, by the configuration or else
 * config.json. */
int sp_run_read_dropout(struct sp_run *run);
void sp_run_close(struct sp_run *run);

/* Loads the data sets of the configuration; a validation file that is not named stays empty. Settles task, labels and
 * head. */
int sp_run_load_data(struct sp_run *run, bool train, bool validation);

/* Only the training rows, for a mask. Where `labels` says that none are needed, a file without a column of them will
 * do; the head is then the checkpoint's own, or a new one of one output. */
int sp_run_load_rows(struct sp_run *run, bool labels);

/* Instead of sp_run_load_data's validation file: rows without labels, for prediction. An empty text is a row as
 * well. */
int sp_run_load_input(struct sp_run *run, const char *path);

/* Builds and compiles the plan, for training or for evaluation only, and fills the parameters from checkpoint, adapter
 * or seed. `max_rows` and `max_tokens` are the largest batch; 0 takes them from the data sets and batch sizes of the
 * configuration. */
int sp_run_build(struct sp_run *run, bool training, size_t max_rows, size_t max_tokens);

/* Adds to the output of the layers of a linear weight, beside what is added there already. */
void sp_run_add(struct sp_run *run, size_t param, struct sp_addition *addition);

/* The rest of it, for who has made run->plan, not compiled yet, and run->limits by other means. */
int sp_run_fill(struct sp_run *run);

/* The parameter's name as files spell it: the checkpoint's, or its own where the checkpoint has none. */
const char *sp_run_param_name(const struct sp_run *run, size_t param);

/* The plan's or the optimizer's name of something, the parameter's name in it as files spell it, cut to `size`. */
void sp_run_spell(char *out, size_t size, const struct sp_run *run, const char *name);

/* The passes over the run's plan: whoever makes one begins with one of these and sets the rest, so that what is added
 * to the model's layers is added in all. A step's, of all its rows; a forward pass without dropout; and one with
 * gradients of the caller's, [parameters], that leaves the run's own as they are. */
struct sp_plan_pass sp_run_training_pass(const struct sp_run *run);
struct sp_plan_pass sp_run_evaluation_pass(const struct sp_run *run);
struct sp_plan_pass sp_run_scoring_pass(const struct sp_run *run, const struct sp_param_gradient *gradients);

/* Where the numbers of the batch that is set stop being finite: a weight, an activation or a gradient, spelt so; else
 * "". As sp_plan_find_not_finite. */
int sp_run_find_not_finite(char *out, size_t size, struct sp_run *run, const struct sp_plan_pass *pass);

/* Rows order[from .. from + count - 1] of a data set as the plan's batch. */
int sp_run_set_batch(struct sp_run *run, const struct sp_dataset *dataset, const uint32_t *order, size_t from,
                     size_t count);

#endif
