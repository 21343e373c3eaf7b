/*
 * The delimiter of a csv or tsv file. Its name stands for one; but spreadsheets save .csv with semicolons, and commas come in a
 * .tsv. Another delimiter is taken where the file's own does not split its rows and the other splits all of them alike; where it is
 * not that clear, the delimiters are named and one must be set.
 */
#include "runtime/data/layout.h"

#include "runtime/base/error.h"
#include "runtime/data/reader_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char candidates[] = { ',', '\t', ';', '|' };

#define CANDIDATES sizeof candidates
#define SEVERAL 3

/* What a file is by one delimiter. */
struct trial {
    char delimiter;
    size_t columns; /* of the first row */
    size_t rows;
    /* The first row with another number of columns, or that cannot be read (0 columns); line 0: none. */
    size_t odd_line, odd_columns;
    bool comma_numbers;           /* its fields hold commas, all of them between digits */
    bool named;                   /* a field of the first row is a column's name that is asked for or known */
};

static bool agrees(const struct trial *t)
{
    return t->columns > 1 && t->odd_line == 0;
}

const char *sp_delimiter_name(char buffer[4], char delimiter)
{
    if (delimiter == '\t')
        return "a tab";
    snprintf(buffer, 4, "\"%c\"", delimiter);
    return buffer;
}

static bool is_named(const char *field, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *r = options->remembered;
    const char *const asked[] = { options->text_column, options->text_pair_column, options->label_column,
                                  r ? r->text.name : NULL, r ? r->pair.name : NULL, r ? r->label.name : NULL };

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (asked[i] && strcmp(asked[i], field) == 0)
            return true;
    return sp_header_is_known(field);
}

/* Counts the field's commas, and those of them that stand between digits. */
static void count_commas(const struct sp_field *field, size_t *commas, size_t *between)
{
    const char *text = field->text;

    for (size_t i = 0; i < field->length; i++) {
        if (text[i] != ',')
            continue;
        ++*commas;
        *between += i > 0 && isdigit((unsigned char)text[i - 1]) && isdigit((unsigned char)text[i + 1]);
    }
}

/* Reads the first rows by a delimiter. */
static int try_delimiter(struct trial *t, struct sp_reader *reader, const struct sp_dataset_options *options, char delimiter)
{
    struct sp_reader_options by = { .quotes = options->quotes, .delimiter = delimiter };
    size_t commas = 0, between = 0;
    struct sp_row row;
    int rc;

    *t = (struct trial){ .delimiter = delimiter };
    rc = sp_reader_restart(reader, &by);
    reader->any_width = true;
    while (rc >= 0 && t->rows < SP_SAMPLE_ROWS && sp_reader_offset(reader) < SP_SAMPLE_BYTES) {
        rc = sp_reader_next(reader, &row);
        if (rc <= 0)
            break;
        t->rows++;
        for (size_t i = 0; i < row.count; i++) {
            count_commas(&row.fields[i], &commas, &between);
            t->named |= t->rows == 1 && is_named(row.fields[i].text, options);
        }
        if (t->rows == 1)
            t->columns = row.count;
        if (row.count != t->columns) {
            t->odd_line = row.line;
            t->odd_columns = row.count;
            break;
        }
    }
    reader->any_width = false;
    t->comma_numbers = commas > 0 && commas == between;
    if (rc == SP_EFORMAT || rc == SP_ELIMIT)
        t->odd_line = reader->line;
    return rc < 0 && !t->odd_line ? rc : 0;
}

static int ambiguous(const struct sp_reader *reader, char a, char b)
{
    char first[4], second[4];

    return sp_error(SP_ECONFIG, "%s: its rows have the same columns with %s and with %s between them; set delimiter to the one "
                    "that is meant", reader->path, sp_delimiter_name(first, a), sp_delimiter_name(second, b));
}

/* One column by the file's own delimiter, more by another one, but not in every row. */
static int unclear(const struct sp_reader *reader, const struct trial *own, const struct trial *other)
{
    char first[4], second[4], rest[64] = "cannot be read";

    if (other->odd_columns)
        snprintf(rest, sizeof rest, "has %zu", other->odd_columns);
    return sp_error(SP_ECONFIG, "%s: with %s between columns, as its name says, its first row is one column; with %s it has %zu, "
                    "but line %zu %s. Set delimiter to the one that is meant, or correct that line",
                    reader->path, sp_delimiter_name(first, own->delimiter), sp_delimiter_name(second, other->delimiter),
                    other->columns, other->odd_line, rest);
}

/* Whether a delimiter may be taken in place of the file's own. A file of one column is as it should be where no labels are needed,
 * unless the other delimiter gives it a header, or stands as often in each of several rows: which commas may do in texts. */
static bool may_replace(const struct trial *other, const struct trial *own, const struct sp_dataset_options *options)
{
    if (!agrees(other))
        return false;
    return other->named || !options->no_labels || own->odd_line || (other->rows >= SEVERAL && other->delimiter != ',');
}

static int choose(char *out, bool *guessed, struct sp_reader *reader, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *remembered = options->remembered;
    struct trial own, other, found = { 0 }, near = { 0 };
    char first = reader->format->delimiter;

    if (remembered && remembered->delimiter && remembered->delimiter != first &&
        strcmp(remembered->format, reader->format->name) == 0) {
        SP_TRY(try_delimiter(&other, reader, options, remembered->delimiter));
        if (agrees(&other)) {
            *out = other.delimiter;
            return 0;
        }
    }
    SP_TRY(try_delimiter(&own, reader, options, first));
    for (size_t i = 0; i < CANDIDATES; i++) {
        if (candidates[i] == first)
            continue;
        SP_TRY(try_delimiter(&other, reader, options, candidates[i]));
        if (agrees(&own)) { /* still: of a .csv, commas may be those of numbers, and no text has a tab in each row */
            if (first != ',' || !agrees(&other) || (!other.comma_numbers && other.delimiter != '\t'))
                continue;
            if (!other.comma_numbers)
                return ambiguous(reader, first, other.delimiter);
        }
        if (may_replace(&other, &own, options)) {
            if (found.columns)
                return ambiguous(reader, found.delimiter, other.delimiter);
            found = other;
        }
        if (other.columns > 1 && other.odd_line && (!near.columns || other.named))
            near = other;
    }
    *guessed = found.columns > 0;
    *out = *guessed ? found.delimiter : first;
    if (!*guessed && near.columns && own.columns <= 1 && (near.named || !options->no_labels))
        return unclear(reader, &own, &near);
    return 0;
}

int sp_delimiter_choose(char *out, bool *guessed, struct sp_reader *reader, const struct sp_dataset_options *options)
{
    *guessed = false;
    *out = reader->format->delimiter ? options->delimiter : '\0';
    return *out || !reader->format->delimiter ? 0 : choose(out, guessed, reader, options);
}
