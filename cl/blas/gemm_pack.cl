// lint: -DNR=32 -DTRANSPOSED=0
// lint: -DNR=32 -DTRANSPOSED=1
/*
 * Panels [columns / NR][depth][NR] for gemm_packed.cl from a row-major W (out x in), the last panel padded with zeros:
 * B(k, j) = W[j][k] for Y = X W^T (columns = out, depth = in), or with TRANSPOSED B(k, j) = W[k][j] for dX = dY W.
 */

/* Grid: (depth, panels): drivers for CPUs walk along the first, so that lines of cache that a panel lies in are read
 * once. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_pack(__global const float *restrict w, __global float *restrict panels, int out, int in)
{
    int k = (int)get_global_id(0), p = (int)get_global_id(1);
    int columns = TRANSPOSED ? in : out, depth = TRANSPOSED ? out : in;

    for (int v = 0; v < NR; v++) {
        int j = p * NR + v;
        size_t from = TRANSPOSED ? (size_t)k * in + j : (size_t)j * in + k;

        panels[((size_t)p * depth + k) * NR + v] = j < columns ? w[from] : 0.0f;
    }
}
