/* What becomes of a finished sum x of a product, element `at` of C (m x N) in column `column`: -DBIAS, -DACCUMULATE,
 * -DSAVE_PRE, and -DACTIVATE or -DACTIVATION_BACKWARD say what. gemm_packed.cl has the
 * same of whole vectors, and begins with the bias. */
#ifndef EPILOGUE_H
#define EPILOGUE_H

#include "act/activation.h"

static inline void epilogue(float x, __global float *C, size_t at, __global const float *bias, int column,
                            __global float *pre)
{
#ifdef BIAS
    x += bias[column];
#endif
#ifdef ACCUMULATE
    x += C[at];
#endif
#ifdef SAVE_PRE
    pre[at] = x;
#endif
#ifdef ACTIVATE
    x = activation_v1(x);
#endif
#ifdef ACTIVATION_BACKWARD
    x *= activation_gradient_v1(pre[at]);
#endif
    C[at] = x;
}

#endif
