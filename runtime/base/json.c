#include "runtime/base/json.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Values that jansson has no value for: {"\u0001number": "NaN"} stands for a number, {"\u0001string": "a\ufffd"} for a
 * string that holds half a surrogate pair. No file may hold such an object itself: a key with a control character that
 * means nothing. */
#define KEPT "\001number"
#define KEPT_CUT "\001string"
#define CONTROL "\\u0001"        /* how JSON writes that character, and no other way */
#define ESCAPED(key) CONTROL key /* of those keys, what follows it */
#define KEPT_MAX 100000 /* each costs some hundred bytes */
#define KEPT_SHOWN 60   /* characters of one in a message */
#define NUMBER "+-.0123456789Ee"
#define HEX "0123456789abcdefABCDEF"
#define ESCAPE 6 /* bytes of \uXXXX */

/* What jansson refused: JSON that is none, or that this program cannot hold. */
static const char *kind_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "JSON with a NUL character (\\u0000), which cannot stand here";
    case json_error_duplicate_key:
        return "JSON with a key twice in one object";
    case json_error_stack_overflow:
        return "JSON nested too deep for this program";
    default:
        return "not valid JSON";
    }
}

/* Bytes of the number that text begins with when jansson has no value for it; 0 for any other text. */
static size_t unheld_number(const char *text)
{
    static const char *const words[] = { "NaN", "Infinity", "-Infinity" }; /* as Python's json writes them */
    json_error_t error;
    json_t *value;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return strlen(words[i]);
    value = json_loadb(text, strspn(text, NUMBER), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
    json_decref(value);
    return !value && json_error_code(&error) == json_error_numeric_overflow ? (size_t)error.position : 0;
}

/* Bytes of the string, the number or the single character that text[length] begins with. */
static size_t token_length(const char *text, size_t length)
{
    size_t bytes = 1;

    if (*text != '"')
        return strchr(NUMBER, *text) && *text ? strspn(text, NUMBER) : 1;
    while (bytes < length && text[bytes] != '"')
        bytes += text[bytes] == '\\' ? 2 : 1;
    return bytes < length ? bytes + 1 : length;
}

/* The UTF-16 unit that text[length] begins with as an escape; 0 where it does not. */
static unsigned long unit_at(const char *text, size_t length)
{
    char digits[5] = "";

    if (length < ESCAPE || text[0] != '\\' || text[1] != 'u' || strspn(text + 2, HEX) < 4)
        return 0;
    memcpy(digits, text + 2, 4);
    return strtoul(digits, NULL, 16);
}

/* Where in text[length], a string with its quotes, the next half of a surrogate pair lies without the other; `length`
 * for none. */
static size_t find_half(const char *text, size_t at, size_t length)
{
    while (at < length) {
        unsigned long unit = unit_at(text + at, length - at);
        unsigned long next = unit ? unit_at(text + at + ESCAPE, length - at - ESCAPE) : 0;

        if (unit >= 0xD800 && unit < 0xDC00 && next >= 0xDC00 && next < 0xE000)
            at += (size_t)2 * ESCAPE;
        else if (unit >= 0xD800 && unit < 0xE000)
            return at;
        else
            at += text[at] == '\\' ? 2 : 1;
    }
    return length;
}

/* Whether text begins with a string of `bytes` that holds such a half. */
static bool is_cut(const char *text, size_t bytes)
{
    return *text == '"' && find_half(text, 1, bytes) < bytes;
}

static bool is_key(const char *text, size_t bytes)
{
    return text[bytes + strspn(text + bytes, " \t\r\n")] == ':';
}

static int keep_number(struct sp_buf *out, const char *text, size_t length, bool blank)
{
    SP_TRY(sp_buf_puts(out, blank ? "0" : "{\"" ESCAPED("number") "\":\""));
    for (size_t i = 1; blank && i < length; i++)
        SP_TRY(sp_buf_puts(out, " "));
    SP_TRY(sp_buf_append(out, text, blank ? 0 : length));
    return sp_buf_puts(out, blank ? "" : "\"}");
}

static int keep_cut(struct sp_buf *out, const char *text, size_t length, bool blank)
{
    SP_TRY(sp_buf_puts(out, blank ? "" : "{\"" ESCAPED("string") "\":"));
    for (size_t at = 0, half; at < length; at = half + ESCAPE) {
        half = find_half(text, at, length);
        SP_TRY(sp_buf_append(out, text + at, half - at));
        SP_TRY(sp_buf_puts(out, half < length ? "\\ufffd" : ""));
    }
    return sp_buf_puts(out, blank ? "" : "}");
}

/* A key stays a string, with each half as it is spelt, \\ud83d: so two that differ there stay two. With `blank` it is a
 * character of the private use area. */
static int keep_key(struct sp_buf *out, const char *text, size_t length, bool blank)
{
    for (size_t at = 0, half; at < length; at = half + ESCAPE) {
        half = find_half(text, at, length);
        SP_TRY(sp_buf_append(out, text + at, half - at));
        if (half < length)
            SP_TRY(sp_buf_printf(out, blank ? "\\u%04lx" : "\\\\u%04lx",
                                 unit_at(text + half, length - half) + (blank ? 0x800 : 0)));
    }
    return 0;
}

/*
 * The text, which a NUL follows, with every number and every string that jansson has no value for in the form that is
 * kept, or, with `blank`, as a 0 or with U+FFFD, of the same length; *count is how many. All else stays: that it is
 * JSON is still to be found out.
 */
static int rewrite(struct sp_buf *out, size_t *count, const char *text, size_t length, bool blank, const char *name)
{
    size_t done = 0;

    *count = 0;
    for (size_t at = 0, bytes; at < length; at += bytes) {
        size_t unheld = text[at] && strchr("-0123456789NI", text[at]) ? unheld_number(text + at) : 0;

        bytes = unheld ? unheld : token_length(text + at, length - at);
        if (!unheld && !is_cut(text + at, bytes))
            continue;
        if (++*count > KEPT_MAX)
            return sp_error(SP_ELIMIT,
                            "%s holds more than %d numbers that are too large or none (NaN, Infinity), or texts with "
                            "half a character",
                            name, KEPT_MAX);
        SP_TRY(sp_buf_append(out, text + done, at - done));
        SP_TRY((unheld ? keep_number : is_key(text + at, bytes) ? keep_key : keep_cut)(out, text + at, bytes, blank));
        done = at + bytes;
    }
    return sp_buf_append(out, text + done, length - done);
}

/* Whether the value, or one in it, looks as if it were kept. Nested no deeper than jansson reads. */
static bool looks_kept(json_t *value)
{
    const char *key;
    json_t *inner;
    size_t i;

    if (json_is_object(value) && !sp_json_is_object(value))
        return true;
    json_object_foreach(value, key, inner)
        if (looks_kept(inner))
            return true;
    json_array_foreach(value, i, inner)
        if (looks_kept(inner))
            return true;
    return false;
}

static int taken(const char *name, size_t line)
{
    return sp_error(SP_EFORMAT,
                    "%s:%zu: an object whose one key is " ESCAPED("number") " or " ESCAPED("string")
                    ", which this program cannot hold; give it another name",
                    name, line);
}

/* Parses the text with such values kept; without one of them, or where it is no JSON even so, *out stays NULL, and
 * `error` says what is wrong with the text as it stands. */
static int parse_kept(json_t **out, json_error_t *error, const char *text, size_t length, size_t flags,
                      const char *name, size_t line)
{
    struct sp_buf kept = SP_BUF(2 * length + (size_t)KEPT_MAX * sizeof "{\"" ESCAPED("number") "\":\"\"}");
    struct sp_buf blank = SP_BUF(length);
    char *copy = sp_strndup(text, length);
    json_error_t place;
    json_t *other;
    size_t count;
    int rc = 0;

    SP_GO(copy ? 0 : SP_ENOMEM);
    SP_GO(rewrite(&kept, &count, copy, length, false, name));
    if (!count)
        goto out;
    SP_GO(rewrite(&blank, &count, copy, length, true, name));
    other = json_loadb(blank.data, blank.length, flags, &place);
    if (!other)
        *error = place;
    else if (!looks_kept(other))
        *out = json_loadb(kept.data, kept.length, flags, error);
    else
        rc = taken(name, line);
    json_decref(other);
out:
    sp_buf_free(&kept);
    sp_buf_free(&blank);
    free(copy);
    return rc;
}

int sp_json_parse(json_t **out, const char *text, size_t length, const char *name, size_t line, bool nul)
{
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | (nul ? JSON_ALLOW_NUL : 0);
    json_error_t error;

    *out = json_loadb(text, length, flags, &error);
    if (!*out && (json_error_code(&error) == json_error_numeric_overflow ||
                  json_error_code(&error) == json_error_invalid_syntax)) {
        SP_TRY(parse_kept(out, &error, text, length, flags, name, line));
    } else if (*out && memmem(text, length, CONTROL, sizeof CONTROL - 1) && looks_kept(*out)) {
        json_decref(*out);
        *out = NULL;
        return taken(name, line);
    }
    if (*out)
        return 0;
    return sp_error(SP_EFORMAT, "%s:%zu:%d: %s: %s", name, line + (size_t)(error.line > 0 ? error.line - 1 : 0),
                    error.column, kind_of(&error), error.text);
}

/* {"error": "Repository not found"}: what a site says in place of a file. */
static int refuse_answer(json_t *value, const char *path)
{
    static const char *const keys[] = { "error", "errors", "message", "detail",
                                        "status", "statusCode", "code", "documentation_url" };
    const json_t *said = json_object_get(value, "error");
    size_t known = 0;

    said = said ? said : json_object_get(value, "message");
    said = said ? said : json_object_get(value, "detail");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        known += json_object_get(value, keys[i]) != NULL;
    if (!json_is_string(said) || known != json_object_size(value))
        return 0;
    return sp_error(SP_EFORMAT,
                    "%s holds only the message \"%.*s\", a site's answer in place of a file: download the file itself",
                    path, KEPT_SHOWN, json_string_value(said));
}

int sp_json_refuse_answer(const char *path, const char *text, size_t length)
{
    json_t *value = NULL;
    int rc = length > 0 && *text == '{' && sp_json_parse(&value, text, length, path, 1, false) == 0
                 ? refuse_answer(value, path)
                 : 0;

    json_decref(value);
    return rc;
}

int sp_json_load(json_t **out, const char *path, size_t limit)
{
    char *text = NULL;
    size_t length, skip;
    int rc;

    *out = NULL;
    SP_TRY(sp_fs_read(&text, &length, path, limit));
    skip = sp_text_mark(text, length);
    rc = sp_text_refuse_utf16(path, text, length);
    if (rc == 0 && text[skip + strspn(text + skip, " \t\r\n")] == '\0' && strlen(text) == length)
        rc = sp_error(SP_EFORMAT, "%s is empty, and JSON is expected", path);
    else if (rc == 0)
        rc = sp_json_parse(out, text + skip, length - skip, path, 1, false);
    if (rc == 0 && (rc = refuse_answer(*out, path)) < 0) {
        json_decref(*out);
        *out = NULL;
    }
    free(text);
    return rc;
}

const char *sp_json_number_text(const json_t *value)
{
    return json_object_size(value) == 1 ? json_string_value(json_object_get(value, KEPT)) : NULL;
}

const char *sp_json_cut_text(const json_t *value)
{
    return json_object_size(value) == 1 ? json_string_value(json_object_get(value, KEPT_CUT)) : NULL;
}

bool sp_json_is_object(const json_t *value)
{
    return json_is_object(value) && !sp_json_number_text(value) && !sp_json_cut_text(value);
}

const json_t *sp_json_member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

static int wrong_type(const json_t *value, const char *name, const char *key, const char *expected)
{
    const char *number = sp_json_number_text(value);

    if (number)
        return sp_error(SP_EFORMAT, "%s: \"%s\" is %.*s%s, which is not %s", name, key, KEPT_SHOWN, number,
                        strlen(number) > KEPT_SHOWN ? "..." : "", expected);
    if (sp_json_cut_text(value))
        return sp_error(SP_EFORMAT, "%s: \"%s\" " SP_JSON_CUT, name, key);
    return sp_error(SP_EFORMAT, "%s: \"%s\" is not %s", name, key, expected);
}

int sp_json_get_int(long long *out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = sp_json_member(object, key);

    if (!value)
        return 0;
    if (!json_is_integer(value))
        return wrong_type(value, name, key, sp_json_number_text(value) ? "an integer of 64 bits" : "an integer");
    *out = json_integer_value(value);
    return 0;
}

int sp_json_get_double(double *out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = sp_json_member(object, key);
    const char *number = sp_json_number_text(value);

    if (!value)
        return 0;
    if (number && sp_text_double(number, out)) /* an integer that only a double can hold */
        return 0;
    if (!json_is_number(value))
        return wrong_type(value, name, key, number ? "a number that a double can hold" : "a number");
    *out = json_number_value(value);
    return 0;
}

int sp_json_get_string(const char **out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = sp_json_member(object, key);

    if (!value)
        return 0;
    if (!json_is_string(value))
        return wrong_type(value, name, key, "a string");
    *out = json_string_value(value);
    return 0;
}

int sp_json_get_bool(int *out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = sp_json_member(object, key);

    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return wrong_type(value, name, key, "true or false");
    *out = json_is_true(value);
    return 0;
}

char *sp_json_text(const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags), shown[SP_TEXT_SHOWN];
    struct sp_buf out = SP_BUF(SIZE_MAX);
    size_t left = text ? strlen(text) : 0;
    int rc = text ? 0 : SP_ENOMEM;

    for (size_t at = 0, taken; left > 0 && rc == 0; at += taken, left -= taken) {
        size_t length = sp_text_show(shown, &taken, text + at, left);

        /* only between values */
        rc = text[at] == '\n' ? sp_buf_append(&out, "\n", 1) : sp_buf_append(&out, shown, length);
    }
    free(text);
    if (rc < 0)
        sp_buf_free(&out);
    return out.data;
}

int sp_json_save(const json_t *value, const char *path)
{
    char *text = sp_json_text(value, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    int rc;

    if (!text)
        return sp_error(SP_ENOMEM, "out of memory while writing %s", path);
    rc = sp_fs_write(path, text, strlen(text));
    free(text);
    return rc;
}
