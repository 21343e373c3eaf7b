/* A GGUF file's parts, and the way through its bytes (layer 4, private to this folder): of gguf.c and
 * gguf_metadata.c. */
#ifndef SP_IO_GGUF_PRIV_H
#define SP_IO_GGUF_PRIV_H

#include "runtime/base/fs.h"
#include "runtime/io/gguf.h"

#include <stdint.h>

#define SP_GGUF_SHOWN 100             /* bytes of a key or a name in a message */
#define SP_GGUF_IN (SP_GGUF_SHOWN + 40) /* room for a cursor's `in` */

struct sp_gguf_entry;

struct sp_gguf {
    char *path;
    struct sp_map map;
    struct sp_gguf_entry *entries;       /* in the order of the file */
    const struct sp_gguf_entry **by_key; /* sorted */
    size_t entry_count, alignment;
    struct sp_tensor_info *tensors; /* sorted by name */
    struct sp_tensor_form *forms;   /* of each */
    char *names;                    /* all tensors' */
    size_t tensor_count, data;      /* data: where that of the tensors begins */
};

/* Where the reader is, and in what. */
struct sp_gguf_cursor {
    struct sp_gguf *file;
    size_t at;
    const char *in; /* for messages: "the value of \"x\"" */
};

static inline size_t sp_gguf_left(const struct sp_gguf_cursor *c)
{
    return c->file->map.size - c->at;
}

/* The next bytes; SP_EFORMAT, saying where and in what, when the file has fewer. */
int sp_gguf_take(void *out, struct sp_gguf_cursor *c, size_t bytes);

/* The next string; what is a name: 1 to `limit` bytes of UTF-8 without control characters. */
int sp_gguf_take_text(struct sp_gguf_text *out, struct sp_gguf_cursor *c);
int sp_gguf_take_name(struct sp_gguf_text *out, struct sp_gguf_cursor *c, size_t limit);

/* Bytes of the text that a message shows, for %.*s. */
int sp_gguf_shown(struct sp_gguf_text text);

/* The metadata, of which the header says that it is `count` keys. */
int sp_gguf_read_entries(struct sp_gguf_cursor *c, uint64_t count);

#endif
