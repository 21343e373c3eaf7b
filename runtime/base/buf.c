#include "runtime/base/buf.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct sp_buf *buf, size_t extra)
{
    size_t needed, capacity = buf->capacity ? buf->capacity : 256;
    char *data;

    if (!sp_add(buf->length, extra, &needed) || needed > buf->limit)
        return sp_error(SP_ELIMIT, "text longer than %zu bytes", buf->limit);
    while (capacity <= needed)
        capacity *= 2;
    if (capacity == buf->capacity)
        return 0;
    data = sp_realloc(buf->data, capacity, 1);
    if (!data)
        return SP_ENOMEM;
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

int sp_buf_append(struct sp_buf *buf, const void *data, size_t length)
{
    SP_TRY(reserve(buf, length));
    if (length)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
    return 0;
}

int sp_buf_puts(struct sp_buf *buf, const char *text)
{
    return sp_buf_append(buf, text, strlen(text));
}

int sp_buf_printf(struct sp_buf *buf, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return sp_error(SP_EINVAL, "text cannot be formatted");
    SP_TRY(reserve(buf, (size_t)length));
    va_start(args, format);
    vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
    va_end(args);
    buf->length += (size_t)length;
    return 0;
}

void sp_buf_clear(struct sp_buf *buf)
{
    buf->length = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void sp_buf_free(struct sp_buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->length = buf->capacity = 0;
}
