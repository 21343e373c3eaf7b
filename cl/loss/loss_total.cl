// lint: -DLANES=1 -DROWS=1
// lint: -DLANES=64 -DROWS=1
/* total = scale * the sum of B losses, by one work-group in a fixed order. */
#include "lib/lanes.h"

#define ADD_LOSS(V, F) total_##V += load_##V(losses, b);

KERNEL void loss_total(__global float *total, __global const float *losses, int B, float scale)
{
    float16 total_v16 = 0.0f;
    float total_v1 = 0.0f;
    LANES_SCRATCH(scratch)

    FOR_RANGE(b, 0, B, ADD_LOSS)
    float sum = LANES_TOTAL(total);

    if (LANE == 0)
        total[0] = scale * sum;
}
