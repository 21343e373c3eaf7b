/*
 * Rotary position embedding (layer 3): in each head (D columns) of a row element i of the first half and element i of
 * the second half turn by the angle of pair i at the row's position p:
 *
 *     y1 = x1 cos - x2 sin,  y2 = x2 cos + x1 sin
 *
 * table[p] holds the D / 2 cosines, then the sines (runtime/nn/rope.h). Buffers are fp32, row-major, and belong to the
 * caller; positions are uint32 and must lie in the table: the kernel does not check them.
 */
#ifndef SP_OP_ROTARY_H
#define SP_OP_ROTARY_H

#include "runtime/device/device.h"

#include <stdbool.h>

/* y may be x. */
struct sp_rotary {
    struct sp_buffer *y, *x;     /* T x (heads D) */
    struct sp_buffer *table;     /* positions x D */
    struct sp_buffer *positions; /* T uint32 */
    int T, heads, D;             /* D is even */
    bool back;                   /* the other way round: the gradient of x from that of y */
};
int sp_rotary(struct sp_device *device, const struct sp_rotary *args);

#endif
