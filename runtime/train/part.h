/*
 * A part of what a run trains (layer 5): the parameters of one role and all that is kept for them, one file
 * part_<name>.c each, listed in part.def. The roles that a method assigns (roles.h) say which parts a run has. Making,
 * stepping and saving (trained.h) and the adapter's reader (load.c) walk over the list and know no part by name.
 *
 * Threading: descriptors are constant.
 */
#ifndef SP_TRAIN_PART_H
#define SP_TRAIN_PART_H

#include "runtime/train/trained.h"

struct sp_part {
    enum sp_param_role role;
    const char *told_as; /* what the line about the optimizer calls it; NULL: it is not told apart */
    bool transposed;     /* its sinks read transposed X and dY */
    bool plain;          /* it trains a weight's row-major copy (sp_param.value) */
    const char *untied;  /* what it is called where it cannot train a weight whose rows are looked up; NULL: it can */

    /* Adds the bytes that the run's parameters of this role will take on the device from create on, with their
     * gradients and the optimizer's state (sp_trained_state); before the weights are loaded. NULL: nothing. */
    int (*memory)(size_t *bytes, const struct sp_run *run);
    /* Before the long work: refuses what would train nothing; NULL: there is no such thing. */
    int (*check)(const struct sp_run *run);
    /* Begins the state of the run's parameters of this role, at least one, and adds the optimizer's views
     * (sp_trained_add_view), complete but for the buffers. What was made before a failure is in *state. */
    int (*create)(void **state, struct sp_trained *trained, struct sp_run *run);
    /* Now that the views' gradients have their places: the rest of the views, where a step puts the gradients
     * (run->gradients), and what is added to layers (sp_run_add). */
    int (*hang)(void *state, struct sp_trained *trained, struct sp_run *run);
    void (*free)(void *state); /* NULL is fine */
    /* After the optimizer's step: brings the weights' layouts up to date. */
    int (*apply)(void *state, struct sp_run *run);
    /* sp_trained_finish; NULL: nothing. */
    int (*finish)(void *state, struct sp_trained *trained, struct sp_run *run);

    /* Its state between two steps (runtime/tensor/state.h). Restored, it fills in trained->views anew, of which the
     * optimizer is made again. */
    int (*visit)(void *state, struct sp_trained *trained, struct sp_run *run, struct sp_state *visitor);

    /* Adds its sections to the adapter, and frees what it allocated for them, a failure's, too. */
    int (*collect)(struct sp_adapter *out, void *state, struct sp_run *run);
    void (*discard)(struct sp_adapter *out);
    /* What an adapter's sections make of a parameter's values: instead of the checkpoint's, or of those, which are in
     * `values` then. *done: there was such a section. Either may be NULL. */
    int (*replace)(bool *done, float *values, const struct sp_run *run, size_t param);
    int (*change)(bool *done, float *values, const struct sp_run *run, size_t param);
    /* What they add to layers beside the weights, by sp_run_add: for every run with an adapter, of which nothing that
     * it adds is trained. *state is the run's, until it closes. NULL: nothing, and detach, too. */
    int (*attach)(void **state, struct sp_run *run);
    void (*detach)(void *state); /* NULL is fine */
};

#define SP_PART(name) extern const struct sp_part sp_part_##name;
#include "runtime/train/part.def"
#undef SP_PART

extern const struct sp_part *const sp_parts[SP_PARTS];

/* The part of a role; NULL for FROZEN. */
const struct sp_part *sp_part_of(enum sp_param_role role);

/* The state of a part that the run has; else NULL. */
void *sp_trained_part(const struct sp_trained *trained, const struct sp_part *part);

/* For a part's create: one more view of the optimizer, number trained->view_count. */
int sp_trained_add_view(struct sp_trained *trained, const struct sp_optim_view *view);

/* After the counts of views that may move have changed: their gradients' new places. The sum of the counts may not have
 * grown. */
int sp_trained_place(struct sp_trained *trained, struct sp_run *run);

#endif
