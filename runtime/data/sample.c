#include "runtime/data/sample.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/labels.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXAMPLE ((size_t)40)     /* bytes of an example */
#define VALUE ((size_t)256)      /* bytes of a value that are kept: no class has a longer name */
#define CLASS_LENGTH ((size_t)64) /* bytes of a value of several words that may still be a class */

bool sp_sample_is_numeric(const struct sp_sample_column *column)
{
    return column->numbers > 0 && column->numbers == column->filled - column->missing;
}

/* Letters of scripts that write no blanks between words begin here (Thai); quotation marks and dashes, a little beyond
 * it, are counted with them, which hurts little. */
static bool is_far_letter(unsigned char byte)
{
    return byte >= 0xE0;
}

bool sp_sample_is_text(const char *value, size_t length)
{
    size_t words = 0, numbers = 0, far = 0;

    for (size_t i = 0; i < length;) {
        bool letter = false, digit = false;

        for (; i < length && !isspace((unsigned char)value[i]); i++) {
            letter |= isalpha((unsigned char)value[i]) || (unsigned char)value[i] >= 0x80;
            digit |= isdigit((unsigned char)value[i]) != 0;
            far += is_far_letter((unsigned char)value[i]);
        }
        words += letter && !digit;
        numbers += digit;
        while (i < length && isspace((unsigned char)value[i]))
            i++;
    }
    return far > 1 || (words > 1 && words > numbers); /* "Mon Apr 06 22:19:45 2009" is none */
}

size_t sp_sample_words(const char *value, size_t length)
{
    size_t words = 0, far = 0;

    for (size_t i = 0; i < length; i++) {
        bool blank = isspace((unsigned char)value[i]) != 0;

        words += !blank && (i == 0 || isspace((unsigned char)value[i - 1]));
        far += is_far_letter((unsigned char)value[i]);
    }
    return far > words ? far : words;
}

static int set_example(struct sp_sample_column *column, const char *value, size_t length)
{
    size_t shown = sp_text_utf8_prefix(value, length < EXAMPLE ? length : EXAMPLE);

    if (column->example)
        return 0;
    column->example = sp_asprintf("%.*s%s", (int)shown, value, shown < length ? "..." : "");
    return column->example ? 0 : SP_ENOMEM;
}

static int count_value(struct sp_sample_column *column, const char *value, size_t length)
{
    char kept[VALUE + 1];
    const json_t *seen;

    snprintf(kept, sizeof kept, "%.*s", (int)sp_text_utf8_prefix(value, length < VALUE ? length : VALUE), value);
    seen = json_object_get(column->values, kept);
    if (!seen && json_object_size(column->values) == SP_SAMPLE_VALUES) {
        column->many = true;
        return 0;
    }
    if (json_object_set_new(column->values, kept, json_integer(json_integer_value(seen) + 1)) < 0)
        return sp_error(SP_ENOMEM, "out of memory");
    return 0;
}

/* Blanks at both ends mean nothing; a NUL, which jsonl may hold, ends the value. */
static int take_value(struct sp_sample_column *column, const char *value)
{
    char word[SP_TEXT_NUMBER] = "";
    long long integer;
    bool is_number, is_text;
    double number;
    size_t length = strlen(value);

    sp_text_trim_ends(&value, &length);
    if (length == 0)
        return 0;
    if (length < sizeof word)
        snprintf(word, sizeof word, "%.*s", (int)length, value);
    column->filled++;
    column->missing += sp_label_is_missing(word);
    column->integers += sp_text_int(word, &integer);
    is_number = sp_text_double(word, &number) || sp_label_has_decimal_comma(word);
    is_text = sp_sample_is_text(value, length);
    column->numbers += is_number;
    column->texts += is_text;
    column->dated += isdigit((unsigned char)value[0]) && !is_number && !is_text;
    column->again += column->first && strlen(column->first) == length && memcmp(column->first, value, length) == 0;
    column->brief += sp_sample_words(value, length) <= column->above;
    if (length > column->longest)
        column->longest = length;
    SP_TRY(set_example(column, value, length));
    return count_value(column, value, length);
}

static int take_json(struct sp_sample_column *column, const json_t *value)
{
    char *text;
    int rc;

    if (json_is_string(value))
        return take_value(column, json_string_value(value));
    if (sp_json_cut_text(value))
        return take_value(column, sp_json_cut_text(value));
    if (!value || json_is_null(value))
        return 0;
    if (sp_json_number_text(value))
        return take_value(column, sp_json_number_text(value));
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        return sp_error(SP_ENOMEM, "out of memory");
    if (json_is_array(value) || json_is_object(value)) {
        column->filled++;
        column->others++;
        rc = set_example(column, text, strlen(text));
    } else {
        rc = take_value(column, text);
    }
    free(text);
    return rc;
}

/* Whether a row is the first one again. */
static bool repeats_first(const struct sp_sample *p, const struct sp_row *row)
{
    for (size_t i = 0; i < p->count; i++) {
        const char *value = row->fields[i].text;
        size_t length = strlen(value);

        sp_text_trim_ends(&value, &length);
        if (strlen(p->first[i]) != length || memcmp(p->first[i], value, length) != 0)
            return false;
    }
    return true;
}

static int take_row(struct sp_sample *p, const struct sp_reader *reader, const struct sp_row *row)
{
    for (size_t i = 0; i < p->count; i++)
        SP_TRY(row->object ? take_json(&p->columns[i], json_object_get(row->object, sp_reader_column_name(reader, i)))
                           : take_value(&p->columns[i], row->fields[i].text));
    p->repeated += p->first && repeats_first(p, row);
    p->rows++;
    return 0;
}

static int keep_first(struct sp_sample *p, const struct sp_row *row)
{
    p->first = sp_calloc(p->count, sizeof *p->first);
    for (size_t i = 0; p->first && i < p->count; i++) {
        p->first[i] = sp_strdup(row->fields[i].text);
        if (!p->first[i])
            return SP_ENOMEM;
        sp_text_trim(p->first[i]);
        p->columns[i].first = p->first[i];
        p->columns[i].above = sp_sample_words(p->first[i], strlen(p->first[i]));
    }
    return p->first ? 0 : SP_ENOMEM;
}

static int read_rows(struct sp_sample *p, struct sp_reader *reader)
{
    struct sp_row row;
    int rc;

    for (size_t i = 0; i < SP_SAMPLE_ROWS && sp_reader_offset(reader) < SP_SAMPLE_BYTES; i++) {
        rc = sp_reader_next(reader, &row);
        if (rc == 0) {
            p->whole = true;
            break;
        }
        if (rc == SP_EFORMAT || rc == SP_ELIMIT) {
            p->bad++;
            continue;
        }
        SP_TRY(rc < 0 ? rc : 0);
        if (!row.object && !p->first && !sp_reader_has_header(reader))
            SP_TRY(keep_first(p, &row));
        else
            SP_TRY(take_row(p, reader, &row));
    }
    return 0;
}

int sp_sample_read(struct sp_sample *out, struct sp_reader *reader)
{
    int rc = 0;

    *out = (struct sp_sample){ .count = sp_reader_column_count(reader) };
    out->columns = sp_calloc(out->count, sizeof *out->columns);
    if (!out->columns)
        return SP_ENOMEM;
    for (size_t i = 0; i < out->count && rc == 0; i++) {
        out->columns[i].values = json_object();
        rc = out->columns[i].values ? 0 : sp_error(SP_ENOMEM, "out of memory");
    }
    if (rc == 0)
        rc = read_rows(out, reader);
    if (rc < 0)
        sp_sample_free(out);
    return rc;
}

int sp_sample_read_on(struct sp_sample *sample, struct sp_reader *reader, size_t column)
{
    struct sp_row row;
    int rc;

    while (!sample->whole) {
        rc = sp_reader_next(reader, &row);
        sample->whole = rc == 0;
        if (rc > 0) {
            sample->repeated += sample->first && repeats_first(sample, &row);
            rc = take_value(&sample->columns[column], row.fields[column].text);
        }
        SP_TRY(rc == SP_EFORMAT || rc == SP_ELIMIT ? 0 : rc);
    }
    return 0;
}

void sp_sample_free(struct sp_sample *sample)
{
    for (size_t i = 0; sample->columns && i < sample->count; i++) {
        json_decref(sample->columns[i].values);
        free(sample->columns[i].example);
        if (sample->first)
            free(sample->first[i]);
    }
    free(sample->columns);
    free(sample->first);
    *sample = (struct sp_sample){ .columns = NULL };
}

int sp_sample_take_first(struct sp_sample *sample)
{
    for (size_t i = 0; sample->first && i < sample->count; i++) {
        if (sample->first[i][0]) { /* it is the example, as of any file */
            free(sample->columns[i].example);
            sample->columns[i].example = NULL;
        }
        SP_TRY(take_value(&sample->columns[i], sample->first[i]));
    }
    sample->rows += sample->first != NULL;
    return 0;
}

enum sp_kind sp_sample_kind(const struct sp_sample_column *c)
{
    size_t different = json_object_size(c->values);
    bool returns = !c->many && c->filled >= 4 && 2 * different <= c->filled;

    if (c->filled == 0)
        return SP_KIND_EMPTY;
    if (c->others)
        return SP_KIND_OTHER;
    if (sp_sample_is_numeric(c))
        return c->integers == c->filled - c->missing ? SP_KIND_INTEGER : SP_KIND_NUMBER;
    if (c->filled > 1 && different == 1)
        return SP_KIND_CONSTANT;
    if (2 * c->texts >= c->filled)
        return returns && c->longest <= CLASS_LENGTH ? SP_KIND_CLASS : SP_KIND_TEXT;
    return returns ? SP_KIND_CLASS : SP_KIND_WORD;
}
