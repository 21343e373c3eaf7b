/*
 * SM3 (Anil et al., "Memory-Efficient Adaptive Optimization", NeurIPS 2019, algorithm SM3-II with row and column sets)
 * over the entries of a matrix (rows x cols) in one launch (layer 3), all of them or those at sorted positions:
 *
 *     u = min(R_i, C_j) + g^2;  R_i = max(R_i, u);  C_j = max(C_j, u);
 *     p -= lr g / sqrt(u + epsilon);  p *= 1 - lr decay
 *
 * with g = gradient * coefficient and every u made from R and C as they were. A vector is a matrix with one column:
 * each entry then has its own accumulator. A NaN would pass R and C by; where the coefficient is NaN, p, R and C
 * stay as they are.
 */
#ifndef SP_OP_SM3_H
#define SP_OP_SM3_H

#include "runtime/device/device.h"

struct sp_sm3 {
    struct sp_buffer *value;        /* [count], read and written */
    struct sp_buffer *accumulators; /* R, then C: rows + cols, read and written; zeros at first */
    struct sp_buffer *scratch;      /* at least rows + cols */
    struct sp_buffer *gradient;     /* [count] */
    struct sp_buffer *positions;    /* [count] uint32, i * cols + j; NULL: all entries in order */
    struct sp_buffer *norm;         /* as sp_norm_finish leaves it: its coefficient scales the gradient; NULL means 1 */
    size_t count;
    int rows, cols;
    double lr, epsilon, decay;
};
int sp_sm3(struct sp_device *device, const struct sp_sm3 *args);

#endif
