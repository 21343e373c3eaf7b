/*
 * AdamW (Loshchilov and Hutter, ICLR 2019) over `count` floats in one launch (layer 3), in PyTorch's order:
 *
 *     p *= 1 - lr * decay;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *     p -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
 *
 * with g = gradient * coefficient. A non-finite gradient reaches p, m and v: the caller looks at the norm first.
 */
#ifndef SP_OP_ADAMW_H
#define SP_OP_ADAMW_H

#include "runtime/device/device.h"

struct sp_adamw {
    struct sp_buffer *value, *m, *v; /* read and written; m and v start as zeros */
    struct sp_buffer *gradient;
    struct sp_buffer *norm; /* as sp_norm_finish leaves it: its coefficient scales the gradient; NULL means 1 */
    size_t count;
    double lr, beta1, beta2, epsilon, decay;
    uint32_t step; /* from 1 */
};
int sp_adamw(struct sp_device *device, const struct sp_adamw *args);

#endif
