/*
 * csv and tsv: fields between delimiters. A quoted field ends at the first quote that is not
 * doubled; what follows, blanks aside, must be a delimiter or the end of the row. Behind blanks a
 * quote that begins no such field is an ordinary character. A quote that is never closed is found at
 * the end of the file or at the limit of a row's length, whichever comes first, and the reader then
 * goes on at the next line, so one stray quote costs one row.
 */
#include "runtime/base/error.h"
#include "runtime/data/reader_priv.h"

#include <string.h>

struct cursor {
    const char *next, *end; /* end: of the file, or of the longest row allowed */
    const char *file_end;
    char *write; /* into reader->bytes: room for the longest row and a NUL for each field */
    char delimiter;
    bool quotes;
    size_t line_ends;
};

static int too_long(const struct sp_reader *reader)
{
    return sp_reader_fail(reader, SP_ELIMIT, "the row is longer than the limit of %zu bytes",
                          SP_READER_MAX_ROW);
}

/* True at a delimiter, a line end (LF or CRLF) or the end of the file. */
static bool at_field_end(const struct cursor *c)
{
    if (c->next == c->end || *c->next == c->delimiter || *c->next == '\n')
        return true;
    return *c->next == '\r' &&
           (c->next + 1 == c->file_end || (c->next + 1 < c->end && c->next[1] == '\n'));
}

static void pass_blanks(struct cursor *c)
{
    while (c->next < c->end && (*c->next == ' ' || *c->next == '\t') && *c->next != c->delimiter)
        c->next++;
}

static void copy(struct cursor *c, size_t length)
{
    memcpy(c->write, c->next, length);
    c->write += length;
    c->next += length;
}

static int read_quoted(const struct sp_reader *reader, struct cursor *c)
{
    const char *behind; /* the closing quote */

    for (c->next++;; copy(c, 1)) { /* a doubled quote: the second one is copied */
        const char *quote = memchr(c->next, '"', (size_t)(c->end - c->next));

        if (!quote && c->end != c->file_end)
            return too_long(reader);
        if (!quote)
            return sp_reader_fail(reader, SP_EFORMAT,
                                  "a field begins with a quote that is never closed");
        for (const char *p = c->next; p < quote; p++)
            c->line_ends += *p == '\n';
        copy(c, (size_t)(quote - c->next));
        c->next++;
        if (c->next == c->end || *c->next != '"')
            break;
    }
    behind = c->next;
    pass_blanks(c);
    if (at_field_end(c))
        return 0;
    return sp_reader_fail(reader, SP_EFORMAT,
                          "text after the closing quote of a field; inside a quoted field a quote is written twice%s",
                          behind[-2] == '\\' ? ", not with a backslash (in R by qmethod = \"double\")"
                          : *c->next == '"' && c->next > behind
                              ? "; where blanks stand between columns, set delimiter: space"
                              : "");
}

static int read_field(const struct sp_reader *reader, struct cursor *c, struct sp_field *field)
{
    const struct cursor before = *c;

    *field = (struct sp_field){ .text = c->write, .spaced = c->next < c->end && *c->next == ' ' };
    pass_blanks(c);
    if (c->quotes && c->next < c->end && *c->next == '"') {
        bool behind = c->next > before.next;
        int rc = read_quoted(reader, c);

        if (rc < 0 && !behind)
            return rc;
        field->quoted = rc == 0;
    }
    if (!field->quoted) {
        *c = before;
        while (!at_field_end(c))
            c->next++;
        memcpy(c->write, before.next, (size_t)(c->next - before.next));
        c->write += c->next - before.next;
    }
    field->length = (size_t)(c->write - field->text);
    *c->write++ = '\0';
    return 0;
}

/* Whether one of the row's fields does. */
static bool begins_with_quote(const struct sp_reader *reader, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (reader->fields[i].text[0] == '"')
            return true;
    return false;
}

/* What to do about a row of so many columns. */
static const char *advise(const struct sp_reader *reader, size_t count)
{
    bool one_more = reader->header && !reader->row_names && count == reader->columns + 1, first = reader->line <= 2;

    if (!reader->quotes && begins_with_quote(reader, count))
        return "; where its fields are quoted, set quotes: true";
    if (one_more && !reader->fields[count - 1].length)
        return "; where rows end in a delimiter, the header must, too";
    if (one_more && reader->delimiter == ',' && sp_row_names_halves(reader->fields, count))
        return "; where a number has a decimal comma, write a point, or the number in quotes; a column of row names "
               "has a name in the header";
    if (count > reader->columns && !reader->quotes && reader->delimiter == '\t')
        return one_more && first ? "; a text in it may hold no tab, and a column of row names has a name in the header"
                                 : "; a text in it may hold no tab";
    if (one_more && first && reader->columns > 1)
        return "; a field that holds the delimiter is written in double quotes, and a column of row names has a name "
               "in the header";
    if (reader->quotes && count > reader->columns && reader->columns > 1)
        return "; a field that holds the delimiter is written in double quotes";
    if (reader->quotes && count > reader->columns && reader->delimiter == ',')
        return "; where each line is one text, write it in quotes, set delimiter: tab, or give the lines on standard "
               "input to predict";
    return "";
}

static int ragged(const struct sp_reader *reader, size_t count)
{
    return sp_reader_fail(reader, SP_EFORMAT, "%zu column%s, where %s %zu%s", count, count == 1 ? "" : "s",
                          reader->row_names ? "the others have"
                          : reader->header  ? "the header has"
                                            : "the first row has",
                          reader->columns, advise(reader, count));
}

static int read_row(struct sp_reader *reader, struct sp_row *row, size_t *length, size_t *line_ends)
{
    const char *start = (const char *)reader->map.data + reader->at;
    size_t left = reader->map.size - reader->at, count = 0;
    struct cursor c = {
        .next = start,
        .end = start + (left < SP_READER_MAX_ROW ? left : SP_READER_MAX_ROW),
        .file_end = start + left,
        .write = reader->bytes,
        .delimiter = reader->delimiter,
        .quotes = reader->quotes,
    };

    for (;; c.next++) {
        if (count == SP_READER_MAX_COLUMNS)
            return sp_reader_fail(reader, SP_ELIMIT, "more than %zu columns",
                                  SP_READER_MAX_COLUMNS);
        SP_TRY(read_field(reader, &c, &reader->fields[count++]));
        if (c.next == c.end || *c.next != reader->delimiter)
            break;
    }
    if (c.next == c.end && c.end != c.file_end)
        return too_long(reader);
    *length = (size_t)(c.next - start);
    *line_ends = c.line_ends;
    SP_TRY(sp_reader_check(reader, *length));
    if (reader->columns && count != reader->columns && !reader->any_width)
        return ragged(reader, count);
    *row = (struct sp_row){ .fields = reader->fields, .count = count };
    return 0;
}

static const char *const csv_extensions[] = { ".csv", NULL };
static const char *const tsv_extensions[] = { ".tsv", NULL };

const struct sp_data_format sp_data_format_csv = {
    .name = "csv", .extensions = csv_extensions, .delimiter = ',', .blank = "\r", .read = read_row
};

const struct sp_data_format sp_data_format_tsv = {
    .name = "tsv",
    .extensions = tsv_extensions,
    .delimiter = '\t',
    .plain_quotes = true,
    .blank = "\r",
    .read = read_row,
};
