#include "runtime/train/run.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/op/op.h"
#include "runtime/op/transfer.h"
#include "runtime/train/data.h"
#include "runtime/train/head.h"
#include "runtime/train/ledger.h"
#include "runtime/train/load.h"
#include "runtime/train/method.h"
#include "runtime/train/trained.h"
#include "runtime/train/task.h"
#include "runtime/train/tokenizer.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Old files have no model_type. What to add is the user's to say: the architectures are but a hint. A file without any
 * of it is no model's at all. */
static int no_type(const struct sp_run *run, const json_t *config, const char *file, const char *known)
{
    const json_t *list = json_object_get(config, "architectures");
    const char *architecture = json_string_value(json_array_get(list, 0));

    if (!json_is_array(list) && !json_object_get(config, "hidden_size"))
        return sp_error(SP_EFORMAT,
                        "%s is no model's configuration: \"model_type\", \"architectures\" and \"hidden_size\" are all "
                        "missing; give the folder of a model, with the config.json that belongs to it",
                        file);
    return sp_error(SP_EFORMAT,
                    "%s: \"model_type\" is missing, as in old files%s%s%s; this version of speft-cl knows: %s. If the "
                    "model is one of these, add a line such as \"model_type\": \"%s\", to the file",
                    file, architecture ? " (\"architectures\" says " : "", architecture ? architecture : "",
                    architecture ? ")" : "", known, run->families[0]->model_types[0]);
}

/* transformers, too, computes a model_type that it knows without such code, unless it is told to trust it. */
static void warn_of_code(const json_t *config, const char *file)
{
    json_t *map = json_object_get(config, "auto_map"), *value;
    const char *key, *type = json_string_value(json_object_get(config, "model_type"));

    json_object_foreach (map, key, value) {
        const char *class = json_string_value(json_is_array(value) ? json_array_get(value, 0) : value);

        if (strncmp(key, "AutoModel", strlen("AutoModel")) != 0 || !class)
            continue;
        sp_log(SP_LOG_WARNING,
               "%s: \"auto_map\" names \"%.60s\", Python code of the model's own, which is not run: it is computed as "
               "its \"model_type\", %s, says; if that code does anything else, results are others",
               file, class, type);
        return;
    }
}

static int find_family(struct sp_run *run, const json_t *config, const char *file)
{
    const struct sp_model_family *family;
    const char *type = NULL;
    char known[512] = "";

    SP_TRY(sp_json_get_string(&type, config, "model_type", file));
    family = type ? sp_model_find(run->families, run->family_count, type) : NULL;
    if (family)
        warn_of_code(config, file);
    if (family)
        return sp_model_read(&run->model, family, config, file);
    for (size_t i = 0; i < run->family_count; i++)
        for (const char *const *t = run->families[i]->model_types; *t; t++)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", known[0] ? ", " : "", *t);
    if (!type)
        return no_type(run, config, file, known);
    return sp_error(SP_EFORMAT, "%s: \"model_type\" is \"%s\"; this version of speft-cl knows: %s", file, type, known);
}

/* A model of another family is refused first: weights that cannot be read need no converting then. A model_type that is
 * missing may come by converting them. */
static int choose_early(const json_t *config, void *user)
{
    struct sp_run *run = user;

    return json_is_string(json_object_get(config, "model_type")) ? find_family(run, config, run->model_file) : 0;
}

/* SP_ENOTFOUND, as where there is none, of one whose tokens the model has not all; a model may have more. */
static int check_fits(const struct sp_run *run, const char *dir)
{
    size_t tokens = sp_tokenizer_vocab_size(run->tokenizer);

    if (tokens <= (size_t)run->model.vocab_size)
        return 0;
    return sp_error(SP_ENOTFOUND,
                    "%s: the tokenizer has %zu tokens, but the model's embedding %d: the two do not belong together; "
                    "take the tokenizer that the model was trained with",
                    dir, tokens, run->model.vocab_size);
}

static int open_model(struct sp_run *run)
{
    const struct sp_config *c = run->config;
    char *dir = NULL;
    size_t limit;
    int rc;

    SP_GO(sp_config_require(c, "model_name_or_path"));
    SP_GO(sp_checkpoint_resolve(&dir, c->model_name_or_path));
    run->model_file = sp_checkpoint_config_path(dir);
    SP_GO(run->model_file ? 0 : SP_ENOMEM);
    SP_GO(sp_checkpoint_open_if(&run->checkpoint, dir, choose_early, run));
    if (!run->model.family)
        SP_GO(find_family(run, sp_checkpoint_config(run->checkpoint), run->model_file));
    run->max_seq_length = (size_t)c->max_seq_length;
    if (run->max_seq_length > (size_t)run->model.max_positions) {
        run->max_seq_length = (size_t)run->model.max_positions;
        sp_log(SP_LOG_INFO, "max_seq_length %lld is more than the model's %zu positions; using %zu", c->max_seq_length,
               run->max_seq_length, run->max_seq_length);
    }
    rc = sp_train_tokenizer_load(&run->tokenizer, dir, run->checkpoint);
    if (rc == 0)
        rc = check_fits(run, dir);
    if (rc == SP_ENOTFOUND) { /* rows of input_ids need none */
        sp_tokenizer_free(run->tokenizer);
        run->tokenizer = NULL;
        run->no_tokenizer = sp_strdup(sp_error_message());
        rc = run->no_tokenizer ? 0 : SP_ENOMEM;
    }
    SP_GO(rc);
    run->end_token = sp_train_end_token(run);
    if (run->tokenizer)
        sp_tokenizer_warn_short(run->tokenizer, (size_t)run->model.vocab_size, dir);
    limit = run->tokenizer ? sp_tokenizer_max_length(run->tokenizer) : 0;
    if (limit && run->max_seq_length > limit) {
        sp_log(SP_LOG_INFO, "max_seq_length %zu is more than the tokenizer's model_max_length; using %zu",
               run->max_seq_length, limit);
        run->max_seq_length = limit;
    }
out:
    free(dir);
    return rc;
}

int sp_run_open(struct sp_run *run)
{
    if (run->adapter) {
        SP_TRY(sp_task_recall(run));
        SP_TRY(sp_run_recall(run));
    }
    SP_TRY(open_model(run));
    SP_TRY(sp_device_open(&run->device, run->config->device));
    SP_TRY(sp_kernel_set_checking(run->device, true));
    SP_TRY(sp_transfer_check(run->device));
    sp_log(SP_LOG_INFO, "device: %s (%s)", sp_device_info(run->device)->name, sp_device_info(run->device)->platform);
    return 0;
}

int sp_run_read_dropout(struct sp_run *run)
{
    struct sp_model *m = &run->model;

    if (isnan(run->config->dropout))
        return m->family->read_dropout(m, sp_checkpoint_config(run->checkpoint), run->model_file);
    m->family->set_dropout(m, (float)run->config->dropout);
    return 0;
}

void sp_run_close(struct sp_run *run)
{
    sp_load_detach(run);
    free(run->additions);
    free(run->gradients);
    sp_batch_free(&run->batch);
    free(run->weights);
    sp_plan_free(run->plan);
    sp_dataset_free(&run->train);
    sp_dataset_free(&run->validation);
    sp_data_layout_release(&run->remembered);
    sp_labels_free(&run->labels);
    sp_tokenizer_free(run->tokenizer);
    free(run->no_tokenizer);
    if (run->chat)
        sp_chat_release(run->chat);
    free(run->chat);
    free(run->sample.asked);
    free(run->sample.before);
    free(run->sample.after);
    free(run->model_file);
    sp_model_release(&run->model);
    sp_checkpoint_close(run->checkpoint);
    sp_device_close(run->device);
}

/* The task before the training file is read: the adapter's, the one that is asked for, or one that takes a file without
 * labels. It stays unknown where the labels are to say it. */
static int choose_task(struct sp_run *run)
{
    struct sp_dataset_options options;
    const struct sp_task *unlabelled;
    bool labelled = true;

    if (!run->task)
        run->task = sp_config_task(run->config);
    unlabelled = run->task ? NULL : sp_task_of_labels(run, SP_LABELS_NONE);
    if (!unlabelled)
        return 0;
    options = sp_run_dataset_options(run);
    SP_TRY(sp_dataset_has_labels(&labelled, run->config->train_file, &options));
    run->task = labelled ? NULL : unlabelled;
    return 0;
}

/* The labels may have made it another task than the configuration has in mind. */
static int check_task(const struct sp_run *run)
{
    const struct sp_task *other;
    const char *why, *option = sp_task_misfit(&why, run->task, run->config), *ignored;

    if (!option)
        return 0;
    for (size_t i = 0; (other = sp_tasks[i]) && sp_task_misfit(&ignored, other, run->config); i++)
        ;
    return sp_error(SP_ECONFIG, "%s: its labels are %s, and %s is for %s: remove it%s%s", run->config->train_file,
                    run->task->labels, option, why, other ? ", or set task: " : "", other ? other->name : "");
}

/* The training file, read for the task where it is known; `labels`: whether they are read. */
static int read_train(struct sp_run *run, bool labels)
{
    struct sp_dataset_options options = sp_run_dataset_options(run);

    options.no_labels = !labels;
    options.max_rows = (size_t)run->config->max_train_samples;
    return sp_dataset_load(&run->train, run->config->train_file, run->tokenizer, &options);
}

/* What the task needs before its rows are read, where it is known. */
static int open_task(struct sp_run *run)
{
    return run->task && run->task->open ? run->task->open(run) : 0;
}

/* Once the task is chosen. */
static int load_train(struct sp_run *run)
{
    SP_TRY(open_task(run));
    SP_TRY(read_train(run, true));
    if (!run->task)
        run->task = sp_task_of_labels(run, run->train.label_kind);
    sp_run_tell(run, &run->train, run->config->train_file);
    SP_TRY(check_task(run));
    return sp_head_settle(run);
}

int sp_run_load_data(struct sp_run *run, bool train, bool validation)
{
    struct sp_dataset_options options;
    const char *file = run->config->validation_file;

    if (train) {
        SP_TRY(sp_config_require(run->config, "train_file"));
        SP_TRY(choose_task(run));
    }
    SP_TRY(train ? load_train(run) : sp_head_settle_untrained(run, false));
    SP_TRY(open_task(run));
    if (!validation || (train && !file))
        return 0;
    SP_TRY(sp_config_require(run->config, "validation_file"));
    options = sp_run_dataset_options(run); /* the task may have been open before */
    if (train)
        options.remembered = &run->train.layout;
    options.labels = run->labels.count ? &run->labels : NULL;
    options.max_rows = (size_t)run->config->max_eval_samples;
    SP_TRY(sp_dataset_load(&run->validation, file, run->tokenizer, &options));
    sp_run_tell(run, &run->validation, file);
    return 0;
}

int sp_run_load_rows(struct sp_run *run, bool labels)
{
    struct sp_dataset_options options;
    bool labelled;

    SP_TRY(sp_config_require(run->config, "train_file"));
    SP_TRY(choose_task(run));
    if (run->task && run->task->rows.labels == SP_LABELS_NONE)
        return load_train(run);
    options = sp_run_dataset_options(run);
    SP_TRY(sp_dataset_has_labels(&labelled, run->config->train_file, &options));
    if (labels || labelled)
        return load_train(run);
    sp_log(SP_LOG_INFO, "%s: no column of labels, and none is needed", run->config->train_file);
    SP_TRY(read_train(run, false));
    sp_run_tell(run, &run->train, run->config->train_file);
    return sp_head_settle_untrained(run, true);
}

int sp_run_load_input(struct sp_run *run, const char *path)
{
    struct sp_dataset_options options = sp_run_dataset_options(run);

    options.no_labels = options.empty_texts = true;
    options.labels = run->labels.count ? &run->labels : NULL;
    SP_TRY(sp_dataset_load(&run->validation, path, run->tokenizer, &options));
    sp_run_tell(run, &run->validation, strcmp(path, "-") == 0 ? SP_READER_STANDARD_INPUT : path);
    return 0;
}

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The largest batch of the data sets that were loaded, unless the caller names it. */
static int find_limits(struct sp_run *run, bool training, size_t max_rows, size_t max_tokens)
{
    size_t rows[2] = { (size_t)run->config->per_device_train_batch_size,
                       (size_t)run->config->per_device_eval_batch_size };
    const struct sp_dataset *const sets[2] = { &run->train, &run->validation };

    for (int i = 0; i < 2; i++) {
        size_t tokens;

        if (!sets[i]->count)
            continue;
        SP_TRY(sp_data_max_tokens(&tokens, sets[i], rows[i]));
        max_tokens = max_of(max_tokens, tokens);
        max_rows = max_of(max_rows, rows[i]);
    }
    if (max_tokens > INT_MAX)
        return sp_error(SP_ELIMIT, "a batch of %zu tokens is more than a plan can hold", max_tokens);
    run->limits = (struct sp_plan_limits){
        .tokens = (int)max_tokens,
        .sequences = (int)max_rows,
        .longest = (int)run->max_seq_length,
        .training = training,
    };
    return 0;
}

int sp_run_build(struct sp_run *run, bool training, size_t max_rows, size_t max_tokens)
{
    SP_TRY(find_limits(run, training, max_rows, max_tokens));
    if (run->task->keeps_output && run->task->keeps_output(run))
        SP_TRY(sp_load_tie(run));
    SP_TRY(sp_plan_create(&run->plan));
    run->task->build(run);
    return sp_run_fill(run);
}

int sp_run_fill(struct sp_run *run)
{
    const struct sp_gemm_family *family;

    SP_TRY(sp_gemm_choose(&family, run->device, run->config->gemm));
    SP_TRY(sp_load_find(run));
    if (run->limits.training)
        SP_TRY(sp_config_method(run->config)->assign(run));
    run->limits.transposed = run->limits.training && sp_trained_transposes(run);
    SP_TRY(sp_plan_compile(run->plan, run->device, family, &run->limits));
    if (run->limits.training)
        SP_TRY(sp_ledger_tell(run));
    SP_TRY(sp_load_params(run));
    run->gradients = sp_calloc(sp_plan_param_count(run->plan), sizeof *run->gradients);
    run->additions = sp_calloc(sp_plan_param_count(run->plan), sizeof *run->additions);
    if (!run->gradients || !run->additions)
        return SP_ENOMEM;
    SP_TRY(sp_batch_init(&run->batch, (size_t)run->limits.sequences, (size_t)run->limits.tokens));
    return sp_load_attach(run);
}
