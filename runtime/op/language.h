/*
 * The loss over a large vocabulary (layer 3): rows of logits, a row's loss being -log p of its target, with its
 * gradient in the place of the logits:
 *
 *     y = softcap * tanh(logit / softcap), or the logit itself without a soft-cap
 *     p = softmax(y / temperature)
 *     loss = -log p[target],    hit = 1 where y[target] is the largest, the first of equals; else 0
 *     dlogit = scale * d loss / d logit
 *
 * The logits are R rows of a list, those of its entries first .. first + R - 1: entry i has target targets[i] and
 * leaves loss and hit at place rows[i]. A target below 0 is none: its row has no loss, its gradient is zeros, and
 * nothing is written at its place. Sums are in a fixed order, the same in every row. Buffers are fp32 unless said, and
 * belong to the caller. Threading: as the device.
 */
#ifndef SP_OP_LANGUAGE_H
#define SP_OP_LANGUAGE_H

#include "runtime/device/device.h"

#include <stdbool.h>
#include <stddef.h>

struct sp_language {
    struct sp_buffer *logits;       /* R x classes; overwritten by the gradient where that is wanted */
    struct sp_buffer *losses, *hits; /* written at the rows' places */
    struct sp_buffer *rows;         /* uint32, as far as first + R: places, no two the same */
    struct sp_buffer *targets;      /* likewise int32, below classes: not checked */
    struct sp_buffer *workspace;    /* sp_language_workspace bytes */
    int R, classes, first;
    bool gradient;
    float softcap;     /* 0: none */
    float scale;       /* of the gradient */
    float temperature; /* 0 for 1 */
};
int sp_language(struct sp_device *device, const struct sp_language *args);

/* Bytes for at most R rows; 0 where the device needs none. */
size_t sp_language_workspace(const struct sp_device *device, int R, int classes);

#endif
