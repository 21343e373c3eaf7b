/*
 * The state of a run (layer 2): whatever one step leaves for the next. Each part that has some names its pieces to a
 * visitor, one after another, the same ones in the same order when they are kept and when they are filled in again;
 * what is done with them, a file or a comparison, is the visitor's. Threading: as the device.
 */
#ifndef SP_TENSOR_STATE_H
#define SP_TENSOR_STATE_H

#include "runtime/device/device.h"

#include <stdbool.h>
#include <stddef.h>

/* A visitor: embed it first in a struct with its own state. */
struct sp_state {
    /* the pieces are filled in, else they are read. The visitor vouches for them: as many bytes as were kept, and
     * those */
    bool restores;
    int (*piece)(struct sp_state *state, const char *name, void *data, size_t bytes);
};

/* A piece on the host, and one on the device (NULL: none), which waits for it. Pieces of no bytes are passed over.
 * printf's format. */
int sp_state_host(struct sp_state *state, void *data, size_t bytes, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
int sp_state_device(struct sp_state *state, struct sp_buffer *buffer, const char *name, ...)
    __attribute__((format(printf, 3, 4)));

#endif
