/*
 * Activations and their derivatives at the pre-activation x, for elementwise kernels and GEMM epilogues:
 * activation_v16(x) and activation_gradient_v16(x) (v1, v4, v8, v16) are those of -DACTIVATION, whose values are enum
 * sp_activation's.
 */
#ifndef ACTIVATION_H
#define ACTIVATION_H

#include "lib/math.h"

#define ACTIVATION_NONE 0
#define ACTIVATION_GELU 1 /* x Phi(x), the erf form */
#define ACTIVATION_RELU 2
#define ACTIVATION_TANH 3

#if ACTIVATION == ACTIVATION_GELU
#define ACTIVATION_VALUE(V, x) (x * normal_cdf_##V(x))
#define ACTIVATION_GRADIENT(V, F, x) (normal_cdf_##V(x) + x * normal_pdf_##V(x))
#elif ACTIVATION == ACTIVATION_RELU
#define ACTIVATION_VALUE(V, x) (x < 0.0f ? 0.0f : x) /* this way round NaN stays NaN */
#define ACTIVATION_GRADIENT(V, F, x) (x > 0.0f ? (F)(1.0f) : x <= 0.0f ? (F)(0.0f) : x)
#elif ACTIVATION == ACTIVATION_TANH
#define ACTIVATION_VALUE(V, x) tanh_##V(x)
#define ACTIVATION_GRADIENT(V, F, x) (1.0f - tanh_##V(x) * tanh_##V(x))
#elif ACTIVATION == ACTIVATION_NONE
#define ACTIVATION_VALUE(V, x) (x)
#define ACTIVATION_GRADIENT(V, F, x) ((F)(1.0f))
#endif

#define ACTIVATION_FUNCTIONS(V, F)                                                                                     \
    static inline F activation_##V(F x)                                                                                \
    {                                                                                                                  \
        return ACTIVATION_VALUE(V, x);                                                                                 \
    }                                                                                                                  \
    static inline F activation_gradient_##V(F x)                                                                       \
    {                                                                                                                  \
        return ACTIVATION_GRADIENT(V, F, x);                                                                           \
    }

ACTIVATION_FUNCTIONS(v1, float)
ACTIVATION_FUNCTIONS(v4, float4)
ACTIVATION_FUNCTIONS(v8, float8)
ACTIVATION_FUNCTIONS(v16, float16)

#endif
