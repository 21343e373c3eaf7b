/*
 * The optimizer over everything that a run trains (layer 4): one of optimizer.def on a list of views (a tensor's delta,
 * the head's tensors, every tensor in full fine-tuning), with clipping by their common gradient norm. State is fp32 and
 * lies beside them. Threading: as the device.
 */
#ifndef SP_OPTIM_OPTIM_H
#define SP_OPTIM_OPTIM_H

#include "runtime/base/option.h"
#include "runtime/base/remap.h"
#include "runtime/op/op.h"
#include "runtime/tensor/state.h"

#include <stdbool.h>
#include <stddef.h>

/* What is trained of one tensor; the buffers are borrowed. A vector has one column. */
struct sp_optim_view {
    const char *name;
    struct sp_buffer *value, *gradient; /* [count]; with a count of 0 they may be NULL */
    size_t count;
    int rows, cols;              /* of the tensor */
    struct sp_buffer *positions; /* [count] uint32: which of its entries; NULL: all, in order */
    bool decay;                  /* weight decay acts on it */
    bool moving;                 /* entries come and go (sp_optim_move): each has its own age */
};

#define SP_OPTIM_GROUP "Training" /* of options, in their listings */

struct sp_optim_options {
    double beta1, beta2, epsilon; /* AdamW's */
    double weight_decay;
    double max_grad_norm; /* 0: no clipping */
};

struct sp_optimizer;
struct sp_optim;

/* The optimizer of that name, or NULL. */
const struct sp_optimizer *sp_optimizer_find(const char *name);

/* Bytes of the state that it will keep of such a view, of which count, rows, cols and moving are read. */
size_t sp_optimizer_memory(const struct sp_optimizer *optimizer, const struct sp_optim_view *view);

int sp_optim_create(struct sp_optim **out, struct sp_device *device, const struct sp_optimizer *optimizer,
                    const struct sp_optim_view *views, size_t count, const struct sp_optim_options *options);
void sp_optim_free(struct sp_optim *optim); /* NULL is fine */

/* Before each step: the gradients' common norm before clipping, not finite when a gradient is not, and the coefficient,
 * on the device (sp_optim_norm_buffer). Where the norm or one of the step's losses is not finite, this step and those
 * after it leave values and state as they are, to the bit (norm.h). */
int sp_optim_norm(struct sp_optim *optim, struct sp_buffer *losses, size_t loss_count);

/* After a norm that is not finite: the first view whose squares are not, or NULL where only their sum is too large, and
 * whether its gradient is finite all the same. */
int sp_optim_find_not_finite(const char **name, bool *finite, struct sp_optim *optim);

/* The norm and the coefficient, as sp_norm_finish leaves them. */
struct sp_buffer *sp_optim_norm_buffer(const struct sp_optim *optim);

/* One update at rate `lr` with the gradients clipped as the last sp_optim_norm found. */
int sp_optim_step(struct sp_optim *optim, double lr);

/* A view whose entries have changed. */
struct sp_optim_move {
    struct sp_optim_view view; /* as it is now; rows and cols as before */
    const uint32_t *from;      /* [view.count]: the entry that each was before, or SP_REMAP_NEW */
    /* The gradients' mean and mean square over the last `age` steps for the new entries in their order: bias correction
     * then gives these means. NULL: new entries start from nothing. */
    const float *mean, *square;
    uint32_t age;
    bool anew; /* everything starts from nothing, and so does what belongs to no entry; `from` is all SP_REMAP_NEW */
};

/* Moves view i's state along; the view must be `moving`. */
int sp_optim_move(struct sp_optim *optim, size_t i, const struct sp_optim_move *move);

/* SM3's accumulators of view i, to the host: rows, then cols. SP_EINVAL for another optimizer. Waits for the device. */
int sp_optim_accumulators(float *out, struct sp_optim *optim, size_t i);

/* The first view whose state is no longer finite, so that its entries stand still; NULL where there is none. Only sums
 * of squares, SM3's, can become so while each step's norm is finite: AdamW's moments are means of what the norm has
 * seen. */
int sp_optim_find_stuck(const char **name, struct sp_optim *optim);

/* The state: the steps done, and what is kept of each view. The views' counts must be those of when it was kept. */
int sp_optim_visit(struct sp_optim *optim, struct sp_state *state);

/* Bytes of the state of the first `views` views on the device. */
size_t sp_optim_memory(const struct sp_optim *optim, size_t views);

#endif
