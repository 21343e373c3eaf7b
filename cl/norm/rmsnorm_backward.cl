// lint: -DLANES=1 -DROWS=8 -DC=576 -DACCUMULATE=1
// lint: -DLANES=64 -DROWS=1 -DC=80 -DACCUMULATE=0
/* Gradient of RMS normalisation: with h = (offset + gamma) * dy, dx = rstd * (h - xhat * mean(h * xhat)), where xhat is
 * x * rstd. */
#include "lib/lanes.h"

#define ADD_PRODUCTS(V, F)                                                                                             \
    product_##V += (load_##V(gamma, c) + offset) * load_##V(dy, base + c) * load_##V(x, base + c);

#if ACCUMULATE
#define PLUS_OLD(V) +load_##V(dx, base + c)
#else
#define PLUS_OLD(V)
#endif
#define DIFFERENTIATE(V, F)                                                                                            \
    {                                                                                                                  \
        F h = (load_##V(gamma, c) + offset) * load_##V(dy, base + c);                                                  \
        store_##V(r * (h - load_##V(x, base + c) * projection) PLUS_OLD(V), dx, base + c);                             \
    }

KERNEL void rmsnorm_backward(__global float *dx, __global const float *dy, __global const float *x,
                             __global const float *rstd, __global const float *gamma, int R, float offset)
{
    LANES_SCRATCH(scratch)

    FOR_ROWS(t, R)
    {
        size_t base = (size_t)t * C;
        float16 product_v16 = 0.0f;
        float product_v1 = 0.0f, r = rstd[t];

        FOR_RANGE(c, 0, C, ADD_PRODUCTS)
        float projection = LANES_TOTAL(product) * (r * r * (1.0f / C));

        FOR_RANGE(c, 0, C, DIFFERENTIATE)
    }
}
