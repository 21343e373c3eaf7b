// lint: -DLANES=1 -DROWS=8 -DC=384 -DPOSITION=1 -DTYPE=1
// lint: -DLANES=64 -DROWS=1 -DC=384 -DPOSITION=0 -DTYPE=0
/* Embedding look-up: a row of the words' table, and of the positions' and the types' where there are such; C columns
 * each. */
#include "lib/lanes.h"

#if POSITION
#define PLUS_POSITION(V) +load_##V(p, c)
#else
#define PLUS_POSITION(V)
#endif
#if TYPE
#define PLUS_TYPE(V) +load_##V(k, c)
#else
#define PLUS_TYPE(V)
#endif
#define LOOK_UP(V, F) store_##V(load_##V(w, c) PLUS_POSITION(V) PLUS_TYPE(V), y, base + c);

KERNEL void embedding_forward(__global float *y, __global const float *word, __global const float *position,
                              __global const float *type, __global const uint *ids, __global const uint *positions,
                              __global const uint *types, int T)
{
    FOR_ROWS(t, T)
    {
        size_t base = (size_t)t * C;
        __global const float *w = word + (size_t)ids[t] * C;
#if POSITION
        __global const float *p = position + (size_t)positions[t] * C;
#endif
#if TYPE
        __global const float *k = type + (size_t)types[t] * C;
#endif

        FOR_RANGE(c, 0, C, LOOK_UP)
    }
}
