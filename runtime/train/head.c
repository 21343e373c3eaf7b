#include "runtime/train/head.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/train/task.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the checkpoint has ------------------------------------------------------------------------------------- */

/* What is wrong with config.json's id2label for a head of so many outputs; an empty text when nothing is. */
static int check_names(char *problem, size_t size, const json_t *names, size_t outputs)
{
    json_t *seen = json_object();
    int failed = !seen;

    problem[0] = '\0';
    if (!sp_json_is_object(names))
        snprintf(problem, size, "it is not an object");
    else if (json_object_size(names) > outputs)
        snprintf(problem, size, "it has %zu names, the head %zu outputs", json_object_size(names), outputs);
    for (size_t i = 0; i < outputs && !problem[0] && !failed; i++) {
        char key[24];
        const char *name;
        const json_t *same;

        snprintf(key, sizeof key, "%zu", i);
        name = json_string_value(json_object_get(names, key));
        same = name ? json_object_get(seen, name) : NULL;
        if (!name)
            snprintf(problem, size, "\"%zu\" %s", i, json_object_get(names, key) ? "is not a string" : "is missing");
        else if (same)
            snprintf(problem, size, "\"%lld\" and \"%zu\" have the same name", (long long)json_integer_value(same), i);
        else
            failed = json_object_set_new(seen, name, json_integer((json_int_t)i)) < 0;
    }
    json_decref(seen);
    return failed ? sp_error(SP_ENOMEM, "out of memory") : 0;
}

/* The class names of a head in the checkpoint: config.json's id2label in the order of its rows, or 0, 1, ... where that
 * names nothing, or not each output once. */
static int name_outputs(struct sp_own_head *own, const struct sp_run *run)
{
    const json_t *names = json_object_get(sp_checkpoint_config(run->checkpoint), "id2label");
    const char **list = sp_calloc(own->outputs, sizeof *list);
    char (*numbers)[24] = sp_calloc(own->outputs, sizeof *numbers), problem[128] = "";
    int rc = list && numbers ? 0 : SP_ENOMEM;

    if (rc == 0 && names && !json_is_null(names))
        rc = check_names(problem, sizeof problem, names, own->outputs);
    if (problem[0])
        sp_log(SP_LOG_WARNING,
               "%s: \"id2label\" is malformed: %s; the classes of the model's head are called 0 to %zu",
               run->model_file, problem, own->outputs - 1);
    own->named = names && !json_is_null(names) && !problem[0];
    for (size_t i = 0; rc == 0 && i < own->outputs; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%zu", i);
        list[i] = own->named ? json_string_value(json_object_get(names, numbers[i])) : numbers[i];
    }
    if (rc == 0)
        rc = sp_labels_copy(&own->names, list, own->outputs);
    free(numbers);
    free(list);
    return rc;
}

/* run->task is whose head it may be, or, where none is chosen yet, the first task that can have it. */
static int find_own(struct sp_own_head *out, const struct sp_run *run)
{
    const struct sp_tensor_info *tensor = sp_checkpoint_find(run->checkpoint, run->model.family->head_weight);
    const json_t *config = sp_checkpoint_config(run->checkpoint);
    const struct sp_task *task = run->task;
    char shape[SP_SHAPE_TEXT];

    *out = (struct sp_own_head){ .outputs = tensor && tensor->rank > 0 ? tensor->shape[0] : 0 };
    if (!out->outputs)
        return 0;
    if (!task)
        task = sp_task_of_head(out->outputs, config);
    if (tensor->rank != 2 || tensor->shape[1] != (size_t)run->model.hidden_size)
        snprintf(out->unfit, sizeof out->unfit, "its %s is %s, not classes x %d", run->model.family->head_weight,
                 sp_tensor_describe(shape, tensor), run->model.hidden_size);
    else if (out->outputs > SP_LABELS_MAX)
        snprintf(out->unfit, sizeof out->unfit, "it has %zu classes, more than the limit of %zu", out->outputs,
                 SP_LABELS_MAX);
    else
        (task ? task : sp_tasks[0])->fits(out->unfit, sizeof out->unfit, out->outputs, config);
    return out->outputs > 1 && !out->unfit[0] ? name_outputs(out, run) : 0;
}

/* ---- which one it is --------------------------------------------------------------------------------------------- */

/* Where the head was not kept: a new one, or the error that keep_head: true asks for. */
static int make_new(struct sp_run *run, const struct sp_own_head *own)
{
    const char *dir = sp_checkpoint_dir(run->checkpoint);
    char why[SP_HEAD_WHY];

    snprintf(why, sizeof why, "%s", own->unfit);
    if (own->outputs && !own->unfit[0] && run->task->why_new)
        run->task->why_new(why, sizeof why, own, run);
    if (run->config->keep_head == SP_YES && !own->outputs)
        return sp_error(SP_ECONFIG, "keep_head: true, but %s has no trained head", dir);
    if (run->config->keep_head == SP_YES)
        return sp_error(SP_ECONFIG, "keep_head: true, but the head of %s cannot be kept: %s", dir, why);
    if (!own->outputs)
        sp_log(SP_LOG_INFO, "a new head: the model has none");
    else if (run->config->keep_head == SP_NO)
        sp_log(SP_LOG_INFO, "the model's own head is replaced by a new one: keep_head is false");
    else
        sp_log(SP_LOG_WARNING, "the model's own head is replaced by a new one: %s", why);
    return sp_labels_copy(&run->labels, (const char *const *)run->train.labels.names, run->train.labels.count);
}

static bool may_keep(const struct sp_own_head *own, const struct sp_run *run)
{
    return own->outputs && !own->unfit[0] && run->config->keep_head != SP_NO;
}

/* Whether the task, which must be for such a model, is about its own output, which is then kept. */
static int keep_output(struct sp_run *run)
{
    if (run->task && run->task->check_model)
        SP_TRY(run->task->check_model(run));
    run->keep_head = !run->adapter && run->task && run->task->keeps_output && run->task->keeps_output(run);
    return 0;
}

int sp_head_settle(struct sp_run *run)
{
    struct sp_own_head own;
    int rc;

    SP_TRY(keep_output(run));
    if (run->keep_head)
        return 0;
    SP_GO(find_own(&own, run));
    if (may_keep(&own, run))
        SP_GO(run->task->keep_head(run, &own));
    if (!run->keep_head)
        SP_GO(make_new(run, &own));
out:
    sp_labels_free(&own.names);
    return rc;
}

/* ---- without training data --------------------------------------------------------------------------------------- */

static int settle_by_adapter(struct sp_run *run)
{
    const struct sp_adapter *a = run->adapter;
    size_t count = json_array_size(a->labels);
    const char **names = sp_calloc(count, sizeof *names);
    bool kept = a->head && strcmp(a->head, "kept") == 0;
    int rc = names ? 0 : SP_ENOMEM;

    for (size_t i = 0; i < count && rc == 0; i++)
        names[i] = json_string_value(json_array_get(a->labels, i));
    if (rc == 0 && a->head && run->config->keep_head == (kept ? SP_NO : SP_YES))
        rc = sp_error(SP_ECONFIG, "keep_head: %s, but the adapter %s was trained on %s", kept ? "false" : "true",
                      a->dir, kept ? "the model's own head" : "a new head");
    if (rc == 0)
        rc = sp_labels_copy(&run->labels, names, count);
    free(names);
    return rc;
}

static bool is_ignored(const struct sp_run *run, const char *name)
{
    const char *const *pattern = run->model.family->ignored;

    while (*pattern && fnmatch(*pattern, name, 0) != 0)
        pattern++;
    return *pattern != NULL;
}

/* A tensor that may be a head under another name: outputs x hidden_size, and no table of embeddings; NULL for none. */
static const struct sp_tensor_info *find_other_head(const struct sp_run *run)
{
    for (size_t i = 0; i < sp_checkpoint_count(run->checkpoint); i++) {
        const struct sp_tensor_info *t = sp_checkpoint_at(run->checkpoint, i);

        if (t->rank == 2 && t->shape[1] == (size_t)run->model.hidden_size && t->shape[0] < t->shape[1] &&
            !strstr(t->name, "embed") && !is_ignored(run, t->name))
            return t;
    }
    return NULL;
}

static int no_head(const struct sp_run *run)
{
    const char *dir = sp_checkpoint_dir(run->checkpoint);
    const struct sp_tensor_info *other = find_other_head(run);
    char shape[SP_SHAPE_TEXT];

    if (!other)
        return sp_error(SP_EINVAL, "%s has no trained head; name an adapter", dir);
    return sp_error(SP_EINVAL,
                    "%s has no trained head: no tensor %s. If its %s (%s) is one, give it that name, and its bias "
                    "likewise; else name an adapter",
                    dir, run->model.family->head_weight, other->name, sp_tensor_describe(shape, other));
}

int sp_head_settle_untrained(struct sp_run *run, bool or_new)
{
    const char *dir = sp_checkpoint_dir(run->checkpoint);
    struct sp_own_head own;
    int rc;

    if (!run->task)
        run->task = sp_config_task(run->config);
    if (!run->task)
        run->task = sp_task_of_output(run);
    SP_TRY(keep_output(run));
    if (run->adapter)
        return settle_by_adapter(run);
    if (run->keep_head)
        return 0;
    SP_GO(find_own(&own, run));
    run->keep_head = may_keep(&own, run);
    if (!run->keep_head && or_new) {
        run->task = run->task ? run->task : sp_task_of_head(1, NULL);
        SP_GO(make_new(run, &own));
        goto out;
    }
    if (!own.outputs)
        SP_GO(no_head(run));
    if (!run->keep_head)
        SP_GO(sp_error(SP_EINVAL, "the head of %s cannot be used: %s; name an adapter", dir,
                       own.unfit[0] ? own.unfit : "keep_head is false"));
    run->task = run->task ? run->task : sp_task_of_head(own.outputs, sp_checkpoint_config(run->checkpoint));
    run->labels = own.names;
    own.names = (struct sp_labels){ NULL, 0 };
out:
    sp_labels_free(&own.names);
    return rc;
}
