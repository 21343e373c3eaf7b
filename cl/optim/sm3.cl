// lint: -DLANES=1 -DCHUNK=4096 -DSPARSE=1
// lint: -DLANES=64 -DCHUNK=1 -DSPARSE=0
/*
 * One SM3 step over n entries of a (rows x cols) matrix; runtime/op/sm3.h has the equations. `old` holds the rows' and
 * then the columns' accumulators as they were, `now` starts as a copy. Accumulators are not negative, so that their
 * bits are ordered as they are, and an integer maximum gives the same result in every order.
 */
#include "lib/lanes.h"

static inline void raise(volatile __global uint *accumulator, float old, float u)
{
    if (u > old)
        atomic_max(accumulator, as_uint(u));
}

KERNEL void sm3(__global float *value, __global uint *now, __global const float *old, __global const float *gradient,
                __global const uint *positions, __global const float *norm, uint n, uint rows, uint cols, float lr,
                float keep, float epsilon)
{
    float coefficient = norm ? norm[1] : 1.0f;

    if (isnan(coefficient)) /* the step is left out (norm_finish.cl) */
        return;
    FOR_ELEMENTS_SCALAR(i, n)
    {
#if SPARSE
        uint position = positions[i];
#else
        uint position = i;
#endif
        uint row = position / cols, col = rows + (position - row * cols);
        float g = gradient[i] * coefficient, u = fmin(old[row], old[col]) + g * g;

        value[i] = (value[i] - lr * g / sqrt(u + epsilon)) * keep;
        raise(&now[row], old[row], u);
        raise(&now[col], old[col], u);
    }
}
