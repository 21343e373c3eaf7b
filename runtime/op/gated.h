/*
 * The gate of a gated MLP (layer 3), SwiGLU's or GeGLU's: y = f(gate) * up, elementwise, f being an activation. Buffers
 * are fp32 and belong to the caller.
 */
#ifndef SP_OP_GATED_H
#define SP_OP_GATED_H

#include "runtime/op/activation.h"

#include <stdbool.h>

/* y may be gate or up. */
struct sp_gated {
    struct sp_buffer *y, *gate, *up; /* `count` floats each */
    size_t count;
    enum sp_activation activation;
};
int sp_gated(struct sp_device *device, const struct sp_gated *args);

/* dgate = dy * up * f'(gate), dup = dy * f(gate), each added to what is there where `accumulate` says so; either may be
 * NULL, and one that does not accumulate may be dy. */
struct sp_gated_backward {
    struct sp_buffer *dgate, *dup, *dy, *gate, *up;
    size_t count;
    enum sp_activation activation;
    bool accumulate_gate, accumulate_up;
};
int sp_gated_backward(struct sp_device *device, const struct sp_gated_backward *args);

#endif
