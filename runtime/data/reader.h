/*
 * Row readers (layer 4) for jsonl, csv and tsv files, chosen by the file's extension
 * (format.def). A reader maps its file and gives one row at a time; nothing but the current row
 * is held in memory.
 *
 * jsonl strings may hold NUL, written as \u0000; keys may not.
 *
 * Text is UTF-8 with or without a byte order mark, lines end in LF or CRLF, the last one may end
 * in nothing, and empty lines are passed over, as is a Ctrl-Z alone at the end. jsonl: one object a line. csv: RFC
 * 4180, quoted fields may hold line ends, and may have blanks around them; a quote inside a field that does not begin
 * with one is an ordinary character. tsv: quotes are ordinary characters, unless `quotes` asks for csv's or the
 * delimiter is no tab. A first line "sep=;" of csv or tsv, as Excel writes it, is no row.
 *
 * Columns are named by the header or by number, 1 being the first; jsonl columns are the
 * keys of the first rows, as many as are looked at (sample.h), in order of appearance; a row may lack them. A reader
 * guesses nothing: what a file's delimiter is and whether it has a header is found out by layout.h, which then restarts
 * the reader.
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

struct sp_reader_options {
    bool header;    /* csv, tsv: the first row names the columns */
    bool quotes;    /* tsv with tabs: fields may be quoted as in csv */
    bool row_names; /* the header has a name less than the rows have fields: the first column's name is "" */
    char delimiter; /* csv, tsv; 0: the one that the extension stands for */
};

/* Whether files have a format of that name, and whether its rows are of columns with a delimiter between. */
bool sp_reader_find_format(bool *table, const char *name);

/* Whether a byte may be a delimiter: an ASCII character that is no quote and no line end. */
static inline bool sp_reader_can_delimit(char byte)
{
    return byte && (unsigned char)byte < 0x80 && byte != '"' && byte != '\r' && byte != '\n';
}

struct sp_field {
    const char *text; /* NUL-terminated; of csv and tsv, holds no NUL */
    size_t length;
    bool spaced, quoted; /* csv, tsv: begins with a blank; stood in quotes */
};

/* A row, borrowed until the next call on its reader. */
struct sp_row {
    size_t line;                   /* it starts on, from 1 */
    const json_t *object;          /* jsonl, otherwise NULL */
    /* csv, tsv: `count` of them, as many as the first row has; any while a delimiter is sought */
    const struct sp_field *fields;
    size_t count;
};

struct sp_reader;

#define SP_READER_STANDARD_INPUT "standard input" /* what messages call it */

/* Opens a file and reads its header; with options NULL it is only opened, to be restarted. "-" is standard input, which
 * can be read once: jsonl when it begins with "{", otherwise lines of text, none of which is passed over. Errors:
 * SP_EINVAL for an extension that no format has, SP_EFORMAT for UTF-16, ... */
int sp_reader_open(struct sp_reader **out, const char *path,
                   const struct sp_reader_options *options);
void sp_reader_close(struct sp_reader *reader); /* NULL is fine */

/* Goes back to the file's start, to read it by these options. After an error the reader may be
 * restarted again or closed. */
int sp_reader_restart(struct sp_reader *reader, const struct sp_reader_options *options);

/* The next row: 1 with *row filled, 0 at the end of the file, or an error. */
int sp_reader_next(struct sp_reader *reader, struct sp_row *row);

/* Refuses the row last read, for the reason given, with "file:line: " in front; returns `code`. */
int sp_reader_fail(const struct sp_reader *reader, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The file's columns: names (of csv and tsv without the blanks around them), or "1", "2", ... without a header. An
 * empty file has none. Borrowed. */
size_t sp_reader_column_count(const struct sp_reader *reader);
const char *sp_reader_column_name(const struct sp_reader *reader, size_t column);

/* Whether an option gives a column by its number: it is all digits. */
bool sp_reader_is_number(const char *name);

/* Finds a column by name, or in csv and tsv by number when `name` is all digits; *column
 * counts from 0. An unknown name is SP_ECONFIG listing the columns that exist, as is a name
 * that two columns share. `option` is what asked for it. */
int sp_reader_find_column(size_t *column, const struct sp_reader *reader, const char *name,
                          const char *option);

bool sp_reader_has_header(const struct sp_reader *reader); /* false for jsonl */
bool sp_reader_has_quotes(const struct sp_reader *reader); /* whether fields may be quoted */
bool sp_reader_is_jsonl(const struct sp_reader *reader);
bool sp_reader_is_lines(const struct sp_reader *reader); /* of text, from standard input */
void sp_reader_split_lines(struct sp_reader *reader);    /* henceforth at TABs, as tsv; restart it then */
const char *sp_reader_format(const struct sp_reader *reader); /* "jsonl", "csv", "tsv" or "lines" */
char sp_reader_delimiter(const struct sp_reader *reader);     /* 0 for jsonl and lines */
size_t sp_reader_offset(const struct sp_reader *reader);      /* of the next row, in bytes */
const char *sp_reader_path(const struct sp_reader *reader);

#endif
