#include "runtime/data/chooser.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/data/reader_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_NAME 256 /* bytes of a line's field that may be a column's name */
#define TITLES 5      /* lines that are looked at for a header that is not the first */

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
static bool is_header_line(const struct sp_row *row, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *r = options->remembered;
    bool text = false, label = false, one_word = false;
    char field[LINE_NAME];
    size_t fields = 0;

    for (size_t i = 0; i < row->count; i++) {
        for (const char *at = row->fields[i].text; next_field(field, sizeof field, &one_word, &at); fields++) {
            bool is_text = is_column(&r->text, field), is_label = is_column(&r->label, field);

            if (!is_text && !is_label && !one_word && !is_column(&r->pair, field) &&
                !sp_header_is_known(field, options))
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
    if (r && is_header_line(&row, options))
        return sp_reader_fail(reader, SP_EFORMAT,
                              "the names of columns; a table is read from a file (.csv, .tsv), here lines of text "
                              "alone, or jsonl");
    if (pair && row.count != 2)
        return sp_reader_fail(reader, SP_EFORMAT,
                              "%zu TABs in a line of text, where one separates the two texts that are expected",
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
    SP_GO(sp_chooser_quote(&text, choice->doubt));
    SP_GO(sp_buf_printf(&text, " may be %s; if it is, set has_header: %s", choice->may_be,
                        choice->header ? "false" : "true"));
    rc = sp_layout_remark(out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

static int remark_delimiter(struct sp_layout *out, char delimiter)
{
    struct sp_buf text = SP_BUF(256);
    char buffer[4];
    int rc;

    SP_GO(sp_buf_printf(&text,
                        "each row is read as one text, and all have %s as often; if that parts columns, set delimiter",
                        sp_delimiter_name(buffer, delimiter)));
    rc = sp_layout_remark(out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

/* The line of a row that names columns, at least so many, below titles or remarks; 0 where there is none. Leaves the
 * reader anywhere. */
static size_t find_header_below(const struct sp_chooser *c, struct sp_reader *reader,
                                const struct sp_reader_options *of_reader, size_t least)
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
        return sp_error(SP_ECONFIG,
                        "%s: its first row does not name its columns, and line %zu seems to; if it does, remove what "
                        "stands above it",
                        sp_reader_path(reader), header);
    SP_TRY(sp_reader_restart(reader, of_reader));
    while (rc > 0 && sample->bad > sample->rows && !choice->in_vain)
        rc = sp_reader_next(reader, &row);
    if (rc < 0 && c->options->skip_bad_rows && sample->whole && sample->rows == 0)
        return sp_error(rc, "%s: all %zu rows are bad; the first: %s", sp_reader_path(reader), sample->bad,
                        sp_error_message());
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
    char passed;
    bool sure;
    int rc;

    *out = (struct sp_layout){ .text = SP_COLUMN_NONE, .pair = SP_COLUMN_NONE, .label = SP_COLUMN_NONE };
    if (sp_reader_is_lines(reader))
        return choose_lines(out, reader, options);
    SP_TRY(sp_drawn_check(reader));
    SP_TRY(sp_quotes_choose(&of_reader.quotes, &out->quotes_guessed, reader, options));
    SP_TRY(
        sp_delimiter_choose(&of_reader.delimiter, &out->delimiter_guessed, &passed, reader, of_reader.quotes, options));
    SP_TRY(sp_row_names_choose(&out->row_names, &sure, reader, &of_reader, options));
    of_reader.header = of_reader.row_names = out->row_names;
    SP_TRY(sp_reader_restart(reader, &of_reader));
    if (sp_reader_column_count(reader) == 0) {
        SP_TRY(sp_reader_next(reader, &row)); /* it says what is wrong with the first one */
        return sp_error(SP_EFORMAT, "%s has no rows", sp_reader_path(reader));
    }
    SP_GO(sp_sample_read(&sample, reader));
    if (out->row_names)
        header = (struct sp_header_choice){ .header = true, .guessed = options->has_header == SP_AUTO };
    else if (!sp_reader_is_jsonl(reader))
        SP_GO(sp_header_choose(&header, &sample, reader, options));
    of_reader.header = header.header;
    out->header_guessed = header.guessed;
    if (!header.header)
        SP_GO(sp_sample_take_first(&sample));
    SP_GO(sp_reader_restart(reader, &of_reader));
    rc = sp_chooser_choose(&chooser);
    if (rc == SP_ECONFIG && header.in_vain)
        rc = sp_error(rc,
                      "%s. Its first row was taken for a header because a column is asked for by name; where it is "
                      "none, give the column's number",
                      sp_error_message());
    message = rc == SP_ECONFIG ? sp_strdup(sp_error_message()) : NULL;
    if (message)
        rc = explain(&chooser, reader, &of_reader, &header, message, sp_error_sentence());
    if (rc == 0)
        rc = sp_chooser_check_numbers(&chooser);
    if (rc == 0 && passed)
        rc = remark_delimiter(out, passed);
    if (rc == 0 && out->row_names && !sure)
        rc = sp_layout_remark(out, "its rows have a field more than its header, and the first one of each was passed "
                                   "over as the row's name; where it is none, and a text or number was cut at a "
                                   "delimiter, write that in quotes");
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
