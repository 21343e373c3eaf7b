#include "runtime/data/label_reader.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"
#include "runtime/data/sample.h"
#include "runtime/data/shape.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { WORD, INTEGER, WHOLE, REAL }; /* WHOLE: 1.0 or 1e+00, the class 1 */

struct label {
    char text[SP_LABEL_MAX_LENGTH + 1];
    enum kind kind;
};

int sp_label_reader_init(struct sp_label_reader *out, const struct sp_reader *reader, size_t column,
                         const struct sp_dataset_options *options)
{
    *out = (struct sp_label_reader){ .reader = reader, .column = column, .tasks = options->tasks };
    out->kind = options->shape ? options->shape->labels : SP_LABELS_ANY;
    out->name = sp_reader_column_name(reader, column);
    if (options->labels && out->kind != SP_LABELS_VALUES) {
        out->known = options->labels;
        out->kind = SP_LABELS_CLASSES;
    }
    out->classes = json_object();
    return out->classes ? 0 : sp_error(SP_ENOMEM, "out of memory");
}

void sp_label_reader_free(struct sp_label_reader *labels)
{
    json_decref(labels->classes);
    sp_labels_free(&labels->made);
    free(labels->values);
}

static enum kind kind_of(const char *text)
{
    long long integer;
    double number;

    if (sp_text_int(text, &integer))
        return INTEGER;
    if (!strpbrk(text, ".eE") || !sp_text_double(text, &number))
        return WORD;
    if (!sp_label_is_whole(number))
        return REAL;
    /* 1E1 is a code as well; programs write 1e+01 */
    return !strpbrk(text, "eE") || strpbrk(text + 1, "+-") ? WHOLE : WORD;
}

/* What the texts of labels say of whether their points part thousands. */
static void look_for_thousands(struct sp_label_reader *labels, const struct label *label)
{
    double number;

    labels->has_comma |= sp_label_has_decimal_comma(label->text) && !sp_label_has_thousands(label->text);
    if (!sp_text_double(label->text, &number))
        return;
    if (!sp_label_has_points_of_thousands(label->text)) {
        labels->no_thousands |= label->kind != INTEGER || fabs(number) >= 1000;
    } else if (!labels->pointed_line) {
        labels->pointed_line = labels->reader->line;
        memcpy(labels->pointed, label->text, sizeof label->text);
    }
}

/* Blanks at both ends mean nothing. */
static int take_text(struct sp_label_reader *labels, struct label *out, const char *text,
                     size_t length)
{
    if (memchr(text, '\0', length))
        return sp_reader_fail(labels->reader, SP_EFORMAT, "the label (column %s) holds a NUL character",
                              labels->name);
    sp_text_trim_ends(&text, &length);
    if (length == 0)
        return sp_reader_fail(labels->reader, SP_EFORMAT, "the label (column %s) is empty",
                              labels->name);
    if (length > SP_LABEL_MAX_LENGTH)
        return sp_reader_fail(labels->reader, SP_EFORMAT,
                              "the label (column %s) has %zu bytes, the most is %zu; is it a text?",
                              labels->name, length, SP_LABEL_MAX_LENGTH);
    memcpy(out->text, text, length);
    out->text[length] = '\0';
    out->kind = kind_of(out->text);
    look_for_thousands(labels, out);
    return 0;
}

/* The first key of an object whose value may be the label, if it can be pasted; NULL where there is none. */
static const char *label_key(const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(size_t)object, key, value) /* jansson's iterator takes no const */
        if ((json_is_string(value) || json_is_integer(value)) && sp_reader_is_key(key))
            return key;
    return NULL;
}

/* An object, or a list of labels, as annotation tools export one. */
static int not_one_value(const struct sp_label_reader *labels, const json_t *value)
{
    const json_t *inner = json_is_array(value) ? json_array_get(value, 0) : value;
    const char *key = sp_json_is_object(inner) ? label_key(inner) : NULL;
    char advice[256] = "";

    if (sp_reader_is_key(labels->name) && (key || !sp_json_is_object(inner)))
        snprintf(advice, sizeof advice, "; where each row has one label, take that: jq -c '.%.40s |= %s%s%.40s'",
                 labels->name, json_is_array(value) ? ".[0]" : "", key ? "." : "", key ? key : "");
    return sp_reader_fail(labels->reader, SP_EFORMAT, "the label (\"%s\") is neither a string nor a number but %s%s",
                          labels->name, json_is_array(value) ? "a list" : "an object", advice);
}

static int take_json(struct sp_label_reader *labels, struct label *out, const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return take_text(labels, out, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        snprintf(out->text, sizeof out->text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        out->kind = INTEGER;
        return 0;
    case JSON_REAL:
        snprintf(out->text, sizeof out->text, "%.15g", json_real_value(value));
        out->kind = sp_label_is_whole(json_real_value(value)) ? WHOLE : REAL;
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(out->text, sizeof out->text, "%s", json_is_true(value) ? "true" : "false");
        out->kind = WORD;
        return 0;
    case JSON_NULL:
        return sp_reader_fail(labels->reader, SP_EFORMAT, "no label (\"%s\")", labels->name);
    default:
        if (sp_json_number_text(value))
            return sp_reader_fail(labels->reader, SP_EFORMAT,
                                  "the label (\"%s\") is %.60s: neither an integer of 64 bits nor a finite number",
                                  labels->name, sp_json_number_text(value));
        if (sp_json_cut_text(value))
            return sp_reader_fail(labels->reader, SP_EFORMAT, "the label (\"%s\") " SP_JSON_CUT, labels->name);
        return not_one_value(labels, value);
    }
}

#define COMMA_ADVICE "write a point for a decimal comma, and none between thousands"

/* One column cannot hold both words and fractions unless the task is given. */
static int mixed(const struct sp_label_reader *labels, const struct label *label)
{
    bool is_comma = sp_label_has_decimal_comma(label->text) || sp_label_has_decimal_comma(labels->settled_by);

    return sp_reader_fail(labels->reader, SP_EFORMAT,
                          "label \"%s\" is %s, but \"%s\" in line %zu made this a %s; %s",
                          label->text, label->kind == WORD ? "not a number" : "a fraction",
                          labels->settled_by, labels->settled_line,
                          labels->kind == SP_LABELS_VALUES ? labels->tasks.values : labels->tasks.classes,
                          is_comma ? COMMA_ADVICE : "set task if that is wrong");
}

static int read_value(const struct sp_label_reader *labels, const struct label *label, float *value)
{
    double number;

    if (!sp_text_double(label->text, &number)) {
        if (labels->settled_line)
            return mixed(labels, label);
        return sp_reader_fail(labels->reader, SP_EFORMAT,
                              "label \"%s\" is not a number, as %s needs%s", label->text, labels->tasks.values,
                              sp_label_has_thousands(label->text)
                                  ? "; write no comma between thousands, and a point for a decimal one"
                              : sp_label_has_decimal_comma(label->text) ? "; " COMMA_ADVICE
                              : sp_label_has_points_of_thousands(label->text) ? "; write no point between thousands"
                                                                        : "");
    }
    if (fabs(number) > FLT_MAX)
        return sp_reader_fail(labels->reader, SP_EFORMAT, "label \"%s\" is too large for a float",
                              label->text);
    *value = (float)number;
    return 0;
}

static int make_class(struct sp_label_reader *labels, const char *text, uint32_t *class)
{
    char *name;

    if (labels->made.count == SP_LABELS_MAX)
        return sp_error(SP_ECONFIG,
                        "%s: column %s has more than %zu different labels; if they are numbers to predict, set "
                        "task: %s",
                        sp_reader_path(labels->reader), labels->name, SP_LABELS_MAX, labels->tasks.values);
    SP_TRY(sp_grow(&labels->made.names, labels->made.count, &labels->capacity,
                   sizeof *labels->made.names, SP_LABELS_MAX, "labels"));
    name = sp_strdup(text);
    if (!name)
        return SP_ENOMEM;
    *class = (uint32_t)labels->made.count;
    labels->made.names[labels->made.count++] = name;
    return 0;
}

static int find_class(struct sp_label_reader *labels, const char *text, uint32_t *class)
{
    const json_t *seen = json_object_get(labels->classes, text);

    if (seen) {
        *class = (uint32_t)json_integer_value(seen);
        return 0;
    }
    if (!labels->known)
        SP_TRY(make_class(labels, text, class));
    else if (sp_labels_find(class, labels->known, text) < 0)
        return sp_reader_fail(labels->reader, SP_EFORMAT, "%s", sp_error_message());
    if (json_object_set_new(labels->classes, text, json_integer(*class)) < 0)
        return sp_error(SP_ENOMEM, "out of memory");
    return 0;
}

static int read_class(struct sp_label_reader *labels, struct label *label, uint32_t *class)
{
    double number;

    if (label->kind == REAL && labels->settled_line)
        return mixed(labels, label);
    if (label->kind >= WHOLE && sp_text_double(label->text, &number) && sp_label_is_whole(number))
        snprintf(label->text, sizeof label->text, "%.0f", number == 0 ? 0 : number); /* a spreadsheet's 1.0; no "-0" */
    return find_class(labels, label->text, class);
}

/* The first label that is no whole number settles what kind they are. */
static int settle(struct sp_label_reader *labels, const struct label *label, size_t line)
{
    char *end;
    double number = strtod(label->text, &end);

    if (label->kind == WORD && *end == '\0' && !isfinite(number)) /* nan, inf, 1e400 */
        return sp_reader_fail(labels->reader, SP_EFORMAT,
                              "label \"%s\" is not a finite number; if it is the name of a class, set task: %s",
                              label->text, labels->tasks.classes);
    labels->kind = label->kind == REAL ? SP_LABELS_VALUES : SP_LABELS_CLASSES;
    labels->settled_line = line;
    memcpy(labels->settled_by, label->text, sizeof label->text);
    return 0;
}

/* The row may yet turn out to have a number for its target. */
static int keep_value(struct sp_label_reader *labels, float value)
{
    SP_TRY(sp_grow(&labels->values, labels->pending, &labels->room, sizeof *labels->values, UINT32_MAX, "rows"));
    labels->values[labels->pending++] = value;
    return 0;
}

int sp_label_reader_read(struct sp_label_reader *labels, const struct sp_row *row, struct sp_dataset *dataset)
{
    struct label label;
    float value = 0;

    if (row->object) {
        SP_TRY(take_json(labels, &label, json_object_get(row->object, labels->name)));
    } else {
        const struct sp_field *field = &row->fields[labels->column];

        SP_TRY(take_text(labels, &label, field->text, field->length));
    }
    labels->whole |= label.kind == WHOLE;
    if (labels->kind == SP_LABELS_ANY && label.kind != INTEGER && label.kind != WHOLE)
        SP_TRY(settle(labels, &label, row->line));
    if (labels->kind != SP_LABELS_CLASSES)
        SP_TRY(read_value(labels, &label, &value));
    labels->fractions += label.kind == REAL;
    if (labels->kind == SP_LABELS_VALUES) {
        dataset->values[dataset->count] = value;
        return 0;
    }
    SP_TRY(read_class(labels, &label, &dataset->classes[dataset->count]));
    return labels->kind == SP_LABELS_ANY ? keep_value(labels, value) : 0;
}

struct named {
    const char *name;
    long long value; /* where every name is an integer */
    uint32_t class;
};

static int compare_values(const void *a, const void *b)
{
    const struct named *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Of one value, the shortest spelling first: "1", "01". */
static int compare_spellings(const void *a, const void *b)
{
    size_t x = strlen(((const struct named *)a)->name), y = strlen(((const struct named *)b)->name);
    int by_value = compare_values(a, b);

    return by_value ? by_value : x != y ? (x > y) - (x < y) : compare_names(a, b);
}

/* Sorts the classes made; rank[class] is a class's new number. Integers written differently
 * ("1", "01") become one. */
static int sort_classes(const struct sp_labels *made, struct sp_labels *out, uint32_t *rank)
{
    struct named *order = sp_calloc(made->count, sizeof *order);
    const char **names = sp_calloc(made->count, sizeof *names);
    int (*compare)(const void *, const void *) = compare_values;
    size_t count = 0;
    int rc = SP_ENOMEM;

    if (!order || !names)
        goto out;
    for (size_t i = 0; i < made->count; i++) {
        order[i] = (struct named){ .name = made->names[i], .class = (uint32_t)i };
        if (!sp_text_int(order[i].name, &order[i].value))
            compare = compare_names;
    }
    qsort(order, made->count, sizeof *order, compare == compare_values ? compare_spellings : compare);
    for (size_t i = 0; i < made->count; i++) {
        if (i == 0 || compare(&order[i - 1], &order[i]) != 0)
            names[count++] = order[i].name;
        rank[order[i].class] = (uint32_t)count - 1;
    }
    rc = sp_labels_copy(out, names, count);
out:
    free(order);
    free(names);
    return rc;
}

static int finish_made(struct sp_label_reader *labels, struct sp_dataset *dataset)
{
    uint32_t *rank = sp_calloc(labels->made.count, sizeof *rank);
    int rc = rank ? sort_classes(&labels->made, &dataset->labels, rank) : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < dataset->count; i++)
        dataset->classes[i] = rank[dataset->classes[i]];
    free(rank);
    if (rc == 0 && dataset->labels.count == 1)
        rc = sp_error(SP_EFORMAT,
                      "%s: every label (column %s) is \"%s\"; a classifier needs at least two "
                      "classes",
                      sp_reader_path(labels->reader), labels->name, dataset->labels.names[0]);
    return rc;
}

/* A slip, such as one score among classes, must not turn the task unseen. */
static int doubt_values(const struct sp_label_reader *labels, struct sp_dataset *dataset)
{
    if (!labels->settled_line || labels->fractions * SP_SAMPLE_FEW > dataset->count)
        return 0;
    dataset->label_doubt =
        sp_asprintf("label \"%s\" in line %zu makes this a %s, though %zu of %zu labels are whole numbers; if "
                    "those are classes, correct or remove the rows with others; for numbers to predict set task: %s",
                    labels->settled_by, labels->settled_line, labels->tasks.values, dataset->count - labels->fractions,
                    dataset->count, labels->tasks.values);
    return dataset->label_doubt ? 0 : SP_ENOMEM;
}

/* "2.500" is two and a half, or, as Germans write, two thousand and five hundred. */
static int doubt_points(const struct sp_label_reader *labels, struct sp_dataset *dataset)
{
    double number;

    if (dataset->label_doubt || !labels->pointed_line || (labels->no_thousands && !labels->has_comma) ||
        !sp_text_double(labels->pointed, &number) ||
        (dataset->label_kind == SP_LABELS_CLASSES && !sp_label_is_whole(number))) /* a class keeps its name */
        return 0;
    dataset->label_doubt = sp_asprintf("label \"%s\" in line %zu is read as %g, and %s; if the point parts thousands, "
                                       "remove it in all labels",
                                       labels->pointed, labels->pointed_line, number,
                                       labels->has_comma ? "others have a decimal comma"
                                                         : "all others that have a point have three digits behind it, "
                                                           "too");
    return dataset->label_doubt ? 0 : SP_ENOMEM;
}

int sp_label_reader_finish(struct sp_label_reader *labels, struct sp_dataset *dataset)
{
    dataset->whole_labels = labels->kind == SP_LABELS_ANY && labels->whole;
    dataset->label_kind = labels->kind == SP_LABELS_VALUES ? SP_LABELS_VALUES : SP_LABELS_CLASSES;
    if (dataset->label_kind == SP_LABELS_VALUES) {
        if (labels->pending)
            memcpy(dataset->values, labels->values, labels->pending * sizeof *labels->values);
        SP_TRY(doubt_values(labels, dataset));
        return doubt_points(labels, dataset);
    }
    SP_TRY(doubt_points(labels, dataset));
    if (labels->known)
        return sp_labels_copy(&dataset->labels, (const char *const *)labels->known->names,
                              labels->known->count);
    return finish_made(labels, dataset);
}
