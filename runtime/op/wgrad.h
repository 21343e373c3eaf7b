/*
 * Gradient sinks (layer 3): what becomes of a linear layer's weight gradient dW = dY^T X (out x in). The plan's
 * backward walk calls the weight's sink and knows nothing of what it keeps; a sink knows nothing of the plan. Sinks are
 * runtime/sparse's.
 */
#ifndef SP_OP_WGRAD_H
#define SP_OP_WGRAD_H

#include "runtime/device/device.h"

#include <stdbool.h>

/* Token-contiguous copies of X and dY, made when a sink asks for them and shared by the sinks that read the same X. */
struct sp_wgrad_transposed {
    struct sp_buffer *xt, *dyt;       /* room for the widest X and dY at the most tokens */
    const struct sp_buffer *x_in_xt;  /* whose transpose xt holds now; NULL for none */
};

struct sp_wgrad_input {
    struct sp_buffer *dy, *x; /* (tokens x out), (tokens x in); dy is NULL where only inputs are observed */
    int tokens, out, in;
    bool accumulate; /* add to what the sink holds of earlier micro-batches of the step */
    /* A layer that is computed in slices of its rows calls once for each, one right after the other, and its dW is
     * their sum: this is not the first one; more are to come. `accumulate` is of all of them. */
    bool goes_on, more;
    struct sp_wgrad_transposed *transposed;
};

/* A weight's sink: embed it first in a struct with the sink's own state. */
struct sp_wgrad_sink {
    int (*add)(struct sp_wgrad_sink *sink, struct sp_device *device, const struct sp_wgrad_input *input);
};

#endif
