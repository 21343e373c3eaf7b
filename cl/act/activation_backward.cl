// lint: -DLANES=1 -DCHUNK=4096 -DACTIVATION=1
// lint: -DLANES=64 -DCHUNK=1 -DACTIVATION=3
// lint: -DLANES=1 -DCHUNK=4096 -DACTIVATION=4
// lint: -DLANES=64 -DCHUNK=1 -DACTIVATION=5
/* dx = dy * f'(x) over n floats; dx may be dy or x. */
#include "act/activation.h"
#include "lib/lanes.h"

#define BACKWARD(V, F) store_##V(load_##V(dy, i) * activation_gradient_##V(load_##V(x, i)), dx, i);

KERNEL void activation_backward(__global float *dx, __global const float *dy, __global const float *x, uint n)
{
    FOR_ELEMENTS(i, n, BACKWARD)
}
