#include "runtime/optim/optim.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/adamw.h"
#include "runtime/op/norm.h"

#include <stdlib.h>
#include <string.h>

struct state {
    struct sp_optim_view view;
    struct sp_buffer *m, *v;
    size_t first_slot;
};

struct sp_optim {
    struct sp_device *device;
    struct sp_optim_options options;
    struct state *states;
    size_t count, slots, bytes;
    struct sp_buffer *slot_buffer, *norm; /* norm: the norm and the clipping coefficient */
    uint32_t step;
};

static int zeros(struct sp_buffer **out, struct sp_device *device, size_t bytes)
{
    SP_TRY(sp_buffer_create(out, device, bytes));
    return sp_buffer_fill(*out, 0, 0, bytes);
}

static int create(struct sp_optim *optim, const struct sp_optim_view *views)
{
    for (size_t i = 0; i < optim->count; i++) {
        struct state *s = &optim->states[i];
        size_t bytes = views[i].count * sizeof(float);

        s->view = views[i];
        s->first_slot = optim->slots;
        optim->slots += sp_norm_slots(views[i].count);
        optim->bytes += 2 * bytes;
        SP_TRY(zeros(&s->m, optim->device, bytes));
        SP_TRY(zeros(&s->v, optim->device, bytes));
    }
    SP_TRY(sp_buffer_create(&optim->slot_buffer, optim->device, optim->slots * sizeof(float)));
    return sp_buffer_create(&optim->norm, optim->device, 2 * sizeof(float));
}

int sp_optim_create(struct sp_optim **out, struct sp_device *device, const struct sp_optim_view *views, size_t count,
                    const struct sp_optim_options *options)
{
    struct sp_optim *optim = sp_calloc(1, sizeof *optim);
    int rc;

    *out = NULL;
    if (!optim)
        return SP_ENOMEM;
    *optim = (struct sp_optim){ .device = device, .options = *options, .count = count };
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
    for (size_t i = 0; optim->states && i < optim->count; i++) {
        sp_buffer_free(optim->states[i].m);
        sp_buffer_free(optim->states[i].v);
    }
    sp_buffer_free(optim->slot_buffer);
    sp_buffer_free(optim->norm);
    free(optim->states);
    free(optim);
}

int sp_optim_norm(double *out, struct sp_optim *optim)
{
    float norm = 0;

    for (size_t i = 0; i < optim->count; i++) {
        const struct state *s = &optim->states[i];

        SP_TRY(sp_norm_squares(optim->device, &(struct sp_norm_squares){ .slots = optim->slot_buffer, .in = s->view.gradient,
                                                                        .count = s->view.count,
                                                                        .first_slot = s->first_slot }));
    }
    SP_TRY(sp_norm_finish(optim->device, &(struct sp_norm_finish){ .out = optim->norm, .slots = optim->slot_buffer,
                                                                  .slot_count = optim->slots,
                                                                  .max_norm = (float)optim->options.max_grad_norm }));
    SP_TRY(sp_buffer_read(&norm, optim->norm, 0, sizeof norm));
    *out = (double)norm;
    return 0;
}

int sp_optim_step(struct sp_optim *optim, double lr)
{
    if (!sp_device_recording(optim->device))
        optim->step++;
    for (size_t i = 0; i < optim->count; i++) {
        const struct state *s = &optim->states[i];

        SP_TRY(sp_adamw(optim->device, &(struct sp_adamw){ .value = s->view.value,
                                                           .m = s->m,
                                                           .v = s->v,
                                                           .gradient = s->view.gradient,
                                                           .norm = optim->norm,
                                                           .count = s->view.count,
                                                           .lr = lr,
                                                           .beta1 = optim->options.beta1,
                                                           .beta2 = optim->options.beta2,
                                                           .epsilon = optim->options.epsilon,
                                                           .decay = s->view.decay ? optim->options.weight_decay : 0,
                                                           .step = optim->step }));
    }
    return 0;
}

size_t sp_optim_memory(const struct sp_optim *optim)
{
    return optim->bytes;
}
