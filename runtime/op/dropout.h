/*
 * Dropout (layer 3): each element is kept with probability 1 - p and scaled by 1 / (1 - p), else 0. The random word of
 * an element is a pure function of (seed, step, node, element): cl/lib/philox.h; forward and backward are the same
 * function and nothing is stored. Buffers belong to the caller.
 */
#ifndef SP_OP_DROPOUT_H
#define SP_OP_DROPOUT_H

#include "runtime/device/device.h"

/* Which words are drawn. p = 0 means no dropout; p < 1. The element of row t and column c is t * C + c. */
struct sp_dropout {
    float p;
    uint64_t seed;
    uint32_t step, node; /* `node` tells the plan's dropouts apart */
};

/* out = dropout(in), both `count` floats; out may be in. */
struct sp_dropout_apply {
    struct sp_buffer *out, *in;
    size_t count;
    struct sp_dropout dropout;
};
int sp_dropout_apply(struct sp_device *device, const struct sp_dropout_apply *args);

/* For ops with dropout inside: adds -DDROPOUT and, after the kernel's other arguments, cl/lib/dropout.h's
 * DROPOUT_PARAMETERS. */
struct sp_launch;
void sp_dropout_launch(struct sp_launch *launch, const struct sp_dropout *dropout);

/* The reference: 0 or 1 / (1 - p). */
double sp_dropout_factor(const struct sp_dropout *dropout, uint64_t element);

#endif
