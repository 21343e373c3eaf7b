// lint: -DD=32 -DH=12
/*
 * Attention without softmax, out_i = scale sum_j (a_i . b_j) c_j within each sequence, which owns rows by bounds in out
 * and a, by key_bounds in b and c; runtime/op/linear_attention.h has its use. Rows have C = H D columns; head h owns [h
 * D, h D + D). Grid: (longest, H, sequences): a work-item owns a row and head, so sums have one fixed order. Synaptic
 * flow runs it on a single token, once: it is written to be read, not to be fast.
 */
#define C (H * D)

__kernel void linear_attention(__global float *restrict out, __global const float *a, __global const float *b,
                               __global const float *c, __global const uint *bounds, __global const uint *key_bounds,
                               float scale)
{
    int i = (int)get_global_id(0), h = (int)get_global_id(1);

    bounds += get_global_id(2);
    key_bounds += get_global_id(2);

    size_t row = ((size_t)bounds[0] + (size_t)i) * C + (size_t)h * D,
           origin = (size_t)key_bounds[0] * C + (size_t)h * D;
    int length = (int)(key_bounds[1] - key_bounds[0]);
    float sum[D];

    if (i >= (int)(bounds[1] - bounds[0]))
        return;
    for (int d = 0; d < D; d++)
        sum[d] = 0.0f;
    for (int j = 0; j < length; j++) {
        size_t other = origin + (size_t)j * C;
        float product = 0.0f;

        for (int d = 0; d < D; d++)
            product += a[row + d] * b[other + d];
        product *= scale;
        for (int d = 0; d < D; d++)
            sum[d] += product * c[other + d];
    }
    for (int d = 0; d < D; d++)
        out[row + d] = sum[d];
}
