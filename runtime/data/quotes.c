/*
 * Whether the fields of a tsv file are quoted as in csv. In most files between whose columns stand tabs a quote is a
 * character as any other, and a text may begin with one, or be a citation from end to end. But spreadsheets, R's
 * write.table and pandas quote fields there as well. Their rule shows: every quote belongs to a quoted field; and
 * either a whole column is quoted, or what is quoted needed it, for a quote inside (doubled), a tab or a line end. By
 * that a file is taken for quoted.
 */
#include "runtime/data/layout.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"

#include <stdlib.h>
#include <string.h>

struct column {
    size_t quoted, bare; /* rows with a word in quotes, and without; numbers and words for no value count as neither */
    bool first;          /* the first row is such a one in quotes */
};

/* What the first rows are, read with quotes or without. */
struct look {
    size_t rows, columns; /* all rows; the first one's columns */
    size_t bad;           /* rows with other columns, or that cannot be read; */
    size_t longer;        /* those with one more */
    size_t quoted;        /* fields in quotes */
    bool shifted;         /* all rows behind the first are such */
    bool stray;           /* a quote stands outside of those, */
    bool doubled, held;   /* inside one; a tab or a line end does */
    struct column column[SP_READER_MAX_COLUMNS];
};

static bool has(const struct sp_field *field, const char *characters)
{
    return field->text[strcspn(field->text, characters)] != '\0';
}

/* Read without quotes, a field that begins and ends with one. */
static bool is_in_quotes(const struct sp_field *field)
{
    return field->length > 1 && field->text[0] == '"' && field->text[field->length - 1] == '"';
}

static void look_at_field(struct look *l, struct column *column, const struct sp_field *field, bool quotes)
{
    bool quoted = quotes ? field->quoted : is_in_quotes(field);
    double number;

    l->stray |= !quoted && has(field, "\"");
    l->doubled |= quoted && has(field, "\"");
    l->held |= quoted && has(field, "\t\n");
    l->quoted += quoted;
    column->quoted += quoted;
    column->first |= quoted && l->rows == 1;
    column->bare += !quoted && l->rows > 1 && field->length && !sp_label_is_missing(field->text) &&
                    !sp_text_double(field->text, &number);
}

static int look(struct look *l, struct sp_reader *reader, bool quotes)
{
    const struct sp_reader_options options = { .quotes = quotes };
    struct sp_row row;
    int rc;

    *l = (struct look){ .rows = 0 };
    reader->any_width = true;
    rc = sp_reader_restart(reader, &options);
    while ((rc >= 0 || rc == SP_EFORMAT || rc == SP_ELIMIT) && l->rows < SP_SAMPLE_ROWS &&
           sp_reader_offset(reader) < SP_SAMPLE_BYTES) {
        rc = sp_reader_next(reader, &row);
        if (rc == 0)
            break;
        l->rows++;
        if (rc < 0) {
            l->bad++;
            continue;
        }
        if (l->rows == 1)
            l->columns = row.count;
        l->bad += row.count != l->columns;
        l->longer += row.count == l->columns + 1 && sp_row_names_is_number(&row.fields[0]);
        for (size_t i = 0; i < row.count; i++)
            look_at_field(l, &l->column[i], &row.fields[i], quotes);
    }
    reader->any_width = false;
    l->shifted = l->longer + 1 == l->rows; /* behind a header without a name for those of the rows */
    l->bad = l->shifted ? 0 : l->bad;
    return rc == SP_EFORMAT || rc == SP_ELIMIT || rc > 0 ? 0 : rc;
}

/* Whether all words of a column are in quotes, or all but its name above several rows. */
static bool has_quoted_column(const struct look *l, bool first)
{
    for (size_t i = 0; i < l->columns; i++)
        if (l->column[i].bare == 0 && ((l->column[i].first && l->column[i].quoted > 1) ||
                                       (!first && l->column[i].quoted >= SP_SAMPLE_SEVERAL)))
            return true;
    return false;
}

static bool decide(const struct look *plain, const struct look *quoted)
{
    /* every row is whole as it stands: no field goes on in the next */
    bool split = plain->columns > 1 && plain->bad == 0;

    if (SP_SAMPLE_FEW * plain->bad <= plain->rows && plain->rows > SP_SAMPLE_SEVERAL && has_quoted_column(plain, true))
        return true; /* though it be badly quoted: its rows will be told of */
    if (plain->shifted && !quoted->shifted && quoted->columns > 1 && !quoted->bad && !quoted->stray)
        return true; /* the field too many in each row is the second half of a quoted one */
    if (quoted->stray || SP_SAMPLE_FEW * quoted->bad > quoted->rows || (split && quoted->held))
        return false;
    return has_quoted_column(quoted, false) || quoted->doubled ||
           (plain->bad > 0 && quoted->bad == 0 && quoted->columns > 1);
}

int sp_quotes_choose(bool *out, bool *guessed, struct sp_reader *reader, const struct sp_dataset_options *options)
{
    const struct sp_data_format *format = reader->format;
    const struct sp_data_layout *r = options->remembered;
    char delimiter = options->delimiter ? options->delimiter : reader->declared;
    struct look *plain, *quoted;
    int rc;

    *out = options->quotes == SP_YES;
    *guessed = false;
    if (options->quotes != SP_AUTO || !format->plain_quotes || (delimiter && delimiter != format->delimiter))
        return 0;
    *out = r && r->quotes && r->delimiter == format->delimiter && strcmp(r->format, format->name) == 0;
    if (*out)
        return 0;
    plain = sp_calloc(1, sizeof *plain);
    quoted = sp_calloc(1, sizeof *quoted);
    rc = plain && quoted ? 0 : SP_ENOMEM;
    SP_GO(rc);
    SP_GO(look(plain, reader, false));
    SP_GO(look(quoted, reader, true));
    *out = decide(plain, quoted);
    *guessed = *out || (quoted->quoted > 0 && !quoted->stray && quoted->bad == 0);
out:
    free(plain);
    free(quoted);
    return rc;
}
