// lint: -DLANES=1 -DC=384 -DACCUMULATE=1
// lint: -DLANES=64 -DC=384 -DACCUMULATE=0
/*
 * The gradient of one table of rows of C columns, times `scale`: tokens come in groups with the same row. A work-group
 * has a group of tokens and 64 columns; its sums run in the order of the tokens.
 */
#include "lib/lanes.h"

#if ACCUMULATE
#define PUT(V, x, p, i) store_##V(load_##V(p, i) + scale * (x), p, i)
#else
#define PUT(V, x, p, i) store_##V(scale * (x), p, i)
#endif

#define SUM_GROUP(V, F)                                                                                                \
    {                                                                                                                  \
        F sum = 0.0f;                                                                                                  \
        for (uint k = first; k < last; k++)                                                                            \
            sum += load_##V(dy, (size_t)order[k] * C + c);                                                             \
        PUT(V, sum, row, c);                                                                                           \
    }

KERNEL void embedding_backward(__global float *dtable, __global const float *dy, __global const uint *order,
                               __global const uint *starts, __global const uint *used, float scale)
{
    uint group = get_group_id(1), first = starts[group], last = starts[group + 1];
    __global float *row = dtable + (size_t)used[group] * C;
    int low = get_group_id(0) * 64, high = min(low + 64, C);

    FOR_RANGE(c, low, high, SUM_GROUP)
}
