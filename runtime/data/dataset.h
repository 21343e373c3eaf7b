/*
 * A data set in memory (layer 4): token ids, token types and targets of a whole file, rows laid
 * end to end. What a row is, and what its targets are, its task says (shape.h); by default a text with a label.
 *
 * What a file is, where nobody says so, is found out from its first thousand rows (layout.h):
 *
 * The delimiter is the one that a first line "sep=;" says, as Excel writes it, else that the file's name stands for;
 * another of , ; | and tab is taken where the file's own does not split its rows alike and the other does, or parts the
 * first row and all others but for one in ten (with skip_bad_rows, most of them). Where two would do, or more rows
 * disagree, it is refused with the delimiters named. Without labels a text is not cut at what may be its punctuation.
 * Whether the fields of a tsv file are quoted its own quotes say (quotes.c), or what training found.
 *
 * A header is one that has_header says, or a name that is asked for (by an option, or by what training used), else as
 * header.c guesses it, or it is R's, which has a name less than the rows have columns (row_names.c). Blanks around a
 * column's name mean nothing. An option's number is always a number: where another column has it for its name,
 * `instead` says so.
 *
 * Columns: the label is `label`; the text is the first of sentence1 + sentence2, question1 + question2, premise +
 * hypothesis, question + sentence, #1 String + #2 String, text + text_pair, sentence1, sentence, text that exists, in
 * any case of letters: such a name is an answer, though other columns hold texts as well (id, title, author, text).
 * Else it is the one column that looks like text: not numbers, codes, classes, one value throughout. Where two look so
 * (of which not one is empty in nine rows of ten or more), or none, SP_ECONFIG lists the columns. A second text comes
 * by such a pair of names or by an option only, and a named text column without a named pair column is a single text
 * (but for a pair that is remembered). A name that two columns have cannot be used, and no column serves twice:
 * SP_ECONFIG. jsonl rows may carry `input_ids` (and `token_type_ids`, `attention_mask`: positions with 0 are padding
 * and left out) in place of text, unless a text column is named.
 *
 * With `remembered` (what training used) a name that an option gives and training's column had stands for that column's
 * number where the file has no header and holds there what training's held. Training's columns are taken before these
 * rules: by name, and by number in a file that has no header and as many columns, or where none are needed all but the
 * label's, if they hold what training's held (remembered.c). Where the file lacks them, the rules decide, and `instead`
 * says so, as it does of named columns that went by number; but one of two texts alone is refused, unless an option
 * names the text, which `instead` says too.
 *
 * Labels whose kind is open (SP_LABELS_ANY) are values where any of them is written as a number that is not whole
 * (3.8, 1e-3), which `label_doubt` tells where nine in ten are whole; whole numbers (also 1.0 and 1e+00: the class 1),
 * words, true and false are classes. Blanks around a label, no-break spaces among them, mean nothing.
 *
 * Empty lines, and rows with nothing in any of several columns unless empty texts are asked for, are no rows. A bad row
 * (wrong number of columns, a missing or empty text or label, a text without a token, a label not known, an id outside
 * the vocabulary, broken UTF-8, quotes or JSON) is SP_EFORMAT or SP_ELIMIT with file, line, what was found and what was
 * expected; with skip_bad_rows it is left out and counted.
 *
 * Ownership: a data set is the caller's; options and tokenizer are borrowed during the load
 * only.
 */
#ifndef SP_DATA_DATASET_H
#define SP_DATA_DATASET_H

#include "runtime/base/option.h"
#include "runtime/data/labels.h"
#include "runtime/data/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_buf;
struct sp_tokenizer;

struct sp_chat;
struct sp_row_shape;

/* What a file's labels are read as, or were: there are none, whatever they look like, names of classes, numbers. */
enum sp_label_kind { SP_LABELS_NONE, SP_LABELS_ANY, SP_LABELS_CLASSES, SP_LABELS_VALUES };

struct sp_data_column {
    char *name;    /* the header's or the key; NULL where the file has no header */
    size_t number; /* from 1; 0: there is no such column */
};

/* How a file is read, or was: what an adapter remembers of its training file. */
struct sp_data_layout {
    char *format; /* "jsonl", "csv" or "tsv" */
    struct sp_data_column text, pair, label;
    size_t columns;
    bool ids;       /* jsonl: a row that has `input_ids` gave those, whether there is a text or not */
    bool header;    /* csv, tsv: the first row names the columns */
    char delimiter; /* 0 for jsonl */
    bool quotes;    /* csv, tsv: fields may be quoted */
};

void sp_data_layout_release(struct sp_data_layout *layout); /* safe on a zeroed one */

/* A column for messages: column 2 "review"; column 2 without a name (NULL), column "review" without a number (0). */
int sp_data_column_say(struct sp_buf *out, size_t number, const char *name);

struct sp_dataset_options {
    /* A column's name or its number from 1; NULL: by the rules above. */
    const char *text_column, *text_pair_column, *label_column;
    enum sp_three_way has_header; /* csv, tsv */
    char delimiter;            /* csv, tsv; 0: by the rules above */
    enum sp_three_way quotes;     /* tsv: fields may be quoted as in csv */
    const struct sp_data_layout *remembered; /* what training used; NULL: nothing is known */
    const struct sp_row_shape *shape; /* NULL: texts with labels of any kind */
    struct sp_label_tasks {
        const char *classes, *values;
    } tasks; /* for messages: what is trained on labels of these kinds, and option `task` is to be set to */
    const struct sp_labels *labels; /* a head's classes; NULL: the file's. Unused for values */
    bool no_labels;                 /* for prediction: labels are neither needed nor read */
    /* an empty text is a row of special tokens, not a bad one (unless there are none) */
    bool empty_texts;
    bool only_label; /* texts are not looked for: of sp_dataset_has_labels */
    bool skip_bad_rows;
    size_t max_seq_length; /* tokens of a row with its special tokens, at least 1 */
    size_t max_rows;       /* the first so many good rows; 0: all */
    size_t vocab_size;     /* the model's: token ids must be below it */
    size_t type_count;     /* the model's: token types must be below it */
    const uint32_t *end_token; /* what ends a text that a model writes; NULL: it is not known */
    const struct sp_chat *chat; /* the form that prompts are put into; NULL: they stay as they are */
    void *user;            /* for the shape's hooks, from whoever owns the shape */
    const char *no_tokenizer; /* without a tokenizer: a sentence that says why */
};

struct sp_dataset {
    size_t count, tokens;
    uint32_t *ids;     /* [tokens] */
    uint8_t *types;    /* [tokens] */
    size_t *offsets;   /* [count + 1] into ids and types */
    uint32_t *lines;   /* [count] where the row starts in its file */
    union {
        void *targets;     /* words of 4 bytes, as the task's loss takes them; NULL: none, as with no_labels */
        uint32_t *classes; /* of SP_LABELS_CLASSES */
        float *values;     /* of SP_LABELS_VALUES */
    };
    bool token_targets; /* one for each token, [tokens]; else one a row, [count] */
    uint32_t *terms;    /* [count] with token_targets: how many of the row's enter the loss; else NULL */
    enum sp_label_kind label_kind; /* found in the column of labels; none with no_labels */
    struct sp_labels labels;       /* names of classes */

    /* To be told to the person, each once. */
    size_t truncated;     /* rows cut to max_seq_length */
    size_t skipped;       /* bad rows left out */
    size_t untargeted;    /* rows left out because no target of theirs enters the loss */
    /* tokens of texts, without special ones, and those that are the unknown token; 0 where rows carry ids */
    size_t words, unknown;
    uint32_t first_unknown; /* the line of the first */
    size_t repeated;         /* rows of several columns that hold nothing but the columns' names */
    uint32_t first_repeated; /* the line of the first */
    size_t empty;         /* rows with nothing in any column, as spreadsheets leave them, which were passed over */
    /* rows of a tsv file read without quotes whose text is written as csv quotes one with quotes inside; */
    size_t csv_quoted;
    uint32_t first_csv_quoted; /* the line of the first */
    size_t single_quoted; /* rows whose text is in single quotes, which are part of it */
    char *first_skipped;  /* why the first one was; NULL when none was */
    struct sp_data_layout layout; /* how the file was read */
    bool header_guessed, delimiter_guessed, quotes_guessed;
    bool row_names;    /* the header has no name for the first column, which holds the rows' names */
    char *instead; /* what was read in place of the columns that training used or that may be meant, and what else of
                      the first row is in doubt; NULL: nothing is */
    bool whole_labels; /* they are whole numbers written as 1.0 or 1e+00, which were taken for classes */
    char *label_doubt; /* why the labels may be no values, though they were taken for such, or others; NULL: nothing */
};

/* Reads and tokenizes a whole file; `tokenizer` may be NULL where all rows carry input_ids.
 * No usable row, or with labels to build only one class, is SP_EFORMAT. */
int sp_dataset_load(struct sp_dataset *out, const char *path, const struct sp_tokenizer *tokenizer,
                    const struct sp_dataset_options *options);
/* Whether the file has a column of labels: one that the options name, or one called label. */
int sp_dataset_has_labels(bool *out, const char *path, const struct sp_dataset_options *options);
void sp_dataset_free(struct sp_dataset *dataset); /* safe on a zeroed one */

/* Tokens of a row. */
size_t sp_dataset_length(const struct sp_dataset *dataset, size_t row);

/* The row's targets, how many; none where the data set has none. Borrowed. */
size_t sp_dataset_targets(const uint32_t **out, const struct sp_dataset *dataset, size_t row);

#endif
