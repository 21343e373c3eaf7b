/*
 * What is trained besides the head, and how (layer 5): one file method_<name>.c each, listed in method.def;
 * sparse.method's value of that name. A method owns its options and their checks, every parameter's role, and what
 * happens around a step: a mask moves by sp_sparse_move (part_sparse.h).
 *
 * Threading: descriptors are constant.
 */
#ifndef SP_TRAIN_METHOD_H
#define SP_TRAIN_METHOD_H

#include "runtime/train/trained.h"

struct sp_config_load;

#define SP_METHOD_RATE 1e-3

struct sp_method {
    const char *name, *summary; /* what it trains, in a few words */
    /* its own rows of the configuration's table, for a struct of its own at sparse.<name>_options; without the method
     * they may not be given */
    struct sp_option_rows options;
    double learning_rate;          /* where none is given */
    bool masked;                   /* trains a mask of sparse.target_modules by a budget */
    bool moves;                    /* which moves, by sp_sparse_move */
    /* Fills in its options' defaults and refuses what contradicts it (config_priv.h); NULL: nothing of that. */
    int (*check)(struct sp_config_load *load);
    int (*assign)(struct sp_run *run); /* gives each parameter of the built plan its role (roles.h) */

    /* Bytes that its moves will take on the device beside its parts and their optimizer; NULL: none. */
    int (*memory)(size_t *bytes, const struct sp_run *run);
    bool memory_stays; /* from create on; else it comes and goes with a move */

    /* Hooks of a method whose mask moves; each may be NULL. `done` is the number of optimizer steps done so far;
     * trained->total that of the run. create: after the parts were made. */
    int (*create)(void **state, struct sp_trained *trained, struct sp_run *run);
    void (*free)(void *state); /* NULL is fine */
    /* Before the first step: records (sp_plan_record, sp_device_set_recording) what its steps launch and an ordinary
     * step does not. */
    int (*record)(void *state, struct sp_trained *trained, struct sp_run *run);
    /* Whether step done + 1 reads from the device or moves the mask: the step before it must be known to be finite, and
     * it itself before after_step. Other steps are enqueued without a look at what they give, which is known a step
     * late. NULL: none does. */
    bool (*waits)(const void *state, const struct sp_trained *trained, const struct sp_run *run, size_t done);
    /* Before a step's first micro-batch: may change where its gradients go. */
    int (*before_step)(void *state, struct sp_trained *trained, struct sp_run *run, size_t done);
    /* After the step and its sp_trained_apply: moves the mask when it is time. */
    int (*after_step)(void *state, struct sp_trained *trained, struct sp_run *run, size_t done,
                      struct sp_mask_change *change);
    /* Its state between two steps (runtime/tensor/state.h), after the parts'. */
    int (*visit)(void *state, struct sp_trained *trained, struct sp_run *run, struct sp_state *visitor);
};

#define SP_METHOD(name) extern const struct sp_method sp_method_##name;
#include "runtime/train/method.def"
#undef SP_METHOD

extern const struct sp_method *const sp_methods[]; /* NULL at the end */

/* The configuration's. */
const struct sp_method *sp_config_method(const struct sp_config *config);

#endif
