#include "runtime/train/part_dense.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/tensor/elements.h"

#include <stdlib.h>
#include <string.h>

static int add_tensor(struct sp_dense_part *part, struct sp_trained *t, struct sp_run *run, size_t i)
{
    const struct sp_param *p = sp_plan_param_at(run->plan, i);

    part->tensors[part->count++] = (struct sp_dense_tensor){ .param = i, .view = t->view_count };
    return sp_trained_add_view(t, &(struct sp_optim_view){ .name = p->name,
                                                           .value = p->value,
                                                           .count = sp_param_elements(p),
                                                           .rows = p->rows,
                                                           .cols = p->cols,
                                                           .decay = !(p->flags & SP_PARAM_NO_DECAY) });
}

static int create(void **state, struct sp_trained *t, struct sp_run *run)
{
    struct sp_dense_part *part = *state = sp_calloc(1, sizeof *part);

    if (!part || !(part->tensors = sp_calloc(sp_plan_param_count(run->plan), sizeof *part->tensors)))
        return SP_ENOMEM;
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++)
        if (sp_plan_param_at(run->plan, i)->role == SP_PARAM_DENSE)
            SP_TRY(add_tensor(part, t, run, i));
    return 0;
}

/* Of a linear weight a row-major copy, too (load.c). */
static int memory(size_t *bytes, const struct sp_run *run)
{
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);

        if (p->role == SP_PARAM_DENSE)
            *bytes += sp_f32_bytes(sp_param_elements(p)) + (p->kind == SP_PARAM_LINEAR ? sp_param_bytes(p) : 0) +
                      sp_trained_state(run, &(struct sp_optim_view){ .count = sp_param_elements(p), .rows = p->rows,
                                                                     .cols = p->cols });
    }
    return 0;
}

static int hang(void *state, struct sp_trained *t, struct sp_run *run)
{
    struct sp_dense_part *part = state;

    for (size_t i = 0; i < part->count; i++) {
        struct sp_dense_tensor *d = &part->tensors[i];
        const struct sp_param *p = sp_plan_param_at(run->plan, d->param);
        struct sp_param_gradient *gradient = &run->gradients[d->param];

        gradient->buffer = d->gradient = t->views[d->view].gradient;
        if (p->kind != SP_PARAM_LINEAR)
            continue;
        sp_dense_sink_init(&d->sink, p->weight.family, d->gradient);
        gradient->sink = &d->sink.sink;
    }
    return 0;
}

static void free_part(void *state)
{
    struct sp_dense_part *part = state;

    if (part)
        free(part->tensors);
    free(part);
}

static int apply(void *state, struct sp_run *run)
{
    const struct sp_dense_part *part = state;

    for (size_t i = 0; i < part->count; i++) {
        struct sp_param *p = sp_plan_param_at(run->plan, part->tensors[i].param);

        if (p->kind == SP_PARAM_LINEAR)
            SP_TRY(sp_gemm_weight_pack(&p->weight, p->value));
    }
    return 0;
}

static int visit(void *state, struct sp_trained *t, struct sp_run *run, struct sp_state *visitor)
{
    const struct sp_dense_part *part = state;

    (void)t;
    for (size_t i = 0; i < part->count; i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, part->tensors[i].param);

        SP_TRY(sp_state_device(visitor, p->value, "dense.%s", p->name));
    }
    return visitor->restores ? apply(state, run) : 0;
}

static int collect(struct sp_adapter *out, void *state, struct sp_run *run)
{
    const struct sp_dense_part *part = state;

    out->dense = sp_calloc(part->count, sizeof *out->dense);
    if (!out->dense)
        return SP_ENOMEM;
    for (size_t i = 0; i < part->count; i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, part->tensors[i].param);
        float *data = sp_calloc(sp_param_elements(p), sizeof *data);

        out->dense[out->dense_count++] = (struct sp_adapter_dense){ .name = sp_run_param_name(run,
                                                                                              part->tensors[i].param),
                                                                    .rank = p->kind == SP_PARAM_VECTOR ? 1 : 2,
                                                                    .shape = { (size_t)p->rows, (size_t)p->cols },
                                                                    .data = data };
        if (!data)
            return SP_ENOMEM;
        SP_TRY(sp_elements_read(data, p->value, p->dtype, sp_param_elements(p)));
    }
    return 0;
}

static void discard(struct sp_adapter *out)
{
    for (size_t i = 0; i < out->dense_count; i++)
        free((float *)(uintptr_t)out->dense[i].data);
    free(out->dense);
}

/* A wrong shape is an error. */
static int replace(bool *done, float *values, const struct sp_run *run, size_t param)
{
    const char *name = sp_run_param_name(run, param);
    const struct sp_weight *w = &run->weights[param];
    const struct sp_adapter_dense *d = sp_adapter_find_dense(run->adapter, name);
    struct sp_tensor_info needed = { .dtype = SP_F32, .rank = w->rank }, found = needed;
    char needs[SP_SHAPE_TEXT], has[SP_SHAPE_TEXT];

    *done = d != NULL;
    if (!d)
        return 0;
    if (d->rank == w->rank && memcmp(d->shape, w->shape, w->rank * sizeof *d->shape) == 0) {
        memcpy(values, d->data, sp_param_elements(sp_plan_param_at(run->plan, param)) * sizeof *values);
        return 0;
    }
    memcpy(needed.shape, w->shape, sizeof needed.shape);
    memcpy(found.shape, d->shape, sizeof found.shape);
    found.rank = d->rank;
    return sp_error(SP_EFORMAT, "%s/adapter.safetensors: tensor %s is %s; the model needs %s", run->adapter->dir, name,
                    sp_tensor_describe(has, &found), sp_tensor_describe(needs, &needed));
}

const struct sp_part sp_part_dense = {
    .role = SP_PARAM_DENSE,
    .plain = true,
    .memory = memory,
    .create = create,
    .hang = hang,
    .free = free_part,
    .apply = apply,
    .visit = visit,
    .collect = collect,
    .discard = discard,
    .replace = replace,
};
