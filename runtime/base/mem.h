/*
 * Host memory (layer 0): allocation with overflow-checked sizes. Failure sets the message and returns NULL, which
 * callers turn into SP_ENOMEM. Everything is freed with free().
 */
#ifndef SP_BASE_MEM_H
#define SP_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* `count` zeroed elements of `size` bytes. A count of 0 gives a valid pointer. */
void *sp_calloc(size_t count, size_t size);

/* Resizes to `count` elements; on failure returns NULL and leaves `pointer` as it was. */
void *sp_realloc(void *pointer, size_t count, size_t size);

/* A copy of the string, or of its first `length` bytes. */
char *sp_strdup(const char *text);
char *sp_strndup(const char *text, size_t length);

/* printf into a new string. */
char *sp_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more element in a growing array: doubles *capacity when count == *capacity. Returns 0 or
 * SP_ENOMEM; more than `limit` elements is SP_ELIMIT naming `what`. `array` points to the array pointer. */
int sp_grow(void *array, size_t count, size_t *capacity, size_t size, size_t limit, const char *what);

/* a * b and a + b in *out; false when the result does not fit. */
bool sp_mul(size_t a, size_t b, size_t *out);
bool sp_add(size_t a, size_t b, size_t *out);

#endif
