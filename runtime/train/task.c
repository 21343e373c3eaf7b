#include "runtime/train/task.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>

const struct sp_task *sp_task_find(const char *name)
{
    for (size_t i = 0; sp_tasks[i]; i++)
        if (strcmp(sp_tasks[i]->name, name) == 0)
            return sp_tasks[i];
    return NULL;
}

const struct sp_task *sp_task_of_labels(const struct sp_run *run, enum sp_label_kind labels)
{
    for (size_t i = 0; sp_tasks[i]; i++)
        if (sp_tasks[i]->takes(run, labels))
            return sp_tasks[i];
    return NULL;
}

const struct sp_task *sp_task_of_output(const struct sp_run *run)
{
    for (size_t i = 0; sp_tasks[i]; i++)
        if (sp_tasks[i]->keeps_output && sp_tasks[i]->keeps_output(run))
            return sp_tasks[i];
    return NULL;
}

const struct sp_task *sp_task_of_head(size_t outputs, const json_t *config)
{
    char why[SP_HEAD_UNFIT];

    for (size_t i = 0; sp_tasks[i]; i++)
        if (sp_tasks[i]->fits(why, sizeof why, outputs, config))
            return sp_tasks[i];
    return NULL;
}

const struct sp_task *sp_config_task(const struct sp_config *config)
{
    return config->task ? sp_tasks[config->task - 1] : NULL; /* 0 is auto */
}

void *sp_task_options(const struct sp_task *task, const struct sp_config *config)
{
    const struct sp_option_part *part = sp_option_part_of(sp_config_options(), &task->options);

    return part && task->options.count ? sp_option_struct(part, config) : NULL;
}

static bool is_given(const struct sp_config *config, const char *key)
{
    const struct sp_option_table *table = sp_config_options();

    return !sp_option_is_default(table, sp_option_index(table, key), config);
}

/* What one of the task's own options is for. */
static const char *purpose_of(const struct sp_task *task, const char *key)
{
    const struct sp_text_pair *pair = sp_shape_pair(&task->rows);

    return strcmp(key, pair->options[0]) == 0 || strcmp(key, pair->options[1]) == 0 ? pair->what : task->labels;
}

/* Whether another task's option is this one's, too. */
static bool shares(const struct sp_task *task, const char *key)
{
    const char *const *name = task->shares;

    while (name && *name && strcmp(*name, key) != 0)
        name++;
    return name && *name;
}

const char *sp_task_misfit(const char **why, const struct sp_task *task, const struct sp_config *config)
{
    const struct sp_text_pair *pair = sp_shape_pair(NULL);

    for (size_t i = 0; sp_tasks[i]; i++) {
        const struct sp_option_rows *others = &sp_tasks[i]->options;

        for (size_t k = 0; others->rows != task->options.rows && k < others->count; k++) {
            const char *key = others->rows[k].key;

            *why = purpose_of(sp_tasks[i], key);
            if (!shares(task, key) && is_given(config, key))
                return key;
        }
    }
    *why = pair->what;
    return task->rows.pair && is_given(config, pair->options[1]) ? pair->options[1] : NULL;
}

const struct sp_score *sp_task_score(const struct sp_task *task, const char *name)
{
    static const struct sp_score loss = { .name = "loss", .label = "loss", .lower_is_better = true };

    for (size_t i = 0; sp_tasks[i]; i++)
        for (size_t k = 0; (!task || task == sp_tasks[i]) && k < sp_tasks[i]->score_count; k++)
            if (strcmp(sp_tasks[i]->scores[k].name, name) == 0)
                return &sp_tasks[i]->scores[k];
    return strcmp(name, loss.name) == 0 ? &loss : NULL;
}

int sp_task_recall(struct sp_run *run)
{
    const struct sp_adapter *a = run->adapter;
    char *file = sp_asprintf("%s/adapter.json", a->dir);
    struct sp_buf names = SP_BUF(256);
    int rc = file ? 0 : SP_ENOMEM;

    run->task = sp_task_find(a->task);
    for (size_t i = 0; rc == 0 && sp_tasks[i]; i++)
        rc = sp_buf_printf(&names, "%s%s", i ? " or " : "", sp_tasks[i]->name);
    if (rc == 0 && !run->task)
        rc = sp_error(SP_EFORMAT, "%s: \"task\" is \"%s\"; %s is expected", file, a->task, names.data);
    if (rc == 0)
        rc = run->task->check_labels(a->labels, file);
    sp_buf_free(&names);
    free(file);
    return rc;
}

int sp_task_forward(const struct sp_run *run)
{
    const struct sp_model_family *family = run->model.family;
    int hidden = family->body(run->plan, &run->model);

    return family->head(run->plan, &run->model, hidden, (int)run->task->outputs(run));
}

json_t *sp_task_row(json_t *label, const struct sp_logits *logits, size_t i)
{
    struct sp_logits_row r = sp_logits_row(logits, i);
    json_t *list = json_array(), *row = json_pack("{s:o, s:O}", "label", label, "logits", list);
    int failed = !list || !row;

    for (size_t k = 0; k < r.count * logits->outputs && !failed; k++)
        failed = json_array_append_new(list, json_real((double)r.values[k]));
    json_decref(list);
    if (failed)
        json_decref(row);
    return failed ? NULL : row;
}
