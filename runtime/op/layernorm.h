/*
 * Layer normalisation with the residual addition and the dropout before it (layer 3), as in BERT's sublayers:
 *
 *     s = residual + dropout(x),  xhat = (s - mean(s)) * rstd,  y = gamma * xhat + beta,
 *     rstd = 1 / sqrt(var(s) + epsilon)
 *
 * with mean and (biased) variance over the C columns of a row. Buffers are fp32, row-major, and belong to the caller.
 */
#ifndef SP_OP_LAYERNORM_H
#define SP_OP_LAYERNORM_H

#include "runtime/op/dropout.h"

/* y may be x or residual; xhat may be y when no backward pass follows, and is otherwise a buffer of its own. */
struct sp_layernorm {
    struct sp_buffer *y, *xhat;     /* T x C, written */
    struct sp_buffer *rstd;         /* T, written */
    struct sp_buffer *x, *residual; /* T x C; residual may be NULL */
    struct sp_buffer *gamma, *beta; /* C */
    int T, C;
    float epsilon;
    struct sp_dropout dropout;
};
int sp_layernorm(struct sp_device *device, const struct sp_layernorm *args);

/* ds from dy; dresidual = ds (added to it with `accumulate`), dx = dropout(ds). Either may be NULL; either may be dy.
 * Without dropout dx may be left NULL, being equal to dresidual. The parameters' gradients are column sums of dy * xhat
 * and dy: sp_column_sum. */
struct sp_layernorm_backward {
    struct sp_buffer *dresidual, *dx;   /* T x C, written */
    struct sp_buffer *dy, *xhat, *rstd; /* T x C, T x C, T */
    struct sp_buffer *gamma;            /* C */
    int T, C;
    bool accumulate;
    struct sp_dropout dropout;
};
int sp_layernorm_backward(struct sp_device *device, const struct sp_layernorm_backward *args);

#endif
