/*
 * What is added to a linear layer's output (layer 3): y = act(x W^T + b + f(x)). The plan's linear node calls the
 * weight's addition, which travels in the pass, and knows nothing of f; the addition knows nothing of the plan. So a
 * method can train beside a weight that it cannot, or does not, change.
 */
#ifndef SP_OP_ADDITION_H
#define SP_OP_ADDITION_H

#include "runtime/device/device.h"
#include "runtime/op/dropout.h"

#include <stdbool.h>

struct sp_addition_input {
    /* (tokens x in), (tokens x out); y in forward alone; x is NULL in a `fixed` backward where it is not kept */
    struct sp_buffer *x, *y;
    struct sp_buffer *dy, *dx; /* likewise, in backward; dx is NULL where nobody wants it */
    int tokens, out, in;
    /* backward: add to its gradients of earlier micro-batches, or of another layer of the same weight */
    bool accumulate;
    bool fixed; /* backward: its own gradients are not wanted, and stay as they are */
    /* Whether the pass has dropout, and which words one of the addition's draws, whose p it fills in: backward those of
     * its forward, and no other layer or pass the same. */
    bool dropout;
    struct sp_dropout words;
};

/* A weight's addition: embed it first in a struct with the addition's own state, and memory for its scratch by the
 * plan's limits (sp_run.limits). */
struct sp_addition {
    /* y += f(x) */
    int (*forward)(struct sp_addition *addition, struct sp_device *device, const struct sp_addition_input *input);
    /* dx += (df / dx)^T dy, and the gradients of the addition's own parameters, stored or added to */
    int (*backward)(struct sp_addition *addition, struct sp_device *device, const struct sp_addition_input *input);
    /* 1 and a name for messages, such as "lora_A of " with the weight's, where one of its own parameters holds a number
     * that is not finite; 0; or an error. NULL: it has none that could */
    int (*find_not_finite)(struct sp_addition *addition, char *name, size_t size);
    bool fixed;               /* in every pass, as what a loaded adapter adds is */
    struct sp_addition *next; /* another one of the weight; NULL: none */
};

#endif
