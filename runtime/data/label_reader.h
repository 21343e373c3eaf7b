/*
 * Reads the label column of a data set (layer 4, private to this folder): settles what kind they are,
 * gives each label a class in the order of appearance or its number, and at the end sorts the
 * classes. The rules stand in dataset.h and labels.h.
 */
#ifndef SP_DATA_LABEL_READER_H
#define SP_DATA_LABEL_READER_H

#include "runtime/data/dataset.h"

#define SP_LABEL_MAX_LENGTH ((size_t)256) /* bytes; the largest of a class's name */

struct sp_label_reader {
    const struct sp_reader *reader;
    const char *name; /* the column's, for jsonl and messages */
    size_t column;
    struct sp_label_tasks tasks;
    const struct sp_labels *known; /* NULL: classes are made as they come */
    enum sp_label_kind kind;       /* any until a label settles it */
    char settled_by[SP_LABEL_MAX_LENGTH + 1];
    size_t settled_line; /* 0: the task was given */
    bool whole;          /* a label is a whole number written as "1.0" or "1e+00" */
    size_t fractions;    /* labels that are numbers, but not whole ones */
    char pointed[SP_LABEL_MAX_LENGTH + 1]; /* the first one whose point may be one of thousands, "2.500"; */
    size_t pointed_line;                   /* 0: there is none */
    bool has_comma;      /* a label has a decimal comma, "3,5" */
    bool no_thousands;   /* a label is a number that nobody writes who parts thousands by points: "0.5", "2500" */
    json_t *classes;     /* label as written -> class */
    struct sp_labels made;
    size_t capacity;
    float *values;  /* of the rows before the kind is settled, whose targets are classes until then */
    size_t pending, room;
};

int sp_label_reader_init(struct sp_label_reader *out, const struct sp_reader *reader, size_t column,
                         const struct sp_dataset_options *options);
void sp_label_reader_free(struct sp_label_reader *labels); /* safe on a zeroed one */

/* The row's label, as the target of the data set's next row. */
int sp_label_reader_read(struct sp_label_reader *labels, const struct sp_row *row, struct sp_dataset *dataset);

/* Gives the data set the kind of its labels and their names, and its classes their sorted numbers. */
int sp_label_reader_finish(struct sp_label_reader *labels, struct sp_dataset *dataset);

#endif
