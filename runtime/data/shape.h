/*
 * How a task's rows are read (layer 4): which columns hold their texts, how they become tokens, and what their targets
 * are. What a shape does not say is as in dataset.h: a text or two, or token ids, and a label in a column of its own.
 *
 * A hook that refuses its row returns SP_EFORMAT or SP_ELIMIT by sp_reader_fail, so that skip_bad_rows can leave it
 * out. What it is given is borrowed for the call. Threading: a shape is constant, a data set is loaded by one thread.
 */
#ifndef SP_DATA_SHAPE_H
#define SP_DATA_SHAPE_H

#include "runtime/data/dataset.h"
#include "runtime/text/tokenizer.h"

/* A row on its way behind the last one of a data set. */
struct sp_row_input {
    const struct sp_dataset_options *options;
    const struct sp_tokenizer *tokenizer; /* NULL: the model has none */
    const struct sp_reader *reader;
    const struct sp_row *row;
    struct sp_dataset *out; /* the row's tokens are ids[tokens ...] and types[tokens ...] until it is added */
    size_t note; /* what `tokens` leaves for `targets`, as the shape likes; 0 before */
};

/* Two texts of a row that belong together. */
struct sp_text_pair {
    const char *options[2]; /* that name their columns */
    const char *words[2];   /* what they are, for people: "text", "second text" */
    const char *what;       /* both, in messages: "two texts that have one label" */
};

struct sp_row_shape {
    enum sp_label_kind labels; /* what the column of labels is read as; NONE: rows have no such column */
    /* Names of two columns of text, or of one and NULL: the first that exist; a header is known by them, too. { NULL,
     * NULL } ends them. NULL: dataset.h's. */
    const char *const (*texts)[2];
    /* Two texts that have options of their own, which the task declares (SP_OPTION_COLUMN); where one alone is given,
     * the other one's column is the first of `texts`, which are needed then. text_column is for a text by itself. NULL:
     * text_column and text_pair_column. */
    const struct sp_text_pair *pair;
    const char *forms; /* which rows are read, for messages: "texts (`text`)"; NULL: they need no word */
    /* What the rows of such a file are that looks like another tool's, by its columns; NULL: it does not. The hook may
     * be NULL. Not asked where an option names the text. */
    const char *(*foreign)(const struct sp_reader *reader);
    bool token_targets; /* a target for each token; else one a row */
    /* Puts the row's tokens, at least one and at most options->max_seq_length, in their place, after sp_row_reserve,
     * and counts a row that it cuts in out->truncated; NULL: sp_row_tokens. */
    int (*tokens)(size_t *length, struct sp_row_input *in);
    /* Fills the targets of the row's `length` tokens, or its one, and says how many of them enter the loss (at most
     * UINT32_MAX); NULL: the label. Without any the row is left out, but for prediction (options->no_labels), for which
     * this is called, too. */
    int (*targets)(uint32_t *targets, size_t *terms, struct sp_row_input *in, size_t length);
};

/* The shape's two texts, be they its own or those of text_column and text_pair_column, as a shape that is NULL has. */
const struct sp_text_pair *sp_shape_pair(const struct sp_row_shape *shape);

/* The row's text in the first (0) or second (1) of the columns that hold texts; text NULL where there is no such
 * column. */
int sp_row_text(struct sp_field *out, const struct sp_row_input *in, int which);

/* As `tokens` does: the ids that the row carries, or its texts as the tokenizer encodes them. */
int sp_row_tokens(size_t *length, struct sp_row_input *in);

/* The ids alone; *length 0: the row has none. */
int sp_row_ids(size_t *length, struct sp_row_input *in);

/* A text of the row's as the tokenizer encodes it, uncut: tokens that the model has. Borrowed until the next call. */
int sp_row_encode(const struct sp_encoding **out, struct sp_row_input *in, const char *text, size_t length);

/* The same without what the tokenizer puts around texts (sp_tokenizer_encode_bare). */
int sp_row_encode_bare(const struct sp_encoding **out, struct sp_row_input *in, const char *text, size_t length);

/* Refuses a row without text. */
int sp_row_refuse_empty(const struct sp_row_input *in);

/* Makes room for so many tokens of the row. */
int sp_row_reserve(struct sp_row_input *in, size_t tokens);

#endif
