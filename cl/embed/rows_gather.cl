// lint: -DLANES=1 -DROWS=8 -DC=384
// lint: -DLANES=64 -DROWS=1 -DC=384
/* Rows of C columns by index. */
#include "lib/lanes.h"

#define GATHER(V, F) store_##V(load_##V(in, from + c), out, to + c);

KERNEL void rows_gather(__global float *out, __global const float *in, __global const uint *rows, int R,
                        int first)
{
    FOR_ROWS(r, R)
    {
        size_t from = (size_t)rows[first + r] * C, to = (size_t)r * C;

        FOR_RANGE(c, 0, C, GATHER)
    }
}
