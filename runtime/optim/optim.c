#include "runtime/optim/optimizer.h"

#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/mem.h"
#include "runtime/op/norm.h"
#include "runtime/tensor/dtype.h"

#include <stdlib.h>
#include <string.h>

static const struct sp_optimizer *const optimizers[] = {
#define SP_OPTIMIZER(name) &sp_optimizer_##name,
#include "runtime/optim/optimizer.def"
#undef SP_OPTIMIZER
};

struct sp_optim {
    struct sp_device *device;
    const struct sp_optimizer *optimizer;
    struct sp_optim_options options;
    struct sp_optim_state *states;
    size_t count, slots;
    struct sp_buffer *slot_buffer, *norm; /* norm: the norm and the clipping coefficient */
    struct sp_optim_scratch scratch;
    uint32_t steps; /* done */
};

const struct sp_optimizer *sp_optimizer_find(const char *name)
{
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        if (strcmp(optimizers[i]->name, name) == 0)
            return optimizers[i];
    return NULL;
}

int sp_optim_keep(struct sp_optim_state *state, size_t i, struct sp_device *device, size_t count)
{
    sp_buffer_free(state->kept[i]);
    state->kept[i] = NULL;
    return sp_buffer_create_zeros(&state->kept[i], device, sp_f32_bytes(count));
}

int sp_optim_scratch(struct sp_optim_scratch *scratch, struct sp_device *device, size_t bytes)
{
    if (scratch->size >= bytes)
        return 0;
    sp_buffer_free(scratch->buffer);
    *scratch = (struct sp_optim_scratch){ 0 };
    SP_TRY(sp_buffer_create(&scratch->buffer, device, bytes));
    scratch->size = bytes;
    return 0;
}

static struct sp_optim_step step_of(struct sp_optim *optim, double lr)
{
    return (struct sp_optim_step){ .device = optim->device, .options = &optim->options, .scratch = &optim->scratch,
                                   .norm = optim->norm, .lr = lr, .number = optim->steps };
}

/* Each view's slots for the norm, and room for all of them. */
static int place_slots(struct sp_optim *optim)
{
    size_t slots = 0;

    for (size_t i = 0; i < optim->count; i++) {
        optim->states[i].first_slot = slots;
        slots += sp_norm_slots(optim->states[i].view.count);
    }
    if (!optim->slot_buffer || slots > sp_buffer_size(optim->slot_buffer) / sp_f32_bytes(1)) {
        sp_buffer_free(optim->slot_buffer);
        optim->slot_buffer = NULL;
        SP_TRY(sp_buffer_create(&optim->slot_buffer, optim->device, sp_f32_bytes(slots)));
    }
    optim->slots = slots;
    return 0;
}

static int create(struct sp_optim *optim, const struct sp_optim_view *views)
{
    struct sp_optim_step step = step_of(optim, 0);

    for (size_t i = 0; i < optim->count; i++) {
        optim->states[i].view = views[i];
        SP_TRY(optim->optimizer->create(&optim->states[i], &step));
    }
    SP_TRY(place_slots(optim));
    return sp_buffer_create_zeros(&optim->norm, optim->device, sp_f32_bytes(2));
}

int sp_optim_create(struct sp_optim **out, struct sp_device *device, const struct sp_optimizer *optimizer,
                    const struct sp_optim_view *views, size_t count, const struct sp_optim_options *options)
{
    struct sp_optim *optim = sp_calloc(1, sizeof *optim);
    int rc;

    *out = NULL;
    if (!optim)
        return SP_ENOMEM;
    *optim = (struct sp_optim){ .device = device, .optimizer = optimizer, .options = *options, .count = count };
    optim->states = sp_calloc(count, sizeof *optim->states);
    rc = optim->states ? create(optim, views) : SP_ENOMEM;
    if (rc < 0) {
        sp_optim_free(optim);
        return sp_error_context(rc, "while allocating the optimizer's state");
    }
    *out = optim;
    return 0;
}

void sp_optim_free(struct sp_optim *optim)
{
    if (!optim)
        return;
    for (size_t i = 0; optim->states && i < optim->count; i++)
        for (size_t k = 0; k < sizeof optim->states->kept / sizeof *optim->states->kept; k++)
            sp_buffer_free(optim->states[i].kept[k]);
    sp_buffer_free(optim->slot_buffer);
    sp_buffer_free(optim->norm);
    sp_buffer_free(optim->scratch.buffer);
    free(optim->states);
    free(optim);
}

int sp_optim_norm(struct sp_optim *optim, struct sp_buffer *losses, size_t loss_count)
{
    for (size_t i = 0; i < optim->count; i++) {
        const struct sp_optim_state *s = &optim->states[i];

        SP_TRY(sp_norm_squares(optim->device, &(struct sp_norm_squares){ .slots = optim->slot_buffer,
                                                                         .in = s->view.gradient,
                                                                         .count = s->view.count,
                                                                         .first_slot = s->first_slot }));
    }
    return sp_norm_finish(optim->device, &(struct sp_norm_finish){ .out = optim->norm, .slots = optim->slot_buffer,
                                                                  .slot_count = optim->slots, .losses = losses,
                                                                  .loss_count = loss_count,
                                                                  .max_norm = (float)optim->options.max_grad_norm });
}

/* Whether `count` floats from element `first` of the buffer on are finite. */
static int are_finite(bool *out, struct sp_buffer *buffer, size_t first, size_t count)
{
    float *host = sp_calloc(count, sizeof *host);
    int rc = host ? sp_buffer_read(host, buffer, first * sizeof *host, count * sizeof *host) : SP_ENOMEM;

    *out = rc < 0 || sp_first_not_finite(host, count) == count;
    free(host);
    return rc;
}

int sp_optim_find_not_finite(const char **name, bool *finite, struct sp_optim *optim)
{
    *name = NULL;
    *finite = true;
    for (size_t i = 0; i < optim->count && !*name; i++) {
        const struct sp_optim_state *s = &optim->states[i];
        bool squares = true;

        if (!s->view.count)
            continue;
        SP_TRY(are_finite(&squares, optim->slot_buffer, s->first_slot, sp_norm_slots(s->view.count)));
        if (squares)
            continue;
        *name = s->view.name;
        SP_TRY(are_finite(finite, s->view.gradient, 0, s->view.count));
    }
    return 0;
}

struct sp_buffer *sp_optim_norm_buffer(const struct sp_optim *optim)
{
    return optim->norm;
}

int sp_optim_step(struct sp_optim *optim, double lr)
{
    struct sp_optim_step step;

    if (!sp_device_recording(optim->device))
        optim->steps++;
    step = step_of(optim, lr);
    if (optim->optimizer->begin)
        SP_TRY(optim->optimizer->begin(&step));
    for (size_t i = 0; i < optim->count; i++)
        SP_TRY(optim->optimizer->step(&optim->states[i], &step));
    return 0;
}

int sp_optim_move(struct sp_optim *optim, size_t i, const struct sp_optim_move *move)
{
    struct sp_optim_state *state = &optim->states[i];
    struct sp_optim_step step = step_of(optim, 0);

    SP_TRY(optim->optimizer->move(state, move, &step));
    state->view = move->view;
    return place_slots(optim);
}

int sp_optim_accumulators(float *out, struct sp_optim *optim, size_t i)
{
    if (!optim->optimizer->accumulators)
        return sp_error(SP_EINVAL, "optimizer %s has no accumulators of rows and columns", optim->optimizer->name);
    return optim->optimizer->accumulators(out, &optim->states[i]);
}

/* 1 when the view's accumulators hold one that is not finite, else 0 or an error. */
static int is_stuck(struct sp_optim *optim, size_t i)
{
    size_t count = (size_t)optim->states[i].view.rows + (size_t)optim->states[i].view.cols;
    float *host = sp_calloc(count, sizeof *host);
    int rc = host ? sp_optim_accumulators(host, optim, i) : SP_ENOMEM;

    rc = rc < 0 ? rc : sp_first_not_finite(host, count) < count;
    free(host);
    return rc;
}

int sp_optim_find_stuck(const char **name, struct sp_optim *optim)
{
    *name = NULL;
    for (size_t i = 0; optim->optimizer->accumulators && i < optim->count && !*name; i++) {
        int stuck;

        SP_TRY(stuck = is_stuck(optim, i));
        *name = stuck ? optim->states[i].view.name : NULL;
    }
    return 0;
}

int sp_optim_visit(struct sp_optim *optim, struct sp_state *state)
{
    SP_TRY(sp_state_host(state, &optim->steps, sizeof optim->steps, "optimizer.steps"));
    for (size_t i = 0; i < optim->count; i++)
        for (size_t k = 0; k < sizeof optim->states->kept / sizeof *optim->states->kept; k++)
            SP_TRY(sp_state_device(state, optim->states[i].kept[k], "optimizer.%s.%zu", optim->states[i].view.name, k));
    return 0;
}

size_t sp_optimizer_memory(const struct sp_optimizer *optimizer, const struct sp_optim_view *view)
{
    return sp_f32_bytes(optimizer->words(view));
}

size_t sp_optim_memory(const struct sp_optim *optim, size_t views)
{
    size_t bytes = 0;

    for (size_t i = 0; i < views; i++)
        for (size_t k = 0; k < sizeof optim->states->kept / sizeof *optim->states->kept; k++)
            if (optim->states[i].kept[k])
                bytes += sp_buffer_size(optim->states[i].kept[k]);
    return bytes;
}
