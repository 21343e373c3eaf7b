// lint: -DLANES=1 -DROWS=8 -DC=384 -DRESIDUAL=1 -DDROPOUT=1
// lint: -DLANES=64 -DROWS=1 -DC=384 -DRESIDUAL=1 -DDROPOUT=1
/*
 * Layer normalisation of rows of C columns; runtime/op/layernorm.h has the equations. Mean, then variance about it,
 * then the result: three walks over a row that lies in the first-level cache. s is kept in xhat between them.
 */
#include "lib/lanes.h"
#include "lib/dropout.h"

#if RESIDUAL
#define INPUT(V) (load_##V(residual, base + c) + DROPPED(V, load_##V(x, base + c)))
#else
#define INPUT(V) DROPPED(V, load_##V(x, base + c))
#endif

#define ADD_UP(V, F)                                                                                                   \
    {                                                                                                                  \
        F s = INPUT(V);                                                                                                \
        store_##V(s, xhat, base + c);                                                                                  \
        total_##V += s;                                                                                                \
    }
#define ADD_SQUARES(V, F)                                                                                              \
    {                                                                                                                  \
        F d = load_##V(xhat, base + c) - mean;                                                                         \
        square_##V += d * d;                                                                                           \
    }
#define NORMALISE(V, F)                                                                                                \
    {                                                                                                                  \
        F h = (load_##V(xhat, base + c) - mean) * r;                                                                   \
        store_##V(h, xhat, base + c);                                                                                  \
        store_##V(load_##V(gamma, c) * h + load_##V(beta, c), y, base + c);                                            \
    }

KERNEL void layernorm_forward(__global float *y, __global float *xhat, __global float *rstd, __global const float *x,
                              __global const float *residual, __global const float *gamma, __global const float *beta,
                              int T, float epsilon, DROPOUT_PARAMETERS)
{
    struct dropout dropout = DROPOUT_ARGUMENTS;
    LANES_SCRATCH(scratch)

    FOR_ROWS(t, T)
    {
        uint base = (uint)t * C;
        float16 total_v16 = 0.0f, square_v16 = 0.0f;
        float total_v1 = 0.0f, square_v1 = 0.0f;
        DROPOUT_ROW

        FOR_RANGE(c, 0, C, ADD_UP)
        float mean = LANES_TOTAL(total) * (1.0f / C);

        FOR_RANGE(c, 0, C, ADD_SQUARES)
        float r = 1.0f / sqrt(LANES_TOTAL(square) * (1.0f / C) + epsilon);

        FOR_RANGE(c, 0, C, NORMALISE)
        if (LANE == 0)
            rstd[t] = r;
    }
}
