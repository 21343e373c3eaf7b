#include "tests/unit/gguf_files.h"

#include "tests/unit/io_files.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t)1 << 26)

static void put(struct sp_buf *buf, const void *data, size_t bytes)
{
    assert_int_equal(sp_buf_append(buf, data, bytes), 0);
}

static void put_text(struct sp_buf *buf, const char *text)
{
    uint64_t length = strlen(text);

    put(buf, &length, sizeof length);
    put(buf, text, length);
}

void gguf_begin(struct gguf_file *file, const char *architecture)
{
    *file = (struct gguf_file){
        .keys = SP_BUF(LIMIT), .entries = SP_BUF(LIMIT), .data = SP_BUF(LIMIT), .version = 3, .alignment = 32
    };
    if (architecture)
        gguf_text(file, "general.architecture", architecture);
}

void gguf_raw(struct gguf_file *file, const char *key, uint32_t kind, const void *value, size_t bytes)
{
    put_text(&file->keys, key);
    put(&file->keys, &kind, sizeof kind);
    put(&file->keys, value, bytes);
    file->key_count++;
}

void gguf_int(struct gguf_file *file, const char *key, uint32_t value)
{
    gguf_raw(file, key, 4, &value, sizeof value);
}

void gguf_float(struct gguf_file *file, const char *key, float value)
{
    gguf_raw(file, key, 6, &value, sizeof value);
}

void gguf_bool(struct gguf_file *file, const char *key, bool value)
{
    unsigned char byte = value;

    gguf_raw(file, key, 7, &byte, 1);
}

void gguf_text(struct gguf_file *file, const char *key, const char *value)
{
    gguf_raw(file, key, 8, "", 0);
    put_text(&file->keys, value);
}

/* An array's beginning. */
static void array(struct gguf_file *file, const char *key, uint32_t kind, uint64_t count)
{
    gguf_raw(file, key, 9, &kind, sizeof kind);
    put(&file->keys, &count, sizeof count);
}

void gguf_texts(struct gguf_file *file, const char *key, const char *const *values, size_t count)
{
    array(file, key, 8, count);
    for (size_t i = 0; i < count; i++)
        put_text(&file->keys, values[i]);
}

void gguf_ints(struct gguf_file *file, const char *key, const int32_t *values, size_t count)
{
    array(file, key, 5, count);
    put(&file->keys, values, count * sizeof *values);
}

void gguf_floats(struct gguf_file *file, const char *key, const float *values, size_t count)
{
    array(file, key, 6, count);
    put(&file->keys, values, count * sizeof *values);
}

static void pad(struct sp_buf *buf, size_t alignment)
{
    while (buf->length % alignment)
        put(buf, "", 1);
}

void gguf_tensor(struct gguf_file *file, const char *name, uint32_t type, uint64_t rows, uint64_t columns,
                 const void *data, size_t bytes)
{
    uint32_t rank = columns ? 2 : 1;
    uint64_t offset;

    pad(&file->data, file->alignment);
    offset = file->data.length;
    put_text(&file->entries, name);
    put(&file->entries, &rank, sizeof rank);
    if (columns)
        put(&file->entries, &columns, sizeof columns);
    put(&file->entries, &rows, sizeof rows);
    put(&file->entries, &type, sizeof type);
    put(&file->entries, &offset, sizeof offset);
    put(&file->data, data, bytes);
    file->tensor_count++;
}

void gguf_ramp(struct gguf_file *file, const char *name, uint64_t rows, uint64_t columns, float step)
{
    size_t count = (size_t)(rows * (columns ? columns : 1));
    float *values = malloc(count * sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = step * (float)i;
    gguf_tensor(file, name, GGUF_F32, rows, columns, values, count * sizeof *values);
    free(values);
}

void gguf_bytes(struct sp_buf *out, struct gguf_file *file)
{
    *out = (struct sp_buf)SP_BUF(3 * LIMIT);
    put(out, "GGUF", 4);
    put(out, &file->version, sizeof file->version);
    put(out, &file->tensor_count, sizeof file->tensor_count);
    put(out, &file->key_count, sizeof file->key_count);
    put(out, file->keys.data ? file->keys.data : "", file->keys.length);
    put(out, file->entries.data ? file->entries.data : "", file->entries.length);
    pad(out, file->alignment);
    put(out, file->data.data ? file->data.data : "", file->data.length);
    sp_buf_free(&file->keys);
    sp_buf_free(&file->entries);
    sp_buf_free(&file->data);
}

const char *gguf_end(struct gguf_file *file, const char *name)
{
    struct sp_buf bytes;
    const char *path;

    gguf_bytes(&bytes, file);
    path = io_write(name, bytes.data, bytes.length);
    sp_buf_free(&bytes);
    return path;
}
