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
#define ACTIVATION_SILU 4      /* x s(x), s being the logistic function 1 / (1 + exp(-x)) */
#define ACTIVATION_GELU_TANH 5 /* x (1 + tanh u) / 2 = x s(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3) */

/* s(z), and with the other sign 1 - s(z), each with its own small end exact: of e = exp(-|z|), which is at most 1, so
 * that the cheaper exp2 is as good. */
#define LOGISTIC(V, F, I)                                                                                              \
    static inline F logistic_##V(F z, F *rest)                                                                         \
    {                                                                                                                  \
        F e = exp2_##V(as_##F(as_##I(z) & 0x7FFFFFFF) * -1.44269504f), large = 1.0f / (1.0f + e), small = e * large;   \
                                                                                                                       \
        *rest = z < 0.0f ? large : small;                                                                              \
        return z < 0.0f ? small : large;                                                                               \
    }

/* 2 u, and x (2 u)'; beyond +-12, where s is 0 or 1, those of 12, so that nothing overflows. */
#define GELU_TANH_PARTS(V, F)                                                                                          \
    static inline F gelu_tanh_inner_##V(F x, F *slope)                                                                 \
    {                                                                                                                  \
        F c = x > 12.0f ? (F)(12.0f) : x < -12.0f ? (F)(-12.0f) : x;                                                   \
                                                                                                                       \
        *slope = x * (1.59576912f + 0.214064390f * c * c);                                                             \
        return c * (1.59576912f + 0.0713548163f * c * c);                                                              \
    }

#define SILU_FUNCTIONS(V, F, I)                                                                                        \
    LOGISTIC(V, F, I)                                                                                                  \
    static inline F silu_##V(F x)                                                                                      \
    {                                                                                                                  \
        F rest;                                                                                                        \
                                                                                                                       \
        return x * logistic_##V(x, &rest);                                                                             \
    }                                                                                                                  \
    static inline F silu_gradient_##V(F x)                                                                             \
    {                                                                                                                  \
        F rest, s = logistic_##V(x, &rest);                                                                            \
                                                                                                                       \
        return s + x * (s * rest);                                                                                     \
    }

#define GELU_TANH_FUNCTIONS(V, F, I)                                                                                   \
    LOGISTIC(V, F, I)                                                                                                  \
    GELU_TANH_PARTS(V, F)                                                                                              \
    static inline F gelu_tanh_##V(F x)                                                                                 \
    {                                                                                                                  \
        F slope, rest;                                                                                                 \
                                                                                                                       \
        return x * logistic_##V(gelu_tanh_inner_##V(x, &slope), &rest);                                                \
    }                                                                                                                  \
    static inline F gelu_tanh_gradient_##V(F x)                                                                        \
    {                                                                                                                  \
        F slope, rest, s = logistic_##V(gelu_tanh_inner_##V(x, &slope), &rest);                                        \
                                                                                                                       \
        return s + slope * (s * rest);                                                                                 \
    }

#if ACTIVATION == ACTIVATION_GELU
#define ACTIVATION_VALUE(V, x) (x * normal_cdf_##V(x))
#define ACTIVATION_GRADIENT(V, F, x) (normal_cdf_##V(x) + x * normal_pdf_##V(x))
#elif ACTIVATION == ACTIVATION_RELU
#define ACTIVATION_VALUE(V, x) (x < 0.0f ? 0.0f : x) /* this way round NaN stays NaN */
#define ACTIVATION_GRADIENT(V, F, x) (x > 0.0f ? (F)(1.0f) : x <= 0.0f ? (F)(0.0f) : x)
#elif ACTIVATION == ACTIVATION_TANH
#define ACTIVATION_VALUE(V, x) tanh_##V(x)
#define ACTIVATION_GRADIENT(V, F, x) (1.0f - tanh_##V(x) * tanh_##V(x))
#elif ACTIVATION == ACTIVATION_SILU
SILU_FUNCTIONS(v1, float, int)
SILU_FUNCTIONS(v4, float4, int4)
SILU_FUNCTIONS(v8, float8, int8)
SILU_FUNCTIONS(v16, float16, int16)
#define ACTIVATION_VALUE(V, x) silu_##V(x)
#define ACTIVATION_GRADIENT(V, F, x) silu_gradient_##V(x)
#elif ACTIVATION == ACTIVATION_GELU_TANH
GELU_TANH_FUNCTIONS(v1, float, int)
GELU_TANH_FUNCTIONS(v4, float4, int4)
GELU_TANH_FUNCTIONS(v8, float8, int8)
GELU_TANH_FUNCTIONS(v16, float16, int16)
#define ACTIVATION_VALUE(V, x) gelu_tanh_##V(x)
#define ACTIVATION_GRADIENT(V, F, x) gelu_tanh_gradient_##V(x)
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
