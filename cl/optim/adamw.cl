// lint: -DLANES=1 -DCHUNK=4096 -DAGED=0
// lint: -DLANES=1 -DCHUNK=4096 -DAGED=1
// lint: -DLANES=64 -DCHUNK=1 -DAGED=1
/*
 * One AdamW step over n values; runtime/op/adamw.h has the equations. keep = 1 - lr * decay, rate = lr / (1 -
 * beta1^step) and root = 1 / sqrt(1 - beta2^step) come from the host in double precision. AGED: rate = lr, and the rest
 * of it and root by the entry's own age from a table.
 */
#include "lib/lanes.h"

#define STEP(V, F)                                                                                                     \
    {                                                                                                                  \
        F g = load_##V(gradient, i) * coefficient;                                                                     \
        F m1 = load_##V(m, i) * beta1 + g * rest1;                                                                     \
        F v1 = load_##V(v, i) * beta2 + (g * g) * rest2;                                                               \
        F p = load_##V(value, i) * keep;                                                                               \
        store_##V(m1, m, i);                                                                                           \
        store_##V(v1, v, i);                                                                                           \
        store_##V(p - rate * m1 / (sqrt(v1) * root + epsilon), value, i);                                              \
    }

#if AGED

KERNEL void adamw(__global float *value, __global float *m, __global float *v, __global const float *gradient,
                  __global const float *norm, uint n, float beta1, float rest1, float beta2, float rest2, float keep,
                  float lr, float unused_root, float epsilon, __global const uint *births,
                  __global const float *corrections, uint step)
{
    float coefficient = norm ? norm[1] : 1.0f;

    if (isnan(coefficient)) /* the step is left out (norm_finish.cl) */
        return;
    FOR_ELEMENTS_SCALAR(i, n)
    {
        uint age = step - births[i];
        float rate = lr * corrections[2 * age], root = corrections[2 * age + 1];

        STEP(v1, float)
    }
}

#else

KERNEL void adamw(__global float *value, __global float *m, __global float *v, __global const float *gradient,
                  __global const float *norm, uint n, float beta1, float rest1, float beta2, float rest2, float keep,
                  float rate, float root, float epsilon)
{
    float coefficient = norm ? norm[1] : 1.0f;

    if (isnan(coefficient)) /* the step is left out (norm_finish.cl) */
        return;
    FOR_ELEMENTS(i, n, STEP)
}

#endif
