/*
 * What a run trains (layer 5): the sparse delta over the mask and the dense tensors, as the optimizer's vectors, the plan's
 * gradient sinks, and the adapter's contents.
 */
#ifndef SP_TRAIN_TRAINED_H
#define SP_TRAIN_TRAINED_H

#include "runtime/optim/optim.h"
#include "runtime/sparse/delta.h"
#include "runtime/sparse/dense.h"
#include "runtime/train/mask.h"
#include "runtime/train/run.h"

struct sp_trained {
    struct sp_mask mask; /* empty unless the method is static */
    struct sp_delta *delta;
    struct sp_trained_dense {
        size_t param;
        struct sp_buffer *gradient;
        struct sp_dense_sink sink;
    } *dense;
    size_t dense_count;
    struct sp_optim *optim;
    size_t count; /* numbers that are trained */
};

/* Makes mask, delta, gradients and optimizer, and hangs them into the plan. */
int sp_trained_create(struct sp_trained *out, struct sp_run *run);
void sp_trained_release(struct sp_trained *trained); /* safe on a zeroed one; before the plan is freed */

/* After the optimizer's step: brings the weights' layouts up to date. */
int sp_trained_apply(struct sp_trained *trained, struct sp_run *run);

/* Writes the adapter folder. */
int sp_trained_save(struct sp_trained *trained, struct sp_run *run, const char *dir);

#endif
