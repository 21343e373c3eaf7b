// lint: -DLANES=1 -DROWS=7 -DC=576 -DD=64
// lint: -DLANES=64 -DROWS=1 -DC=240 -DD=80
/* Rotary position embedding of rows of heads of D columns; runtime/op/rotary.h has the equations. direction is 1, or -1
 * for the way back; y may be x. */
#include "lib/lanes.h"

#define HALF (D / 2)
#define ROTATE(V, F)                                                                                                   \
    {                                                                                                                  \
        F c = load_##V(cosines, i), s = load_##V(cosines, HALF + i) * direction;                                       \
        F a = load_##V(x, base + i), b = load_##V(x, base + HALF + i);                                                 \
        store_##V(a * c - b * s, y, base + i);                                                                         \
        store_##V(b * c + a * s, y, base + HALF + i);                                                                  \
    }

KERNEL void rotary(__global float *y, __global const float *x, __global const float *table,
                   __global const uint *positions, int T, float direction)
{
    FOR_ROWS(t, T)
    {
        __global const float *cosines = table + (size_t)positions[t] * D;

#if LANES == 1
        for (size_t base = (size_t)t * C, end = base + C; base < end; base += D)
            FOR_RANGE(i, 0, HALF, ROTATE)
#else
        for (int k = LANE; k < C / 2; k += LANES) {
            int i = k % HALF;
            size_t base = (size_t)t * C + k / HALF * D;

            ROTATE(v1, float)
        }
#endif
    }
}
