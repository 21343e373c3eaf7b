/*
 * Transposition to token-contiguous scratch (layer 3), what the masked gradient reads: out[c * stride + t] = in[t * C + c] with
 * stride = sp_transpose_stride(T), the places past T being zero.
 */
#ifndef SP_OP_TRANSPOSE_H
#define SP_OP_TRANSPOSE_H

#include "runtime/device/device.h"

struct sp_transpose {
    struct sp_buffer *out; /* C x stride, written */
    struct sp_buffer *in;  /* T x C */
    int T, C;
};
int sp_transpose(struct sp_device *device, const struct sp_transpose *args);

/* Floats from one row of the result to the next: a multiple of 16 that keeps rows from sharing cache sets. Grows with T. */
int sp_transpose_stride(int T);

#endif
