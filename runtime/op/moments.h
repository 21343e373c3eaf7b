/*
 * Sums of gradients and of their squares over steps (layer 3), in one launch:
 *
 *     sum[i] += g,  squares[i] += g^2,  g = gradient[i] * coefficient
 *
 * or, where the coefficient is NaN, nothing.
 */
#ifndef SP_OP_MOMENTS_H
#define SP_OP_MOMENTS_H

#include "runtime/device/device.h"

struct sp_moments {
    struct sp_buffer *sum, *squares; /* [count], read and written */
    struct sp_buffer *gradient;
    struct sp_buffer *norm; /* as sp_norm_finish leaves it: its coefficient scales the gradient; NULL means 1 */
    size_t count;
};
int sp_moments(struct sp_device *device, const struct sp_moments *args);

#endif
