#include "runtime/train/trained.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/train/data.h"
#include "runtime/train/method.h"
#include "runtime/train/part.h"
#include "runtime/train/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIEWS_MAX 1000000 /* far above any model's */

const struct sp_part *const sp_parts[SP_PARTS] = {
#define SP_PART(name) &sp_part_##name,
#include "runtime/train/part.def"
#undef SP_PART
};

const struct sp_part *sp_part_of(enum sp_param_role role)
{
    for (size_t i = 0; i < SP_PARTS; i++)
        if (sp_parts[i]->role == role)
            return sp_parts[i];
    return NULL;
}

void *sp_trained_part(const struct sp_trained *t, const struct sp_part *part)
{
    size_t i = 0;

    while (sp_parts[i] != part)
        i++;
    return t->parts[i];
}

int sp_trained_add_view(struct sp_trained *t, const struct sp_optim_view *view)
{
    SP_TRY(sp_grow(&t->views, t->view_count, &t->view_room, sizeof *t->views, VIEWS_MAX, "trained tensors"));
    t->views[t->view_count++] = *view;
    t->count += view->count;
    return 0;
}

/* A view's part of the gradient in bytes, from where the next one may begin. */
static size_t room_of(const struct sp_optim_view *view, size_t alignment)
{
    return (sp_f32_bytes(view->count) + alignment - 1) / alignment * alignment;
}

/* Those that stay lie first, so that they do so whatever comes after them. */
int sp_trained_place(struct sp_trained *t, struct sp_run *run)
{
    size_t alignment = sp_buffer_alignment(run->device), at = 0;

    for (size_t i = 0; i < 2 * t->view_count; i++) {
        struct sp_optim_view *view = &t->views[i % t->view_count];
        bool moving = i >= t->view_count;

        if (view->moving != moving)
            continue;
        if (moving || !view->gradient) {
            sp_buffer_free(view->gradient);
            view->gradient = NULL;
            if (at + room_of(view, alignment) > sp_buffer_size(t->gradient))
                return sp_error(SP_ELIMIT,
                                "the trained entries have become more than there is room for their gradients");
            if (view->count)
                SP_TRY(sp_buffer_view(&view->gradient, t->gradient, at, sp_f32_bytes(view->count)));
        }
        at += room_of(view, alignment);
    }
    return 0;
}

/* The vector has room for all counts that the views' sum may be shared out in. */
static int create_gradient(struct sp_trained *t, struct sp_run *run)
{
    size_t alignment = sp_buffer_alignment(run->device), bytes = 0;

    for (size_t i = 0; i < t->view_count; i++)
        bytes += room_of(&t->views[i], alignment) + (t->views[i].moving ? alignment : 0);
    SP_TRY(sp_buffer_create_zeros(&t->gradient, run->device, bytes));
    return sp_trained_place(t, run);
}

bool sp_trained_has(const struct sp_run *run, enum sp_param_role role)
{
    size_t i = 0;

    while (i < sp_plan_param_count(run->plan) && sp_plan_param_at(run->plan, i)->role != role)
        i++;
    return i < sp_plan_param_count(run->plan);
}

int sp_trained_check(const struct sp_run *run)
{
    for (size_t i = 0; i < SP_PARTS; i++)
        if (sp_parts[i]->check && sp_trained_has(run, sp_parts[i]->role))
            SP_TRY(sp_parts[i]->check(run));
    return 0;
}

bool sp_trained_transposes(const struct sp_run *run)
{
    bool any = false;

    for (size_t i = 0; i < SP_PARTS; i++)
        any = any || (sp_parts[i]->transposed && sp_trained_has(run, sp_parts[i]->role));
    return any;
}

/* ends[i]: the views of part i and those before it. */
static void tell_memory(const struct sp_trained *t, const char *optimizer, const size_t ends[SP_PARTS])
{
    char text[256];

    snprintf(text, sizeof text, "optimizer %s: %zu numbers of state for %zu trained ones", optimizer,
             sp_optim_memory(t->optim, t->view_count) / sp_f32_bytes(1), t->count);
    for (size_t i = 0; i < SP_PARTS; i++) {
        size_t first = i ? ends[i - 1] : 0, count = 0;

        for (size_t k = first; k < ends[i]; k++)
            count += t->views[k].count;
        if (sp_parts[i]->told_as)
            snprintf(text + strlen(text), sizeof text - strlen(text), ", %zu of them for the %zu of %s",
                     (sp_optim_memory(t->optim, ends[i]) - sp_optim_memory(t->optim, first)) / sp_f32_bytes(1), count,
                     sp_parts[i]->told_as);
    }
    sp_log(SP_LOG_INFO, "%s", text);
}

size_t sp_trained_state(const struct sp_run *run, const struct sp_optim_view *view)
{
    const struct sp_optimizer *optimizer = sp_optimizer_find(run->config->optimizer);

    return optimizer ? sp_optimizer_memory(optimizer, view) : 0; /* one that is not there is refused later on */
}

static int create_optim(struct sp_trained *t, struct sp_run *run)
{
    const struct sp_config *c = run->config;
    const struct sp_optimizer *optimizer = sp_optimizer_find(c->optimizer);

    if (!optimizer)
        return sp_error(SP_ECONFIG, "there is no optimizer called '%s'", c->optimizer);
    return sp_optim_create(&t->optim, run->device, optimizer, t->views, t->view_count, &c->optim);
}

int sp_trained_create(struct sp_trained *out, struct sp_run *run, size_t total)
{
    size_t ends[SP_PARTS], params = sp_plan_param_count(run->plan);

    *out = (struct sp_trained){ .method = sp_config_method(run->config), .total = total };
    out->attached = sp_calloc(params, sizeof *out->attached);
    if (!out->attached)
        return SP_ENOMEM;
    memcpy(out->attached, run->additions, params * sizeof *out->attached);
    for (size_t i = 0; i < SP_PARTS; i++) {
        if (sp_trained_has(run, sp_parts[i]->role))
            SP_TRY(sp_parts[i]->create(&out->parts[i], out, run));
        ends[i] = out->view_count;
    }
    SP_TRY(create_gradient(out, run));
    for (size_t i = 0; i < SP_PARTS; i++)
        if (out->parts[i])
            SP_TRY(sp_parts[i]->hang(out->parts[i], out, run));
    if (out->method->create)
        SP_TRY(out->method->create(&out->state, out, run));
    SP_TRY(create_optim(out, run));
    tell_memory(out, run->config->optimizer, ends);
    return 0;
}

void sp_trained_release(struct sp_trained *t, struct sp_run *run)
{
    for (size_t i = 0; t->attached && i < sp_plan_param_count(run->plan); i++) {
        run->gradients[i] = (struct sp_param_gradient){ .sink = NULL };
        run->additions[i] = t->attached[i];
    }
    free(t->attached);
    if (t->method && t->method->free)
        t->method->free(t->state);
    sp_optim_free(t->optim);
    for (size_t i = 0; i < SP_PARTS; i++)
        sp_parts[i]->free(t->parts[i]);
    for (size_t i = 0; i < t->view_count; i++)
        sp_buffer_free(t->views[i].gradient);
    free(t->views);
    sp_buffer_free(t->gradient);
    *t = (struct sp_trained){ 0 };
}

int sp_trained_apply(struct sp_trained *t, struct sp_run *run)
{
    for (size_t i = 0; i < SP_PARTS; i++)
        if (t->parts[i])
            SP_TRY(sp_parts[i]->apply(t->parts[i], run));
    return 0;
}

bool sp_trained_waits(const struct sp_trained *t, const struct sp_run *run, size_t done)
{
    return t->method->waits && t->method->waits(t->state, t, run, done);
}

int sp_trained_before_step(struct sp_trained *t, struct sp_run *run, size_t done)
{
    return t->method->before_step ? t->method->before_step(t->state, t, run, done) : 0;
}

int sp_trained_after_step(struct sp_trained *t, struct sp_run *run, size_t done, struct sp_mask_change *change)
{
    return t->method->after_step ? t->method->after_step(t->state, t, run, done, change) : 0;
}

int sp_trained_visit(struct sp_trained *t, struct sp_run *run, struct sp_state *visitor)
{
    for (size_t i = 0; i < SP_PARTS; i++)
        if (t->parts[i])
            SP_TRY(sp_parts[i]->visit(t->parts[i], t, run, visitor));
    if (t->method->visit)
        SP_TRY(t->method->visit(t->state, t, run, visitor));
    if (visitor->restores) {
        sp_optim_free(t->optim);
        t->optim = NULL;
        SP_TRY(create_optim(t, run));
    }
    return sp_optim_visit(t->optim, visitor);
}

int sp_trained_finish(struct sp_trained *t, struct sp_run *run)
{
    for (size_t i = 0; i < SP_PARTS; i++)
        if (t->parts[i] && sp_parts[i]->finish)
            SP_TRY(sp_parts[i]->finish(t->parts[i], t, run));
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
        sp_error_context(base,
                         "the adapter in %s is whole, but does not know its base model, so that eval and predict "
                         "refuse it",
                         run->config->output_dir);
        a.base_checksum = SP_ADAPTER_UNKNOWN_BASE;
    }
    SP_GO(labels_json(&labels, &run->labels));
    SP_GO(sp_config_json(run->config, &config));
    SP_GO(sp_run_layout_json(&layout, &run->train.layout));
    a.labels = labels;
    a.config = config;
    a.data = layout;
    for (size_t i = 0; i < SP_PARTS; i++)
        if (t->parts[i])
            SP_GO(sp_parts[i]->collect(&a, t->parts[i], run));
    SP_GO(sp_adapter_save(dir, &a));
    *written = true;
    rc = base;
out:
    for (size_t i = 0; i < SP_PARTS; i++)
        if (t->parts[i])
            sp_parts[i]->discard(&a);
    json_decref(labels);
    json_decref(config);
    json_decref(layout);
    return rc;
}
