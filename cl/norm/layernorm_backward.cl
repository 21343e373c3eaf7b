// lint: -DLANES=1 -DROWS=8 -DC=384 -DDROPOUT=1 -DDRESIDUAL=2 -DDX=1
// lint: -DLANES=64 -DROWS=1 -DC=384 -DDROPOUT=1 -DDRESIDUAL=1 -DDX=1
/*
 * Gradient of layer normalisation: with h = gamma * dy, ds = rstd * (h - mean(h) - xhat * mean(h * xhat)).
 * DRESIDUAL: 0 none, 1 store, 2 add.
 */
#include "lib/lanes.h"
#include "lib/dropout.h"

#define ADD_PRODUCTS(V, F)                                                                                             \
    {                                                                                                                  \
        F h = load_##V(gamma, c) * load_##V(dy, base + c);                                                             \
        total_##V += h;                                                                                                \
        product_##V += h * load_##V(xhat, base + c);                                                                   \
    }

#if DRESIDUAL == 2
#define STORE_DRESIDUAL(V) store_##V(load_##V(dresidual, base + c) + ds, dresidual, base + c);
#elif DRESIDUAL == 1
#define STORE_DRESIDUAL(V) store_##V(ds, dresidual, base + c);
#else
#define STORE_DRESIDUAL(V)
#endif
#if DX
#define STORE_DX(V) store_##V(DROPPED(V, ds), dx, base + c);
#else
#define STORE_DX(V)
#endif

#define DIFFERENTIATE(V, F)                                                                                            \
    {                                                                                                                  \
        F h = load_##V(gamma, c) * load_##V(dy, base + c);                                                             \
        F ds = r * ((h - mean) - load_##V(xhat, base + c) * projection);                                               \
        STORE_DRESIDUAL(V)                                                                                             \
        STORE_DX(V)                                                                                                    \
    }

KERNEL void layernorm_backward(__global float *dresidual, __global float *dx, __global const float *dy,
                               __global const float *xhat, __global const float *rstd, __global const float *gamma,
                               int T, DROPOUT_PARAMETERS)
{
    struct dropout dropout = DROPOUT_ARGUMENTS;
    LANES_SCRATCH(scratch)

    FOR_ROWS(t, T)
    {
        uint base = (uint)t * C;
        float16 total_v16 = 0.0f, product_v16 = 0.0f;
        float total_v1 = 0.0f, product_v1 = 0.0f, r = rstd[t];
        DROPOUT_ROW

        FOR_RANGE(c, 0, C, ADD_PRODUCTS)
        float mean = LANES_TOTAL(total) * (1.0f / C), projection = LANES_TOTAL(product) * (1.0f / C);

        FOR_RANGE(c, 0, C, DIFFERENTIATE)
    }
}
