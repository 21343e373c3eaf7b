#include "runtime/io/gguf_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_LIMIT 65536
#define KEY_LIMIT 65535 /* bytes: the format's own */
#define LEAST_ENTRY (8 + 1 + 4 + 1) /* bytes of a key of one letter, its kind and the smallest value */

enum kind { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64, KINDS };

static const struct {
    const char *name;
    size_t bytes; /* of a value; a string's and an array's beginning */
    enum { NONE, SIGNED, UNSIGNED } integer;
} kinds[KINDS] = {
    [U8] = { "an 8-bit integer", 1, UNSIGNED },
    [I8] = { "an 8-bit integer", 1, SIGNED },
    [U16] = { "a 16-bit integer", 2, UNSIGNED },
    [I16] = { "a 16-bit integer", 2, SIGNED },
    [U32] = { "a 32-bit integer", 4, UNSIGNED },
    [I32] = { "a 32-bit integer", 4, SIGNED },
    [F32] = { "a 32-bit float", 4, NONE },
    [BOOL] = { "true or false", 1, NONE },
    [TEXT] = { "a string", 8, NONE },
    [ARRAY] = { "an array", 12, NONE },
    [U64] = { "a 64-bit integer", 8, UNSIGNED },
    [I64] = { "a 64-bit integer", 8, SIGNED },
    [F64] = { "a 64-bit float", 8, NONE },
};

struct sp_gguf_entry {
    struct sp_gguf_text key;
    enum kind kind, items; /* items: of an array's elements */
    size_t at; /* the value's place in the file; an array's: of its first element */
    size_t count; /* of an array's elements */
};

static int take_kind(enum kind *out, struct sp_gguf_cursor *c)
{
    size_t at = c->at;
    uint32_t kind;

    SP_TRY(sp_gguf_take(&kind, c, sizeof kind));
    if (kind >= KINDS)
        return sp_error(SP_EFORMAT, "%s: at byte %zu, %s is of kind %u; GGUF has kinds 0 to %d", c->file->path, at,
                        c->in, (unsigned)kind, KINDS - 1);
    *out = (enum kind)kind;
    return 0;
}

/* ---- metadata ---- */

static int take_array(struct sp_gguf_entry *e, struct sp_gguf_cursor *c)
{
    size_t at = c->at;
    uint64_t count;

    SP_TRY(take_kind(&e->items, c));
    SP_TRY(sp_gguf_take(&count, c, sizeof count));
    if (e->items == ARRAY)
        return sp_error(SP_EFORMAT, "%s: at byte %zu, %s is an array of arrays; arrays of plain values are expected",
                        c->file->path, at, c->in);
    if (count > sp_gguf_left(c) / kinds[e->items].bytes)
        return sp_error(
            SP_EFORMAT,
            "%s: at byte %zu, %s is an array of %llu elements, for which the file's %zu further bytes have no "
            "room: it is truncated or damaged; fetch it again",
            c->file->path, at, c->in, (unsigned long long)count, sp_gguf_left(c));
    e->at = c->at;
    e->count = (size_t)count;
    if (e->items != TEXT) {
        c->at += e->count * kinds[e->items].bytes;
        return 0;
    }
    for (size_t i = 0; i < e->count; i++)
        SP_TRY(sp_gguf_take_text(&(struct sp_gguf_text){ NULL, 0 }, c));
    return 0;
}

static int take_value(struct sp_gguf_entry *e, struct sp_gguf_cursor *c)
{
    unsigned char bytes[8];

    SP_TRY(take_kind(&e->kind, c));
    e->at = c->at;
    if (e->kind == ARRAY)
        return take_array(e, c);
    if (e->kind == TEXT)
        return sp_gguf_take_text(&(struct sp_gguf_text){ NULL, 0 }, c);
    SP_TRY(sp_gguf_take(bytes, c, kinds[e->kind].bytes));
    if (e->kind == BOOL && bytes[0] > 1)
        return sp_error(SP_EFORMAT, "%s: at byte %zu, %s is %d; expected is 0, false, or 1, true", c->file->path, e->at,
                        c->in, bytes[0]);
    return 0;
}

static int compare_texts(struct sp_gguf_text a, struct sp_gguf_text b)
{
    int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);

    return order || a.length == b.length ? order : a.length < b.length ? -1 : 1;
}

static int compare_keys(const void *a, const void *b)
{
    const struct sp_gguf_entry *const *left_key = a, *const *right_key = b;

    return compare_texts((*left_key)->key, (*right_key)->key);
}

int sp_gguf_read_entries(struct sp_gguf_cursor *c, uint64_t count)
{
    struct sp_gguf *file = c->file;
    char in[SP_GGUF_IN];

    if (count > KEYS_LIMIT || count > sp_gguf_left(c) / LEAST_ENTRY)
        return sp_error(
            count > KEYS_LIMIT ? SP_ELIMIT : SP_EFORMAT,
            "%s: at byte 16, the header says that %llu keys follow; at most %d are read, and its %zu further "
            "bytes have room for %zu: it is truncated or damaged; fetch it again",
            file->path, (unsigned long long)count, KEYS_LIMIT, sp_gguf_left(c), sp_gguf_left(c) / LEAST_ENTRY);
    file->entries = sp_calloc((size_t)count, sizeof *file->entries);
    file->by_key = sp_calloc((size_t)count, sizeof *file->by_key);
    if (!file->entries || !file->by_key)
        return SP_ENOMEM;
    for (; file->entry_count < count; file->entry_count++) {
        struct sp_gguf_entry *e = &file->entries[file->entry_count];

        snprintf(in, sizeof in, "key %zu of the metadata", file->entry_count);
        c->in = in;
        SP_TRY(sp_gguf_take_name(&e->key, c, KEY_LIMIT));
        snprintf(in, sizeof in, "the value of \"%.*s\"", sp_gguf_shown(e->key), e->key.data);
        SP_TRY(take_value(e, c));
        file->by_key[file->entry_count] = e;
    }
    qsort(file->by_key, file->entry_count, sizeof *file->by_key, compare_keys);
    for (size_t i = 1; i < file->entry_count; i++)
        if (compare_keys(&file->by_key[i - 1], &file->by_key[i]) == 0)
            return sp_error(SP_EFORMAT, "%s: the key \"%.*s\" is there twice, with values at byte %zu and byte %zu",
                            file->path, sp_gguf_shown(file->by_key[i]->key), file->by_key[i]->key.data,
                            file->by_key[i - 1]->at, file->by_key[i]->at);
    return 0;
}

size_t sp_gguf_keys(const struct sp_gguf *file)
{
    return file->entry_count;
}

struct sp_gguf_text sp_gguf_key(const struct sp_gguf *file, size_t i)
{
    return file->entries[i].key;
}

static const struct sp_gguf_entry *find_entry(const struct sp_gguf *file, const char *key)
{
    const struct sp_gguf_entry wanted = { .key = { key, strlen(key) } }, *pointer = &wanted, **found;

    found = bsearch(&pointer, file->by_key, file->entry_count, sizeof *file->by_key, compare_keys);
    return found ? *found : NULL;
}

bool sp_gguf_has(const struct sp_gguf *file, const char *key)
{
    return find_entry(file, key) != NULL;
}

static int wrong_kind(const struct sp_gguf *file, const struct sp_gguf_entry *e, const char *expected)
{
    return sp_error(SP_EFORMAT, "%s: at byte %zu, the value of \"%.*s\" is %s%s%s; expected is %s", file->path, e->at,
                    sp_gguf_shown(e->key), e->key.data, kinds[e->kind].name,
                    e->kind == ARRAY ? " whose elements are each " : "", e->kind == ARRAY ? kinds[e->items].name : "",
                    expected);
}

/* Integers of every width; false for another kind, and what is 2^63 or more. */
static bool load_int(long long *out, const struct sp_gguf *file, const struct sp_gguf_entry *e)
{
    unsigned unused = 64 - 8 * (unsigned)kinds[e->kind].bytes; /* of the 64 bits below */
    uint64_t bits = 0;

    if (kinds[e->kind].integer == NONE)
        return false;
    memcpy(&bits, file->map.data + e->at, kinds[e->kind].bytes);
    *out = kinds[e->kind].integer == SIGNED ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
    return kinds[e->kind].integer == SIGNED || *out >= 0;
}

int sp_gguf_get_int(long long *out, const struct sp_gguf *file, const char *key)
{
    const struct sp_gguf_entry *e = find_entry(file, key);
    long long value;

    if (!e)
        return 0;
    if (!load_int(&value, file, e))
        return wrong_kind(file, e, e->kind == U64 ? "an integer below 2^63" : "an integer");
    *out = value;
    return 0;
}

/* The double of the shortest decimal number that reads back as `value`. */
static double as_written(float value)
{
    char text[SP_TEXT_NUMBER];

    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            return strtod(text, NULL);
    }
    return (double)value; /* NaN */
}

int sp_gguf_get_double(double *out, const struct sp_gguf *file, const char *key)
{
    const struct sp_gguf_entry *e = find_entry(file, key);
    long long whole;
    float single;

    if (!e)
        return 0;
    if (e->kind == F64) {
        memcpy(out, file->map.data + e->at, sizeof *out);
    } else if (e->kind == F32) {
        memcpy(&single, file->map.data + e->at, sizeof single);
        *out = as_written(single);
    } else if (load_int(&whole, file, e)) {
        *out = (double)whole;
    } else {
        return wrong_kind(file, e, "a number");
    }
    return 0;
}

int sp_gguf_get_bool(bool *out, const struct sp_gguf *file, const char *key)
{
    const struct sp_gguf_entry *e = find_entry(file, key);

    if (e && e->kind != BOOL)
        return wrong_kind(file, e, kinds[BOOL].name);
    if (e)
        *out = file->map.data[e->at];
    return 0;
}

static struct sp_gguf_text text_at(const unsigned char *at)
{
    uint64_t length;

    memcpy(&length, at, sizeof length);
    return (struct sp_gguf_text){ (const char *)at + sizeof length, (size_t)length };
}

int sp_gguf_get_text(struct sp_gguf_text *out, const struct sp_gguf *file, const char *key)
{
    const struct sp_gguf_entry *e = find_entry(file, key);

    if (e && e->kind != TEXT)
        return wrong_kind(file, e, kinds[TEXT].name);
    if (e)
        *out = text_at(file->map.data + e->at);
    return 0;
}

/* An array of either kind. */
static int get_array(struct sp_gguf_array *out, const struct sp_gguf *file, const char *key, enum kind items,
                     enum kind or_items, const char *expected)
{
    const struct sp_gguf_entry *e = find_entry(file, key);

    if (e && (e->kind != ARRAY || (e->items != items && e->items != or_items)))
        return wrong_kind(file, e, expected);
    if (e)
        *out = (struct sp_gguf_array){ e->count, file->map.data + e->at };
    return 0;
}

int sp_gguf_get_texts(struct sp_gguf_array *out, const struct sp_gguf *file, const char *key)
{
    return get_array(out, file, key, TEXT, TEXT, "an array of strings");
}

int sp_gguf_get_ints(struct sp_gguf_array *out, const struct sp_gguf *file, const char *key)
{
    return get_array(out, file, key, I32, U32, "an array of 32-bit integers");
}

int sp_gguf_get_floats(struct sp_gguf_array *out, const struct sp_gguf *file, const char *key)
{
    return get_array(out, file, key, F32, F32, "an array of 32-bit floats");
}

struct sp_gguf_text sp_gguf_next_text(struct sp_gguf_array *texts)
{
    struct sp_gguf_text text = text_at(texts->at);

    texts->at = (const unsigned char *)text.data + text.length;
    texts->count--;
    return text;
}

int sp_gguf_next_int(struct sp_gguf_array *ints)
{
    int32_t value;

    memcpy(&value, ints->at, sizeof value);
    ints->at += sizeof value;
    ints->count--;
    return value;
}

float sp_gguf_next_float(struct sp_gguf_array *floats)
{
    float value;

    memcpy(&value, floats->at, sizeof value);
    floats->at += sizeof value;
    floats->count--;
    return value;
}
