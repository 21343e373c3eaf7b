/*
 * AdamW (Loshchilov and Hutter, ICLR 2019) over `count` floats in one launch (layer 3), in PyTorch's order:
 *
 *     p *= 1 - lr * decay;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *     p -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
 *
 * with g = gradient * coefficient. Where entries come and go each has its own age instead of `step`: step - births[i],
 * and the factors on lr and sqrt(v) for every age come in a table. A non-finite gradient reaches p, m and v, unless the
 * coefficient is NaN: then all of them stay as they are.
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
    struct sp_buffer *births;      /* [count] uint32, below step; NULL: all 0 */
    struct sp_buffer *corrections; /* with births: sp_adamw_corrections of ages 0 ... at least the largest */
};
int sp_adamw(struct sp_device *device, const struct sp_adamw *args);

/* out[2 a] = 1 / (1 - beta1^a), out[2 a + 1] = 1 / sqrt(1 - beta2^a) for the ages below `ages`; age 0 has none and
 * gets 1. */
void sp_adamw_corrections(float *out, size_t ages, double beta1, double beta2);

#endif
