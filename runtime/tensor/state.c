#include "runtime/tensor/state.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_LENGTH 256

int sp_state_host(struct sp_state *state, void *data, size_t bytes, const char *name, ...)
{
    char text[NAME_MAX_LENGTH];
    va_list args;

    if (bytes == 0)
        return 0;
    va_start(args, name);
    vsnprintf(text, sizeof text, name, args);
    va_end(args);
    return state->piece(state, text, data, bytes);
}

int sp_state_device(struct sp_state *state, struct sp_buffer *buffer, const char *name, ...)
{
    size_t bytes = buffer ? sp_buffer_size(buffer) : 0;
    void *host = buffer ? sp_calloc(bytes, 1) : NULL;
    char text[NAME_MAX_LENGTH];
    va_list args;
    int rc = host ? 0 : SP_ENOMEM;

    if (bytes == 0)
        return 0;
    va_start(args, name);
    vsnprintf(text, sizeof text, name, args);
    va_end(args);
    if (rc == 0 && !state->restores)
        rc = sp_buffer_read(host, buffer, 0, bytes);
    if (rc == 0)
        rc = state->piece(state, text, host, bytes);
    if (rc == 0 && state->restores)
        rc = sp_buffer_write(buffer, 0, host, bytes);
    free(host);
    return rc;
}
