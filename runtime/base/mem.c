#include "runtime/base/mem.h"

#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(size_t count, size_t size)
{
    sp_error(SP_ENOMEM, "out of memory: %zu elements of %zu bytes asked for", count, size);
}

void *sp_calloc(size_t count, size_t size)
{
    void *pointer = calloc(count ? count : 1, size ? size : 1);

    if (!pointer)
        out_of_memory(count, size);
    return pointer;
}

void *sp_realloc(void *pointer, size_t count, size_t size)
{
    size_t bytes;
    void *larger = NULL;

    if (sp_mul(count, size, &bytes))
        larger = realloc(pointer, bytes ? bytes : 1);
    if (!larger)
        out_of_memory(count, size);
    return larger;
}

char *sp_strdup(const char *text)
{
    return sp_strndup(text, strlen(text));
}

char *sp_strndup(const char *text, size_t length)
{
    char *copy = sp_calloc(length + 1, 1);

    if (copy)
        memcpy(copy, text, length);
    return copy;
}

char *sp_asprintf(const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !(text = sp_calloc((size_t)length + 1, 1)))
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

int sp_grow(void *array, size_t count, size_t *capacity, size_t size, size_t limit, const char *what)
{
    void **slot = array;
    size_t larger = *capacity ? *capacity * 2 : 16;
    void *moved;

    if (count < *capacity)
        return 0;
    if (count >= limit)
        return sp_error(SP_ELIMIT, "more than %zu %s", limit, what);
    if (larger > limit)
        larger = limit;
    moved = sp_realloc(*slot, larger, size);
    if (!moved)
        return SP_ENOMEM;
    *slot = moved;
    *capacity = larger;
    return 0;
}

bool sp_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool sp_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
