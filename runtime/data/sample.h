/*
 * What a file's columns look like, from its first rows (layer 4, private to this folder). Layout (layout.h) decides by
 * it what a file's columns are. Nothing is decided here, and bad rows are passed over: whoever reads the file will be
 * told.
 */
#ifndef SP_DATA_SAMPLE_H
#define SP_DATA_SAMPLE_H

#include "runtime/data/reader.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SP_SAMPLE_ROWS ((size_t)1000)        /* as many are looked at, */
#define SP_SAMPLE_BYTES ((size_t)4 << 20)    /* or rows of so many bytes */
#define SP_SAMPLE_VALUES ((size_t)512)       /* different values that are kept of a column */

/* What the guesses about a file go by: */
#define SP_SAMPLE_FEW ((size_t)10)    /* one row in so many is an exception, more are another rule */
#define SP_SAMPLE_SEVERAL ((size_t)3) /* so many rows alike are no accident */

enum sp_kind {
    SP_KIND_EMPTY,
    SP_KIND_INTEGER,
    SP_KIND_NUMBER,
    SP_KIND_OTHER,    /* jsonl: arrays and objects */
    SP_KIND_CONSTANT, /* one value in several rows */
    SP_KIND_CLASS,    /* few values, which return */
    SP_KIND_WORD,     /* words, codes, dates, paths: mostly no text of several words */
    SP_KIND_TEXT,
};

struct sp_sample_column {
    size_t filled, missing, integers, numbers, texts, others; /* rows with a value at all; those of them that are ... */
    size_t longest;                                  /* bytes of a value */
    /* the first row's field, as in the sample; NULL where there is none */
    const char *first;
    /* words of that field; rows that have no more; rows with the same value */
    size_t above, brief, again;
    /* rows that begin with a digit and are neither numbers nor texts: dates */
    size_t dated;
    json_t *values;                                  /* value -> rows with it, SP_SAMPLE_VALUES at most */
    bool many;                                       /* there are more */
    char *example;                                   /* the first value's beginning; NULL while there is none */
};

struct sp_sample {
    struct sp_sample_column *columns;
    size_t count, rows, bad; /* bad: rows that were passed over */
    size_t repeated;         /* rows that are the first one again, in every field */
    bool whole;  /* it is the whole file */
    /* [count]: the first row's fields without blanks around them, of csv and tsv; the columns do not count it. NULL in
     * an empty file */
    char **first;
};

/* Looks at the first rows from where the reader stands; with a header that is known, `first` is NULL. */
int sp_sample_read(struct sp_sample *out, struct sp_reader *reader);
void sp_sample_free(struct sp_sample *sample); /* safe on a zeroed one */

/* Reads a column on to the end of the file, from where the reader stands after sp_sample_read. */
int sp_sample_read_on(struct sp_sample *sample, struct sp_reader *reader, size_t column);

/* Counts the first row as well, which is no header. */
int sp_sample_take_first(struct sp_sample *sample);

enum sp_kind sp_sample_kind(const struct sp_sample_column *column);

/* Whether a value is made of several words, as a text is. */
bool sp_sample_is_text(const char *value, size_t length);

/* Words of a value; of a script without blanks between words, its letters. */
size_t sp_sample_words(const char *value, size_t length);

/* Whether all values are numbers, those that are missing aside. */
bool sp_sample_is_numeric(const struct sp_sample_column *column);

#endif
