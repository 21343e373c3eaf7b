#include "runtime/data/labels.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXACT_INTEGERS 0x1p53 /* a double below it holds any integer */
#define LONGEST 512            /* bytes: no label is as long, blanks around it included */

int sp_labels_copy(struct sp_labels *out, const char *const *names, size_t count)
{
    *out = (struct sp_labels){ NULL, 0 };
    if (count > SP_LABELS_MAX)
        return sp_error(SP_ELIMIT, "%zu labels, more than the limit of %zu", count, SP_LABELS_MAX);
    out->names = sp_calloc(count, sizeof *out->names);
    if (!out->names)
        return SP_ENOMEM;
    for (; out->count < count; out->count++) {
        out->names[out->count] = sp_strdup(names[out->count]);
        if (!out->names[out->count]) {
            sp_labels_free(out);
            return SP_ENOMEM;
        }
    }
    return 0;
}

void sp_labels_free(struct sp_labels *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        free(labels->names[i]);
    free(labels->names);
    *labels = (struct sp_labels){ NULL, 0 };
}

static int unknown_label(const struct sp_labels *labels, const char *label)
{
    char known[400] = "";
    size_t shown = 0, used = 0;
    bool alike = false;

    for (; shown < labels->count; shown++) {
        int wrote = snprintf(known + used, sizeof known - used, "%s%s", shown ? ", " : "",
                             labels->names[shown]);

        if (wrote < 0 || (size_t)wrote >= sizeof known - used) {
            known[used] = '\0'; /* the last one did not fit */
            break;
        }
        used += (size_t)wrote;
    }
    for (size_t i = 0; i < labels->count && !alike; i++)
        alike = strcasecmp(labels->names[i], label) == 0;
    return sp_error(SP_EFORMAT, "label \"%s\" is not one of the %zu known: %s%s%s", label, labels->count, known,
                    shown < labels->count ? ", ..." : "", alike ? "; capital letters count" : "");
}

bool sp_label_is_whole(double number)
{
    return number == floor(number) && fabs(number) < EXACT_INTEGERS;
}

static bool read_whole(const char *label, long long *value)
{
    double number;

    if (sp_text_int(label, value))
        return true;
    if (!sp_text_double(label, &number) || !sp_label_is_whole(number))
        return false;
    *value = (long long)number;
    return true;
}

/* The number of a label's class, or how many there are. */
static size_t find(const struct sp_labels *labels, const char *label)
{
    long long value, other;
    size_t i = 0;

    while (i < labels->count && strcmp(labels->names[i], label) != 0)
        i++;
    if (i < labels->count || !read_whole(label, &value))
        return i;
    for (i = 0; i < labels->count; i++)
        if (sp_text_int(labels->names[i], &other) && value == other)
            break;
    return i;
}

int sp_labels_find(uint32_t *out, const struct sp_labels *labels, const char *label)
{
    size_t found = find(labels, label);

    *out = (uint32_t)found;
    return found < labels->count ? 0 : unknown_label(labels, label);
}

bool sp_labels_has(const struct sp_labels *labels, const char *label)
{
    char trimmed[LONGEST];

    if (!labels || strlen(label) >= sizeof trimmed)
        return false;
    memcpy(trimmed, label, strlen(label) + 1);
    sp_text_trim(trimmed);
    return find(labels, trimmed) < labels->count;
}

bool sp_label_is_missing(const char *label)
{
    static const char *const words[] = {
        "na", "n/a", "#n/a", "#n/a n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "none", "nil", "missing",
        "-", "--", "?", ".",
        /* C's of Windows, which pandas knows as well */
        "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
        "\\N",                                                                   /* MySQL and PostgreSQL */
        /* spreadsheets: no value was found */
        "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#error!", NULL,
    };

    for (const char *const *word = words; *word; word++)
        if (strcasecmp(label, *word) == 0)
            return true;
    return false;
}

/* Behind the groups of three digits of a number, 1,000,000, that `mark` parts; NULL where there are none. */
static const char *behind_thousands(const char *label, char mark)
{
    size_t sign = strspn(label, "+-") == 1, whole = strspn(label + sign, "0123456789");
    const char *at = label + sign + whole;

    if (whole < 1 || whole > 3 || label[sign] == '0' || *at != mark)
        return NULL;
    while (*at == mark && strspn(at + 1, "0123456789") == 3)
        at += 4;
    return *at == mark ? NULL : at;
}

/* Whether it is `point` and digits behind it. */
static bool is_fraction(const char *at, char point)
{
    return *at == point && at[1] && strspn(at + 1, "0123456789") == strlen(at + 1);
}

bool sp_label_has_thousands(const char *label)
{
    const char *at = behind_thousands(label, ',');

    return at && (*at == '\0' || is_fraction(at, '.'));
}

bool sp_label_has_points_of_thousands(const char *label)
{
    const char *at = behind_thousands(label, '.');

    return at && *at == '\0';
}

bool sp_label_has_decimal_comma(const char *label)
{
    size_t sign = strspn(label, "+-") == 1, whole = strspn(label + sign, "0123456789");
    const char *at = behind_thousands(label, '.');

    return (at && is_fraction(at, ',')) || (whole > 0 && is_fraction(label + sign + whole, ','));
}
