/*
 * The choice of a file's columns (layer 4, private to this folder): what its parts share. chooser.c has the rules for
 * a file of which nothing is known, remembered.c those for one where training's columns are, columns.c what both say.
 */
#ifndef SP_DATA_CHOOSER_H
#define SP_DATA_CHOOSER_H

#include "runtime/base/buf.h"
#include "runtime/data/layout.h"

#define SP_CHOOSER_MESSAGE (4 * SP_READER_MAX_ROW) /* bytes of one that holds names, at their longest */

struct sp_chooser {
    struct sp_layout *out;
    const struct sp_reader *reader;
    const struct sp_sample *sample;
    const struct sp_dataset_options *options;
};

/* Whether the file names its columns. */
static inline bool sp_chooser_has_names(const struct sp_chooser *c)
{
    return sp_reader_is_jsonl(c->reader) || sp_reader_has_header(c->reader);
}

/* chooser.c: the columns, by the options, by what training used, and by the rules; SP_ECONFIG where that cannot be
 * done. */
int sp_chooser_choose(const struct sp_chooser *c);

/* chooser.c: says in `instead` where an option's number is another column's name. */
int sp_chooser_check_numbers(const struct sp_chooser *c);

/* columns.c: how much a column looks like a text, more or less of these. */
enum sp_looks { SP_LOOKS_NO_TEXT, SP_LOOKS_REPEATED, SP_LOOKS_WORDS, SP_LOOKS_FEW_TEXTS, SP_LOOKS_TEXTS };

enum sp_looks sp_chooser_looks(const struct sp_chooser *c, size_t column);

/* columns.c: refuses with SP_ECONFIG, saying why, with a line for each column: number, name, kind, example. */
int sp_chooser_refuse(const struct sp_chooser *c, const char *why);

/* columns.c: column 2 "review" of this file. */
int sp_chooser_say(struct sp_buf *out, const struct sp_chooser *c, size_t column);

/* columns.c: a name or an example in quotes, cut. Escaped here, not by the terminal alone: a line end in it would begin
 * a line of the list. */
int sp_chooser_quote(struct sp_buf *out, const char *text);

/* remembered.c: a column that training used, in this file; SP_COLUMN_NONE where it is not there, or there is none
 * (number 0). */
size_t sp_remembered_find(const struct sp_chooser *c, const struct sp_data_column *wanted);

/* remembered.c: the options without such names of columns as training's had, which a file without a header knows by
 * number; whether there was one. */
bool sp_remembered_unname(struct sp_dataset_options *out, const struct sp_dataset_options *options);

/* remembered.c: takes the texts that training used, where the file has them; it must have both or none of two. */
int sp_remembered_choose(const struct sp_chooser *c);

/* remembered.c, once all columns are chosen by the rules: says in `instead` what stands in the place of training's, and
 * refuses one text in the place of two, or two of one. */
int sp_remembered_check(const struct sp_chooser *c);

/* remembered.c, once all columns are chosen by options: says in `instead` that they are one text where training used
 * two, or two where it used one. */
int sp_remembered_check_number(const struct sp_chooser *c);

/* remembered.c: why training's label is not found, behind an error's message, which it extends; returns `code`. */
int sp_remembered_no_label(const struct sp_chooser *c, int code);

#endif
