#include "runtime/train/head.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LIST_LIMIT 1500 /* characters of classes in a message */

/* The head that the checkpoint has. */
struct own_head {
    size_t outputs; /* 0: none */
    char unfit[200]; /* why it is not for the labels of whole texts; empty where it is */
    struct sp_labels names; /* of its classes; by their numbers where config.json has no names. None for one output */
    bool named;
};

/* How the data's labels stand for the outputs. */
enum match { UNLIKE, BY_NAME, BY_CASE, BY_ORDER };

/* ---- what the checkpoint has --------------------------------------------------------------------------------------------- */

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

/* The class names of a head in the checkpoint: config.json's id2label in the order of its rows, or 0, 1, ... where that names
 * nothing, or not each output once. */
static int name_outputs(struct own_head *own, const struct sp_run *run)
{
    const json_t *names = json_object_get(sp_checkpoint_config(run->checkpoint), "id2label");
    const char **list = sp_calloc(own->outputs, sizeof *list);
    char (*numbers)[24] = sp_calloc(own->outputs, sizeof *numbers), problem[128] = "";
    int rc = list && numbers ? 0 : SP_ENOMEM;

    if (rc == 0 && names && !json_is_null(names))
        rc = check_names(problem, sizeof problem, names, own->outputs);
    if (problem[0])
        sp_log(SP_LOG_WARNING, "%s/config.json: \"id2label\" is malformed: %s; the classes of the model's head are called 0 to %zu",
               sp_checkpoint_dir(run->checkpoint), problem, own->outputs - 1);
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

/* The class of transformers, by config.json, whose head is for something else than a label of the whole text; NULL for none. */
static const char *other_task(const json_t *config)
{
    static const char *const tasks[] = { "ForTokenClassification", "ForMultipleChoice", "ForQuestionAnswering", "ForMaskedLM",
                                         "ForPreTraining", "ForNextSentencePrediction" };
    const json_t *list = json_object_get(config, "architectures");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *class = json_string_value(json_array_get(list, i));
        size_t length = class ? strlen(class) : 0;

        for (size_t t = 0; t < sizeof tasks / sizeof *tasks; t++)
            if (length > strlen(tasks[t]) && strcmp(class + length - strlen(tasks[t]), tasks[t]) == 0)
                return class;
    }
    return NULL;
}

static int find_own(struct own_head *out, const struct sp_run *run)
{
    const struct sp_tensor_info *tensor = sp_checkpoint_find(run->checkpoint, run->family->head);
    const json_t *config = sp_checkpoint_config(run->checkpoint);
    const char *problem = json_string_value(json_object_get(config, "problem_type")), *other = other_task(config);
    char shape[SP_SHAPE_TEXT];

    *out = (struct own_head){ .outputs = tensor && tensor->rank > 0 ? tensor->shape[0] : 0 };
    if (!out->outputs)
        return 0;
    if (tensor->rank != 2 || tensor->shape[1] != (size_t)run->model.hidden_size)
        snprintf(out->unfit, sizeof out->unfit, "its %s is %s, not classes x %d", run->family->head,
                 sp_tensor_describe(shape, tensor), run->model.hidden_size);
    else if (out->outputs > SP_LABELS_MAX)
        snprintf(out->unfit, sizeof out->unfit, "it has %zu classes, more than the limit of %zu", out->outputs, SP_LABELS_MAX);
    else if (other)
        snprintf(out->unfit, sizeof out->unfit, "it is a %.100s's, not one for the label of a whole text", other);
    else if (out->outputs > 1 && problem && strcmp(problem, "regression") == 0)
        snprintf(out->unfit, sizeof out->unfit, "its problem_type is regression, of %zu values at once", out->outputs);
    else if (problem && strcmp(problem, "multi_label_classification") == 0)
        snprintf(out->unfit, sizeof out->unfit, "its problem_type is %s, and a row can have only one label here", problem);
    return out->outputs > 1 && !out->unfit[0] ? name_outputs(out, run) : 0;
}

/* Whether the name stands for the number alone, "LABEL_7" for 7. */
static bool is_number_of(const char *name, const char *number)
{
    return strncmp(name, "LABEL_", 6) == 0 && strcmp(name + 6, number) == 0;
}

/* Whether the names are those that transformers makes up, LABEL_0, LABEL_1, ... in order. */
static bool only_numbered(const struct own_head *own)
{
    bool all = true;

    for (size_t i = 0; all && i < own->names.count; i++) {
        char number[24];

        snprintf(number, sizeof number, "%zu", i);
        all = is_number_of(own->names.names[i], number);
    }
    return all;
}

/* Whether a label is the name of another output than the one in its place: its order then says nothing of what it means. */
static bool names_another(const struct own_head *own, const struct sp_labels *data)
{
    for (size_t i = 0; own->named && !only_numbered(own) && i < data->count; i++)
        for (size_t output = 0; output < own->names.count; output++)
            if (output != i && (strcmp(own->names.names[output], data->names[i]) == 0 ||
                                is_number_of(own->names.names[output], data->names[i])))
                return true;
    return false;
}

/* ---- what is said -------------------------------------------------------------------------------------------------------- */

/* Adds one of `count` entries of a list; those that would be too many are only counted. */
static void add_entry(struct sp_buf *list, bool *full, size_t i, size_t count, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void add_entry(struct sp_buf *list, bool *full, size_t i, size_t count, const char *format, ...)
{
    char entry[700];
    va_list args;

    if (*full)
        return;
    va_start(args, format);
    vsnprintf(entry, sizeof entry, format, args);
    va_end(args);
    *full = list->length + strlen(entry) > LIST_LIMIT;
    if (*full)
        (void)sp_buf_printf(list, " and %zu more", count - i);
    else
        (void)sp_buf_printf(list, "%s%s", i ? ", " : "", entry);
}

static void list_labels(struct sp_buf *out, const struct sp_labels *labels)
{
    bool full = false;

    for (size_t i = 0; i < labels->count; i++)
        add_entry(out, &full, i, labels->count, "%s", labels->names[i]);
}

/* Why the head is not kept for the data's labels. */
static void explain(char *why, size_t size, const struct own_head *own, const struct sp_run *run)
{
    struct sp_buf its = SP_BUF(2 * LIST_LIMIT), others = SP_BUF(2 * LIST_LIMIT);
    const struct sp_labels *data = &run->train.labels;

    if (own->unfit[0]) {
        snprintf(why, size, "%s", own->unfit);
    } else if (run->task == SP_TASK_REGRESSION) {
        snprintf(why, size, "it is for %zu classes, and the labels are numbers to predict", own->outputs);
    } else if (own->outputs == 1) {
        snprintf(why, size, "it has one output, for a number, and the labels are classes");
    } else {
        list_labels(&its, &own->names);
        list_labels(&others, data);
        snprintf(why, size, "its %zu classes are %s%s; the data's %zu are %s", own->outputs, own->named ? "" : "only numbered, ",
                 its.data ? its.data : "", data->count, others.data ? others.data : "");
    }
    sp_buf_free(&its);
    sp_buf_free(&others);
}

/* A head is kept whose outputs the data names in its own way: which label got which. Only real names can be the wrong ones. */
static void tell_mapping(const struct own_head *own, const struct sp_labels *data, const uint32_t *map, enum match how)
{
    bool full = false, real = own->named && !only_numbered(own);
    struct sp_buf list = SP_BUF(2 * LIST_LIMIT);

    for (size_t i = 0; i < data->count; i++) {
        if (own->named)
            add_entry(&list, &full, i, data->count, "%s -> %s", data->names[i], own->names.names[map[i]]);
        else
            add_entry(&list, &full, i, data->count, "%s -> output %u", data->names[i], map[i]);
    }
    sp_log(real ? SP_LOG_WARNING : SP_LOG_INFO,
           "the model's own head is kept, the data's labels standing for its classes %s: %s; keep_head: false makes a new one",
           how == BY_CASE ? "but for upper and lower case" : "in their order", list.data ? list.data : "");
    sp_buf_free(&list);
}

/* A head is kept by its names: those of which there is no row may be a sign that it is the wrong one. */
static int tell_names(const struct own_head *own, const struct sp_labels *data, const uint32_t *map)
{
    struct sp_buf list = SP_BUF(2 * LIST_LIMIT);
    bool *seen = sp_calloc(own->outputs, sizeof *seen), full = false;
    size_t missing = own->outputs - data->count, n = 0;

    if (!seen)
        return SP_ENOMEM;
    for (size_t i = 0; i < data->count; i++)
        seen[map[i]] = true;
    for (size_t i = 0; i < own->outputs; i++)
        if (!seen[i])
            add_entry(&list, &full, n++, missing, "%s", own->names.names[i]);
    sp_log(SP_LOG_INFO, "the model's own head is kept: the data's labels are its names%s%s", missing ? "; no row has " : "",
           list.data ? list.data : "");
    sp_buf_free(&list);
    free(seen);
    return 0;
}

/* ---- which one it is ----------------------------------------------------------------------------------------------------- */

/* The one class whose name is the label but for its case; `count` where there is none, or more than one. */
static size_t find_in_any_case(const struct sp_labels *names, const char *label)
{
    size_t found = names->count;

    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->names[i], label) != 0)
            continue;
        if (found < names->count)
            return names->count;
        found = i;
    }
    return found;
}

/* Fills map[data->count], label to output, each output at most once. */
static int match_labels(enum match *how, uint32_t *map, const struct own_head *own, const struct sp_labels *data, bool any)
{
    bool *taken = sp_calloc(own->names.count, sizeof *taken), integers = true;
    size_t exact = 0, cased = 0;
    long long number;

    *how = UNLIKE;
    if (!taken)
        return SP_ENOMEM;
    while (own->named && exact < data->count && sp_labels_find(&map[exact], &own->names, data->names[exact]) == 0)
        exact++;
    while (own->named && exact < data->count && cased < data->count) {
        size_t class = find_in_any_case(&own->names, data->names[cased]);

        if (class == own->names.count || taken[class])
            break;
        taken[class] = true;
        map[cased++] = (uint32_t)class;
    }
    for (size_t i = 0; i < data->count; i++)
        integers = integers && sp_text_int(data->names[i], &number);
    if (exact == data->count)
        *how = BY_NAME;
    else if (cased == data->count)
        *how = BY_CASE;
    else if (data->count == own->names.count && (any || (integers && !names_another(own, data))))
        *how = BY_ORDER;
    for (uint32_t i = 0; *how == BY_ORDER && i < data->count; i++)
        map[i] = i;
    free(taken);
    return 0;
}

/* The head's classes, called as the data calls them where it has them; the rows' classes become its outputs. */
static int adopt(struct sp_run *run, const struct own_head *own, const uint32_t *map)
{
    const char **names = sp_calloc(own->outputs, sizeof *names);
    int rc;

    if (!names)
        return SP_ENOMEM;
    for (size_t i = 0; i < own->outputs; i++)
        names[i] = own->names.names[i];
    for (size_t i = 0; i < run->train.labels.count; i++)
        names[map[i]] = run->train.labels.names[i];
    rc = sp_labels_copy(&run->labels, names, own->outputs);
    for (size_t i = 0; rc == 0 && i < run->train.count; i++)
        run->train.classes[i] = map[run->train.classes[i]];
    free(names);
    return rc;
}

/* Keeps the head if the labels allow it. */
static int keep_for_classes(struct sp_run *run, const struct own_head *own)
{
    const struct sp_labels *data = &run->train.labels;
    uint32_t *map = sp_calloc(data->count, sizeof *map);
    enum match how = UNLIKE;
    int rc;

    SP_GO(map ? 0 : SP_ENOMEM);
    SP_GO(match_labels(&how, map, own, data, run->config->keep_head == SP_KEEP_HEAD_TRUE));
    if (how == UNLIKE)
        goto out;
    run->keep_head = true;
    SP_GO(adopt(run, own, map));
    if (how == BY_NAME)
        rc = tell_names(own, data, map);
    else
        tell_mapping(own, data, map, how);
out:
    free(map);
    return rc;
}

/* Where the head was not kept: a new one, or the error that keep_head: true asks for. */
static int make_new(struct sp_run *run, const struct own_head *own)
{
    const char *dir = sp_checkpoint_dir(run->checkpoint);
    char why[3 * LIST_LIMIT];

    explain(why, sizeof why, own, run);
    if (run->config->keep_head == SP_KEEP_HEAD_TRUE && !own->outputs)
        return sp_error(SP_ECONFIG, "keep_head: true, but %s has no trained head", dir);
    if (run->config->keep_head == SP_KEEP_HEAD_TRUE)
        return sp_error(SP_ECONFIG, "keep_head: true, but the head of %s cannot be kept: %s", dir, why);
    if (!own->outputs)
        sp_log(SP_LOG_INFO, "a new head: the model has none");
    else if (run->config->keep_head == SP_KEEP_HEAD_FALSE)
        sp_log(SP_LOG_INFO, "the model's own head is replaced by a new one: keep_head is false");
    else
        sp_log(SP_LOG_WARNING, "the model's own head is replaced by a new one: %s", why);
    if (run->task == SP_TASK_REGRESSION)
        return 0;
    return sp_labels_copy(&run->labels, (const char *const *)run->train.labels.names, run->train.labels.count);
}

static bool may_keep(const struct own_head *own, const struct sp_run *run)
{
    return own->outputs && !own->unfit[0] && run->config->keep_head != SP_KEEP_HEAD_FALSE;
}

int sp_head_settle(struct sp_run *run)
{
    bool regression = run->task == SP_TASK_REGRESSION;
    struct own_head own;
    int rc;

    SP_GO(find_own(&own, run));
    run->keep_head = may_keep(&own, run) && regression && own.outputs == 1;
    if (run->keep_head)
        sp_log(SP_LOG_INFO, "the model's own head of one output is kept; keep_head: false makes a new one");
    if (may_keep(&own, run) && !regression && own.outputs > 1)
        SP_GO(keep_for_classes(run, &own));
    if (!run->keep_head)
        SP_GO(make_new(run, &own));
out:
    sp_labels_free(&own.names);
    return rc;
}

/* ---- without training data ----------------------------------------------------------------------------------------------- */

static int settle_by_adapter(struct sp_run *run)
{
    const struct sp_adapter *a = run->adapter;
    size_t count = json_array_size(a->labels);
    const char **names = sp_calloc(count, sizeof *names);
    bool kept = a->head && strcmp(a->head, "kept") == 0;
    int rc = names ? 0 : SP_ENOMEM;

    run->task = strcmp(a->task, "regression") == 0 ? SP_TASK_REGRESSION : SP_TASK_CLASSIFICATION;
    for (size_t i = 0; i < count && rc == 0; i++)
        names[i] = json_string_value(json_array_get(a->labels, i));
    if (rc == 0 && a->head && run->config->keep_head == (kept ? SP_KEEP_HEAD_FALSE : SP_KEEP_HEAD_TRUE))
        rc = sp_error(SP_ECONFIG, "keep_head: %s, but the adapter %s was trained on %s", kept ? "false" : "true", a->dir,
                      kept ? "the model's own head" : "a new head");
    if (rc == 0 && run->task == SP_TASK_CLASSIFICATION)
        rc = sp_labels_copy(&run->labels, names, count);
    free(names);
    return rc;
}

int sp_head_settle_untrained(struct sp_run *run, bool or_new)
{
    const char *dir = sp_checkpoint_dir(run->checkpoint);
    struct own_head own;
    int rc;

    if (run->adapter)
        return settle_by_adapter(run);
    SP_GO(find_own(&own, run));
    run->keep_head = may_keep(&own, run);
    if (!run->keep_head && or_new) {
        run->task = SP_TASK_REGRESSION;
        SP_GO(make_new(run, &own));
        goto out;
    }
    if (!own.outputs)
        SP_GO(sp_error(SP_EINVAL, "%s has no trained head; name an adapter", dir));
    if (!run->keep_head)
        SP_GO(sp_error(SP_EINVAL, "the head of %s cannot be used: %s; name an adapter", dir,
                       own.unfit[0] ? own.unfit : "keep_head is false"));
    run->task = own.outputs == 1 ? SP_TASK_REGRESSION : SP_TASK_CLASSIFICATION;
    run->labels = own.names;
    own.names = (struct sp_labels){ NULL, 0 };
out:
    sp_labels_free(&own.names);
    return rc;
}
