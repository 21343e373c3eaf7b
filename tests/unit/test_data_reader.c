/*
 * Row readers: odd csv, tsv and jsonl files. A file is rendered as a string, row by row, and
 * compared: "1:a|b;" is a row of two fields that begins on line 1, "3!;" a refused row; in front
 * stand the header's names in braces.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/data/sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEGABYTE ((size_t)1 << 20)
#define MUTATIONS 5000

static const struct sp_reader_options plain = { .header = false };
static const struct sp_reader_options headed = { .header = true };
static const struct sp_reader_options quoted = { .quotes = true };

static void render_row(struct sp_buf *out, const struct sp_row *row)
{
    sp_buf_printf(out, "%zu:", row->line);
    if (row->object) {
        char *text = json_dumps(row->object, JSON_COMPACT);

        sp_buf_puts(out, text);
        free(text);
    }
    for (size_t i = 0; i < row->count; i++) {
        assert_int_equal(strlen(row->fields[i].text), row->fields[i].length);
        sp_buf_printf(out, "%s%s", i ? "|" : "", row->fields[i].text);
    }
    sp_buf_puts(out, ";");
}

/* Renders all rows, going on after refused ones; the caller frees the string. */
static char *render(struct sp_reader *reader)
{
    struct sp_buf out = SP_BUF(64 * MEGABYTE);
    struct sp_row row;
    int rc;

    sp_buf_puts(&out, sp_reader_has_header(reader) ? "{" : "");
    for (size_t i = 0; sp_reader_has_header(reader) && i < sp_reader_column_count(reader); i++)
        sp_buf_printf(&out, "%s%s", i ? "|" : "", sp_reader_column_name(reader, i));
    sp_buf_puts(&out, sp_reader_has_header(reader) ? "}" : "");
    while ((rc = sp_reader_next(reader, &row)) != 0) {
        const char *line = sp_error_message() + strlen(sp_reader_path(reader)) + 1;

        if (rc > 0) {
            render_row(&out, &row);
            continue;
        }
        assert_true(rc == SP_EFORMAT || rc == SP_ELIMIT);
        assert_memory_equal(sp_error_message(), sp_reader_path(reader),
                            strlen(sp_reader_path(reader)));
        sp_buf_printf(&out, "%.*s!;", (int)strspn(line, "0123456789"), line);
    }
    assert_int_equal(sp_reader_next(reader, &row), 0);
    if (!out.data)
        sp_buf_puts(&out, "");
    return out.data;
}

static char *read_bytes(const char *name, const void *bytes, size_t length,
                        const struct sp_reader_options *options)
{
    struct sp_reader *reader;
    char *text;

    if (sp_reader_open(&reader, io_write(name, bytes, length), options) < 0)
        fail_msg("%s", sp_error_message());
    text = render(reader);
    sp_reader_close(reader);
    return text;
}

static void reads(const char *name, const char *content, const struct sp_reader_options *options,
                  const char *expected)
{
    char *text = read_bytes(name, content, strlen(content), options);

    assert_string_equal(text, expected);
    free(text);
}

/* The first refused row's message, or that of the opening, must hold `part`. */
static void refuses(const char *name, const void *bytes, size_t length, int code, const char *part)
{
    const char *path = io_write(name, bytes, length);
    struct sp_reader *reader;
    struct sp_row row;
    int rc = sp_reader_open(&reader, path, &plain);

    while (rc == 0 && (rc = sp_reader_next(reader, &row)) > 0)
        rc = 0;
    io_assert_error(rc, code, path, part, NULL);
    sp_reader_close(reader);
}

static void test_csv(void **state)
{
    (void)state;
    /* RFC 4180, section 2 */
    reads("t.csv", "aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", &plain, "1:aaa|bbb|ccc;2:zzz|yyy|xxx;");
    reads("t.csv", "aaa,bbb,ccc\r\nzzz,yyy,xxx", &plain, "1:aaa|bbb|ccc;2:zzz|yyy|xxx;");
    reads("t.csv", "field_name,other\r\naaa,bbb\r\n", &headed, "{field_name|other}2:aaa|bbb;");
    reads("t.csv", "\"aaa\",\"b \r\nbb\",\"ccc\"\r\nzzz,yyy,xxx\r\n", &plain,
          "1:aaa|b \r\nbb|ccc;3:zzz|yyy|xxx;");
    reads("t.csv", "\"aaa\",\"b\"\"bb\",\"ccc\"", &plain, "1:aaa|b\"bb|ccc;");
    reads("t.csv", "\"\",\"\"\"\",\"\"\"\"\"\"\n", &plain, "1:|\"|\"\";");
    reads("t.csv", "a,\nb,\"\"\n,\n", &plain, "1:a|;2:b|;3:|;");
    reads("t.csv", "a,b\r", &plain, "1:a|b;");
    /* Excel's line; its delimiter is for the layout to take */
    reads("t.csv", "sep=;\r\na,b\nc,d\n", &plain, "2:a|b;3:c|d;");
    reads("t.csv", "sep=,\na,b\nc,d\n", &headed, "{a|b}3:c|d;");
    reads("t.csv", "sep=;", &plain, "");
    reads("t.csv", "sep=\nsep", &plain, "1:sep=;2:sep;");
    reads("t.csv", "a\rb,c\n", &plain, "1:a\rb|c;");
    reads("t.csv", "a,b\n\n\r\nc,d\n\n", &plain, "1:a|b;4:c|d;");
    reads("t.csv", "\"a\n\n\nb\",c\n\nd,e\n", &plain, "1:a\n\n\nb|c;6:d|e;");
    reads("t.csv", "5\" disk,a \"b\" c\n", &plain, "1:5\" disk|a \"b\" c;");
    reads("t.csv", " \"a\" ,b\n", &plain, "1:a|b;"); /* blanks around a quoted field */
    reads("t.csv", "\"a\",  \"b, \"\"c\"\"\"\t,\t\"d\ne\"  \nf,g,h\n", &plain, "1:a|b, \"c\"|d\ne;3:f|g|h;");
    reads("t.csv", "a, \"b\" c, \" d\ne, \"\" f,\n", &plain, "1:a| \"b\" c| \" d;2:e| \"\" f|;"); /* none */
    reads("t.CSV", "a\tb\n", &plain, "1:a\tb;");
    reads("t.csv", "", &headed, "");
    reads("t.csv", "\n\r\n\n", &headed, "");
}

static void test_csv_bad(void **state)
{
    (void)state;
    reads("t.csv", "a,b\nc\nd,e,f\ng,h\n", &plain, "1:a|b;2!;3!;4:g|h;");
    reads("t.csv", "a,b\n\"c\"x,d\ne,f\n", &plain, "1:a|b;2!;3:e|f;");
    reads("t.csv", "a,b\n\"c,d\ne,f\ng,h", &plain,
          "1:a|b;2!;3:e|f;4:g|h;"); /* never closed: one row is lost */
    reads("t.csv", "a,b\n\"c,d\n\"e\",f\n", &plain, "1:a|b;2!;3:e|f;");
    refuses("t.csv", "a,b\nc\n", 6, SP_EFORMAT, ".csv:2: 1 column, where the first row has 2");
    refuses("t.csv", "a,b\n\"c\"x,d\n", 11, SP_EFORMAT, ".csv:2: text after the closing quote");
    refuses("t.csv", "a,b\nc,\"d\n", 9, SP_EFORMAT,
            ".csv:2: a field begins with a quote that is never closed");
    refuses("t.csv", "\"", 1, SP_EFORMAT, ".csv:1: a field begins with a quote");
}

static void test_tsv(void **state)
{
    (void)state;
    reads("t.tsv", "a\t\"b\nc\"\td\n", &plain, "1:a|\"b;2:c\"|d;");
    reads("t.tsv", "\"a\tb\n\"\t\"\n", &plain, "1:\"a|b;2:\"|\";");
    reads("t.tsv", "a,b\r\nc,d\r\n", &plain, "1:a,b;2:c,d;");
    reads("t.tsv", "\t\n", &plain, "1:|;");
    reads("t.tsv", "a\t\"b\tc\nd\"\n", &quoted, "1:a|b\tc\nd;");
    reads("t.tsv", "sentence\tlabel\nit 's \" good \t1", &headed,
          "{sentence|label}2:it 's \" good |1;");
}

static void test_jsonl(void **state)
{
    (void)state;
    reads("t.jsonl", "{\"a\":1}\r\n\n  \t\r\n{\"b\":[1,{\"c\":null}]}", &plain,
          "1:{\"a\":1};4:{\"b\":[1,{\"c\":null}]};");
    reads("t.json", "{\"text\":\"a\\u00e9\\n\",\"label\":-0.5}\n", &plain,
          "1:{\"text\":\"a\xC3\xA9\\n\",\"label\":-0.5};");
    reads("t.jsonl", "{\"a\":1\n{\"a\":2}\n3\n\"x\"\nnull\n{\"a\":3} x\n{\"a\":4}\n", &plain,
          "1!;2:{\"a\":2};3!;4!;5!;6!;7:{\"a\":4};");
    reads("t.jsonl",
          "{\"a\":1,\"a\":2}\n{\"a\":99999999999999999999}\n{\"a\":1e999}\n"
          "{\"a\":\"\\u0000\"}\n{\"a\":\"\\ud800\"}\n{}",
          &plain, "1!;2:{\"a\":{\"\\u0001number\":\"99999999999999999999\"}};3:{\"a\":{\"\\u0001number\":\"1e999\"}};"
                  "4:{\"a\":\"\\u0000\"};5:{\"a\":{\"\\u0001string\":\"\xEF\xBF\xBD\"}};6:{};");
    refuses("t.jsonl", "{\"a\\u0000\":1}\n{}", 16, SP_EFORMAT, "a NUL character (\\u0000)");
    refuses("t.jsonl", "{\"a\":1,\"a\":2}\n{}", 17, SP_EFORMAT, "a key twice in one object");
    refuses("t.jsonl", "{\"a\":1}\n[1]\n", 12, SP_EFORMAT,
            ".jsonl:2: a JSON array, where one object a line");
    refuses("t.jsonl", "{\"a\":1}\n7\n", 10, SP_EFORMAT, ".jsonl:2: not a JSON object");
    refuses("t.jsonl", "{\"a\":1}\n{\"a\":x}\n", 16, SP_EFORMAT, ".jsonl:2:");
}

/* Files of another kind than their name says. */
static void test_other_kinds(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *part;
    } files[] = {
        { "\x1F\x8B\x08\0\0\0", 6, "is compressed by gzip, whatever its name; unpack it: gzip -dc <OLD >NEW" },
        { "PK\x03\x04\x14\0", 6, "is a zip archive" },
        { "PAR1\x15\0\x15PAR1", 11, "is in the format Parquet, whatever its name; write its rows as jsonl" },
        { "BZh91AY&SY\x01", 11, "is compressed by bzip2" },
        { "\xFD" "7zXZ\0", 6, "is compressed by xz" },
        { "\x28\xB5\x2F\xFD\x04", 5, "is compressed by zstd" },
        { "\n<!DOCTYPE html>\n<html>\n", 24, "is a page in HTML or XML" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        refuses("t.csv", files[i].bytes, files[i].length, SP_EFORMAT, files[i].part);
    refuses("t.jsonl", files[0].bytes, files[0].length, SP_EFORMAT, files[0].part);
    reads("t.csv", "PAR1,BZh9\n<b>,PK\n", &plain, "1:PAR1|BZh9;2:<b>|PK;"); /* text */
}

/* The Ctrl-Z that old Windows tools put at a text's end; elsewhere it is a character. */
static void test_end_mark(void **state)
{
    (void)state;
    reads("t.jsonl", "{\"a\":1}\r\n\x1A", &plain, "1:{\"a\":1};");
    reads("t.csv", "a\nb\r\n\x1A\r\n", &plain, "1:a;2:b;");
    reads("t.tsv", "a\n\x1A\nb", &plain, "1:a;2:\x1A;3:b;");
    reads("t.csv", "a\n\x1A", &headed, "{a}");
}

static void test_jsonl_depth(void **state)
{
    size_t depth = MEGABYTE;
    char *nested = malloc(depth + 8);

    (void)state;
    memcpy(nested, "{\"a\":", 5);
    memset(nested + 5, '[', depth);
    refuses("t.jsonl", nested, depth + 5, SP_EFORMAT, "depth");
    free(nested);
}

static void test_encodings(void **state)
{
    static const char utf16[] = "\xFF\xFE\x61\0,\0b\0\n\0", nul[] = "a,b\nc,\0\nd,e\n";
    char *text;

    (void)state;
    reads("t.csv", "\xEF\xBB\xBFtext,label\r\nx,1\r\n", &headed, "{text|label}2:x|1;");
    reads("t.csv", "\xEF\xBB\xBF\"text\",label\nx,1\n", &headed, "{text|label}2:x|1;");
    reads("t.jsonl", "\xEF\xBB\xBF{\"a\":1}", &headed, "1:{\"a\":1};");
    reads("t.tsv", "\xEF\xBB\xBF", &headed, "");
    reads("t.tsv", "caf\xC3\xA9\t\xE4\xB8\xAD\xF0\x9F\x98\x80\n", &plain,
          "1:caf\xC3\xA9|\xE4\xB8\xAD\xF0\x9F\x98\x80;");
    reads("t.tsv", "a\nb\xE9\nc\xED\xA0\x80\nd\xC0\x80\ne\xF0\x9F\x98\nf\n", &plain,
          "1:a;2!;3!;4!;5!;6:f;");
    reads("t.jsonl", "{\"a\":1}\n{\"a\":\"\xE9\"}\n{\"a\":2}", &plain,
          "1:{\"a\":1};2!;3:{\"a\":2};");
    refuses("t.tsv", "a\nb\xE9\n", 5, SP_EFORMAT, ".tsv:2: not UTF-8: byte 2 of the row is 0xE9");
    refuses("t.csv", utf16, sizeof utf16 - 1, SP_EFORMAT,
            "is of UTF-16, as some Windows programs write; save it as UTF-8");
    refuses("t.csv", nul, sizeof nul - 1, SP_EFORMAT, ".csv:2: a NUL byte");
    text = read_bytes("t.csv", nul, sizeof nul - 1, &plain);
    assert_string_equal(text, "1:a|b;2!;3:d|e;");
    free(text);
}

/* `length` bytes of x in a file, behind `before` and in front of `after`. */
static char *long_file(const char *before, size_t length, const char *after, size_t *total)
{
    size_t first = strlen(before), last = strlen(after);
    char *text = malloc(first + length + last + 1);

    assert_non_null(text);
    memcpy(text, before, first);
    memset(text + first, 'x', length);
    memcpy(text + first + length, after, last);
    *total = first + length + last;
    return text;
}

static void check_long(const char *name, const char *before, size_t length, const char *after,
                       const char *expected)
{
    size_t total;
    char *bytes = long_file(before, length, after, &total),
         *text = read_bytes(name, bytes, total, &plain);

    if (expected)
        assert_string_equal(text, expected);
    else
        assert_int_equal(strlen(text), total + strlen("1:;") - strlen(before) - strlen(after));
    free(text);
    free(bytes);
}

static void test_limits(void **state)
{
    struct sp_buf wide = SP_BUF(MEGABYTE);

    (void)state;
    check_long("t.tsv", "a\tb\nc\t", 10 * MEGABYTE, "\nd\te\n", "1:a|b;2!;3:d|e;");
    check_long("t.csv", "a,b\n\"c\",\"", 10 * MEGABYTE, "\"\nd,e\n", "1:a|b;2!;3:d|e;");
    check_long("t.jsonl", "{\"a\":1}\n{\"a\":\"", 10 * MEGABYTE, "\"}\n{\"a\":2}\n",
               "1:{\"a\":1};2!;3:{\"a\":2};");
    check_long("t.jsonl", "{\"a\":1}\n{\"a\":\"", 10 * MEGABYTE, "", "1:{\"a\":1};2!;");
    check_long("t.csv", "", SP_READER_MAX_ROW, "", NULL); /* exactly the limit is well */
    check_long("t.csv", "", SP_READER_MAX_ROW - 1, "\n", NULL);
    check_long("t.csv", "\"", SP_READER_MAX_ROW - 2, "\"", NULL);
    check_long("t.csv", "a\n", SP_READER_MAX_ROW + 1, "\n", "1:a;2!;");
    check_long("t.csv", "a\n", SP_READER_MAX_ROW - 1, "\ry\nb\n", "1:a;2!;3:b;");
    for (size_t i = 0; i < SP_READER_MAX_COLUMNS; i++)
        sp_buf_puts(&wide, ",");
    refuses("t.csv", wide.data, wide.length, SP_ELIMIT, "more than 1024 columns");
    refuses("t.csv", wide.data, wide.length - 1, 0, ""); /* 1024 */
    sp_buf_free(&wide);
}

static void test_header(void **state)
{
    (void)state;
    reads("t.csv", "text,label\nx,1\n", &headed, "{text|label}2:x|1;");
    reads("t.csv", ",text,label\n0,x,1\n", &headed, "{|text|label}2:0|x|1;"); /* as pandas writes its index */
    reads("t.tsv", "text\tlabel\n", &headed, "{text|label}");
    reads("t.tsv", "text\tlabel\n", &plain, "1:text|label;");
    reads("t.jsonl", "{\"a\":1}", &headed, "1:{\"a\":1};");
}

static void find_by(const char *name, const char *content, const char *column, size_t expected, const char *part,
                    const struct sp_reader_options *options)
{
    struct sp_reader *reader;
    size_t found = 99;
    int rc;

    assert_int_equal(sp_reader_open(&reader, io_write_text(name, content), options), 0);
    rc = sp_reader_find_column(&found, reader, column, "label_column");
    if (part)
        io_assert_error(rc, SP_ECONFIG, name, "label_column", part, NULL);
    else
        assert_int_equal(found, expected);
    sp_reader_close(reader);
}

static void find(const char *name, const char *content, const char *column, size_t expected, const char *part)
{
    find_by(name, content, column, expected, part, &headed);
}

static void test_columns(void **state)
{
    (void)state;
    find("t.csv", "text,label\nx,1\n", "label", 1, NULL);
    find("t.csv", "text,label\nx,1\n", "2", 1, NULL);
    find("t.csv", "text,label\nx,1\n", "1", 0, NULL);
    find("t.csv", "text,label\nx,1\n", "0", 0, "no column 0; columns are numbered from 1 to 2");
    find("t.csv", "text,label\nx,1\n", "3", 0, "from 1 to 2");
    find("t.csv", "text,label\nx,1\n", "99999999999999999999", 0, "from 1 to 2");
    find("t.csv", "text,label\nx,1\n", "labels", 0,
         "did you mean \"label\"?; the file has: text, label");
    find("t.csv", "text,label\nx,1\n", "", 0, "the file has: text, label");
    find_by("t.csv", "x y,1\n", "label", 0, "no header and columns 1 to 2", &plain);
    find_by("t.csv", "x:1\n", "2", 0, "numbered from 1 to 1; no row has a comma between columns", &plain);
    find("t.csv", "label,text,label\n1,x,2\n", "label", 0,
         "columns 1 and 3 are both named \"label\"; give the number");
    find("t.csv", "label,text,label\n1,x,2\n", "text", 1, NULL);
    find("t.jsonl", "{\"b\":1,\"a\":2}", "a", 1, NULL);
    find("t.jsonl", "{\"b\":1,\"a\":2}", "1", 0, "the file has: b, a");
    find("t.jsonl", "{\"b\":\n{\"a\":2}", "a", 0, NULL); /* a good row's keys */
    find("t.jsonl", "{}\n{\"b\":1}\n{\"a\":2,\"b\":1}\n{\"c\":3}", "a", 1, NULL);
    find("t.jsonl", "{\"b\":1}\n{\"a\":2,\"b\":1}\n{\"c\":3}", "d", 0, "the file has: b, a, c");
}

/* Of a long jsonl file the first rows' keys are the columns, as many as there may be. */
static void test_keys(void **state)
{
    struct sp_buf rows = SP_BUF(1 << 20);

    (void)state;
    for (size_t i = 0; i < SP_SAMPLE_ROWS; i++)
        assert_int_equal(sp_buf_printf(&rows, "{\"a\":1,\"k%zu\":1,\"m%zu\":1}\n", i, i), 0);
    assert_int_equal(sp_buf_puts(&rows, "{\"late\":1}\n"), 0);
    find("t.jsonl", rows.data, "k511", SP_READER_MAX_COLUMNS - 1, NULL);
    find("t.jsonl", rows.data, "m511", 0, "no column \"m511\", did you mean");
    find("t.jsonl", rows.data, "late", 0, "; its first rows have: a, k0, m0");
    sp_buf_free(&rows);
    for (size_t i = 0; i < SP_READER_MAX_COLUMNS; i++)
        assert_int_equal(sp_buf_printf(&rows, "%s\"k%zu\":1", i ? "," : "{", i), 0);
    assert_int_equal(sp_buf_puts(&rows, ",\"a\":1}\n{\"a\":1}\n"), 0);
    refuses("t.jsonl", rows.data, rows.length, SP_ELIMIT, ".jsonl:1: more than 1024 columns");
    sp_buf_free(&rows);
}

static void test_open(void **state)
{
    static const char *const names[] = { "t.txt", "t", "t.csv.gz", ".csv/t", "csv" };
    struct sp_reader *reader;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        io_assert_error(sp_reader_open(&reader, names[i], &headed), SP_EINVAL, names[i],
                        ".jsonl, .json, .csv, .tsv", NULL);
    io_assert_error(sp_reader_open(&reader, io_path("none.csv"), &headed), SP_ENOTFOUND, "none.csv",
                    NULL);
    assert_null(reader);
    assert_int_equal(mkfifo(io_path("pipe.csv"), 0600), 0); /* nobody writes to it */
    io_assert_error(sp_reader_open(&reader, io_path("pipe.csv"), &headed), SP_EIO, "pipe.csv",
                    "is a pipe; a regular file is expected", NULL);
    assert_int_equal(symlink("/dev/zero", io_path("zero.csv")), 0);
    io_assert_error(sp_reader_open(&reader, io_path("zero.csv"), &headed), SP_EIO, "zero.csv",
                    "is a device", NULL);
    sp_reader_close(NULL);
}

/* Changes a few bytes of a good file, by pieces that mean something to a reader. */
static size_t mutate(char *bytes, size_t length, uint64_t seed)
{
    static const char *const pieces[] = { "\"", "\n",  "\r\n",         ",",    "\t", "\"\"", "{",
                                          "}",  "\\u", "\xEF\xBB\xBF", "\xFF", "" };
    size_t changes = 1 + sp_rng_u32(seed, SP_RNG_INIT, 0, 0) % 6;

    for (size_t i = 1; i <= changes; i++) {
        size_t at = sp_rng_u32(seed, SP_RNG_INIT, 1, i) % length;
        const char *piece =
            pieces[sp_rng_u32(seed, SP_RNG_INIT, 2, i) % (sizeof pieces / sizeof pieces[0])];

        if (sp_rng_u32(seed, SP_RNG_INIT, 3, i) % 4 == 0)
            length = at + 1;
        else if (at + strlen(piece) <= length)
            memcpy(bytes + at, piece, piece[0] ? strlen(piece) : 1); /* "": a NUL */
    }
    return length;
}

static void test_mutations(void **state)
{
    const char *const paths[] = { io_path("t.csv"), io_path("t.tsv"), io_path("t.jsonl") };
    static const char *const files[] = {
        "text,label\r\n\"a, \"\"b\"\"\nc\",1\r\n\xC3\xA9,0\r\nplain text,1\r\n,\r\n",
        "sentence\tlabel\nit 's \" good\t1\n\xF0\x9F\x98\x80\t0\n\tx\n",
        "{\"text\":\"a \\u00e9 "
        "b\",\"label\":1}\n{\"input_ids\":[1,2,3],\"label\":\"x\"}\n\n{\"text\":\"\",\"label\":2.5}"
        "\n",
    };

    (void)state;
    for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
        size_t kind = seed % 3, length = strlen(files[kind]);
        struct sp_reader_options options = { .header = seed / 3 % 2,
                                             .quotes = seed / 9 % 2 };
        struct sp_reader *reader;
        char bytes[256];
        FILE *file = fopen(paths[kind], "wb");

        assert_non_null(file);
        memcpy(bytes, files[kind], length);
        fwrite(bytes, 1, mutate(bytes, length, seed), file);
        assert_int_equal(fclose(file), 0);
        if (sp_reader_open(&reader, paths[kind], &options) == 0) {
            free(render(reader));
            sp_reader_close(reader);
        }
    }
}

/* A file that is written to while it is read is refused by its name; one that another is renamed over is not. */
static void test_written_to(void **state)
{
    static const char text[] = "a,1\nb,2\nc,3\n";
    const char *path = io_write_text("t.csv", text);
    struct sp_reader *reader;
    struct sp_row row;

    (void)state;
    for (int renamed = 0; renamed < 2; renamed++) {
        assert_int_equal(sp_reader_open(&reader, path, &plain), 0);
        assert_int_equal(sp_reader_next(reader, &row), 1);
        if (renamed)
            assert_int_equal(rename(io_write_text("u.csv", "x"), path), 0);
        else
            assert_int_equal(truncate(path, 6), 0); /* the rest reads as zeros */
        if (renamed) {
            assert_int_equal(sp_reader_next(reader, &row), 1);
            assert_int_equal(sp_reader_next(reader, &row), 1);
            assert_string_equal(row.fields[0].text, "c");
            assert_int_equal(sp_reader_next(reader, &row), 0);
        } else {
            io_assert_error(sp_reader_next(reader, &row), SP_EIO, path, "was written to while it was read", NULL);
        }
        sp_reader_close(reader);
        path = io_write_text("t.csv", text);
    }
}

/* So is one that is standard input. */
static void test_written_to_input(void **state)
{
    const char *path = io_write_text("t.txt", "a\nb\nc\n");
    int fd = open(path, O_RDONLY | O_CLOEXEC), old = dup(STDIN_FILENO);
    struct sp_reader *reader;
    struct sp_row row;

    (void)state;
    assert_true(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    assert_int_equal(sp_reader_open(&reader, "-", &plain), 0);
    assert_int_equal(sp_reader_next(reader, &row), 1);
    assert_int_equal(truncate(path, 4), 0);
    (void)sp_reader_next(reader, &row); /* a row of zeros is refused as such only where the file is what it was */
    io_assert_error(sp_reader_next(reader, &row), SP_EIO, "standard input was written to while it was read", NULL);
    sp_reader_close(reader);
    close(fd);
    if (old >= 0) {
        assert_int_equal(dup2(old, STDIN_FILENO), STDIN_FILENO);
        close(old);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_csv, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_csv_bad, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_tsv, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_jsonl, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_other_kinds, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_end_mark, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_jsonl_depth, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_encodings, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_limits, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_header, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_columns, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_keys, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_open, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_written_to, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_written_to_input, io_setup, io_teardown),
        cmocka_unit_test_setup_teardown(test_mutations, io_setup, io_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
