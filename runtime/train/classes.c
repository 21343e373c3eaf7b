#include "runtime/train/classes.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/label_reader.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 10 /* classes in a line of the log */

/* Rows of each class of the data set's own labels; NULL when out of memory. */
static size_t *count_classes(const struct sp_dataset *d)
{
    size_t *rows = sp_calloc(d->labels.count, sizeof *rows);

    for (size_t i = 0; rows && d->classes && i < d->count; i++)
        rows[d->classes[i]]++;
    return rows;
}

int sp_classes_say(struct sp_buf *out, const struct sp_run *run, const struct sp_dataset *d)
{
    const struct sp_labels *labels = d->classes ? &d->labels : &run->labels;
    size_t *rows = count_classes(d);
    int rc = rows ? sp_buf_printf(out, "%zu classes:", labels->count) : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < labels->count && i < SHOWN; i++) {
        SP_GO(sp_buf_puts(out, i ? ", " : " "));
        SP_GO(sp_text_escape_name(out, labels->names[i]));
        if (d->classes)
            rc = sp_buf_printf(out, " (%zu)", rows[i]);
    }
    if (rc == 0 && labels->count > SHOWN)
        rc = sp_buf_printf(out, " and %zu more", labels->count - SHOWN);
out:
    free(rows);
    return rc;
}

/* Classes to be told of: how many, and the first of them: "NA" (2 rows), "null" (1 row). */
struct odd {
    size_t count;
    struct sp_buf list;
};

static int add_class(struct odd *odd, const char *name, size_t rows)
{
    if (++odd->count > SHOWN)
        return 0;
    SP_TRY(sp_buf_puts(&odd->list, odd->count > 1 ? ", \"" : "\""));
    SP_TRY(sp_text_escape_name(&odd->list, name));
    return rows ? sp_buf_printf(&odd->list, "\" (%zu row%s)", rows, rows == 1 ? "" : "s")
                : sp_buf_puts(&odd->list, "\"");
}

static int say_odd(struct odd *odd, const char *path, const char *before, const char *behind)
{
    if (odd->count > SHOWN)
        SP_TRY(sp_buf_printf(&odd->list, " and %zu more", odd->count - SHOWN));
    if (odd->count)
        sp_log(SP_LOG_WARNING, "%s: %s%s%s", path, before, odd->list.data, behind);
    return 0;
}

static bool has_decimal_comma(const char *name)
{
    return sp_label_has_decimal_comma(name) && !sp_label_has_thousands(name);
}

/* Classes whose names are of a kind, and what is said of one and of several. */
static const struct kind {
    bool (*has)(const char *name);
    bool rows; /* are told, too */
    const char *one[2], *several[2];
} kinds[] = {
    { sp_label_is_missing,
      true,
      { "the class ", " looks like a missing value; if it is one, correct these rows or remove them" },
      { "the classes ", " look like missing values; if they are, correct these rows or remove them" } },
    { has_decimal_comma,
      false,
      { "label ", " has a decimal comma, and so is the name of a class; for numbers write a point" },
      { "labels ", " have decimal commas, and so are names of classes; for numbers write points" } },
    { sp_label_has_thousands,
      false,
      { "label ", " has a comma of thousands or of decimals, and so is the name of a class; for numbers write none, or "
                  "a point" },
      { "labels ", " have commas of thousands or of decimals, and so are names of classes; for numbers write none, or "
                   "points" } },
};

static int warn_of_kind(const struct sp_dataset *d, const char *path, const size_t *rows, const struct kind *kind)
{
    struct odd odd = { 0, SP_BUF(SP_READER_MAX_ROW) };
    int rc = 0;

    for (size_t i = 0; i < d->labels.count; i++)
        if (kind->has(d->labels.names[i]))
            SP_GO(add_class(&odd, d->labels.names[i], kind->rows ? rows[i] : 0));
    rc = odd.count == 1 ? say_odd(&odd, path, kind->one[0], kind->one[1])
                        : say_odd(&odd, path, kind->several[0], kind->several[1]);
out:
    sp_buf_free(&odd.list);
    return rc;
}

/* "True" and "TRUE": a class is a class for each spelling. */
static int warn_of_case(const struct sp_dataset *d, const char *path)
{
    struct odd odd = { 0, SP_BUF(SP_READER_MAX_ROW) };
    json_t *seen = json_object();
    int rc = seen ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < d->labels.count; i++) {
        const char *name = d->labels.names[i], *other;
        char small[SP_LABEL_MAX_LENGTH + 1] = "";

        for (size_t j = 0; name[j] && j < SP_LABEL_MAX_LENGTH; j++)
            small[j] = name[j] >= 'A' && name[j] <= 'Z' ? (char)(name[j] - 'A' + 'a') : name[j];
        other = json_string_value(json_object_get(seen, small));
        if (!other) {
            rc = json_object_set_new(seen, small, json_string(name));
            continue;
        }
        rc = odd.count ? 0 : add_class(&odd, other, 0);
        SP_GO(rc < 0 ? rc : add_class(&odd, name, 0));
    }
    SP_GO(rc);
    rc = say_odd(&odd, path, "classes ",
                 " differ in upper and lower case alone; where they are the same, write them alike");
out:
    json_decref(seen);
    sp_buf_free(&odd.list);
    return rc;
}

/* Rows without a label are -1 in files that the `datasets` library wrote. -1 is a class like any other among numbers,
 * unless those are 0, 1, 2 and so on and it is much rarer than each of them. */
static bool stands_for_none(const struct sp_dataset *d, const size_t *rows, size_t minus_one)
{
    size_t least = SIZE_MAX;
    long long value, most = -1;

    for (size_t i = 0; i < d->labels.count; i++) {
        if (i == minus_one)
            continue;
        if (!sp_text_int(d->labels.names[i], &value))
            return true;
        least = rows[i] < least ? rows[i] : least;
        most = value > most ? value : most;
    }
    return most + 2 == (long long)d->labels.count && 2 * rows[minus_one] <= least; /* the others are 0, 1, 2, ... */
}

static void warn_of_minus_one(const struct sp_dataset *d, const char *path, const size_t *rows)
{
    for (size_t i = 0; i < d->labels.count; i++)
        if (strcmp(d->labels.names[i], "-1") == 0 && stands_for_none(d, rows, i))
            sp_log(SP_LOG_WARNING,
                   "%s: the class \"-1\" (%zu row%s) is what the datasets library writes for a row without a label; if "
                   "these have none, remove them",
                   path, rows[i], rows[i] == 1 ? "" : "s");
}

static bool all_numbers(const struct sp_labels *labels)
{
    long long value;
    size_t i = 0;

    while (i < labels->count && sp_text_int(labels->names[i], &value))
        i++;
    return i == labels->count;
}

static int warn_of_single(const struct sp_dataset *d, const char *path, const size_t *rows)
{
    struct odd first = { 0, SP_BUF(SP_READER_MAX_ROW) };
    size_t count = 0;
    int rc = 0;

    for (size_t i = 0; i < d->labels.count; i++)
        if (rows[i] == 1 && count++ == 0)
            SP_GO(add_class(&first, d->labels.names[i], 0));
    if (count == 1)
        sp_log(SP_LOG_WARNING, "%s: class %s has one row only", path, first.list.data);
    else if (count)
        sp_log(SP_LOG_WARNING, "%s: %zu classes have one row only, the first is %s%s", path, count, first.list.data,
               2 * count > d->labels.count && all_numbers(&d->labels)
                   ? "; if these are numbers to predict, set task: regression"
                   : "");
out:
    sp_buf_free(&first.list);
    return rc;
}

void sp_classes_warn(const struct sp_dataset *d, const char *path)
{
    size_t *rows = count_classes(d);
    int rc = rows ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof *kinds; i++)
        rc = warn_of_kind(d, path, rows, &kinds[i]);
    if (rc == 0)
        rc = warn_of_case(d, path);
    if (rc == 0)
        warn_of_minus_one(d, path, rows);
    if (rc == 0)
        warn_of_single(d, path, rows);
    free(rows);
}
