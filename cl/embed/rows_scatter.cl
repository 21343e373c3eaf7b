// lint: -DLANES=1 -DROWS=8 -DC=384 -DACCUMULATE=1
// lint: -DLANES=64 -DROWS=1 -DC=384 -DACCUMULATE=0
/* Rows of C columns to the places that an index names. */
#include "lib/lanes.h"

#if ACCUMULATE
#define SCATTER(V, F) store_##V(load_##V(out, to + c) + load_##V(in, from + c), out, to + c);
#else
#define SCATTER(V, F) store_##V(load_##V(in, from + c), out, to + c);
#endif

KERNEL void rows_scatter(__global float *out, __global const float *in, __global const uint *rows, int R,
                         int first)
{
    FOR_ROWS(r, R)
    {
        size_t from = (size_t)r * C, to = (size_t)rows[first + r] * C;

        FOR_RANGE(c, 0, C, SCATTER)
    }
}
