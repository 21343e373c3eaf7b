// lint: -DN=384 -DACTIVATION=1 -DACTIVATE=1 -DBIAS=1 -DSAVE_PRE=1
// lint: -DN=384 -DACTIVATION=1 -DACTIVATION_BACKWARD=1
/* The epilogue of gemm_packed.cl and gemm_tiled.cl as a pass of its own over C (m x N), for a BLAS that has none. */
#include "blas/epilogue.h"

/* Grid: m x N work-items, flat. */
__kernel void gemm_epilogue(__global float *restrict C, __global const float *restrict bias,
                            __global float *restrict pre)
{
    size_t at = get_global_id(0);

    epilogue(C[at], C, at, bias, (int)(at % N), pre);
}
