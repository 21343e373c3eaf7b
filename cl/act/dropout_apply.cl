// lint: -DLANES=1 -DCHUNK=4096
// lint: -DLANES=64 -DCHUNK=1
/* Dropout over n floats; out may be in. */
#include "lib/lanes.h"
#include "lib/dropout.h"

#define DROP(V, F) store_##V(load_##V(in, start + i) * load_##V(factors, i), out, start + i);

KERNEL void dropout_apply(__global float *out, __global const float *in, uint n, DROPOUT_PARAMETERS)
{
    struct dropout dropout = DROPOUT_ARGUMENTS;

#if LANES == 1
    float factors[32];
    uint start = get_group_id(0) * CHUNK, end = min(start + CHUNK, n);

    for (; start < end; start += 32) {
        dropout_factors_32(factors, &dropout, start);
        FOR_RANGE(i, 0, min(32, (int)(end - start)), DROP)
    }
#else
    FOR_ELEMENTS_SCALAR(i, n)
        out[i] = in[i] * dropout_factor(&dropout, i);
#endif
}
