#include "runtime/base/json.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"

#include <stdlib.h>
#include <string.h>

/* What jansson refused: JSON that is none, or that this program cannot hold. */
static const char *kind_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
        return "JSON with a number too large for this program, whose integers have 64 bits and whose fractions are doubles";
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

int sp_json_parse(json_t **out, const char *text, size_t length, const char *name, size_t line, bool nul)
{
    json_error_t error;

    *out = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | (nul ? JSON_ALLOW_NUL : 0), &error);
    if (*out)
        return 0;
    return sp_error(SP_EFORMAT, "%s:%zu:%d: %s: %s", name, line + (size_t)(error.line > 0 ? error.line - 1 : 0), error.column,
                    kind_of(&error), error.text);
}

int sp_json_load(json_t **out, const char *path, size_t limit)
{
    char *text = NULL;
    size_t length;
    int rc;

    *out = NULL;
    SP_TRY(sp_fs_read(&text, &length, path, limit));
    rc = sp_json_parse(out, text, length, path, 1, false);
    free(text);
    return rc;
}

static const json_t *member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

static int wrong_type(const char *name, const char *key, const char *expected)
{
    return sp_error(SP_EFORMAT, "%s: \"%s\" is not %s", name, key, expected);
}

int sp_json_get_int(long long *out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = member(object, key);

    if (!value)
        return 0;
    if (!json_is_integer(value))
        return wrong_type(name, key, "an integer");
    *out = json_integer_value(value);
    return 0;
}

int sp_json_get_double(double *out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = member(object, key);

    if (!value)
        return 0;
    if (!json_is_number(value))
        return wrong_type(name, key, "a number");
    *out = json_number_value(value);
    return 0;
}

int sp_json_get_string(const char **out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = member(object, key);

    if (!value)
        return 0;
    if (!json_is_string(value))
        return wrong_type(name, key, "a string");
    *out = json_string_value(value);
    return 0;
}

int sp_json_get_bool(int *out, const json_t *object, const char *key, const char *name)
{
    const json_t *value = member(object, key);

    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return wrong_type(name, key, "true or false");
    *out = json_is_true(value);
    return 0;
}

int sp_json_save(const json_t *value, const char *path)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    int rc;

    if (!text)
        return sp_error(SP_ENOMEM, "out of memory while writing %s", path);
    rc = sp_fs_write(path, text, strlen(text));
    free(text);
    return rc;
}
