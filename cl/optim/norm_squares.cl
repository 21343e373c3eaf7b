// lint: -DLANES=1 -DCHUNK=4096
// lint: -DLANES=64 -DCHUNK=4096
/* Sums of squares, CHUNK elements to a slot and a work-group. */
#include "lib/lanes.h"

#define ADD_SQUARE(V, F)                                                                                               \
    {                                                                                                                  \
        F x = load_##V(in, i);                                                                                         \
        total_##V += x * x;                                                                                            \
    }

KERNEL void norm_squares(__global float *slots, __global const float *in, uint n, uint first_slot)
{
    int count = (int)min(n - (uint)get_group_id(0) * CHUNK, (uint)CHUNK);
    float16 total_v16 = 0.0f;
    float total_v1 = 0.0f;
    LANES_SCRATCH(scratch)

    in += get_group_id(0) * CHUNK;
    FOR_RANGE(i, 0, count, ADD_SQUARE)
    float sum = LANES_TOTAL(total);

    if (LANE == 0)
        slots[first_slot + get_group_id(0)] = sum;
}
