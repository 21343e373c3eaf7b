/* Classification: one of several classes a row, by cross-entropy. */
#include "runtime/train/task.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/train/classes.h"
#include "runtime/train/config_priv.h"
#include "runtime/train/score.h"
#include "runtime/train/text_head.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GUESSING 0.95     /* of the loss that guessing gives */
#define ENOUGH 5          /* rows that are wrong, before all being predicted alike means anything */
#define LIST_LIMIT 1500   /* characters of classes in a message */

static bool takes(const struct sp_run *run, enum sp_label_kind labels)
{
    (void)run;
    return labels == SP_LABELS_CLASSES;
}

/* How the data's labels stand for the outputs. */
enum match { UNLIKE, BY_NAME, BY_CASE, BY_ORDER };

/* ---- the head ---------------------------------------------------------------------------------------------------- */

/* Whether the name stands for the number alone, "LABEL_7" for 7. */
static bool is_number_of(const char *name, const char *number)
{
    return strncmp(name, "LABEL_", 6) == 0 && strcmp(name + 6, number) == 0;
}

/* Whether the names are those that transformers makes up, LABEL_0, LABEL_1, ... in order. */
static bool only_numbered(const struct sp_own_head *own)
{
    bool all = true;

    for (size_t i = 0; all && i < own->names.count; i++) {
        char number[24];

        snprintf(number, sizeof number, "%zu", i);
        all = is_number_of(own->names.names[i], number);
    }
    return all;
}

/* Whether a label is the name of another output than the one in its place: its order then says nothing of what it
 * means. */
static bool names_another(const struct sp_own_head *own, const struct sp_labels *data)
{
    for (size_t i = 0; own->named && !only_numbered(own) && i < data->count; i++)
        for (size_t output = 0; output < own->names.count; output++)
            if (output != i && (strcmp(own->names.names[output], data->names[i]) == 0 ||
                                is_number_of(own->names.names[output], data->names[i])))
                return true;
    return false;
}

/* Adds one of `count` entries of a list; those that would be too many are only counted. */
static void add_entry(struct sp_buf *list, bool *full, size_t i, size_t count, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void add_entry(struct sp_buf *list, bool *full, size_t i, size_t count, const char *format, ...)
{
    struct sp_buf shown = SP_BUF(4 * LIST_LIMIT);
    char entry[700];
    va_list args;

    if (*full)
        return;
    va_start(args, format);
    vsnprintf(entry, sizeof entry, format, args);
    va_end(args);
    if (sp_text_escape_name(&shown, entry) < 0)
        sp_buf_clear(&shown);
    *full = list->length + shown.length > LIST_LIMIT;
    if (*full)
        (void)sp_buf_printf(list, " and %zu more", count - i);
    else
        (void)sp_buf_printf(list, "%s%s", i ? ", " : "", shown.data ? shown.data : "");
    sp_buf_free(&shown);
}

static void list_labels(struct sp_buf *out, const struct sp_labels *labels)
{
    bool full = false;

    for (size_t i = 0; i < labels->count; i++)
        add_entry(out, &full, i, labels->count, "%s", labels->names[i]);
}

/* A head is kept whose outputs the data names in its own way: which label got which. Only real names can be the wrong
 * ones. */
static void tell_mapping(const struct sp_own_head *own, const struct sp_labels *data, const uint32_t *map,
                         enum match how)
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
           "the model's own head is kept, the data's labels standing for its classes %s: %s; keep_head: false makes a "
           "new one",
           how == BY_CASE ? "but for upper and lower case" : "in their order", list.data ? list.data : "");
    sp_buf_free(&list);
}

/* A head is kept by its names: those of which there is no row may be a sign that it is the wrong one. */
static int tell_names(const struct sp_own_head *own, const struct sp_labels *data, const uint32_t *map)
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
    sp_log(SP_LOG_INFO, "the model's own head is kept: the data's labels are its names%s%s",
           missing ? "; no row has " : "", list.data ? list.data : "");
    sp_buf_free(&list);
    free(seen);
    return 0;
}

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
static int match_labels(enum match *how, uint32_t *map, const struct sp_own_head *own, const struct sp_labels *data,
                        bool any)
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
static int adopt(struct sp_run *run, const struct sp_own_head *own, const uint32_t *map)
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

static int keep_head(struct sp_run *run, const struct sp_own_head *own)
{
    const struct sp_labels *data = &run->train.labels;
    uint32_t *map = sp_calloc(data->count, sizeof *map);
    enum match how = UNLIKE;
    int rc;

    SP_GO(map ? 0 : SP_ENOMEM);
    SP_GO(match_labels(&how, map, own, data, run->config->keep_head == SP_YES));
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

static bool fits(char *why, size_t size, size_t outputs, const json_t *config)
{
    if (!sp_text_head_fits(why, size, outputs, config))
        return false;
    if (outputs == 1)
        snprintf(why, size, "it has one output, for a number, and the labels are %s", sp_task_classification.labels);
    return outputs > 1;
}

static size_t outputs(const struct sp_run *run)
{
    return run->labels.count ? run->labels.count : 1; /* 1 for a mask on rows without labels, which nobody reads */
}

static void why_new(char *why, size_t size, const struct sp_own_head *own, const struct sp_run *run)
{
    struct sp_buf its = SP_BUF(2 * LIST_LIMIT), others = SP_BUF(2 * LIST_LIMIT);
    const struct sp_labels *data = &run->train.labels;

    list_labels(&its, &own->names);
    list_labels(&others, data);
    snprintf(why, size, "its %zu classes are %s%s; the data's %zu are %s", own->outputs,
             own->named ? "" : "only numbered, ", its.data ? its.data : "", data->count,
             others.data ? others.data : "");
    sp_buf_free(&its);
    sp_buf_free(&others);
}

static int check_labels(const json_t *labels, const char *file)
{
    return labels
               ? 0
               : sp_error(SP_EFORMAT, "%s: \"labels\" is not an array of at least two, as classification needs", file);
}

/* ---- the loss ---------------------------------------------------------------------------------------------------- */

struct options {
    double label_smoothing_factor;
};

static const struct sp_option options[] = {
    { "label_smoothing_factor", SP_OPTION_NUMBER, offsetof(struct options, label_smoothing_factor), "0", "[0, 1)", NULL,
      SP_CONFIG_TRAINING, "The share of a label's weight that is spread over all classes.", NULL },
};

static void build(const struct sp_run *run)
{
    const struct options *o = run->config->classification_options;

    sp_nn_cross_entropy(run->plan, sp_task_forward(run), (float)o->label_smoothing_factor);
}

/* Of one who takes all classes for as likely. */
static double guess(const struct sp_run *run)
{
    return log((double)run->labels.count);
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static const struct sp_score scores[] = {
    { "accuracy", "accuracy", SP_SCORE_SHARE, false },
    { "f1", "F1", SP_SCORE_OTHER, false },
    { "matthews_correlation", "Matthews", SP_SCORE_OTHER, false },
};

struct scoring {
    const struct sp_run *run;
    const struct sp_dataset *dataset;
    struct sp_class_counts counts; /* all that the scores need of the rows */
    float *predictions;            /* [rows]; NULL where nobody needs them */
};

static int score_begin(void **out, const struct sp_run *run, const struct sp_dataset *dataset, float *predictions)
{
    struct scoring *s = sp_calloc(1, sizeof *s);

    *out = s;
    if (!s)
        return SP_ENOMEM;
    *s = (struct scoring){ .run = run, .dataset = dataset, .predictions = predictions };
    return sp_class_counts_init(&s->counts, (size_t)sp_plan_outputs(run->plan));
}

static void score_add(void *scoring, const struct sp_logits *logits)
{
    struct scoring *s = scoring;

    for (size_t i = 0; i < logits->rows; i++) {
        uint32_t class = sp_argmax(sp_logits_row(logits, i).values, logits->outputs);

        sp_class_counts_add(&s->counts, class, s->dataset->classes[logits->from + i]);
        if (s->predictions)
            s->predictions[logits->from + i] = (float)class;
    }
}

static int score_end(struct sp_evaluation *out, void *scoring)
{
    const struct scoring *s = scoring;
    struct sp_buf said = SP_BUF(4096);
    struct sp_class_scores c;

    sp_score_classes(&c, &s->counts);
    out->scores[0] = c.accuracy;
    out->scores[1] = c.f1;
    out->scores[2] = c.matthews_correlation;
    if (c.one && s->counts.rows - s->counts.right >= ENOUGH && out->loss >= GUESSING * c.guess &&
        sp_text_escape_name(&said, s->run->labels.names[c.said]) == 0)
        snprintf(out->guessing, sizeof out->guessing,
                 "all %zu rows are predicted as \"%.256s\" with a loss of %.4g, and guessing gives %.4g: the model "
                 "does not tell the classes apart",
                 out->rows, said.data, out->loss, c.guess);
    sp_buf_free(&said);
    return 0;
}

static void score_release(void *scoring)
{
    struct scoring *s = scoring;

    if (s)
        sp_class_counts_release(&s->counts);
    free(s);
}

/* ---- what is written --------------------------------------------------------------------------------------------- */

/* A name that JSON would write the same way as an integer is one; whether training data had it in quotes is not
 * known. */
static json_t *label_json(const char *name)
{
    char canonical[24];
    long long number;

    if (!sp_text_int(name, &number))
        return json_string(name);
    snprintf(canonical, sizeof canonical, "%lld", number);
    return strcmp(canonical, name) == 0 ? json_integer(number) : json_string(name);
}

static json_t *predicted(const struct sp_run *run, const struct sp_logits *logits, size_t i)
{
    uint32_t class = sp_argmax(sp_logits_row(logits, i).values, logits->outputs);

    return sp_task_row(label_json(run->labels.names[class]), logits, i);
}

static json_t *outcome(const struct sp_run *run, const struct sp_dataset *dataset, size_t row, float prediction)
{
    return json_pack("{s:s, s:s}", "label", run->labels.names[dataset->classes[row]], "prediction",
                     run->labels.names[(size_t)prediction]);
}

const struct sp_task sp_task_classification = {
    .name = "classification",
    .labels = "classes",
    .options = { options, sizeof options / sizeof *options, sizeof(struct options) },
    .rows = { .labels = SP_LABELS_CLASSES },
    .scores = scores,
    .score_count = sizeof scores / sizeof *scores,
    .takes = takes,
    .say = sp_classes_say,
    .warn = sp_classes_warn,
    .fits = fits,
    .outputs = outputs,
    .keep_head = keep_head,
    .why_new = why_new,
    .check_labels = check_labels,
    .build = build,
    .guess = guess,
    .overflow = "the loss itself",
    .score_begin = score_begin,
    .score_add = score_add,
    .score_end = score_end,
    .score_release = score_release,
    .predicted = predicted,
    .outcome = outcome,
};
