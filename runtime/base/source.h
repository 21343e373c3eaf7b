/*
 * A text that a person wrote, and messages that point into it (layer 0): "name:line:column: what is
 * wrong", then the line and a caret beneath. Lines and columns count from 1, columns in characters.
 * Everything is borrowed.
 */
#ifndef SP_BASE_SOURCE_H
#define SP_BASE_SOURCE_H

#include <stddef.h>

struct sp_source {
    const char *name; /* a path; a name that begins with -- is a flag, shown without numbers */
    const char *text;
    size_t length;
};

struct sp_place {
    size_t line, column;
};

/* Line `number` and its length in bytes; an empty one where the text has no such line. */
const char *sp_source_line(const struct sp_source *source, size_t number, size_t *length);

/* Sets the message and returns `code`. */
int sp_source_error(int code, const struct sp_source *source, struct sp_place place,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
