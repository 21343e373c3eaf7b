/*
 * The delimiter of a csv or tsv file. Excel's line "sep=;" says it (reader.c). Else the file's name stands for one; but
 * spreadsheets save .csv with semicolons, and commas come in a .tsv. Another delimiter is taken where the file's own
 * does not split its rows and the other splits all of them alike, or the first and nearly all others: a bad row is told
 * of by its line. Where it is not that clear, the delimiters are named and one must be set.
 */
#include "runtime/data/layout.h"

#include "runtime/base/error.h"
#include "runtime/data/reader_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char candidates[] = { ',', '\t', ';', '|' };

#define CANDIDATES sizeof candidates
#define ERROR_MAX 512

/* What a file is by one delimiter. */
struct trial {
    char delimiter;
    size_t columns; /* of the first row */
    size_t rows, bad; /* all rows; those with another number of columns, or that cannot be read */
    size_t unparted;  /* those of one column; of one more than the first */
    size_t longer;
    /* The first of these, and its columns or (0 columns) why it cannot be read. */
    size_t odd_line, odd_columns;
    char error[ERROR_MAX];
    bool comma_numbers;           /* its fields hold commas, all of them between digits */
    bool named;                   /* a field of the first row is a column's name that is asked for or known */
    bool spaced;                  /* a blank begins every field but the first ones: punctuation of a text stands so */
    size_t faces;                 /* rows in which it may be the eyes of a face, ";)" */
    size_t of_head;               /* rows with a field that is one of the head's classes */
};

static bool agrees(const struct trial *t)
{
    return t->columns > 1 && t->bad == 0;
}

/* As agrees, but for rows that are bad: one in ten; where such are to be skipped, any but most. */
static bool nearly_agrees(const struct trial *t, const struct sp_dataset_options *options)
{
    return t->columns > 1 && (options->skip_bad_rows ? 2 * t->bad < t->rows : SP_SAMPLE_FEW * t->bad <= t->rows);
}

const char *sp_delimiter_name(char buffer[4], char delimiter)
{
    if (delimiter == '\t')
        return "a tab";
    snprintf(buffer, 4, "\"%c\"", delimiter);
    return buffer;
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

/* The mouth of a face, perhaps with a nose: ")", "-(". */
static bool is_mouth(const struct sp_field *field)
{
    return strpbrk(field->text, "()") && !field->text[strspn(field->text, "()-'^. !")];
}

static void look_at(struct trial *t, const struct sp_row *row, const struct sp_dataset_options *options)
{
    bool of_head = false, face = false;

    for (size_t i = 0; i < row->count; i++) {
        t->named |= t->rows == 1 && sp_header_is_named(row->fields[i].text, options);
        t->spaced &= i == 0 || row->fields[i].spaced;
        face = face || is_mouth(&row->fields[i]);
        of_head = of_head || sp_labels_has(options->labels, row->fields[i].text);
    }
    t->of_head += of_head;
    t->faces += face;
}

static void count_bad(struct trial *t, const struct sp_reader *reader, size_t columns)
{
    if (t->bad++)
        return;
    t->odd_line = reader->line;
    t->odd_columns = columns;
    if (!columns)
        snprintf(t->error, sizeof t->error, "%s", sp_error_message());
}

/* Reads the first rows by a delimiter. */
static int try_delimiter(struct trial *t, struct sp_reader *reader, bool quotes,
                         const struct sp_dataset_options *options, char delimiter)
{
    struct sp_reader_options by = { .quotes = quotes, .delimiter = delimiter };
    size_t commas = 0, between = 0;
    struct sp_row row;
    int rc;

    *t = (struct trial){ .delimiter = delimiter, .spaced = true };
    reader->any_width = true;
    rc = sp_reader_restart(reader, &by);
    while ((rc >= 0 || rc == SP_EFORMAT || rc == SP_ELIMIT) && t->rows < SP_SAMPLE_ROWS &&
           sp_reader_offset(reader) < SP_SAMPLE_BYTES) {
        rc = sp_reader_next(reader, &row);
        if (rc == 0)
            break;
        t->rows++;
        if (rc < 0) {
            count_bad(t, reader, 0);
            continue;
        }
        if (t->rows == 1)
            t->columns = row.count;
        t->unparted += row.count == 1;
        if (row.count != t->columns) {
            t->longer += row.count == t->columns + 1 && sp_row_names_is_number(&row.fields[0]);
            count_bad(t, reader, row.count);
            continue;
        }
        for (size_t i = 0; i < row.count; i++)
            count_commas(&row.fields[i], &commas, &between);
        look_at(t, &row, options);
    }
    reader->any_width = false;
    if (t->longer + 1 == t->rows) /* behind a header without a name for those of the rows */
        t->bad = 0;
    t->comma_numbers = commas > 0 && commas == between;
    return rc < 0 && rc != SP_EFORMAT && rc != SP_ELIMIT ? rc : 0;
}

static int ambiguous(const struct sp_reader *reader, const struct trial *a, const struct trial *b)
{
    char first[4], second[4];

    return sp_error(SP_ECONFIG,
                    "%s: all its rows have %zu columns with %s between them, and %zu with %s; set delimiter to the one "
                    "that is meant",
                    reader->path, a->columns, sp_delimiter_name(first, a->delimiter), b->columns,
                    sp_delimiter_name(second, b->delimiter));
}

/* One column by the file's own delimiter, more by another one, but not in every row. What cannot be read by either is
 * no matter of delimiters. */
static int unclear(const struct sp_reader *reader, const struct trial *own, const struct trial *other)
{
    char first[4], room[4];
    const char *second = sp_delimiter_name(room, other->delimiter);

    if (other->error[0])
        return strcmp(own->error, other->error) == 0
                   ? sp_error(SP_EFORMAT, "%s", other->error)
                   : sp_error(SP_EFORMAT,
                              "%s (with %s between columns, as in the first row; set delimiter to another if that is "
                              "wrong)",
                              other->error, second);
    return sp_error(SP_ECONFIG,
                    "%s: with %s between columns, as its name says, its first row is one column; with %s it has %zu, "
                    "but line %zu has %zu. Set delimiter to the one that is meant, or correct that line",
                    reader->path, sp_delimiter_name(first, own->delimiter), second, other->columns, other->odd_line,
                    other->odd_columns);
}

/* Whether training used the delimiter that this file's name stands for. */
static bool is_trainings(const struct trial *own, const struct sp_dataset_options *options)
{
    return options->remembered && options->remembered->delimiter == own->delimiter;
}

/* Whether it stands as often in each row, and not as punctuation does in texts. */
static bool parts_alike(const struct trial *t)
{
    return agrees(t) && !t->spaced && 2 * t->faces <= t->rows;
}

/* Whether it does so in each of several rows, and not as commas do, either. */
static bool parts_all_alike(const struct trial *t)
{
    return parts_alike(t) && t->rows >= SP_SAMPLE_SEVERAL && t->delimiter != ',';
}

/* Whether a delimiter may be taken in place of the file's own, which does not split its rows. A file of one column is
 * as it should be where no labels are needed, unless the other delimiter gives it a header or the head's classes; or it
 * stands as often in each of several rows, which commas and punctuation may do in texts, and where training used the
 * file's own, no other is expected. */
static bool may_replace(const struct trial *other, const struct trial *own, const struct sp_dataset_options *options)
{
    size_t good = other->rows - other->bad;
    bool classes = other->of_head == good || (other->of_head > 1 && other->of_head + 1 == good);

    if (!agrees(other) && (own->columns > 1 || !nearly_agrees(other, options)))
        return false;
    if (other->named || classes || !options->no_labels)
        return true;
    return own->bad ? parts_alike(other) : parts_all_alike(other) && !is_trainings(own, options);
}

/* What to do about another delimiter that splits the rows of a file alike, as its own does. Of a .csv, commas may be
 * those of texts or of numbers, and no text has a tab in each row; a .tsv is what it is called. */
enum rival { KEEP_OWN, TAKE_OTHER, ASK };

static enum rival compare(const struct trial *own, const struct trial *other, const struct sp_dataset_options *options)
{
    if (own->delimiter != ',' || !agrees(other))
        return KEEP_OWN;
    if (other->comma_numbers)
        return TAKE_OTHER;
    if (other->delimiter == '\t')
        return ASK;
    if (own->named != other->named)
        return own->named ? KEEP_OWN : TAKE_OTHER;
    if (other->spaced)
        return KEEP_OWN; /* the punctuation of a text */
    return is_trainings(own, options) && !own->spaced ? KEEP_OWN : ASK;
}

static int choose(char *out, bool *guessed, char *passed, struct sp_reader *reader, bool quotes,
                  const struct sp_dataset_options *options)
{
    const struct sp_data_layout *remembered = options->remembered;
    struct trial own, other, found = { 0 }, near = { 0 };
    char first = reader->format->delimiter;

    if (remembered && remembered->delimiter && remembered->delimiter != first &&
        strcmp(remembered->format, reader->format->name) == 0) {
        SP_TRY(try_delimiter(&other, reader, quotes, options, remembered->delimiter));
        if (nearly_agrees(&other, options)) {
            *out = other.delimiter;
            return 0;
        }
    }
    SP_TRY(try_delimiter(&own, reader, quotes, options, first));
    for (size_t i = 0; i < CANDIDATES; i++) {
        enum rival rival = TAKE_OTHER;

        if (candidates[i] == first)
            continue;
        SP_TRY(try_delimiter(&other, reader, quotes, options, candidates[i]));
        if (agrees(&own))
            rival = compare(&own, &other, options);
        if (rival == ASK)
            return ambiguous(reader, &own, &other);
        if (rival == KEEP_OWN)
            continue;
        if (may_replace(&other, &own, options)) {
            if (found.columns && found.bad == other.bad)
                return ambiguous(reader, &found, &other);
            if (!found.columns || other.bad < found.bad)
                found = other;
        } else if (own.columns <= 1 && parts_all_alike(&other)) {
            *passed = other.delimiter;
        }
        if (other.columns > 1 && other.bad && (other.named || (!near.columns && 2 * other.unparted <= other.rows)))
            near = other;
    }
    *guessed = found.columns > 0;
    *passed = *guessed ? '\0' : *passed;
    *out = *guessed ? found.delimiter : first;
    if (!*guessed && near.columns && own.columns <= 1 && (near.named || !options->no_labels))
        return unclear(reader, &own, &near);
    return 0;
}

int sp_delimiter_choose(char *out, bool *guessed, char *passed, struct sp_reader *reader, bool quotes,
                        const struct sp_dataset_options *options)
{
    *guessed = false;
    *out = *passed = '\0';
    if (reader->format->delimiter)
        *out = options->delimiter ? options->delimiter : reader->declared;
    return *out || !reader->format->delimiter ? 0 : choose(out, guessed, passed, reader, quotes, options);
}
