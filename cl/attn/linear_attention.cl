// lint: -DD=32 -DH=12 -DG=1 -DCAUSAL=0 -DOF_KEYS=0
// lint: -DD=20 -DH=6 -DG=3 -DCAUSAL=1 -DOF_KEYS=1
/*
 * Attention without softmax, out_i = scale sum_j (a_i . b_j) c_j within each sequence, which owns rows by bounds in out
 * and a, by key_bounds in b and c; runtime/op/linear_attention.h has its use. i are queries, with H heads of D columns,
 * and j keys, with H / G; or OF_KEYS the other way about. CAUSAL as in attention.cl. Grid: (longest, heads of i,
 * sequences): a work-item owns a row and head, so sums have one fixed order. Synaptic flow runs it on a single token,
 * once: it is written to be read, not to be fast.
 */
#if OF_KEYS
#define HEADS (H / G)
#define OTHER_HEADS H
#else
#define HEADS H
#define OTHER_HEADS (H / G)
#endif

__kernel void linear_attention(__global float *restrict out, __global const float *a, __global const float *b,
                               __global const float *c, __global const uint *bounds, __global const uint *key_bounds,
                               float scale, int window)
{
    int i = (int)get_global_id(0), h = (int)get_global_id(1);

    bounds += get_global_id(2);
    key_bounds += get_global_id(2);

    int rows = (int)(bounds[1] - bounds[0]), length = (int)(key_bounds[1] - key_bounds[0]);
    int ahead = OF_KEYS ? rows - length : length - rows; /* keys before the first query's last */
    size_t row = (((size_t)bounds[0] + (size_t)i) * HEADS + (size_t)h) * D;
    float sum[D];

    if (i >= rows)
        return;
    for (int d = 0; d < D; d++)
        sum[d] = 0.0f;
    for (int g = 0; g < (OF_KEYS ? G : 1); g++)
        for (int j = 0; j < length; j++) {
            size_t other = (((size_t)key_bounds[0] + (size_t)j) * OTHER_HEADS +
                            (size_t)(OF_KEYS ? h * G + g : h / G)) * D;
            int distance = (OF_KEYS ? j - i : i - j) + ahead;
            float product = 0.0f;

            if (CAUSAL && (distance < 0 || distance >= window))
                continue;
            for (int d = 0; d < D; d++)
                product += a[row + d] * b[other + d];
            product *= scale;
            for (int d = 0; d < D; d++)
                sum[d] += product * c[other + d];
        }
    for (int d = 0; d < D; d++)
        out[row + d] = sum[d];
}
