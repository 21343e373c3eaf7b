// lint: -DLANES=1 -DCHUNK=4096 -DACTIVATION=4 -DDGATE=1 -DDUP=2
// lint: -DLANES=64 -DCHUNK=1 -DACTIVATION=5 -DDGATE=2 -DDUP=0
/* dgate = dy * up * f'(gate), dup = dy * f(gate) over n floats. DGATE, DUP: 0 none, 1 store, 2 add. */
#include "act/activation.h"
#include "lib/lanes.h"

#if DGATE == 2
#define PUT_DGATE(V, d) store_##V(load_##V(dgate, i) + (d), dgate, i);
#elif DGATE == 1
#define PUT_DGATE(V, d) store_##V(d, dgate, i);
#else
#define PUT_DGATE(V, d)
#endif
#if DUP == 2
#define PUT_DUP(V, d) store_##V(load_##V(dup, i) + (d), dup, i);
#elif DUP == 1
#define PUT_DUP(V, d) store_##V(d, dup, i);
#else
#define PUT_DUP(V, d)
#endif

#define DIFFERENTIATE(V, F)                                                                                            \
    {                                                                                                                  \
        F d = load_##V(dy, i), g = load_##V(gate, i);                                                                  \
        PUT_DGATE(V, d * load_##V(up, i) * activation_gradient_##V(g))                                                 \
        PUT_DUP(V, d * activation_##V(g))                                                                              \
    }

KERNEL void gated_backward(__global float *dgate, __global float *dup, __global const float *dy,
                           __global const float *gate, __global const float *up, uint n)
{
    FOR_ELEMENTS(i, n, DIFFERENTIATE)
}
