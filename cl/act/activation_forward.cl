// lint: -DLANES=1 -DCHUNK=4096 -DACTIVATION=1
// lint: -DLANES=64 -DCHUNK=1 -DACTIVATION=3
// lint: -DLANES=1 -DCHUNK=4096 -DACTIVATION=4
// lint: -DLANES=64 -DCHUNK=1 -DACTIVATION=5
/* y = f(x) over n floats; y may be x. */
#include "act/activation.h"
#include "lib/lanes.h"

#define FORWARD(V, F) store_##V(activation_##V(load_##V(x, i)), y, i);

KERNEL void activation_forward(__global float *y, __global const float *x, uint n)
{
    FOR_ELEMENTS(i, n, FORWARD)
}
