// lint: -DLANES=1 -DCHUNK=4096
// lint: -DLANES=64 -DCHUNK=1
/* out[i] = weight[positions[i]] for n positions. */
#include "lib/lanes.h"

KERNEL void sparse_gather(__global float *out, __global const float *weight, __global const uint *positions, uint n)
{
    FOR_ELEMENTS_SCALAR(i, n)
        out[i] = weight[positions[i]];
}
