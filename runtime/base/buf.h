/*
 * A growing byte string (layer 0), always NUL-terminated, with a limit. `struct sp_buf b = SP_BUF(limit);` then append;
 * sp_buf_free releases. After a failed append the contents are as they were and the message is set.
 */
#ifndef SP_BASE_BUF_H
#define SP_BASE_BUF_H

#include <stddef.h>

struct sp_buf {
    char *data; /* NULL while nothing was appended */
    size_t length, capacity, limit;
};

#define SP_BUF(limit) { NULL, 0, 0, (limit) }

int sp_buf_append(struct sp_buf *buf, const void *data, size_t length);
int sp_buf_puts(struct sp_buf *buf, const char *text);
int sp_buf_printf(struct sp_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sp_buf_clear(struct sp_buf *buf); /* length 0, memory kept */
void sp_buf_free(struct sp_buf *buf);

#endif
