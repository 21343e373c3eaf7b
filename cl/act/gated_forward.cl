// lint: -DLANES=1 -DCHUNK=4096 -DACTIVATION=4
// lint: -DLANES=64 -DCHUNK=1 -DACTIVATION=5
/* y = f(gate) * up over n floats; y may be gate or up. */
#include "act/activation.h"
#include "lib/lanes.h"

#define GATE(V, F) store_##V(activation_##V(load_##V(gate, i)) * load_##V(up, i), y, i);

KERNEL void gated_forward(__global float *y, __global const float *gate, __global const float *up, uint n)
{
    FOR_ELEMENTS(i, n, GATE)
}
