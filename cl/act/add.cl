// lint: -DLANES=1 -DCHUNK=4096
// lint: -DLANES=64 -DCHUNK=1
/* out = a + b over n floats; out may be a or b. */
#include "lib/lanes.h"

#define ADD(V, F) store_##V(load_##V(a, i) + load_##V(b, i), out, i);

KERNEL void add(__global float *out, __global const float *a, __global const float *b, uint n)
{
    FOR_ELEMENTS(i, n, ADD)
}
