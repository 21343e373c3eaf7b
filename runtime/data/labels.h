/*
 * Class labels (layer 4): the names of a head's outputs, in the order of its rows. A map is
 * built from a training set (integers in numerical order, otherwise byte order) or comes with a
 * trained head.
 */
#ifndef SP_DATA_LABELS_H
#define SP_DATA_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_LABELS_MAX ((size_t)10000)

struct sp_labels {
    char **names; /* NULL: there are no classes */
    size_t count;
};

int sp_labels_copy(struct sp_labels *out, const char *const *names, size_t count);
void sp_labels_free(struct sp_labels *labels);

/* The class of a label as written in a data file: the name that equals it, as text or as a whole number ("01" and "1.0"
 * are "1"). A number is never an index. An unknown label is SP_EFORMAT naming the known ones. */
int sp_labels_find(uint32_t *out, const struct sp_labels *labels, const char *label);

/* Whether it is the label of a class, as sp_labels_find has it; blanks around it mean nothing. No labels (NULL) have
 * none. */
bool sp_labels_has(const struct sp_labels *labels, const char *label);

/* Whether a label's number is whole, 1.0, and small enough that a double holds its neighbours, too. */
bool sp_label_is_whole(double number);

/* Whether a label, or any value, says that there is none: "NA", "null", "-", "#DIV/0!" and the like. */
bool sp_label_is_missing(const char *label);

/* Whether it is a number with a comma for its point, "3,5" or "1.234,5"; whether with commas that may be those of
 * thousands, "1,000", of which "1,000,000" can be nothing else; whether a whole number with points that may be so,
 * "1.000". */
bool sp_label_has_decimal_comma(const char *label);
bool sp_label_has_thousands(const char *label);
bool sp_label_has_points_of_thousands(const char *label);

#endif
