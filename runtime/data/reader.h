/*
 * Row readers (layer 4) for jsonl, csv and tsv files, chosen by the file's extension
 * (format.def). A reader maps its file and gives one row at a time; nothing but the current row
 * is held in memory.
 *
 * jsonl strings may hold NUL, written as \u0000; keys may not.
 *
 * Text is UTF-8 with or without a byte order mark, lines end in LF or CRLF, the last one may end
 * in nothing, and empty lines are passed over. jsonl: one object a line. csv: RFC 4180, quoted
 * fields may hold line ends; a quote inside a field that does not begin with one is an ordinary
 * character. tsv: quotes are ordinary characters, unless `quotes` asks for csv's.
 *
 * Columns are named by the header or by number, 1 being the first; jsonl columns are the first
 * object's keys. `has_header: auto` takes the first row as a header when no field of it is a
 * number and either one field is a name that data sets use (label, text, sentence, sentence1,
 * ...) or all fields are different single words.
 *
 * A row that cannot be used is SP_EFORMAT or SP_ELIMIT with "file:line: ..."; the reader then
 * stands on the next line, so a caller may skip the row and go on. Other errors end the reading.
 * Threading: one thread per reader.
 */
#ifndef SP_DATA_READER_H
#define SP_DATA_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SP_READER_MAX_ROW ((size_t)4 << 20) /* bytes of a row, over all its lines */
#define SP_READER_MAX_COLUMNS ((size_t)1024)

enum sp_header { SP_HEADER_AUTO, SP_HEADER_YES, SP_HEADER_NO };

struct sp_reader_options {
    enum sp_header has_header; /* csv, tsv */
    bool quotes;               /* tsv: fields may be quoted as in csv */
};

struct sp_field {
    const char *text; /* NUL-terminated; of csv and tsv, holds no NUL */
    size_t length;
};

/* A row, borrowed until the next call on its reader. */
struct sp_row {
    size_t line;                   /* it starts on, from 1 */
    const json_t *object;          /* jsonl, otherwise NULL */
    const struct sp_field *fields; /* csv, tsv: `count` of them, as many as the first row has */
    size_t count;
};

struct sp_reader;

/* Opens a file and reads its header. Errors: SP_EINVAL for an extension that no format has,
 * SP_EFORMAT for UTF-16, ... */
int sp_reader_open(struct sp_reader **out, const char *path,
                   const struct sp_reader_options *options);
void sp_reader_close(struct sp_reader *reader); /* NULL is fine */

/* The next row: 1 with *row filled, 0 at the end of the file, or an error. */
int sp_reader_next(struct sp_reader *reader, struct sp_row *row);

/* Refuses the row last read, for the reason given, with "file:line: " in front; returns `code`. */
int sp_reader_fail(const struct sp_reader *reader, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The file's columns: names, or "1", "2", ... without a header. An empty file has none.
 * Borrowed. */
size_t sp_reader_column_count(const struct sp_reader *reader);
const char *sp_reader_column_name(const struct sp_reader *reader, size_t column);

/* Finds a column by name, or in csv and tsv by number when `name` is all digits; *column
 * counts from 0. An unknown name is SP_ECONFIG listing the columns that exist, as is a name
 * that two columns share. `option` is what asked for it. */
int sp_reader_find_column(size_t *column, const struct sp_reader *reader, const char *name,
                          const char *option);

bool sp_reader_has_header(const struct sp_reader *reader); /* false for jsonl */
bool sp_reader_is_jsonl(const struct sp_reader *reader);
const char *sp_reader_path(const struct sp_reader *reader);

#endif
