// lint: -DN=400 -DK=384 -DLDA=384 -DMR=12 -DNV=2 -DKC=256 -DMB=96 -DBIAS=1 -DACTIVATION=1 -DACTIVATE=1 -DSAVE_PRE=1
// lint: -DN=384 -DK=384 -DLDA=384 -DMR=12 -DNV=2 -DKC=256 -DMB=96 -DACTIVATION=1 -DACTIVATION_BACKWARD=1
// lint: -DN=37 -DRUNTIME_K -DA_K_MAJOR -DB_ROWS -DLDA=37 -DMR=12 -DNV=2 -DKC=256 -DMB=96 -DACTIVATION=0 -DACCUMULATE=1
/*
 * C (m x N) = epilogue(A (m x k) B (k x N)), fp32, for CPUs: one work-item per group, no local memory, no barrier.
 *
 * A work-item owns MB rows and one panel of NR = 16 NV columns of C. It walks k in blocks of KC, so that the panel's
 * block (KC x NR floats) stays in the first-level cache while MR rows at a time are accumulated in registers: MR x NV
 * float16 accumulators, each step NV vector loads of B and MR broadcasts of A. A is read where it lies; its leading
 * dimension is a compile-time constant, which turns the MR row addresses into displacements of one pointer.
 *
 * B is in panels [N / NR][k][NR], the last one padded with zeros, or row-major (B_ROWS).
 * A is row-major, or with A_K_MAJOR stored as (k x m). K is the compile-time k, or RUNTIME_K takes the argument.
 * The last block of rows is moved back to end at row m, so that it is full and reads no row that does not exist; it
 * stores only rows that are its own. Where there are fewer than MR rows, and in a last panel that is not full, rows are
 * done one by one: a register tile with partial vectors would take seconds to compile.
 */
#include "act/activation.h"
#include "lib/vector.h"

#define NR (16 * NV)
#ifdef RUNTIME_K
#define KK k_runtime
#else
#define KK K
#endif
#ifdef A_K_MAJOR
#define A_INDEX(i, k) ((size_t)(k) * LDA + (i))
#else
#define A_INDEX(i, k) ((size_t)(i) * LDA + (k))
#endif
#define HAS_TAIL (N % NR != 0)

/* `left` columns of the panel exist: a literal, so that only the path that is needed is compiled. */
#define LOAD(p, v, left) ((left) >= 16 * (v) + 16 ? vload16(v, p) : load_tail((p) + 16 * (v), (left) - 16 * (v)))
#define STORE(x, p, v, left)                                                                                           \
    do {                                                                                                               \
        if ((left) >= 16 * (v) + 16)                                                                                   \
            vstore16(x, v, p);                                                                                         \
        else                                                                                                           \
            store_tail(x, (p) + 16 * (v), (left) - 16 * (v));                                                          \
    } while (0)

/* What C's accumulators start from: the earlier blocks of k, the old C, the bias, or zero. */
static inline float16 start(__global const float *c, __global const float *bias, int v, int left, int first)
{
#ifdef ACCUMULATE
    return LOAD(c, v, left);
#else
    if (!first)
        return LOAD(c, v, left);
#ifdef BIAS
    return LOAD(bias, v, left);
#else
    return (float16)(0.0f);
#endif
#endif
}

/* The activation over the tile's finished rows, read back from the first-level cache: a loop of its own keeps the
 * polynomials from being unrolled with the register tile. With SAVE_PRE `pre` keeps what C held before. */
static inline void activate(__global float *c, __global float *pre, int own, int rows, int left)
{
#if defined(ACTIVATE) || defined(ACTIVATION_BACKWARD)
    _Pragma("unroll 1") for (int i = own; i < rows; i++)
        _Pragma("unroll 1") for (int v = 0; v < NV && 16 * v < left; v++)
        {
            __global float *to = c + (size_t)i * N;
            float16 x = LOAD(to, v, left);

#ifdef SAVE_PRE
            STORE(x, pre + (size_t)i * N, v, left);
#endif
#ifdef ACTIVATE
            x = activation_v16(x);
#else
            x *= activation_gradient_v16(LOAD(pre + (size_t)i * N, v, left));
#endif
            STORE(x, to, v, left);
        }
#endif
}

/* One register tile: rows [0, ROWS) of A and C, of which those from `own` on are stored. */
#define TILE(NAME, ROWS)                                                                                               \
    static inline void NAME(__global const float *a, __global const float *b, __global float *c,                       \
                            __global const float *bias, __global float *pre, int k0, int k1, int k_end, int own,       \
                            int left)                                                                                  \
    {                                                                                                                  \
        float16 sum[ROWS][NV];                                                                                         \
                                                                                                                       \
        _Pragma("unroll") for (int i = 0; i < ROWS; i++)                                                               \
            _Pragma("unroll") for (int v = 0; v < NV; v++)                                                             \
                sum[i][v] = i < own ? (float16)(0.0f) : start(c + (size_t)i * N, bias, v, left, k0 == 0);              \
        _Pragma("unroll 1") for (int k = k0; k < k1; k++)                                                              \
        {                                                                                                              \
            float16 y[NV];                                                                                             \
                                                                                                                       \
            _Pragma("unroll") for (int v = 0; v < NV; v++) y[v] = LOAD_B(b, k, v, left);                               \
            _Pragma("unroll") for (int i = 0; i < ROWS; i++)                                                           \
            {                                                                                                          \
                float16 x = a[A_INDEX(i, k)];                                                                          \
                                                                                                                       \
                _Pragma("unroll") for (int v = 0; v < NV; v++) sum[i][v] = fma(x, y[v], sum[i][v]);                    \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("unroll") for (int i = 0; i < ROWS; i++)                                                               \
            if (i >= own)                                                                                              \
                _Pragma("unroll") for (int v = 0; v < NV; v++)                                                         \
                    STORE(sum[i][v], c + (size_t)i * N, v, left);                                                      \
        if (k1 == k_end)                                                                                               \
            activate(c, pre, own, ROWS, left);                                                                         \
    }

#ifdef B_ROWS
#define LOAD_B(b, k, v, left) LOAD((b) + (size_t)(k) * N, v, left)
#else
#define LOAD_B(b, k, v, left) vload16(v, (b) + (size_t)(k) * NR)
#endif
TILE(tile_rows, MR)
TILE(tile_row, 1)

/* A work-item's rows of one panel, one by one; `left` is a literal. */
static inline void single_rows(__global const float *A, __global const float *b, __global float *C,
                               __global const float *bias, __global float *pre, int row0, int row1, int k_end, int left)
{
    for (int k0 = 0; k0 < k_end; k0 += KC)
        for (int r = row0; r < row1; r++)
            tile_row(A + A_INDEX(r, 0), b, C + (size_t)r * N, bias, pre + (size_t)r * N, k0, min(k0 + KC, k_end), k_end,
                     0, left);
}

/* A work-item's rows of one full panel, MR at a time. */
static inline void panel(__global const float *A, __global const float *b, __global float *C,
                         __global const float *bias, __global float *pre, int row0, int row1, int m, int k_end)
{
    for (int k0 = 0; k0 < k_end; k0 += KC)
        for (int r = row0; r < row1; r += MR) {
            int from = min(r, m - MR);

            tile_rows(A + A_INDEX(from, 0), b, C + (size_t)from * N, bias, pre + (size_t)from * N, k0,
                      min(k0 + KC, k_end), k_end, r - from, NR);
        }
}

/* Grid: (panels, blocks of MB rows). `bias` (N) and `pre` (m x N) are read or written as the defines say. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_packed(__global const float *restrict A, __global const float *restrict B, __global float *restrict C,
                 __global const float *restrict bias, __global float *restrict pre, int m, int k_runtime)
{
    int column = (int)get_global_id(0) * NR, row0 = (int)get_global_id(1) * MB, row1 = min(row0 + MB, m);
#ifdef B_ROWS
    __global const float *b = B + column;
#else
    __global const float *b = B + (size_t)get_global_id(0) * KK * NR;
#endif

#if HAS_TAIL
    if (column + NR > N) {
        single_rows(A, b, C + column, bias + column, pre + column, row0, row1, KK, N % NR);
        return;
    }
#endif
    if (m < MR)
        single_rows(A, b, C + column, bias + column, pre + column, row0, row1, KK, NR);
    else
        panel(A, b, C + column, bias + column, pre + column, row0, row1, m, KK);
}
