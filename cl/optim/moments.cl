// lint: -DLANES=1 -DCHUNK=4096
// lint: -DLANES=64 -DCHUNK=1
/* sum += g and squares += g^2 for n gradients, g = gradient * coefficient. */
#include "lib/lanes.h"

#define ADD(V, F)                                                                                                      \
    {                                                                                                                  \
        F g = load_##V(gradient, i) * coefficient;                                                                     \
        store_##V(load_##V(sum, i) + g, sum, i);                                                                       \
        store_##V(load_##V(squares, i) + g * g, squares, i);                                                           \
    }

KERNEL void moments(__global float *sum, __global float *squares, __global const float *gradient,
                    __global const float *norm, uint n)
{
    float coefficient = norm ? norm[1] : 1.0f;

    if (isnan(coefficient)) /* the step is left out (norm_finish.cl) */
        return;
    FOR_ELEMENTS(i, n, ADD)
}
