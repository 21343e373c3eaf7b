/*
 * The sparse part (layer 5): a mask over the parameters of role SPARSE and the delta at its positions. A mask moves as
 * a method says (method.h), by sp_sparse_move.
 */
#ifndef SP_TRAIN_PART_SPARSE_H
#define SP_TRAIN_PART_SPARSE_H

#include "runtime/sparse/delta.h"
#include "runtime/train/mask.h"
#include "runtime/train/part.h"

struct sp_sparse_part {
    struct sp_mask mask;
    struct sp_delta *delta;
    size_t first_view; /* the optimizer's of target 0; the others follow */
    bool moves;        /* the mask may move */
    /* old masks' changes stay in the weights: the adapter holds every position that was ever in the mask. The method
     * sets it before the first move */
    bool merges;
    struct sp_touched {
        uint32_t *positions; /* ever in the mask, sorted */
        float *originals;    /* the pretrained weights there, when the method merges */
        size_t count;
    } *touched; /* one a target, from the first move on */
};

/* A run's, or NULL where it has none. */
struct sp_sparse_part *sp_sparse_of(const struct sp_trained *trained);

/* For a method's assign: the layers of sparse.target_modules sparsely, as sp_roles_of_targets. */
int sp_sparse_assign(struct sp_run *run);

/* Puts the delta's sinks among the run's gradients. */
void sp_sparse_hang(struct sp_trained *trained, struct sp_run *run);

/* A new mask of the same targets. */
struct sp_sparse_seed {
    float *mean, *square; /* of the gradients of the entries that are new, in order */
};
struct sp_sparse_move {
    struct sp_mask *next; /* taken, and left empty */
    /* true: all values become part of the weights and start again at 0, the optimizer's state with them. false: entries
     * that leave get their pretrained weight back bit for bit, those that stay keep value and state. */
    bool merge;
    const struct sp_sparse_seed *seeds; /* one a target, from `age` steps, for the optimizer; NULL: none */
    uint32_t age;
};
int sp_sparse_move(struct sp_trained *trained, struct sp_run *run, const struct sp_sparse_move *move,
                   struct sp_mask_change *change);

#endif
