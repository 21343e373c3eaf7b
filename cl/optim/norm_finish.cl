// lint: -DLANES=1
// lint: -DLANES=64
/*
 * The slots in order, the norm and the clipping coefficient, by one work-group. The coefficient is also the gate of a
 * step: where it is NaN, kernels that take it leave everything as it is.
 */
#include "lib/lanes.h"

#define ADD_SLOT(V, F) total_##V += load_##V(slots, i);

KERNEL void norm_finish(__global float *out, __global const float *slots, int n,
                        __global const float *losses, int loss_count, float max_norm)
{
    float16 total_v16 = 0.0f;
    float total_v1 = 0.0f;
    LANES_SCRATCH(scratch)

    FOR_RANGE(i, 0, n, ADD_SLOT)
    float norm = sqrt(LANES_TOTAL(total));

    if (LANE == 0) {
        float coefficient = max_norm > 0.0f ? max_norm / (norm + 1e-6f) : 1.0f;
        int open = isfinite(norm) && !isnan(out[1]);

        for (int i = 0; i < loss_count; i++)
            open = open && isfinite(losses[i]);
        out[0] = norm;
        out[1] = !open ? NAN : coefficient > 1.0f ? 1.0f : coefficient;
    }
}
