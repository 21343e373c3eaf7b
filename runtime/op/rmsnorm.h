/*
 * RMS normalisation (layer 3) of R rows of C columns, as in LLaMA's layers:
 *
 *     y = (offset + gamma) * xhat,  xhat = x * rstd,  rstd = 1 / sqrt(mean(x^2) + epsilon)
 *
 * with the mean over the columns of a row; offset is 0, or 1 in Gemma's. Rows may be a token's heads, one after the
 * other, which share gamma. Buffers are fp32, row-major, and belong to the caller.
 */
#ifndef SP_OP_RMSNORM_H
#define SP_OP_RMSNORM_H

#include "runtime/device/device.h"

#include <stdbool.h>

/* y may be x when no backward pass follows. */
struct sp_rmsnorm {
    struct sp_buffer *y;     /* R x C, written */
    struct sp_buffer *rstd;  /* R, written */
    struct sp_buffer *x;     /* R x C */
    struct sp_buffer *gamma; /* C */
    int R, C;
    float epsilon, offset;
};
int sp_rmsnorm(struct sp_device *device, const struct sp_rmsnorm *args);

/* dx from dy, or added to it with `accumulate`; without, dx may be dy. gamma's gradient is the column sum of dy * x in
 * rows scaled by rstd: sp_column_sum. */
struct sp_rmsnorm_backward {
    struct sp_buffer *dx;           /* R x C, written */
    struct sp_buffer *dy, *x, *rstd; /* R x C, R x C, R */
    struct sp_buffer *gamma;        /* C */
    int R, C;
    float offset;
    bool accumulate;
};
int sp_rmsnorm_backward(struct sp_device *device, const struct sp_rmsnorm_backward *args);

#endif
