/*
 * The sparse delta (layer 4): for each target weight a sorted list of flat positions and a trainable fp32 value for
 * each, on the device with their gradient and the original weights. All tensors' entries lie in one buffer, tensor
 * after tensor; each tensor's part is padded with entries that stay zero. Positions may change (sp_delta_move).
 *
 * Applying is in place: W[position] = w0 + value in every layout of the weight, exact for fp32 weights; forward costs
 * nothing. Threading: as the device.
 */
#ifndef SP_SPARSE_DELTA_H
#define SP_SPARSE_DELTA_H

#include "runtime/op/gemm.h"
#include "runtime/op/wgrad.h"

#include <stddef.h>
#include <stdint.h>

/* What to train of one weight; everything is borrowed, `weight` for the delta's life. */
struct sp_delta_target {
    const char *name;
    struct sp_gemm_weight *weight;
    const uint32_t *positions; /* [count] sorted, unique, below out * in */
    size_t count;
    struct sp_buffer *gradients; /* [count]: where the masked gradient goes; NULL: the delta makes room for it */
};

struct sp_delta;

/* Copies the positions to the device and keeps the weights' originals there. Values are zero. */
int sp_delta_create(struct sp_delta **out, struct sp_device *device, const struct sp_delta_target *targets,
                    size_t count);
void sp_delta_free(struct sp_delta *delta); /* NULL is fine */

/* The gradient sink of target i: the masked gradient (SDDMM) at its positions. */
struct sp_wgrad_sink *sp_delta_sink(struct sp_delta *delta, size_t i);

/* Target i's values, gradients and flat positions, NULL where it has no entries; borrowed, until the positions
 * change. */
struct sp_delta_part {
    struct sp_buffer *values, *gradients, *positions;
};
struct sp_delta_part sp_delta_part(const struct sp_delta *delta, size_t i);

/* The positions change: everything is made anew as sp_delta_create does, with the weights as they are now as the
 * originals. The sinks stay where they are. After a failure the delta can only be freed. */
int sp_delta_move(struct sp_delta *delta, const struct sp_delta_target *targets);

/* Puts the original weights back, bit for bit; values are then no longer what they were. */
int sp_delta_restore(struct sp_delta *delta);

/* Target i's original weights, from and to the host. */
int sp_delta_read_base(float *out, struct sp_delta *delta, size_t i);
int sp_delta_write_base(struct sp_delta *delta, size_t i, const float *base);

/* Writes w0 + value into the weights. */
int sp_delta_apply(struct sp_delta *delta);

/* Target i's values, from and to the host: [count] of its positions. Reading waits for the device. */
int sp_delta_read(float *out, struct sp_delta *delta, size_t i);
int sp_delta_write(struct sp_delta *delta, size_t i, const float *values);

#endif
