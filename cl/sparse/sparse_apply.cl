// lint: -DLANES=1 -DCHUNK=4096
// lint: -DLANES=64 -DCHUNK=1
/* weight[positions[i]] = base[i] + delta[i] for n unique positions. */
#include "lib/lanes.h"

KERNEL void sparse_apply(__global float *weight, __global const uint *positions, __global const float *base,
                         __global const float *delta, uint n)
{
    FOR_ELEMENTS_SCALAR(i, n)
        weight[positions[i]] = base[i] + delta[i];
}
