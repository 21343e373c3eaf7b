/*
 * What a run trains (layer 5): its parts (part.h), as the optimizer's views, the gradients of a plan's pass, and the
 * adapter's contents.
 */
#ifndef SP_TRAIN_TRAINED_H
#define SP_TRAIN_TRAINED_H

#include "runtime/optim/optim.h"
#include "runtime/train/run.h"

struct sp_mask;
struct sp_method;

enum {
    SP_PARTS = 0 /* how many there are */
#define SP_PART(name) +1
#include "runtime/train/part.def"
#undef SP_PART
};

struct sp_trained {
    const struct sp_method *method;
    struct sp_addition **attached; /* [parameters]: the run's additions without those of the parts */
    void *state;           /* the method's own */
    void *parts[SP_PARTS]; /* each part's state; NULL: the run trains nothing of the kind */
    /* the gradients of everything, one vector; between the places of the views' stand zeros, and behind one that a
     * moving mask has made shorter what it held before */
    struct sp_buffer *gradient;
    struct sp_optim_view *views; /* the optimizer's; their gradients are views of that vector, and owned here */
    size_t view_count, view_room;
    struct sp_optim *optim;
    size_t count; /* numbers that are trained */
    size_t total; /* optimizer steps of the run */
};

/* Before the long work: SP_ECONFIG where the configuration leaves a part nothing to train. The plan is built. */
int sp_trained_check(const struct sp_run *run);

/* Whether the run has parameters of that role; the roles are assigned. */
bool sp_trained_has(const struct sp_run *run, enum sp_param_role role);

/* Bytes that the run's optimizer will keep of such a view on the device; its count, rows, cols and moving are read. */
size_t sp_trained_state(const struct sp_run *run, const struct sp_optim_view *view);

/* Whether a sink of the run's parts reads transposed X and dY. Its roles are assigned. */
bool sp_trained_transposes(const struct sp_run *run);

/* Makes the parts, their gradients and the optimizer for a run of `total` steps, and hangs them into its passes. */
int sp_trained_create(struct sp_trained *out, struct sp_run *run, size_t total);
/* safe on a zeroed one; before the run is closed */
void sp_trained_release(struct sp_trained *trained, struct sp_run *run);

/* After the optimizer's step: brings the weights' layouts up to date. */
int sp_trained_apply(struct sp_trained *trained, struct sp_run *run);

/* Whether step done + 1 must wait for the numbers of the step before it, and its own before its
 * sp_trained_after_step. */
bool sp_trained_waits(const struct sp_trained *trained, const struct sp_run *run, size_t done);

/* Around step done + 1, and after it, with `done` steps done: the method's hooks. A mask that moved is told in
 * *change. */
struct sp_mask_change {
    bool moved;
    const struct sp_mask *mask; /* as it is now; borrowed, until it moves again */
    size_t kept, dropped, added, touched, size; /* entries; touched: in the mask at any time so far */
};
int sp_trained_before_step(struct sp_trained *trained, struct sp_run *run, size_t done);
int sp_trained_after_step(struct sp_trained *trained, struct sp_run *run, size_t done, struct sp_mask_change *change);

/* The state of all of it between two steps. It may be restored in a run of the same configuration, whatever its mask
 * is. */
int sp_trained_visit(struct sp_trained *trained, struct sp_run *run, struct sp_state *visitor);

/* The end of training, before the adapter is saved: with a method that merges, mask and delta become those of every
 * position that was ever in the mask, and the weights exactly what that adapter gives. There are no steps after it. */
int sp_trained_finish(struct sp_trained *trained, struct sp_run *run);

/* Writes the adapter folder. Where the base model's file was written to meanwhile, it fails with *written all the
 * same. */
int sp_trained_save(bool *written, struct sp_trained *trained, struct sp_run *run, const char *dir);

#endif
