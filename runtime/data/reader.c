#include "runtime/data/reader.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/stream.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"
#include "runtime/data/sample.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CTRL_Z 0x1A
#define FORGET_EVERY ((size_t)64 << 20)
#define MAX_STREAM ((size_t)1 << 30) /* bytes of standard input that are kept in memory */

static const struct sp_data_format *const formats[] = {
#define SP_DATA_FORMAT(name) &sp_data_format_##name,
#include "runtime/data/format.def"
#undef SP_DATA_FORMAT
};

#define FORMATS (sizeof formats / sizeof formats[0])

int sp_reader_fail(const struct sp_reader *reader, int code, const char *format, ...)
{
    char message[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return sp_error(code, "%s:%zu: %s", reader->path, reader->line, message);
}

int sp_reader_line(const struct sp_reader *reader, size_t *length)
{
    const char *text = (const char *)reader->map.data + reader->at, *end;
    size_t left = reader->map.size - reader->at;

    end = memchr(text, '\n', left < SP_READER_MAX_ROW ? left : SP_READER_MAX_ROW);
    if (!end && left > SP_READER_MAX_ROW)
        return sp_reader_fail(reader, SP_ELIMIT, "the row is longer than the limit of %zu bytes",
                              SP_READER_MAX_ROW);
    *length = end ? (size_t)(end - text) : left;
    if (*length && text[*length - 1] == '\r')
        --*length;
    return 0;
}

int sp_reader_check(const struct sp_reader *reader, size_t length)
{
    const char *text = (const char *)reader->map.data + reader->at;
    size_t valid = sp_text_utf8_prefix(text, length);

    if (valid < length)
        return sp_reader_fail(reader, SP_EFORMAT,
                              "not UTF-8: byte %zu of the row is 0x%02X; save the file as UTF-8",
                              valid + 1, (unsigned char)text[valid]);
    if (memchr(text, '\0', length))
        return sp_reader_fail(reader, SP_EFORMAT, "a NUL byte; a text file in UTF-8 is expected");
    return 0;
}

static const struct sp_data_format *find_format(const char *path)
{
    const char *name = strrchr(path, '/'), *dot = strrchr(name ? name : path, '.');

    for (size_t i = 0; dot && i < FORMATS; i++)
        for (const char *const *extension = formats[i]->extensions; *extension; extension++)
            if (strcasecmp(dot, *extension) == 0)
                return formats[i];
    return NULL;
}

bool sp_reader_find_format(bool *table, const char *name)
{
    size_t i = 0;

    while (i < FORMATS && (strcmp(formats[i]->name, name) != 0 || !formats[i]->extensions[0]))
        i++;
    *table = i < FORMATS && formats[i]->delimiter;
    return i < FORMATS;
}

static int unknown_format(const char *path)
{
    char known[128] = "";

    for (size_t i = 0; i < FORMATS; i++)
        for (const char *const *extension = formats[i]->extensions; *extension; extension++)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s",
                     known[0] ? ", " : "", *extension);
    return sp_error(SP_EINVAL,
                    "cannot tell the format of %s: a data file's name ends in one of %s; if it holds such rows, give "
                    "it such a name, or a link that has one (ln -s FILE FILE.csv)",
                    path, known);
}

/* Whether nothing stands there but the mark of a text's end that DOS' tools put behind it. */
static bool is_end_mark(const struct sp_reader *reader, size_t at)
{
    if (at == reader->map.size || reader->map.data[at] != CTRL_Z)
        return false;
    do
        at++;
    while (at < reader->map.size && memchr("\r\n", reader->map.data[at], 2));
    return at == reader->map.size;
}

/* Puts the cursor on the next row; false at the end of the file. */
static bool skip_blank_lines(struct sp_reader *reader)
{
    const char *data = (const char *)reader->map.data;

    if (!reader->format->blank)
        return reader->at < reader->map.size;
    while (reader->at < reader->map.size) {
        size_t p = reader->at;

        while (p < reader->map.size && data[p] && strchr(reader->format->blank, data[p]))
            p++;
        if (is_end_mark(reader, p))
            p = reader->map.size;
        if (p < reader->map.size && data[p] != '\n')
            return true;
        reader->at = p + (p < reader->map.size);
        reader->next_line++;
    }
    return false;
}

/* After a bad row: to the line after the one it began on. */
static void skip_line(struct sp_reader *reader)
{
    const unsigned char *text = reader->map.data + reader->at;
    const unsigned char *end = memchr(text, '\n', reader->map.size - reader->at);

    reader->at = end ? (size_t)(end - reader->map.data) + 1 : reader->map.size;
    reader->next_line++;
}

/* Whatever was read of a file that was written to meanwhile, a copy that began anew, is no row to go by. */
static int check_unchanged(const struct sp_reader *reader)
{
    return sp_fs_map_changed(&reader->map)
               ? sp_error(SP_EIO, "%s was written to while it was read; start again once it is whole", reader->path)
               : 0;
}

int sp_reader_next(struct sp_reader *reader, struct sp_row *row)
{
    size_t length, line_ends;
    int rc;

    if (!skip_blank_lines(reader))
        return check_unchanged(reader);
    if (reader->at - reader->forgotten > FORGET_EVERY) {
        sp_fs_map_forget(&reader->map);
        reader->forgotten = reader->at;
    }
    reader->line = reader->next_line;
    rc = reader->format->read(reader, row, &length, &line_ends);
    if (rc == 0) {
        row->line = reader->line;
        reader->next_line += line_ends;
        reader->at += length;
    }
    skip_line(reader); /* what is left of a good row is CR, LF or nothing */
    if (rc < 0)
        SP_TRY(check_unchanged(reader));
    return rc < 0 ? rc : 1;
}

/* Names the columns of csv or tsv by the first row. */
static int name_columns(struct sp_reader *reader, const struct sp_row *row)
{
    size_t count = row->count + reader->row_names;

    if (count > SP_READER_MAX_COLUMNS)
        return sp_reader_fail(reader, SP_ELIMIT, "more than %zu columns", SP_READER_MAX_COLUMNS);
    reader->names = sp_calloc(count, sizeof *reader->names);
    if (!reader->names)
        return SP_ENOMEM;
    reader->columns = count;
    for (size_t i = 0; i < count; i++) {
        if (reader->header)
            reader->names[i] = sp_strdup(i < reader->row_names ? "" : row->fields[i - reader->row_names].text);
        else
            reader->names[i] = sp_asprintf("%zu", i + 1);
        if (!reader->names[i])
            return SP_ENOMEM;
        sp_text_trim(reader->names[i]);
    }
    return 0;
}

/* Adds the keys of a row that are not `seen` yet. The first row's must all be columns; of later ones, which may hold
 * names of their own each, those that there is room for. */
static int add_keys(struct sp_reader *reader, json_t *seen, const struct sp_row *row)
{
    bool first = reader->columns == 0;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(size_t)row->object, key, value) { /* jansson's iterator takes no const */
        if (json_object_get(seen, key))
            continue;
        if (reader->columns == SP_READER_MAX_COLUMNS)
            return first ? sp_reader_fail(reader, SP_ELIMIT, "more than %zu columns", SP_READER_MAX_COLUMNS) : 0;
        reader->names[reader->columns] = sp_strdup(key);
        if (!reader->names[reader->columns])
            return SP_ENOMEM;
        reader->columns++;
        if (json_object_set_new(seen, key, json_true()) < 0)
            return sp_error(SP_ENOMEM, "out of memory");
    }
    return 0;
}

/* The columns of jsonl, of which a writer leaves out what a row lacks: the keys of all rows that are looked at. Bad
 * rows are passed over: whoever reads them will be told. */
static int read_keys(struct sp_reader *reader)
{
    json_t *seen = json_object();
    struct sp_row row;
    int rc = 1;

    reader->names = sp_calloc(SP_READER_MAX_COLUMNS, sizeof *reader->names);
    if (!seen || !reader->names)
        rc = seen ? SP_ENOMEM : sp_error(SP_ENOMEM, "out of memory");
    SP_GO(rc);
    for (size_t i = 0; reader->columns == 0 || (i < SP_SAMPLE_ROWS && reader->at < SP_SAMPLE_BYTES); i++) {
        rc = sp_reader_next(reader, &row);
        if (rc == 0)
            break;
        if (rc == SP_EFORMAT || rc == SP_ELIMIT)
            continue;
        SP_GO(rc);
        SP_GO(add_keys(reader, seen, &row));
    }
    reader->more_rows = reader->at < reader->map.size;
    rc = 0;
out:
    json_decref(seen);
    return rc;
}

/* Reads the columns, and goes back to the first row unless it is a header. */
static int read_columns(struct sp_reader *reader)
{
    struct sp_row row;
    int rc;

    if (sp_reader_is_jsonl(reader)) {
        rc = reader->columns ? 0 : read_keys(reader);
    } else {
        rc = sp_reader_next(reader, &row);
        if (rc > 0)
            SP_TRY(name_columns(reader, &row));
        else
            reader->header = false;
    }
    if (!reader->header) {
        reader->at = reader->start;
        reader->next_line = reader->start_line;
    }
    return rc < 0 ? rc : 0;
}

static void forget_columns(struct sp_reader *reader)
{
    for (size_t i = 0; i < reader->columns; i++)
        free(reader->names[i]);
    free(reader->names);
    reader->names = NULL;
    reader->columns = 0;
}

int sp_reader_restart(struct sp_reader *reader, const struct sp_reader_options *options)
{
    const struct sp_data_format *format = reader->format;

    if (!sp_reader_is_jsonl(reader)) /* whose keys stay what they are, however it is read */
        forget_columns(reader);
    reader->at = reader->start;
    reader->forgotten = 0;
    reader->next_line = reader->start_line;
    reader->delimiter = format->delimiter && options->delimiter ? options->delimiter : format->delimiter;
    reader->quotes = options->quotes || !format->plain_quotes || reader->delimiter != format->delimiter;
    reader->header = options->header && format->delimiter;
    reader->row_names = options->row_names && reader->header;
    return read_columns(reader);
}

/* Passes over a byte order mark; refuses those of UTF-16. */
static int read_mark(struct sp_reader *reader)
{
    const char *text = (const char *)reader->map.data;

    reader->start = sp_text_mark(text, reader->map.size);
    return sp_text_refuse_utf16(reader->path, text, reader->map.size);
}

/* Passes over the line "sep=;" that Excel puts, and reads, in front of a csv file: it is none of its rows. */
static void read_declared(struct sp_reader *reader)
{
    const char *text = (const char *)reader->map.data + reader->start;
    size_t left = reader->map.size - reader->start, quote = left > 0 && *text == '"', length = quote + 5 + quote;

    if (!reader->format->delimiter || left < length || strncasecmp(text + quote, "sep=", 4) != 0 ||
        !sp_reader_can_delimit(text[quote + 4]) || (quote && text[length - 1] != '"'))
        return;
    length += length < left && text[length] == '\r';
    if (length < left && text[length] != '\n')
        return;
    reader->declared = text[quote + 4];
    reader->start += length < left ? length + 1 : length;
    reader->start_line++;
}

static int check_line_ends(const struct sp_reader *reader)
{
    size_t length = reader->map.size < SP_READER_MAX_ROW ? reader->map.size : SP_READER_MAX_ROW;

    return sp_text_check_line_ends((const char *)reader->map.data, length, reader->path);
}

/* What standard input holds: jsonl when it begins with an object, or with a list of them, which is refused; otherwise
 * lines. */
static const struct sp_data_format *recognize(const struct sp_reader *reader)
{
    size_t at = reader->start;
    bool list = false;

    while (at < reader->map.size &&
           (memchr(" \t\r\n", reader->map.data[at], 4) || (reader->map.data[at] == '[' && !list)))
        list |= reader->map.data[at++] == '[';
    return at < reader->map.size && reader->map.data[at] == '{' ? &sp_data_format_jsonl : &sp_data_format_lines;
}

int sp_reader_open(struct sp_reader **out, const char *path,
                   const struct sp_reader_options *options)
{
    bool standard = strcmp(path, "-") == 0;
    const struct sp_data_format *format = standard ? &sp_data_format_lines : find_format(path);
    struct sp_reader *reader;
    int rc;

    *out = NULL;
    if (!format)
        return unknown_format(path);
    reader = sp_calloc(1, sizeof *reader);
    if (!reader)
        return SP_ENOMEM;
    reader->format = format;
    reader->path = sp_strdup(standard ? SP_READER_STANDARD_INPUT : path);
    reader->bytes = sp_calloc(SP_READER_MAX_ROW + 1, 1); /* most pages are never touched */
    reader->fields = sp_calloc(SP_READER_MAX_COLUMNS, sizeof *reader->fields);
    rc = reader->path && reader->bytes && reader->fields ? 0 : SP_ENOMEM;
    SP_GO(rc);
    SP_GO(standard ? sp_stream_map(&reader->map, STDIN_FILENO, reader->path, MAX_STREAM)
                   : sp_fs_map(&reader->map, path));
    SP_GO(read_mark(reader));
    if (standard)
        reader->format = recognize(reader);
    SP_GO(sp_reader_refuse_other(reader));
    SP_GO(check_line_ends(reader));
    reader->start_line = 1;
    read_declared(reader);
    reader->at = reader->start;
    if (options)
        rc = sp_reader_restart(reader, options);
out:
    if (rc < 0)
        sp_reader_close(reader);
    else
        *out = reader;
    return rc;
}

void sp_reader_close(struct sp_reader *reader)
{
    if (!reader)
        return;
    forget_columns(reader);
    free(reader->fields);
    free(reader->bytes);
    json_decref(reader->object);
    sp_fs_unmap(&reader->map);
    free(reader->path);
    free(reader);
}

size_t sp_reader_column_count(const struct sp_reader *reader)
{
    return reader->columns;
}

const char *sp_reader_column_name(const struct sp_reader *reader, size_t column)
{
    return reader->names[column];
}

bool sp_reader_has_header(const struct sp_reader *reader)
{
    return reader->header;
}

bool sp_reader_has_quotes(const struct sp_reader *reader)
{
    return reader->format->delimiter && reader->quotes;
}

bool sp_reader_is_jsonl(const struct sp_reader *reader)
{
    return reader->format == &sp_data_format_jsonl;
}

bool sp_reader_is_lines(const struct sp_reader *reader)
{
    return reader->format == &sp_data_format_lines;
}

void sp_reader_split_lines(struct sp_reader *reader)
{
    reader->format = &sp_data_format_tsv;
}

const char *sp_reader_format(const struct sp_reader *reader)
{
    return reader->format->name;
}

char sp_reader_delimiter(const struct sp_reader *reader)
{
    return reader->delimiter;
}

size_t sp_reader_offset(const struct sp_reader *reader)
{
    return reader->at;
}

const char *sp_reader_path(const struct sp_reader *reader)
{
    return reader->path;
}

const char *sp_reader_unparted(const struct sp_reader *reader)
{
    if (reader->columns != 1 || !reader->delimiter)
        return "";
    return reader->delimiter == ',' ? "; no row has a comma between columns: is it another delimiter?"
           : reader->delimiter == '\t' ? "; no row has a tab between columns: is it another delimiter?"
                                       : "; no row has the delimiter that was set";
}

/* "the file has 3 columns: a, b, c", or what can be said of it without a header. */
static void describe_columns(const struct sp_reader *reader, char *out, size_t size)
{
    size_t used;

    if (!reader->header && !sp_reader_is_jsonl(reader)) {
        if (reader->columns == 1)
            snprintf(out, size, "the file has no header and one column%s", sp_reader_unparted(reader));
        else
            snprintf(out, size, "the file has no header and columns 1 to %zu", reader->columns);
        return;
    }
    snprintf(out, size, "%s:", reader->more_rows ? "its first rows have" : "the file has");
    for (size_t i = 0; i < reader->columns && i < SP_READER_LISTED; i++) {
        size_t shown = sp_text_utf8_prefix(reader->names[i], strnlen(reader->names[i], 40));

        used = strlen(out);
        snprintf(out + used, size - used, "%s %.*s", i ? "," : "", (int)shown, reader->names[i]);
    }
    used = strlen(out);
    if (reader->columns > SP_READER_LISTED)
        snprintf(out + used, size - used, " and %zu more", reader->columns - SP_READER_LISTED);
}

static int no_such_column(const struct sp_reader *reader, const char *name, const char *option)
{
    const char *nearest =
        sp_text_nearest(name, (const char *const *)reader->names, reader->columns);
    char known[1024];

    describe_columns(reader, known, sizeof known);
    return sp_error(SP_ECONFIG, "%s: %s: no column \"%s\"%s%s%s; %s", reader->path, option, name,
                    nearest ? ", did you mean \"" : "", nearest ? nearest : "",
                    nearest ? "\"?" : "", known);
}

/* Whether a column has that name; of csv and tsv, whatever the blanks around it. */
static bool is_called(const struct sp_reader *reader, size_t column, const char *name)
{
    const char *own = reader->names[column];
    size_t length = strlen(name);

    if (!sp_reader_is_jsonl(reader))
        sp_text_trim_ends(&name, &length);
    return length == strlen(own) && memcmp(own, name, length) == 0;
}

bool sp_reader_is_number(const char *name)
{
    return name[0] && strspn(name, "0123456789") == strlen(name);
}

int sp_reader_find_column(size_t *column, const struct sp_reader *reader, const char *name,
                          const char *option)
{
    size_t found = reader->columns;
    long long number;

    if (!sp_reader_is_jsonl(reader) && sp_reader_is_number(name)) {
        if (!sp_text_int(name, &number) || number < 1 || (size_t)number > reader->columns)
            return sp_error(SP_ECONFIG, "%s: %s: no column %s; columns are numbered from 1 to %zu%s",
                            reader->path, option, name, reader->columns, sp_reader_unparted(reader));
        *column = (size_t)number - 1;
        return 0;
    }
    for (size_t i = 0; i < reader->columns; i++) {
        if (!is_called(reader, i, name))
            continue;
        if (found < reader->columns)
            return sp_error(SP_ECONFIG,
                            "%s: %s: columns %zu and %zu are both named \"%s\"; give the number",
                            reader->path, option, found + 1, i + 1, name);
        found = i;
    }
    if (found == reader->columns)
        return no_such_column(reader, name, option);
    *column = found;
    return 0;
}
