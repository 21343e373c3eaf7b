// lint: -DLANES=1 -DROWS=8 -DC=576
// lint: -DLANES=64 -DROWS=1 -DC=80
/* RMS normalisation of rows of C columns; runtime/op/rmsnorm.h has the equations. Two walks over a row that lies in the
 * first-level cache. */
#include "lib/lanes.h"

#define ADD_SQUARES(V, F)                                                                                              \
    {                                                                                                                  \
        F s = load_##V(x, base + c);                                                                                   \
        square_##V += s * s;                                                                                           \
    }
#define NORMALISE(V, F) store_##V((load_##V(gamma, c) + offset) * (load_##V(x, base + c) * r), y, base + c);

KERNEL void rmsnorm_forward(__global float *y, __global float *rstd, __global const float *x,
                            __global const float *gamma, int R, float epsilon, float offset)
{
    LANES_SCRATCH(scratch)

    FOR_ROWS(t, R)
    {
        size_t base = (size_t)t * C;
        float16 square_v16 = 0.0f;
        float square_v1 = 0.0f;

        FOR_RANGE(c, 0, C, ADD_SQUARES)
        float r = 1.0f / sqrt(LANES_TOTAL(square) * (1.0f / C) + epsilon);

        FOR_RANGE(c, 0, C, NORMALISE)
        if (LANE == 0)
            rstd[t] = r;
    }
}
