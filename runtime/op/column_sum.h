/*
 * Sums over rows (layer 3), for the gradients of biases and of norms' parameters:
 *
 *     out[c] = sum over t of in[t][c] * factor[t][c] * scale[t]
 *
 * Rows are summed in blocks of a fixed size, then the blocks in order: the same bits on every run.
 */
#ifndef SP_OP_COLUMN_SUM_H
#define SP_OP_COLUMN_SUM_H

#include "runtime/device/device.h"

struct sp_column_sum {
    struct sp_buffer *out;        /* C, written, or added to with `accumulate` */
    struct sp_buffer *in;         /* T x C */
    struct sp_buffer *factor;     /* T x C, or NULL for 1 */
    struct sp_buffer *scale;      /* T, with a factor, or NULL for 1 */
    struct sp_buffer *workspace;  /* sp_column_sum_workspace(T, C) bytes, overwritten */
    int T, C;
    bool accumulate;
};
int sp_column_sum(struct sp_device *device, const struct sp_column_sum *args);

size_t sp_column_sum_workspace(int T, int C);

#endif
