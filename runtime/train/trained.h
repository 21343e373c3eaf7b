/*
 * What a run trains (layer 5): the sparse delta over the mask and the dense tensors, as the optimizer's views, the gradients of
 * a plan's pass, and the adapter's contents. A mask moves as its method says (method.h).
 */
#ifndef SP_TRAIN_TRAINED_H
#define SP_TRAIN_TRAINED_H

#include "runtime/optim/optim.h"
#include "runtime/sparse/delta.h"
#include "runtime/sparse/dense.h"
#include "runtime/train/mask.h"
#include "runtime/train/run.h"

struct sp_method;

struct sp_trained {
    struct sp_mask mask; /* empty without a sparse method */
    struct sp_delta *delta;
    const struct sp_method *method;
    void *state; /* the method's own */
    bool merges; /* old masks' changes stay in the weights: the adapter holds every position that was ever in the mask */
    struct sp_touched {
        uint32_t *positions; /* ever in the mask, sorted */
        float *originals;    /* the pretrained weights there, when the method merges */
        size_t count;
    } *touched; /* one a target, when the mask may move */
    struct sp_trained_dense {
        size_t param;
        struct sp_buffer *gradient;
        struct sp_dense_sink sink;
    } *dense;
    size_t dense_count;
    struct sp_param_gradient *gradients; /* [parameters of the plan]: where a step's passes put them */
    struct sp_optim *optim;
    size_t count; /* numbers that are trained */
    size_t total; /* optimizer steps of the run */
};

/* Makes mask, delta, gradients and optimizer for a run of `total` steps. */
int sp_trained_create(struct sp_trained *out, struct sp_run *run, size_t total);
void sp_trained_release(struct sp_trained *trained); /* safe on a zeroed one; before the plan is freed */

/* After the optimizer's step: brings the weights' layouts up to date. */
int sp_trained_apply(struct sp_trained *trained, struct sp_run *run);

/* Around step done + 1, and after it, with `done` steps done: the method's hooks. A mask that moved is told in *change. */
struct sp_mask_change {
    bool moved;
    size_t kept, dropped, added, touched, size; /* entries; touched: in the mask at any time so far */
};
int sp_trained_before_step(struct sp_trained *trained, struct sp_run *run, size_t done);
int sp_trained_after_step(struct sp_trained *trained, struct sp_run *run, size_t done, struct sp_mask_change *change);

/* Puts the delta's sinks among the gradients. */
void sp_trained_hang(struct sp_trained *trained);

/* For methods: a new mask of the same targets. */
struct sp_trained_seed {
    float *mean, *square; /* of the gradients of the entries that are new, in order */
};
struct sp_trained_move {
    struct sp_mask *next; /* taken, and left empty */
    /* true: all values become part of the weights and start again at 0, the optimizer's state with them. false: entries that leave
     * get their pretrained weight back bit for bit, those that stay keep value and state. */
    bool merge;
    const struct sp_trained_seed *seeds; /* one a target, from `age` steps, for the optimizer; NULL: none */
    uint32_t age;
};
int sp_trained_move(struct sp_trained *trained, struct sp_run *run, const struct sp_trained_move *move,
                    struct sp_mask_change *change);

/* The end of training, before the adapter is saved: with a method that merges, mask and delta become those of every position
 * that was ever in the mask, and the weights exactly what that adapter gives. There are no steps after it. */
int sp_trained_finish(struct sp_trained *trained, struct sp_run *run);

/* Writes the adapter folder. Where the base model's file was written to meanwhile, it fails with *written all the same. */
int sp_trained_save(bool *written, struct sp_trained *trained, struct sp_run *run, const char *dir);

#endif
