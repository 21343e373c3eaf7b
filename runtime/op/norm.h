/*
 * The global gradient norm and the clipping coefficient (layer 3). Each buffer's sums of squares go to slots of their
 * own; the finishing step adds the slots in order:
 *
 *     out[0] = sqrt(sum of squares),  out[1] = min(1, max_norm / (out[0] + 1e-6)), or 1 when max_norm is 0
 *
 * A NaN or an infinity in any buffer makes out[0] not finite.
 *
 * Kernels that scale by the coefficient read out[1], and it is their gate, so that nobody must wait to see a norm
 * before a step is taken: where it is NaN they leave everything as it is, to the bit. It is NaN where the norm is not
 * finite, or one of the step's losses; and where it was before, as later steps may be on their way by then. Who means
 * to go on from such a step writes another number there first.
 */
#ifndef SP_OP_NORM_H
#define SP_OP_NORM_H

#include "runtime/device/device.h"

/* How many slots `count` floats take. */
size_t sp_norm_slots(size_t count);

struct sp_norm_squares {
    struct sp_buffer *slots; /* slots first_slot ... first_slot + sp_norm_slots(count) - 1 are written */
    struct sp_buffer *in;
    size_t count, first_slot;
};
int sp_norm_squares(struct sp_device *device, const struct sp_norm_squares *args);

struct sp_norm_finish {
    struct sp_buffer *out; /* 2, read and written; zeros at first */
    struct sp_buffer *slots;
    size_t slot_count;
    struct sp_buffer *losses; /* [loss_count]; NULL where there are none */
    size_t loss_count;
    float max_norm;
};
int sp_norm_finish(struct sp_device *device, const struct sp_norm_finish *args);

#endif
