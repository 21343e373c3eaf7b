// lint: -DLANES=1 -DROWS=8 -DC=384
// lint: -DLANES=64 -DROWS=1 -DC=384
/* Embedding look-up: the sum of a row of each of three tables, C columns each. */
#include "lib/lanes.h"

#define LOOK_UP(V, F) store_##V(load_##V(w, c) + load_##V(p, c) + load_##V(k, c), y, base + c);

KERNEL void embedding_forward(__global float *y, __global const float *word, __global const float *position,
                              __global const float *type, __global const uint *ids, __global const uint *positions,
                              __global const uint *types, int T)
{
    FOR_ROWS(t, T)
    {
        size_t base = (size_t)t * C;
        __global const float *w = word + (size_t)ids[t] * C, *p = position + (size_t)positions[t] * C;
        __global const float *k = type + (size_t)types[t] * C;

        FOR_RANGE(c, 0, C, LOOK_UP)
    }
}
