/*
 * Activations in panels of 64 tokens, transposed (layer 3): what the masked gradient reads. With tokens past T as
 * zeros,
 *
 *     out[p][c][i] = in[p * 64 + i][c]
 *
 * so that a column's tokens are contiguous and a panel lies together.
 */
#ifndef SP_OP_TRANSPOSE_H
#define SP_OP_TRANSPOSE_H

#include "runtime/device/device.h"

struct sp_transpose {
    struct sp_buffer *out; /* C * sp_transpose_stride(T) floats, written */
    struct sp_buffer *in;  /* T x C */
    int T, C;
};
int sp_transpose(struct sp_device *device, const struct sp_transpose *args);

/* Floats that a column of T tokens takes: T rounded up to whole panels. */
int sp_transpose_stride(int T);

#endif
