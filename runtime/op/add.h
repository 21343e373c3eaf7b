/* out = a + b (layer 3), `count` floats each; out may be a or b. Buffers belong to the caller. */
#ifndef SP_OP_ADD_H
#define SP_OP_ADD_H

#include "runtime/device/device.h"

struct sp_add {
    struct sp_buffer *out, *a, *b;
    size_t count;
};
int sp_add_buffers(struct sp_device *device, const struct sp_add *args);

#endif
