#include "runtime/train/trained.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/train/data.h"
#include "runtime/train/method.h"
#include "runtime/train/move_priv.h"
#include "runtime/train/task.h"

#include <stdlib.h>

static struct sp_param *param_at(const struct sp_run *run, size_t i)
{
    return sp_plan_param_at(run->plan, i);
}

static int create_delta(struct sp_trained *t, struct sp_run *run)
{
    struct sp_delta_target *targets;
    int rc;

    SP_TRY(sp_mask_make(&t->mask, run, 0));
    SP_TRY(sp_trained_targets(&targets, &t->mask, run));
    rc = sp_delta_create(&t->delta, run->device, targets, t->mask.count);
    free(targets);
    if (rc < 0)
        return rc;
    sp_trained_hang(t);
    t->count += t->mask.entries;
    if (t->method->create)
        SP_TRY(t->method->create(&t->state, t, run));
    return t->method->after_step ? sp_trained_touch(t) : 0;
}

static int create_dense(struct sp_trained *t, struct sp_run *run)
{
    t->dense = sp_calloc(sp_plan_param_count(run->plan), sizeof *t->dense);
    if (!t->dense)
        return SP_ENOMEM;
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        struct sp_trained_dense *d = &t->dense[t->dense_count];
        struct sp_param *p = param_at(run, i);

        if (p->role != SP_PARAM_DENSE)
            continue;
        d->param = i;
        t->dense_count++;
        t->count += sp_param_elements(p);
        SP_TRY(sp_buffer_create(&d->gradient, run->device, sp_param_elements(p) * sizeof(float)));
        t->gradients[i].buffer = d->gradient;
        if (p->kind == SP_PARAM_LINEAR) {
            sp_dense_sink_init(&d->sink, p->weight.family, d->gradient);
            t->gradients[i].sink = &d->sink.sink;
        }
    }
    return 0;
}

static int create_optim(struct sp_trained *t, struct sp_run *run)
{
    const struct sp_config *c = run->config;
    struct sp_optim_options options = { c->adam_beta1, c->adam_beta2, c->adam_epsilon, c->weight_decay, c->max_grad_norm };
    const struct sp_optimizer *optimizer = sp_optimizer_find(c->optimizer);
    struct sp_optim_view *views = sp_calloc(t->mask.count + t->dense_count, sizeof *views);
    size_t count = 0;
    int rc;

    if (!views)
        return SP_ENOMEM;
    for (; count < t->mask.count; count++)
        views[count] = sp_trained_view(t, run, count);
    for (size_t i = 0; i < t->dense_count; i++) {
        struct sp_param *p = param_at(run, t->dense[i].param);

        views[count++] = (struct sp_optim_view){ .name = p->name, .value = p->value, .gradient = t->dense[i].gradient,
                                                 .count = sp_param_elements(p), .rows = p->rows, .cols = p->cols,
                                                 .decay = !(p->flags & SP_PARAM_NO_DECAY) };
    }
    rc = optimizer ? sp_optim_create(&t->optim, run->device, optimizer, views, count, &options)
                   : sp_error(SP_ECONFIG, "there is no optimizer called '%s'", c->optimizer);
    free(views);
    if (rc == 0)
        sp_log(SP_LOG_INFO, "optimizer %s: %zu numbers of state for %zu trained ones, %zu of them for the %zu of the mask", c->optimizer,
               sp_optim_memory(t->optim, count) / sizeof(float), t->count, sp_optim_memory(t->optim, t->mask.count) / sizeof(float),
               t->mask.entries);
    return rc;
}

int sp_trained_create(struct sp_trained *out, struct sp_run *run, size_t total)
{
    *out = (struct sp_trained){ .method = sp_config_method(run->config), .total = total };
    out->gradients = sp_calloc(sp_plan_param_count(run->plan), sizeof *out->gradients);
    if (!out->gradients)
        return SP_ENOMEM;
    if (out->method->masked)
        SP_TRY(create_delta(out, run));
    SP_TRY(create_dense(out, run));
    return create_optim(out, run);
}

void sp_trained_release(struct sp_trained *t)
{
    if (t->method && t->method->free)
        t->method->free(t->state);
    sp_optim_free(t->optim);
    sp_delta_free(t->delta);
    for (size_t i = 0; t->touched && i < t->mask.count; i++) {
        free(t->touched[i].positions);
        free(t->touched[i].originals);
    }
    free(t->touched);
    for (size_t i = 0; i < t->dense_count; i++)
        sp_buffer_free(t->dense[i].gradient);
    free(t->dense);
    free(t->gradients);
    sp_mask_release(&t->mask);
    *t = (struct sp_trained){ 0 };
}

int sp_trained_apply(struct sp_trained *t, struct sp_run *run)
{
    if (t->delta)
        SP_TRY(sp_delta_apply(t->delta));
    for (size_t i = 0; i < t->dense_count; i++) {
        struct sp_param *p = param_at(run, t->dense[i].param);

        if (p->kind == SP_PARAM_LINEAR)
            SP_TRY(sp_gemm_weight_pack(&p->weight, p->value));
    }
    return 0;
}

static int collect_sparse(struct sp_adapter *a, struct sp_trained *t, struct sp_run *run)
{
    a->sparse = sp_calloc(t->mask.count, sizeof *a->sparse);
    if (!a->sparse)
        return SP_ENOMEM;
    for (size_t i = 0; i < t->mask.count; i++) {
        const struct sp_mask_tensor *m = &t->mask.tensors[i];
        const struct sp_param *p = param_at(run, m->param);
        float *values = sp_calloc(m->count, sizeof *values);

        a->sparse[a->sparse_count++] =
            (struct sp_adapter_sparse){ sp_run_param_name(run, m->param), (size_t)p->rows, (size_t)p->cols, m->count,
                                        m->positions,                     values };
        if (!values)
            return SP_ENOMEM;
        SP_TRY(sp_delta_read(values, t->delta, i));
    }
    return 0;
}

static int collect_dense(struct sp_adapter *a, struct sp_trained *t, struct sp_run *run)
{
    a->dense = sp_calloc(t->dense_count, sizeof *a->dense);
    if (!a->dense)
        return SP_ENOMEM;
    for (size_t i = 0; i < t->dense_count; i++) {
        const struct sp_param *p = param_at(run, t->dense[i].param);
        float *data = sp_calloc(sp_param_elements(p), sizeof *data);

        a->dense[a->dense_count++] = (struct sp_adapter_dense){ .name = sp_run_param_name(run, t->dense[i].param),
                                                                .rank = p->kind == SP_PARAM_VECTOR ? 1 : 2,
                                                                .shape = { (size_t)p->rows, (size_t)p->cols },
                                                                .data = data };
        if (!data)
            return SP_ENOMEM;
        SP_TRY(sp_buffer_read(data, p->value, 0, sp_param_elements(p) * sizeof *data));
    }
    return 0;
}

static int labels_json(json_t **out, const struct sp_labels *labels)
{
    *out = labels->count ? json_array() : NULL;
    for (size_t i = 0; i < labels->count; i++)
        if (json_array_append_new(*out, json_string(labels->names[i])))
            return sp_error(SP_ENOMEM, "out of memory");
    return 0;
}

int sp_trained_save(bool *written, struct sp_trained *t, struct sp_run *run, const char *dir)
{
    struct sp_adapter a = {
        .base_name = run->config->model_name_or_path,
        .method = t->method->name,
        .task = run->task->name,
        .head = run->keep_head ? "kept" : "new",
    };
    json_t *labels = NULL, *config = NULL, *layout = NULL;
    int rc, base = sp_checkpoint_checksum(&a.base_checksum, run->checkpoint);

    *written = false;
    if (base < 0) { /* what was trained is saved in any case */
        sp_error_context(base, "the adapter in %s is whole, but does not know its base model, so that eval and predict refuse it",
                         run->config->output_dir);
        a.base_checksum = SP_ADAPTER_UNKNOWN_BASE;
    }
    SP_GO(labels_json(&labels, &run->labels));
    SP_GO(sp_config_json(run->config, &config));
    SP_GO(sp_run_layout_json(&layout, &run->train.layout));
    a.labels = labels;
    a.config = config;
    a.data = layout;
    if (t->delta)
        SP_GO(collect_sparse(&a, t, run));
    SP_GO(collect_dense(&a, t, run));
    SP_GO(sp_adapter_save(dir, &a));
    *written = true;
    rc = base;
out:
    for (size_t i = 0; i < a.sparse_count; i++)
        free((float *)(uintptr_t)a.sparse[i].values);
    for (size_t i = 0; i < a.dense_count; i++)
        free((float *)(uintptr_t)a.dense[i].data);
    free(a.sparse);
    free(a.dense);
    json_decref(labels);
    json_decref(config);
    json_decref(layout);
    return rc;
}
