/*
 * The optimizer over everything that a run trains (layer 4): AdamW on a list of vectors (the sparse delta's values, the head's
 * tensors, every tensor in full fine-tuning), with clipping by their common gradient norm. State is fp32 and lies beside them.
 */
#ifndef SP_OPTIM_OPTIM_H
#define SP_OPTIM_OPTIM_H

#include "runtime/op/op.h"

#include <stdbool.h>
#include <stddef.h>

/* One trained vector; the buffers are borrowed. */
struct sp_optim_view {
    const char *name;
    struct sp_buffer *value, *gradient;
    size_t count;
    bool decay; /* weight decay acts on it */
};

struct sp_optim_options {
    double beta1, beta2, epsilon, weight_decay;
    double max_grad_norm; /* 0: no clipping */
};

struct sp_optim;

int sp_optim_create(struct sp_optim **out, struct sp_device *device, const struct sp_optim_view *views, size_t count,
                    const struct sp_optim_options *options);
void sp_optim_free(struct sp_optim *optim); /* NULL is fine */

/* The gradients' common norm before clipping, not finite when a gradient is not. Waits for the device. Comes before each step. */
int sp_optim_norm(double *out, struct sp_optim *optim);

/* One update at rate `lr` with the gradients clipped as the last sp_optim_norm found. */
int sp_optim_step(struct sp_optim *optim, double lr);

/* Bytes of the optimizer's state on the device. */
size_t sp_optim_memory(const struct sp_optim *optim);

#endif
