/*
 * Reading and writing a weight at given places (layer 3). Positions are uint32 float offsets in the buffer as it lies
 * on the device (packed order included), unique, and must lie in it: the kernels do not check them.
 */
#ifndef SP_OP_SPARSE_H
#define SP_OP_SPARSE_H

#include "runtime/device/device.h"

/* weight[positions[k]] = base[k] + delta[k] */
struct sp_sparse_apply {
    struct sp_buffer *weight, *positions, *base, *delta;
    size_t count;
};
int sp_sparse_apply(struct sp_device *device, const struct sp_sparse_apply *args);

/* out[k] = weight[positions[k]] */
struct sp_sparse_gather {
    struct sp_buffer *out, *weight, *positions;
    size_t count;
};
int sp_sparse_gather(struct sp_device *device, const struct sp_sparse_gather *args);

#endif
