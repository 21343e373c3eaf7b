// lint: -DLANES=1 -DCHUNK=4096 -DGRADIENT=1
// lint: -DLANES=64 -DCHUNK=1 -DGRADIENT=1
/* Squared error of B numbers and its gradient; runtime/op/loss.h has the equations. */
#include "lib/lanes.h"

#if GRADIENT
#define STORE_GRADIENT(V) store_##V(2.0f * scale * shrink * d, doutput, i);
#else
#define STORE_GRADIENT(V)
#endif
#define SQUARE(V, F)                                                                                                   \
    {                                                                                                                  \
        F d = shrink * load_##V(output, i) - load_##V(targets, i);                                                     \
        store_##V(d * d, losses, i);                                                                                   \
        STORE_GRADIENT(V)                                                                                              \
    }

KERNEL void squared_error(__global float *doutput, __global float *losses, __global const float *output,
                          __global const float *targets, uint B, float scale, float shrink)
{
    FOR_ELEMENTS(i, B, SQUARE)
}
