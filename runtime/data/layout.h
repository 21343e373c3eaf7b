/*
 * What a data file is (layer 4, private to this folder): its delimiter, whether it has a header, and which columns are
 * text, second text and label, all decided here, before it is read, from its first rows (sample.h) and from what is
 * asked for. The rules stand in dataset.h.
 */
#ifndef SP_DATA_LAYOUT_H
#define SP_DATA_LAYOUT_H

#include "runtime/data/dataset.h"
#include "runtime/data/sample.h"

#define SP_COLUMN_NONE SIZE_MAX

struct sp_layout {
    size_t text, pair, label; /* from 0, or SP_COLUMN_NONE */
    bool ids;                 /* jsonl: a row that has `input_ids` gives those */
    bool header_guessed, delimiter_guessed, quotes_guessed, row_names;
    char *instead; /* as in the data set (dataset.h) */
};

/* Decides about a reader that is only opened, and restarts it as was decided; SP_ECONFIG where that cannot be done,
 * SP_EFORMAT for a file without rows. */
int sp_layout_choose(struct sp_layout *out, struct sp_reader *reader, const struct sp_dataset_options *options);
void sp_layout_release(struct sp_layout *layout); /* safe on a zeroed one */

/* Adds to what `instead` says. */
int sp_layout_remark(struct sp_layout *layout, const char *text);

/* quotes.c: whether fields between tabs are quoted in a tsv file; false for any other, whose format says it. *guessed
 * when no option says it, and they are or might be meant so. Leaves the reader anywhere. */
int sp_quotes_choose(bool *out, bool *guessed, struct sp_reader *reader, const struct sp_dataset_options *options);

/* delimiter.c: the file's delimiter, 0 for jsonl, with the quotes that were chosen; *guessed when it is not the one
 * that was asked for or that the file's name stands for; *passed: another that parts all rows alike, where this one
 * parts none, and was not taken, or 0. Leaves the reader anywhere. */
int sp_delimiter_choose(char *out, bool *guessed, char *passed, struct sp_reader *reader, bool quotes,
                        const struct sp_dataset_options *options);

/* drawn.c: SP_EFORMAT for a table that is drawn with characters; by the file's first lines, wherever the reader
 * stands. */
int sp_drawn_check(const struct sp_reader *reader);

/* Whether a field, its quotes aside, is a whole number, as names of rows are. */
bool sp_row_names_is_number(const struct sp_field *field);

/* row_names.c: whether a header names all columns but the first, that of the rows' names, as R writes it; by the quotes
 * and the delimiter that were chosen. *sure: these names are in quotes. Leaves the reader anywhere. */
int sp_row_names_choose(bool *out, bool *sure, struct sp_reader *reader, const struct sp_reader_options *by,
                        const struct sp_dataset_options *options);

struct sp_header_choice {
    bool header;  /* the first row names the columns: as has_header says, or as it was */
    bool guessed;
    bool in_vain; /* it would be a row, but a column is asked for by a name, which is not in it */
    const char *doubt; /* a field that may be a name though it was read as a row's, or a label or a text though as a
                          header's; NULL: none. Borrowed from the sample */
    const char *may_be; /* which of them, for messages */
};

/* header.c: a reader's first row; where the sample cannot say it, the label's column is read to the end of the file. */
int sp_header_choose(struct sp_header_choice *out, struct sp_sample *sample, struct sp_reader *reader,
                     const struct sp_dataset_options *options);

/* header.c: whether all that a column holds are classes of the head; whether it may be the label's: whether it holds
 * classes of the head but for the odd one (numbers where labels are values) or nothing. */
bool sp_header_holds_classes(const struct sp_sample_column *column, const struct sp_dataset_options *options);
bool sp_header_may_be_label(const struct sp_sample_column *column, const struct sp_dataset_options *options);

/* names.c: the names of two texts or one that data sets of the GLUE kind use, in order of preference; NULL ends
 * them. */
extern const char *const sp_header_texts[][2];

/* names.c: whether a field is that name, whatever its case and the blanks around it; whether it is one of a text, of
 * those above or of the shape's; whether it is any that data sets give to columns. */
bool sp_header_is(const char *field, const char *name);
bool sp_header_is_text(const char *field, const struct sp_dataset_options *options);
bool sp_header_is_known(const char *field, const struct sp_dataset_options *options);

/* names.c: whether it is such a name, or one that an option or training's file gave to a column. */
bool sp_header_is_named(const char *field, const struct sp_dataset_options *options);

/* A delimiter for messages: "," or a tab. */
const char *sp_delimiter_name(char buffer[4], char delimiter);

#endif
