/* What the readers of runtime/data share (layer 4, private to this folder): the reader's
 * state and a format's entry. */
#ifndef SP_DATA_READER_PRIV_H
#define SP_DATA_READER_PRIV_H

#include "runtime/base/fs.h"
#include "runtime/data/reader.h"

#define SP_READER_LISTED ((size_t)20) /* columns in a message */

struct sp_reader {
    const struct sp_data_format *format;
    char *path;
    struct sp_map map;
    size_t line;          /* where the row last read begins */
    size_t at, next_line; /* the next row's first byte and line */
    size_t forgotten;     /* pages below this offset were given back */
    size_t start;         /* behind the byte order mark and Excel's line "sep=;" */
    size_t start_line;    /* which is this one */
    char declared;        /* the delimiter of that line; 0: there is none */
    bool quotes, header, row_names;
    bool any_width; /* rows may have as many columns as they like, while a delimiter is looked for */
    char delimiter; /* csv, tsv */
    char **names; /* [columns]; none until the first row was read */
    size_t columns;
    bool more_rows;          /* jsonl: rows behind those whose keys are the columns */
    json_t *object;          /* jsonl: the current row */
    char *bytes;             /* csv, tsv: the current row's fields, each ended by NUL */
    struct sp_field *fields; /* [SP_READER_MAX_COLUMNS] into bytes */
};

struct sp_data_format {
    const char *name;
    const char *const *extensions; /* with the dot, ended by NULL */
    char delimiter;    /* 0 for jsonl */
    bool plain_quotes; /* with this delimiter a quote is an ordinary character */
    const char *blank; /* the characters of a line that is passed over, besides its LF; NULL: none is */

    /* Reads the row at reader->at, which exists and is no empty line, into *row (all but its
     * line). *length is its bytes without the last line end, *line_ends the line ends inside
     * it. */
    int (*read)(struct sp_reader *reader, struct sp_row *row, size_t *length, size_t *line_ends);
};

#define SP_DATA_FORMAT(name) extern const struct sp_data_format sp_data_format_##name;
#include "runtime/data/format.def"
#undef SP_DATA_FORMAT

/* What to think of a csv or tsv file of one column, "; no row has ... is it another delimiter?"; "" for any other. */
const char *sp_reader_unparted(const struct sp_reader *reader);

/* not_text.c: SP_EFORMAT where the file is of another kind than its name says: an archive, Parquet, a page in HTML. */
int sp_reader_refuse_other(const struct sp_reader *reader);

/* row_names.c: the fields behind the first that may be, with the next one, a number that was cut at its decimal comma;
 * one bit for each. */
size_t sp_row_names_halves(const struct sp_field *fields, size_t count);

/* What to write in place of pandas' other forms of JSON. */
#define SP_READER_PANDAS "write rows: to_json(PATH, orient=\"records\", lines=True)"

/* Whether jq takes a key as .key: messages show what can be pasted. */
bool sp_reader_is_key(const char *key);

/* Bytes of the line at reader->at without its line end; more than SP_READER_MAX_ROW is
 * SP_ELIMIT. */
int sp_reader_line(const struct sp_reader *reader, size_t *length);

/* Refuses a row, `length` bytes at reader->at, that holds a NUL or is not UTF-8. */
int sp_reader_check(const struct sp_reader *reader, size_t length);

#endif
