/*
 * Losses (layer 3), each with the gradient of its scaled sum, scale * sum over b of loss_b, in the same pass:
 *
 *     cross-entropy  loss_b = -sum over k of q_k log softmax(logits_b)_k,
 *                    q = (1 - smoothing) * onehot(label) + smoothing / classes
 *     squared error  loss_b = (output_b - target_b)^2
 *
 * logits and outputs are divided by `temperature` first, and the gradient is that of what was given.
 *
 * Sums are in a fixed order. Buffers are fp32 unless said, and belong to the caller.
 */
#ifndef SP_OP_LOSS_H
#define SP_OP_LOSS_H

#include "runtime/device/device.h"

struct sp_cross_entropy {
    struct sp_buffer *dlogits; /* B x classes, written; NULL when no gradient is wanted */
    struct sp_buffer *rows;    /* B, written: loss_b */
    struct sp_buffer *logits;  /* B x classes */
    struct sp_buffer *labels;  /* B uint32 < classes, not checked */
    int B, classes;
    float smoothing, scale;
    float temperature; /* 0 for 1 */
};
int sp_cross_entropy(struct sp_device *device, const struct sp_cross_entropy *args);

struct sp_squared_error {
    struct sp_buffer *doutput; /* B, written; NULL when no gradient is wanted */
    struct sp_buffer *rows;    /* B, written: loss_b */
    struct sp_buffer *output;  /* B */
    struct sp_buffer *targets; /* B */
    int B;
    float scale;
    float temperature; /* 0 for 1 */
};
int sp_squared_error(struct sp_device *device, const struct sp_squared_error *args);

/* total = scale * the sum of rows: scale = 1 / B gives the mean. */
struct sp_loss_total {
    struct sp_buffer *total; /* 1, written */
    struct sp_buffer *rows;  /* B */
    int B;
    float scale;
};
int sp_loss_total(struct sp_device *device, const struct sp_loss_total *args);

#endif
