// lint: -DN=384 -DK=384 -DACTIVATION=1 -DACTIVATE=1 -DBIAS=1 -DSAVE_PRE=1 -DTM=64 -DTN=64 -DTK=16 -DWM=4 -DWN=4
// lint: -DN=384 -DK=384 -DACTIVATION=1 -DACTIVATION_BACKWARD=1 -DB_ROWS=1 -DTM=64 -DTN=64 -DTK=16 -DWM=4 -DWN=4
// lint: -DN=37 -DRUNTIME_K -DA_K_MAJOR -DB_ROWS -DACTIVATION=0 -DACCUMULATE=1 -DTM=64 -DTN=64 -DTK=16 -DWM=4 -DWN=4
/*
 * C (m x N) = epilogue(A (m x k) B (k x N)), fp32, for GPUs: a work-group of (TM / WM) x (TN / WN) work-items computes
 * a TM x TN tile of C through tiles of A and B in local memory, each work-item a WM x WN part of it in registers.
 *
 * B is the weight as it lies: W (N x k) row-major, B(k, j) = W[j][k], or with B_ROWS (k x N) row-major. A is row-major,
 * or with A_K_MAJOR stored as (k x m). Work-items step through a tile with stride (TM / WM), so that neighbours touch
 * neighbouring banks; a padding column keeps the transposing writes free of conflicts.
 */
#include "blas/epilogue.h"

#ifdef RUNTIME_K
#define KK k_runtime
#else
#define KK K
#endif
#ifdef A_K_MAJOR
#define A_AT(i, k) A[(size_t)(k) * m + (i)]
#else
#define A_AT(i, k) A[(size_t)(i) * KK + (k)]
#endif
#ifdef B_ROWS
#define B_AT(k, j) B[(size_t)(k) * N + (j)]
#else
#define B_AT(k, j) B[(size_t)(j) * KK + (k)]
#endif
#define GM (TM / WM)
#define GN (TN / WN)

/* Grid: (tiles of columns x GN, tiles of rows x GM), groups of GN x GM. */
__kernel __attribute__((reqd_work_group_size(GN, GM, 1)))
void gemm_tiled(__global const float *restrict A, __global const float *restrict B, __global float *restrict C,
                __global const float *restrict bias, __global float *restrict pre, int m, int k_runtime)
{
    __local float a[TK][TM + 1], b[TK][TN + 1];
    int ln = (int)get_local_id(0), lm = (int)get_local_id(1), lane = lm * GN + ln;
    int row0 = (int)get_group_id(1) * TM, column0 = (int)get_group_id(0) * TN;
    float sum[WM][WN];

    for (int i = 0; i < WM; i++)
        for (int j = 0; j < WN; j++)
            sum[i][j] = 0.0f;
    for (int k0 = 0; k0 < KK; k0 += TK) {
        for (int e = lane; e < TK * TM; e += GM * GN) {
#ifdef A_K_MAJOR
            int i = e % TM, k = e / TM; /* neighbours read neighbours */
#else
            int i = e / TK, k = e % TK;
#endif
            a[k][i] = row0 + i < m && k0 + k < KK ? A_AT(row0 + i, k0 + k) : 0.0f;
        }
        for (int e = lane; e < TK * TN; e += GM * GN) {
#ifdef B_ROWS
            int j = e % TN, k = e / TN;
#else
            int j = e / TK, k = e % TK;
#endif
            b[k][j] = column0 + j < N && k0 + k < KK ? B_AT(k0 + k, column0 + j) : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < TK; k++)
            for (int i = 0; i < WM; i++)
                for (int j = 0; j < WN; j++)
                    sum[i][j] = fma(a[k][lm + i * GM], b[k][ln + j * GN], sum[i][j]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int i = 0; i < WM; i++)
        for (int j = 0; j < WN; j++) {
            int row = row0 + lm + i * GM, column = column0 + ln + j * GN;

            if (row < m && column < N)
                epilogue(sum[i][j], C, (size_t)row * N + column, bias, column, pre);
        }
}
