/* Numbers that are not finite (layer 0): where the first one stands among floats on the host. Stateless. */
#ifndef SP_BASE_FINITE_H
#define SP_BASE_FINITE_H

#include <math.h>
#include <stddef.h>

/* The index of the first NaN or infinity of x; `count` when all are finite. */
static inline size_t sp_first_not_finite(const float *x, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(x[i]))
        i++;
    return i;
}

#endif
