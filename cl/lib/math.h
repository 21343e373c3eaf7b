/*
 * exp, exp2, log, tanh and the normal distribution for float and its vectors: exp_v1(float) ... exp_v16(float16). CPU
 * drivers scalarise the built-in ones; these are straight-line arithmetic that stays in vector registers. NaN
 * propagates, nothing traps; a result below the normal range is 0. Coefficients and errors: tests/tools/fit_math.py.
 *
 *     exp         1 ulp
 *     exp2        1.2 ulp, for x <= 128
 *     log         1 ulp; 0 and subnormals give -inf, negatives NaN
 *     tanh        1.5 ulp
 *     normal_cdf  6.2e-8 absolute: Phi(x) = (1 + erf(x / sqrt 2)) / 2; relative error below 1e-5 in the left tail
 *     normal_pdf  exp(-x^2 / 2) / sqrt(2 pi)
 */
#ifndef MATH_H
#define MATH_H

/* V: suffix, F: float type, I: its integer type. Constants are scalars, which OpenCL C widens. */
#define MATH_FUNCTIONS(V, F, I)                                                                                        \
    /* x = n ln 2 + r; exp(r) = 1 + r + r^2 Q(r). The exponent goes on in two steps, so 2^128 does not overflow. */    \
    static inline F exp_##V(F x)                                                                                       \
    {                                                                                                                  \
        x = x > 89.0f ? (F)(89.0f) : x;                                                                                \
        x = x < -87.4f ? (F)(-87.4f) : x;                                                                              \
                                                                                                                       \
        F shifted = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the sum's low bits are round(x / ln 2) */            \
        F n = shifted - 12582912.0f;                                                                                   \
        F r = (x - n * 0.693359375f) - n * -2.12194440e-4f;                                                            \
        F q = 0x1.6a23f0p-10f * r + 0x1.123a0ap-7f;                                                                    \
                                                                                                                       \
        q = q * r + 0x1.5558f2p-5f;                                                                                    \
        q = q * r + 0x1.555492p-3f;                                                                                    \
        q = q * r + 0x1.fffffcp-2f;                                                                                    \
        q = (r * r) * q + r + 1.0f;                                                                                    \
        return q * 2.0f * as_##F((as_##I(shifted) - 0x4B400000 + 126) << 23);                                          \
    }                                                                                                                  \
                                                                                                                       \
    /* x = n + r; exp2(r) = 1 + r Q(r). The sum's low bits are n + 127, the exponent of 2^n; below -126 it is 0. */    \
    static inline F exp2_##V(F x)                                                                                      \
    {                                                                                                                  \
        x = x < -127.0f ? (F)(-127.0f) : x;                                                                            \
                                                                                                                       \
        F shifted = x + 12583039.0f; /* 1.5 * 2^23 + 127 */                                                            \
        F r = x - (shifted - 12583039.0f);                                                                             \
        F q = 0x1.41fbbcp-13f * r + 0x1.5f3e52p-10f;                                                                   \
                                                                                                                       \
        q = q * r + 0x1.3b2d4cp-7f;                                                                                    \
        q = q * r + 0x1.c6aee8p-5f;                                                                                    \
        q = q * r + 0x1.ebfbdcp-3f;                                                                                    \
        q = q * r + 0x1.62e430p-1f;                                                                                    \
        q = q * r + 1.0f;                                                                                              \
        return q * as_##F(as_##I(shifted) << 23);                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    /* x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt 2); log(1 + f) = f - f^2 / 2 + f^3 P(f) */                           \
    static inline F log_##V(F x)                                                                                       \
    {                                                                                                                  \
        I bits = as_##I(x) - 0x3F3504F3;                                                                               \
        F e = convert_##F(bits >> 23);                                                                                 \
        F f = as_##F((bits & 0x007FFFFF) + 0x3F3504F3) - 1.0f;                                                         \
        F p = -0x1.41ee0ap-4f * f + 0x1.07d0f0p-3f;                                                                    \
                                                                                                                       \
        p = p * f + -0x1.0ce07cp-3f;                                                                                   \
        p = p * f + 0x1.226e4ap-3f;                                                                                    \
        p = p * f + -0x1.54788ap-3f;                                                                                   \
        p = p * f + 0x1.99a596p-3f;                                                                                    \
        p = p * f + -0x1.000220p-2f;                                                                                   \
        p = p * f + 0x1.55554ap-2f;                                                                                    \
        p = (f * f) * f * p + e * -2.12194440e-4f;                                                                     \
        p = e * 0.693359375f + (f + (p - 0.5f * (f * f)));                                                             \
        p = x > 3.4028234e38f ? x : p;                                                                                 \
        p = x >= 1.17549435e-38f ? p : (F)(-INFINITY);                                                                 \
        return x >= 0.0f ? p : (F)(NAN);                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    /* (1 - e) / (1 + e) with e = exp(-2 |x|); near 0, where that cancels, x + x^3 P(x^2) */                           \
    static inline F tanh_##V(F x)                                                                                      \
    {                                                                                                                  \
        F magnitude = as_##F(as_##I(x) & 0x7FFFFFFF), e = exp_##V(-2.0f * magnitude), u = x * x;                       \
        F p = -0x1.76ac1cp-8f * u + 0x1.5256d8p-6f;                                                                    \
        F far = (1.0f - e) / (1.0f + e);                                                                               \
                                                                                                                       \
        p = p * u + -0x1.b844480p-5f;                                                                                  \
        p = p * u + 0x1.1107680p-3f;                                                                                   \
        p = p * u + -0x1.5555340p-2f;                                                                                  \
        p = x + x * (u * p);                                                                                           \
        far = x < 0.0f ? -far : far;                                                                                   \
        return magnitude < 0.625f ? p : far;                                                                           \
    }                                                                                                                  \
                                                                                                                       \
    /* Phi(-a) = exp(-a Q(a)) / 2 for a = |x| */                                                                       \
    static inline F normal_cdf_##V(F x)                                                                                \
    {                                                                                                                  \
        F a = as_##F(as_##I(x) & 0x7FFFFFFF);                                                                          \
        F q = 0x1.319414p-26f * a + -0x1.23cf60p-21f;                                                                  \
                                                                                                                       \
        q = q * a + 0x1.dc2186p-18f;                                                                                   \
        q = q * a + -0x1.a5f21ep-15f;                                                                                  \
        q = q * a + 0x1.84ad10p-13f;                                                                                   \
        q = q * a + 0x1.12954ap-16f;                                                                                   \
        q = q * a + -0x1.3cccc2p-8f;                                                                                   \
        q = q * a + 0x1.29df8ep-5f;                                                                                    \
        q = q * a + 0x1.45f178p-2f;                                                                                    \
        q = q * a + 0x1.988462p-1f;                                                                                    \
        q = 0.5f * exp_##V(-(a * q));                                                                                  \
        return x < 0.0f ? q : 1.0f - q;                                                                                \
    }                                                                                                                  \
                                                                                                                       \
    static inline F normal_pdf_##V(F x)                                                                                \
    {                                                                                                                  \
        return 0.398942280f * exp_##V(x * x * -0.5f);                                                                  \
    }

MATH_FUNCTIONS(v1, float, int)
MATH_FUNCTIONS(v4, float4, int4)
MATH_FUNCTIONS(v8, float8, int8)
MATH_FUNCTIONS(v16, float16, int16)

#endif
