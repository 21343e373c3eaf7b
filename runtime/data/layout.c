#include "runtime/data/chooser.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED 20      /* columns in a message */
#define LINE_NAME 256  /* bytes of a line's field that may be a column's name */
#define TITLES 5       /* lines that are looked at for a header that is not the first */
#define NAME_SHOWN 44  /* bytes of a name or an example in it */

static size_t count(const struct sp_chooser *c)
{
    return sp_reader_column_count(c->reader);
}

static const char *name_of(const struct sp_chooser *c, size_t column)
{
    return sp_reader_column_name(c->reader, column);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static const char *kind_name(const struct sp_sample_column *column)
{
    switch (sp_sample_kind(column)) {
    case SP_KIND_EMPTY:
        return "empty";
    case SP_KIND_INTEGER:
        return "whole numbers";
    case SP_KIND_NUMBER:
        return "numbers";
    case SP_KIND_OTHER:
        return "arrays or objects";
    case SP_KIND_CONSTANT:
        return "the same in every row";
    case SP_KIND_CLASS:
        return "few values that return";
    case SP_KIND_WORD:
        return "words or codes";
    case SP_KIND_TEXT:
        return "text";
    }
    return "";
}

/* Escaped here, not by the terminal alone: a line end in it would begin a line of the list. */
static int quote(struct sp_buf *out, const char *text)
{
    SP_TRY(sp_buf_puts(out, "\""));
    SP_TRY(sp_text_escape(out, text, sp_text_utf8_prefix(text, strnlen(text, NAME_SHOWN))));
    return sp_buf_puts(out, "\"");
}

static int describe_column(struct sp_buf *out, const struct sp_chooser *c, size_t i)
{
    const struct sp_sample_column *column = &c->sample->columns[i];

    SP_TRY(sp_buf_printf(out, "\n    %zu", i + 1));
    if (sp_chooser_has_names(c)) {
        SP_TRY(sp_buf_puts(out, " "));
        SP_TRY(quote(out, name_of(c, i)));
    }
    SP_TRY(sp_buf_printf(out, "%s: %s", i == c->out->label ? ", the label" : "", kind_name(column)));
    if (!column->example)
        return 0;
    SP_TRY(sp_buf_puts(out, ", such as "));
    return quote(out, column->example);
}

int sp_chooser_refuse(const struct sp_chooser *c, const char *why)
{
    struct sp_buf list = SP_BUF((size_t)1 << 16);
    int rc = 0;

    for (size_t i = 0; i < count(c) && i < LISTED && rc == 0; i++)
        rc = describe_column(&list, c, i);
    if (rc == 0 && count(c) > LISTED)
        rc = sp_buf_printf(&list, "\n    and %zu more", count(c) - LISTED);
    if (rc == 0)
        rc = sp_error_lines(sp_error(SP_ECONFIG, "%s: %s. Its columns are:", sp_reader_path(c->reader), why), list.data ? list.data : "");
    sp_buf_free(&list);
    return rc;
}

int sp_chooser_say(struct sp_buf *out, const struct sp_chooser *c, size_t column)
{
    if (sp_reader_is_jsonl(c->reader)) /* keys have no number that means anything */
        return sp_data_column_say(out, 0, name_of(c, column));
    return sp_data_column_say(out, column + 1, sp_chooser_has_names(c) ? name_of(c, column) : NULL);
}

int sp_layout_remark(struct sp_layout *layout, const char *text)
{
    char *longer = layout->instead ? sp_asprintf("%s; %s", layout->instead, text) : sp_strdup(text);

    if (!longer)
        return SP_ENOMEM;
    free(layout->instead);
    layout->instead = longer;
    return 0;
}

/* What to do where what is missed stands inside an object or a list of jsonl. */
static int advise(struct sp_buf *out, const struct sp_chooser *c)
{
    for (size_t i = 0; i < count(c) && sp_reader_is_jsonl(c->reader); i++) {
        const char *example = c->sample->columns[i].example, *name = name_of(c, i);

        if (!c->sample->columns[i].others || !example || !sp_reader_is_key(name))
            continue;
        if (strncmp(example, "[{", 2) == 0)
            return sp_buf_printf(out, "; if the rows are those of \"%s\", jq -c '.%s[]' makes a file of them", name, name);
        if (example[0] == '{')
            return sp_buf_printf(out, "; if it is inside \"%s\", jq -c '. + .%s' takes it out", name, name);
    }
    return 0;
}

/* Refuses an option's number that is the one of training's column where this file has that column, by its name,
 * elsewhere. */
static int check_place(const struct sp_chooser *c, const char *number, const char *option, const struct sp_data_column *wanted,
                       size_t column)
{
    size_t named;

    if (!sp_reader_is_number(number) || !wanted->name || wanted->number != column + 1 || !sp_reader_has_header(c->reader))
        return 0;
    named = sp_remembered_find(c, wanted);
    if (named == column || named == SP_COLUMN_NONE)
        return 0;
    return sp_error(SP_ECONFIG, "%s: %s: column %s was \"%s\" in training, is \"%s\" here, and \"%s\" is column %zu; give the "
                         "name of the one that is meant", sp_reader_path(c->reader), option, number, wanted->name, name_of(c, column),
                         wanted->name, named + 1);
}

/* As sp_reader_find_column, with advice; `wanted` is training's column in that part, NULL where nothing is known. */
static int find_column(size_t *column, const struct sp_chooser *c, const char *name, const char *option,
                       const struct sp_data_column *wanted)
{
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc = sp_reader_find_column(column, c->reader, name, option);

    if (rc == SP_ECONFIG && advise(&text, c) == 0 && text.data)
        rc = sp_error(rc, "%s%s", sp_error_message(), text.data);
    sp_buf_free(&text);
    return rc < 0 || !wanted ? rc : check_place(c, name, option, wanted, *column);
}

/* ---- the label --------------------------------------------------------------------------------------------------- */

/* The first column of that name that is not the label's, from a number on. */
static size_t find_text(const struct sp_chooser *c, const char *name, size_t from)
{
    for (size_t i = from; name && i < count(c); i++)
        if (i != c->out->label && strcmp(name_of(c, i), name) == 0)
            return i;
    return SP_COLUMN_NONE;
}

/* The column of a known name: of that very name or, where none is, the only one that differs in case alone. */
static size_t find_known(const struct sp_chooser *c, const char *name)
{
    size_t found = find_text(c, name, 0);

    if (found != SP_COLUMN_NONE)
        return found;
    for (size_t i = 0; name && i < count(c); i++) {
        if (i == c->out->label || !sp_header_is(name_of(c, i), name))
            continue;
        if (found != SP_COLUMN_NONE)
            return SP_COLUMN_NONE;
        found = i;
    }
    return found;
}

static int choose_label(const struct sp_chooser *c)
{
    const struct sp_data_layout *trained = c->options->remembered, *r = c->options->label_column ? NULL : trained;
    const char *name = c->options->label_column ? c->options->label_column : "label";
    size_t found;
    int rc;

    if (r) {
        c->out->label = sp_remembered_find(c, &r->label);
        if (c->out->label != SP_COLUMN_NONE)
            return 0;
    }
    found = c->options->label_column ? SP_COLUMN_NONE : find_known(c, name);
    name = found == SP_COLUMN_NONE ? name : name_of(c, found);
    rc = find_column(&c->out->label, c, name, c->options->label_column ? "label_column" : "label_column is not set",
                     trained ? &trained->label : NULL);
    if (rc != SP_ECONFIG)
        return rc;
    c->out->label = c->options->no_labels && trained ? sp_remembered_find(c, &trained->label) : SP_COLUMN_NONE;
    if (c->options->no_labels)
        return 0;
    return r ? sp_remembered_no_label(c, rc) : rc;
}

/* ---- the texts --------------------------------------------------------------------------------------------------- */

/* Refuses a name that another column has as well. */
static int check_once(const struct sp_chooser *c, size_t column)
{
    const char *name = column == SP_COLUMN_NONE ? NULL : name_of(c, column);

    if (find_text(c, name, column + 1) == SP_COLUMN_NONE)
        return 0;
    return sp_reader_find_column(&column, c->reader, name, "text_column is not set");
}

/* The pairs and single texts that data sets of the GLUE kind use. */
static int choose_known(const struct sp_chooser *c)
{
    for (const char *const(*known)[2] = sp_header_texts; (*known)[0]; known++) {
        size_t text = find_known(c, (*known)[0]), pair = find_known(c, (*known)[1]);

        if (text == SP_COLUMN_NONE || ((*known)[1] && pair == SP_COLUMN_NONE))
            continue;
        c->out->text = text;
        c->out->pair = pair;
        SP_TRY(check_once(c, text));
        return check_once(c, pair);
    }
    return 0;
}

enum sp_looks sp_chooser_looks(const struct sp_chooser *c, size_t i)
{
    const struct sp_sample_column *column = &c->sample->columns[i];
    bool texts = 2 * column->texts >= column->filled && column->filled > 0;

    if (i == c->out->label || sp_header_holds_classes(column, c->options))
        return SP_LOOKS_NO_TEXT;
    switch (sp_sample_kind(column)) {
    case SP_KIND_CONSTANT:
        return texts ? SP_LOOKS_REPEATED : SP_LOOKS_NO_TEXT;
    case SP_KIND_CLASS:
        return texts ? SP_LOOKS_FEW_TEXTS : SP_LOOKS_WORDS;
    case SP_KIND_WORD:
        return SP_LOOKS_WORDS;
    case SP_KIND_TEXT:
        return SP_LOOKS_TEXTS;
    default:
        return SP_LOOKS_NO_TEXT;
    }
}

/* The columns that look most like text: how many, and the first of them. None looks so at all: 0. */
static size_t candidates(const struct sp_chooser *c, enum sp_looks least, size_t *first)
{
    enum sp_looks most = least;
    size_t found = 0;

    for (size_t i = 0; i < count(c); i++) {
        enum sp_looks looks = sp_chooser_looks(c, i);

        if (looks < most || looks == SP_LOOKS_NO_TEXT)
            continue;
        found = looks > most ? 1 : found + 1;
        if (found == 1)
            *first = i;
        most = looks;
    }
    return found;
}

/* The column that is left when the label is taken away, where that is one; in training it must not be one of numbers.
 * */
static bool choose_only(const struct sp_chooser *c)
{
    size_t labels = c->out->label != SP_COLUMN_NONE, left = c->out->label == 0;

    if (count(c) != labels + 1 || (labels && sp_sample_kind(&c->sample->columns[left]) <= SP_KIND_OTHER))
        return false;
    c->out->text = left;
    return true;
}

static int no_text(const struct sp_chooser *c)
{
    struct sp_buf why = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc;

    SP_GO(sp_buf_puts(&why, "no column with text; set text_column"));
    SP_GO(advise(&why, c));
    rc = sp_chooser_refuse(c, why.data);
out:
    sp_buf_free(&why);
    return rc;
}

/* One column, the label's: in fastText's files, and others, a blank is all that stands between label and text. */
static int only_labels(const struct sp_chooser *c)
{
    return sp_error(SP_ECONFIG, "%s: its one column is the label, and there is no text; where a blank is all that is between them, make "
                    "it a tab, in a .tsv: sed 's/ /\\t/' <OLD >NEW%s", sp_reader_path(c->reader), sp_reader_unparted(c->reader));
}

/* The one column that looks like text: of several words, or without such a one, of words. Where rows give token ids,
 * only such of several words is taken. */
static int choose_looking(const struct sp_chooser *c)
{
    bool ids = c->out->ids && find_text(c, "input_ids", 0) != SP_COLUMN_NONE;
    size_t found = SP_COLUMN_NONE, texts;

    if (!ids && choose_only(c))
        return 0;
    texts = candidates(c, ids ? SP_LOOKS_TEXTS : SP_LOOKS_REPEATED, &found);
    if (texts == 1)
        c->out->text = found;
    if (texts == 1 || ids)
        return 0;
    if (texts)
        return sp_chooser_refuse(c, "text_column is not set, and more than one column could be the text; set it, and "
                                 "text_pair_column where two texts belong together");
    return c->out->label == 0 && count(c) == 1 && c->sample->columns[0].texts ? only_labels(c) : no_text(c);
}

/* Two options that name one column, by name and by number. */
static int check_different(const struct sp_reader *reader, size_t a, size_t b, const char *option, const char *other)
{
    if (a != b || a == SP_COLUMN_NONE)
        return 0;
    return sp_error(SP_ECONFIG, "%s: %s and %s are the same column, number %zu (\"%s\"); change one",
                    sp_reader_path(reader), option, other, a + 1, sp_reader_column_name(reader, a));
}

/* The columns that the options name. */
static int choose_named(const struct sp_chooser *c)
{
    const struct sp_dataset_options *options = c->options;
    const char *label = options->label_column ? "label_column" : "the label, by default \"label\",";
    const struct sp_data_layout *r = options->remembered;
    struct sp_layout *out = c->out;

    SP_TRY(find_column(&out->text, c, options->text_column, "text_column", r ? &r->text : NULL));
    if (options->text_pair_column)
        SP_TRY(find_column(&out->pair, c, options->text_pair_column, "text_pair_column", r ? &r->pair : NULL));
    else if (r)
        out->pair = sp_remembered_find(c, &r->pair);
    if (options->no_labels && !options->label_column)
        out->label = SP_COLUMN_NONE;
    SP_TRY(check_different(c->reader, out->text, out->pair, "text_column", "text_pair_column"));
    SP_TRY(check_different(c->reader, out->text, out->label, "text_column", label));
    SP_TRY(check_different(c->reader, out->pair, out->label, "text_pair_column", label));
    return sp_remembered_check_number(c);
}

/* Says of an option that gives a column by its number that another one has that number for its name, as pandas' 0, 1,
 * 2. */
static int check_number(const struct sp_chooser *c, const char *option, const char *number, size_t chosen)
{
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    size_t named = 0;
    int rc = 0;

    if (!number || !sp_reader_is_number(number) || chosen == SP_COLUMN_NONE || !sp_reader_has_header(c->reader))
        return 0;
    while (named < count(c) && strcmp(name_of(c, named), number) != 0)
        named++;
    if (named == count(c) || strcmp(name_of(c, chosen), number) == 0)
        return 0;
    SP_GO(sp_buf_printf(&text, "%s: %s was taken for a number, that of ", option, number));
    SP_GO(sp_chooser_say(&text, c, chosen));
    SP_GO(sp_buf_printf(&text, "; the column named so is number %zu: write that if it is meant", named + 1));
    rc = sp_layout_remark(c->out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

static int check_numbers(const struct sp_chooser *c)
{
    SP_TRY(check_number(c, "label_column", c->options->label_column, c->out->label));
    SP_TRY(check_number(c, "text_column", c->options->text_column, c->out->text));
    return check_number(c, "text_pair_column", c->options->text_pair_column, c->out->pair);
}

static int choose_columns(const struct sp_chooser *c)
{
    struct sp_layout *out = c->out;

    SP_TRY(choose_label(c));
    if (c->options->text_pair_column && !c->options->text_column)
        return sp_error(SP_ECONFIG, "text_pair_column is set but text_column is not");
    if (c->options->text_column)
        return choose_named(c);
    out->ids = sp_reader_is_jsonl(c->reader);
    SP_TRY(sp_remembered_choose(c));
    if (out->text != SP_COLUMN_NONE) {
        out->ids = out->ids && c->options->remembered->ids;
        return sp_remembered_check(c);
    }
    SP_TRY(choose_known(c));
    if (out->text == SP_COLUMN_NONE)
        SP_TRY(choose_looking(c));
    return sp_remembered_check(c);
}

/* ---- the file ---------------------------------------------------------------------------------------------- */

/* The line's next field, between delimiters of any kind, without quotes and blanks around it, and whether it had none
 * of them; false at the line's end. */
static bool next_field(char *out, size_t size, bool *one_word, const char **at)
{
    size_t length = strcspn(*at, ",;|\t"), from = 0;
    const char *field = *at;

    if (!field[0])
        return false;
    *at += length + (field[length] != '\0');
    *one_word = length > 0 && !memchr(field, ' ', length);
    while (from < length && strchr(" \"", field[from]))
        from++;
    while (length > from && strchr(" \"", field[length - 1]))
        length--;
    snprintf(out, size, "%.*s", (int)(length - from), field + from);
    return true;
}

static bool is_column(const struct sp_data_column *column, const char *name)
{
    return column->name && strcmp(column->name, name) == 0;
}

/* Whether the row is the header of a table such as training's: every field of it is a name, and one of them that of
 * training's text or label. A name alone must be the text's; that one is quoted in a text, or stands between its
 * commas, is no sign. */
static bool is_header_line(const struct sp_row *row, const struct sp_data_layout *r)
{
    bool text = false, label = false, one_word = false;
    char field[LINE_NAME];
    size_t fields = 0;

    for (size_t i = 0; i < row->count; i++) {
        for (const char *at = row->fields[i].text; next_field(field, sizeof field, &one_word, &at); fields++) {
            bool is_text = is_column(&r->text, field), is_label = is_column(&r->label, field);

            if (!is_text && !is_label && !one_word && !is_column(&r->pair, field) && !sp_header_is_known(field))
                return false;
            text |= is_text;
            label |= is_label;
        }
    }
    return text || (label && fields > 1);
}

/* Lines of text have no columns: each is the text, or both texts with a TAB between them where training used two. */
static int choose_lines(struct sp_layout *out, struct sp_reader *reader, const struct sp_dataset_options *options)
{
    const struct sp_reader_options none = { .header = false };
    const struct sp_data_layout *r = options->remembered;
    bool pair = options->text_pair_column || (r && r->pair.number);
    struct sp_row row;
    int rc;

    if (pair)
        sp_reader_split_lines(reader);
    SP_TRY(sp_reader_restart(reader, &none));
    rc = sp_reader_next(reader, &row);
    if (rc <= 0)
        return rc < 0 ? rc : sp_error(SP_EFORMAT, "%s has no rows", sp_reader_path(reader));
    if (r && is_header_line(&row, r))
        return sp_reader_fail(reader, SP_EFORMAT, "the names of columns; a table is read from a file (.csv, .tsv), here lines of text "
                                                  "alone, or jsonl");
    if (pair && row.count != 2)
        return sp_reader_fail(reader, SP_EFORMAT, "%zu TABs in a line of text, where one separates the two texts that are expected",
                              row.count - 1);
    out->text = 0;
    out->pair = pair ? 1 : SP_COLUMN_NONE;
    return sp_reader_restart(reader, &none);
}

static int remark_doubt(struct sp_layout *out, const struct sp_header_choice *choice)
{
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc = 0;

    SP_GO(sp_buf_printf(&text, "its first row was read as a %s, though ", choice->header ? "header" : "row"));
    SP_GO(quote(&text, choice->doubt));
    SP_GO(sp_buf_printf(&text, " may be %s; if it is, set has_header: %s", choice->may_be, choice->header ? "false" : "true"));
    rc = sp_layout_remark(out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

/* The line of a row that names columns, at least so many, below titles or remarks; 0 where there is none. Leaves the
 * reader anywhere. */
static size_t find_header_below(const struct sp_chooser *c, struct sp_reader *reader, const struct sp_reader_options *of_reader,
                                size_t least)
{
    const struct sp_reader_options plain = { .quotes = of_reader->quotes, .delimiter = of_reader->delimiter };
    size_t found = 0;
    struct sp_row row;
    int rc;

    reader->any_width = true;
    rc = sp_reader_restart(reader, &plain);
    for (size_t i = 0; i < TITLES && rc >= 0 && !found; i++) {
        size_t named = 0;

        rc = sp_reader_next(reader, &row);
        for (size_t j = 0; rc > 0 && j < row.count; j++)
            named += sp_header_is_named(row.fields[j].text, c->options);
        if (rc > 0 && i > 0 && row.count > 1 && named >= least && 2 * named >= row.count)
            found = row.line;
    }
    reader->any_width = false;
    return found;
}

/* Why no columns were found: a header that is not the first row; most rows are bad, the first of them so; or `message`,
 * a sentence and lines behind it. */
static int explain(const struct sp_chooser *c, struct sp_reader *reader, const struct sp_reader_options *of_reader,
                   const struct sp_header_choice *choice, const char *message, size_t sentence)
{
    const struct sp_sample *sample = c->sample;
    bool named = sp_reader_is_jsonl(reader) || (choice->header && !choice->in_vain);
    size_t header = named ? 0 : find_header_below(c, reader, of_reader, choice->in_vain ? 1 : 2);
    struct sp_row row;
    int rc = 1;

    if (header)
        return sp_error(SP_ECONFIG, "%s: its first row does not name its columns, and line %zu seems to; if it does, remove what stands "
                        "above it", sp_reader_path(reader), header);
    SP_TRY(sp_reader_restart(reader, of_reader));
    while (rc > 0 && sample->bad > sample->rows && !choice->in_vain)
        rc = sp_reader_next(reader, &row);
    if (rc < 0 && c->options->skip_bad_rows && sample->whole && sample->rows == 0)
        return sp_error(rc, "%s: all %zu rows are bad; the first: %s", sp_reader_path(reader), sample->bad, sp_error_message());
    return rc < 0 ? rc : sp_error_lines(sp_error(SP_ECONFIG, "%.*s", (int)sentence, message), message + sentence);
}

static int choose(struct sp_layout *out, struct sp_reader *reader, const struct sp_dataset_options *options)
{
    struct sp_reader_options of_reader = { .header = false };
    struct sp_header_choice header = { .header = false };
    struct sp_sample sample = { 0 };
    struct sp_chooser chooser = { out, reader, &sample, options };
    char *message = NULL;
    struct sp_row row;
    int rc;

    *out = (struct sp_layout){ .text = SP_COLUMN_NONE, .pair = SP_COLUMN_NONE, .label = SP_COLUMN_NONE };
    if (sp_reader_is_lines(reader))
        return choose_lines(out, reader, options);
    SP_TRY(sp_quotes_choose(&of_reader.quotes, &out->quotes_guessed, reader, options));
    SP_TRY(sp_delimiter_choose(&of_reader.delimiter, &out->delimiter_guessed, reader, of_reader.quotes, options));
    SP_TRY(sp_reader_restart(reader, &of_reader));
    if (sp_reader_column_count(reader) == 0) {
        SP_TRY(sp_reader_next(reader, &row)); /* it says what is wrong with the first one */
        return sp_error(SP_EFORMAT, "%s has no rows", sp_reader_path(reader));
    }
    SP_GO(sp_sample_read(&sample, reader));
    if (!sp_reader_is_jsonl(reader))
        SP_GO(sp_header_choose(&header, &sample, reader, options));
    of_reader.header = header.header;
    out->header_guessed = header.guessed;
    if (!header.header)
        SP_GO(sp_sample_take_first(&sample));
    SP_GO(sp_reader_restart(reader, &of_reader));
    rc = choose_columns(&chooser);
    if (rc == SP_ECONFIG && header.in_vain)
        rc = sp_error(rc, "%s. Its first row was taken for a header because a column is asked for by name; where it is none, give the "
                      "column's number", sp_error_message());
    message = rc == SP_ECONFIG ? sp_strdup(sp_error_message()) : NULL;
    if (message)
        rc = explain(&chooser, reader, &of_reader, &header, message, sp_error_sentence());
    if (rc == 0)
        rc = check_numbers(&chooser);
    if (rc == 0 && header.doubt)
        rc = remark_doubt(out, &header);
out:
    free(message);
    sp_sample_free(&sample);
    if (rc < 0)
        sp_layout_release(out);
    return rc;
}

int sp_layout_choose(struct sp_layout *out, struct sp_reader *reader, const struct sp_dataset_options *options)
{
    struct sp_dataset_options unnamed;
    int rc;

    if (sp_reader_is_lines(reader) || sp_reader_is_jsonl(reader) || !sp_remembered_unname(&unnamed, options))
        return choose(out, reader, options);
    rc = choose(out, reader, &unnamed);
    if (rc == 0 && !sp_reader_has_header(reader))
        return 0;
    sp_layout_release(out);
    return choose(out, reader, options);
}

void sp_layout_release(struct sp_layout *layout)
{
    free(layout->instead);
    layout->instead = NULL;
}
