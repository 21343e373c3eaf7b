/*
 * An optimizer's part (layer 4): what it keeps of a view, and its step. optim.c has what all share. An optimizer is one
 * optimizer_NAME.c and one line of optimizer.def.
 */
#ifndef SP_OPTIM_OPTIMIZER_H
#define SP_OPTIM_OPTIMIZER_H

#include "runtime/optim/optim.h"

/* A view and what the optimizer keeps of it; buffers that are not used are NULL. */
struct sp_optim_state {
    struct sp_optim_view view;
    struct sp_buffer *kept[3];
    size_t first_slot; /* of the norm */
};

/* Device memory that the views share, grown by sp_optim_scratch. */
struct sp_optim_scratch {
    struct sp_buffer *buffer;
    size_t size;
};

/* The step that is done, from 1. */
struct sp_optim_step {
    struct sp_device *device;
    const struct sp_optim_options *options;
    struct sp_optim_scratch *scratch;
    struct sp_buffer *norm;
    double lr;
    uint32_t number;
};

struct sp_optimizer {
    const char *name, *summary;
    struct sp_option_rows options; /* its own, in struct sp_optim_options */
    size_t (*words)(const struct sp_optim_view *view); /* of 4 bytes, that create will keep of it */
    /* Fills state->kept for state->view with sp_optim_keep, and makes room in the scratch. */
    int (*create)(struct sp_optim_state *state, const struct sp_optim_step *step);
    /* Once a step, before the views' steps; NULL: nothing. */
    int (*begin)(const struct sp_optim_step *step);
    int (*step)(struct sp_optim_state *state, const struct sp_optim_step *step);
    /* Moves the state along; state->view is still the old one, step->number that of the last step. */
    int (*move)(struct sp_optim_state *state, const struct sp_optim_move *move, const struct sp_optim_step *step);
    /* Reads out[rows + cols], the accumulators of rows and columns; NULL where there are none. */
    int (*accumulators)(float *out, const struct sp_optim_state *state);
};

#define SP_OPTIMIZER(name) extern const struct sp_optimizer sp_optimizer_##name;
#include "runtime/optim/optimizer.def"
#undef SP_OPTIMIZER

/* A zeroed buffer of `count` words in place of kept[i]. */
int sp_optim_keep(struct sp_optim_state *state, size_t i, struct sp_device *device, size_t count);

/* At least `bytes` of scratch; what it held is lost when it grows. */
int sp_optim_scratch(struct sp_optim_scratch *scratch, struct sp_device *device, size_t bytes);

#endif
