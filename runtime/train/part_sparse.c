#include "runtime/train/part_sparse.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/support.h"
#include "runtime/train/method.h"

#include <stdlib.h>
#include <string.h>

struct sp_sparse_part *sp_sparse_of(const struct sp_trained *trained)
{
    return sp_trained_part(trained, &sp_part_sparse);
}

/* The mask's tensors as the delta's targets, in a new array; positions are borrowed. */
static int targets_of(struct sp_delta_target **out, const struct sp_mask *mask, struct sp_run *run)
{
    *out = sp_calloc(mask->count, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    for (size_t i = 0; i < mask->count; i++) {
        const struct sp_mask_tensor *m = &mask->tensors[i];

        (*out)[i] = (struct sp_delta_target){ sp_run_param_name(run, m->param), &sp_plan_param_at(run->plan, m->param)->weight,
                                              m->positions, m->count };
    }
    return 0;
}

/* Target i as a view of the optimizer. */
static struct sp_optim_view view_of(const struct sp_sparse_part *part, struct sp_run *run, size_t i)
{
    const struct sp_mask_tensor *m = &part->mask.tensors[i];
    const struct sp_param *p = sp_plan_param_at(run->plan, m->param);
    struct sp_delta_part d = sp_delta_part(part->delta, i);

    return (struct sp_optim_view){ .name = p->name, .value = d.values, .gradient = d.gradients, .count = m->count, .rows = p->rows,
                                   .cols = p->cols, .positions = d.positions, .decay = true, .moving = part->moves };
}

void sp_sparse_hang(struct sp_trained *t)
{
    struct sp_sparse_part *part = sp_sparse_of(t);

    for (size_t i = 0; i < part->mask.count; i++)
        t->gradients[part->mask.tensors[i].param].sink = part->mask.tensors[i].count ? sp_delta_sink(part->delta, i) : NULL;
}

/* ---- a mask that stays --------------------------------------------------------------------------------------------------- */

static int create(void **state, struct sp_trained *t, struct sp_run *run)
{
    struct sp_sparse_part *part = *state = sp_calloc(1, sizeof *part);
    struct sp_delta_target *targets;
    int rc;

    if (!part)
        return SP_ENOMEM;
    part->moves = t->method->after_step != NULL;
    SP_TRY(sp_mask_make(&part->mask, run, 0));
    SP_TRY(targets_of(&targets, &part->mask, run));
    rc = sp_delta_create(&part->delta, run->device, targets, part->mask.count);
    free(targets);
    if (rc < 0)
        return rc;
    sp_sparse_hang(t);
    for (size_t i = 0; i < part->mask.count; i++) {
        struct sp_optim_view view = view_of(part, run, i);

        SP_TRY(sp_trained_add_view(i ? NULL : &part->first_view, t, &view));
    }
    return 0;
}

static void free_part(void *state)
{
    struct sp_sparse_part *part = state;

    if (!part)
        return;
    sp_delta_free(part->delta);
    for (size_t i = 0; part->touched && i < part->mask.count; i++) {
        free(part->touched[i].positions);
        free(part->touched[i].originals);
    }
    free(part->touched);
    sp_mask_release(&part->mask);
    free(part);
}

static int apply(void *state, struct sp_run *run)
{
    (void)run;
    return sp_delta_apply(((struct sp_sparse_part *)state)->delta);
}

static int collect(struct sp_adapter *out, void *state, struct sp_run *run)
{
    const struct sp_sparse_part *part = state;

    out->sparse = sp_calloc(part->mask.count, sizeof *out->sparse);
    if (!out->sparse)
        return SP_ENOMEM;
    for (size_t i = 0; i < part->mask.count; i++) {
        const struct sp_mask_tensor *m = &part->mask.tensors[i];
        const struct sp_param *p = sp_plan_param_at(run->plan, m->param);
        float *values = sp_calloc(m->count, sizeof *values);

        out->sparse[out->sparse_count++] =
            (struct sp_adapter_sparse){ sp_run_param_name(run, m->param), (size_t)p->rows, (size_t)p->cols, m->count,
                                        m->positions,                     values };
        if (!values)
            return SP_ENOMEM;
        SP_TRY(sp_delta_read(values, part->delta, i));
    }
    return 0;
}

static int change(bool *done, float *values, const struct sp_run *run, size_t param)
{
    const struct sp_adapter_sparse *sparse = sp_adapter_find_sparse(run->adapter, sp_run_param_name(run, param));

    *done = sparse != NULL;
    for (size_t k = 0; sparse && k < sparse->count; k++)
        values[sparse->indices[k]] += sparse->values[k];
    return 0;
}

/* ---- a mask that moves --------------------------------------------------------------------------------------------------- */

/* What a move carries over of one target. */
struct carried {
    uint32_t *from; /* [next count] */
    float *values;  /* likewise; NULL when merging */
};

static int touch(struct sp_touched *touched, const struct sp_mask_tensor *m, const float *base)
{
    struct sp_touched all = { 0 };
    size_t room = touched->count + m->count;

    all.positions = sp_calloc(room, sizeof *all.positions);
    all.originals = base ? sp_calloc(room, sizeof *all.originals) : NULL;
    if (!all.positions || (base && !all.originals)) {
        free(all.positions);
        return SP_ENOMEM;
    }
    all.count = sp_support_union(all.positions, all.originals, touched->positions, touched->originals, touched->count,
                                 m->positions, base, m->count);
    free(touched->positions);
    free(touched->originals);
    *touched = all;
    return 0;
}

/* Adds the mask's positions to those that were touched, with the delta's base as their originals when the method merges. */
static int touch_mask(struct sp_sparse_part *part)
{
    if (!part->touched)
        part->touched = sp_calloc(part->mask.count, sizeof *part->touched);
    if (!part->touched)
        return SP_ENOMEM;
    for (size_t i = 0; i < part->mask.count; i++) {
        float *base = part->merges ? sp_calloc(part->mask.tensors[i].count, sizeof *base) : NULL;
        int rc = part->merges && !base ? SP_ENOMEM : 0;

        if (rc == 0 && base)
            rc = sp_delta_read_base(base, part->delta, i);
        if (rc == 0)
            rc = touch(&part->touched[i], &part->mask.tensors[i], base);
        free(base);
        SP_TRY(rc);
    }
    return 0;
}

/* Maps target i's new entries to the old ones and takes the values along; counts in *change. */
static int carry(struct carried *c, struct sp_sparse_part *part, const struct sp_sparse_move *move, size_t i,
                 struct sp_mask_change *change)
{
    const struct sp_mask_tensor *now = &part->mask.tensors[i], *next = &move->next->tensors[i];
    size_t kept;
    float *old;
    int rc;

    c->from = sp_calloc(next->count, sizeof *c->from);
    if (!c->from)
        return SP_ENOMEM;
    kept = sp_support_map(c->from, next->positions, next->count, now->positions, now->count);
    change->kept += kept;
    change->dropped += now->count - kept;
    change->added += next->count - kept;
    if (move->merge) { /* everything starts anew */
        for (size_t k = 0; k < next->count; k++)
            c->from[k] = SP_REMAP_NEW;
        return 0;
    }
    c->values = sp_calloc(next->count, sizeof *c->values);
    old = sp_calloc(now->count, sizeof *old);
    rc = c->values && old ? sp_delta_read(old, part->delta, i) : SP_ENOMEM;
    if (rc == 0)
        sp_remap_words(c->values, old, c->from, next->count, 0);
    free(old);
    return rc;
}

/* Mask and delta become the next ones; values are zero. */
static int replace_mask(struct sp_sparse_part *part, struct sp_trained *t, struct sp_run *run, struct sp_mask *next)
{
    struct sp_delta_target *targets;
    int rc;

    SP_TRY(targets_of(&targets, next, run));
    rc = sp_delta_move(part->delta, targets);
    free(targets);
    sp_mask_release(&part->mask);
    part->mask = *next;
    *next = (struct sp_mask){ 0 };
    sp_sparse_hang(t);
    return rc;
}

static int move_with(struct sp_sparse_part *part, struct sp_trained *t, struct sp_run *run, const struct sp_sparse_move *move,
                     struct carried *carried, struct sp_mask_change *change)
{
    if (!part->touched)
        SP_TRY(touch_mask(part));
    for (size_t i = 0; i < part->mask.count; i++)
        SP_TRY(carry(&carried[i], part, move, i, change));
    if (!move->merge)
        SP_TRY(sp_delta_restore(part->delta));
    SP_TRY(replace_mask(part, t, run, move->next));
    SP_TRY(touch_mask(part));
    for (size_t i = 0; i < part->mask.count; i++) {
        if (!move->merge)
            SP_TRY(sp_delta_write(part->delta, i, carried[i].values));
        SP_TRY(sp_optim_move(t->optim, part->first_view + i,
                             &(struct sp_optim_move){ .view = view_of(part, run, i), .from = carried[i].from,
                                                      .mean = move->seeds ? move->seeds[i].mean : NULL,
                                                      .square = move->seeds ? move->seeds[i].square : NULL,
                                                      .age = move->age, .anew = move->merge }));
        change->touched += part->touched[i].count;
    }
    change->moved = true;
    change->mask = &part->mask;
    change->size = part->mask.entries;
    return move->merge ? 0 : sp_delta_apply(part->delta);
}

int sp_sparse_move(struct sp_trained *t, struct sp_run *run, const struct sp_sparse_move *move, struct sp_mask_change *change)
{
    struct sp_sparse_part *part = sp_sparse_of(t);
    size_t count = part->mask.count;
    struct carried *carried = sp_calloc(count, sizeof *carried);
    int rc = carried ? move_with(part, t, run, move, carried, change) : SP_ENOMEM;

    for (size_t i = 0; carried && i < count; i++) {
        free(carried[i].from);
        free(carried[i].values);
    }
    free(carried);
    sp_mask_release(move->next);
    return rc < 0 ? sp_error_context(rc, "while the mask moved") : 0;
}

/* Target i's value at each position that was touched: what the pretrained weight lacks of the present one. */
static int settle(struct sp_sparse_part *part, size_t i)
{
    const struct sp_touched *touched = &part->touched[i];
    float *values = sp_calloc(touched->count, sizeof *values);
    int rc = values ? sp_delta_read_base(values, part->delta, i) : SP_ENOMEM;

    for (size_t k = 0; rc == 0 && k < touched->count; k++)
        values[k] -= touched->originals[k];
    if (rc == 0)
        rc = sp_delta_write_base(part->delta, i, touched->originals);
    if (rc == 0)
        rc = sp_delta_write(part->delta, i, values);
    free(values);
    return rc;
}

static int finish(void *state, struct sp_trained *t, struct sp_run *run)
{
    struct sp_sparse_part *part = state;
    struct sp_mask all = { .count = part->mask.count, .targeted = part->mask.targeted };
    int rc = 0;

    if (!part->merges)
        return 0;
    if (!part->touched)
        SP_TRY(touch_mask(part));
    all.tensors = sp_calloc(all.count, sizeof *all.tensors);
    SP_GO(all.tensors ? 0 : SP_ENOMEM);
    for (size_t i = 0; i < all.count; i++) {
        const struct sp_touched *touched = &part->touched[i];
        struct sp_mask_tensor *m = &all.tensors[i];

        *m = (struct sp_mask_tensor){ part->mask.tensors[i].param, sp_calloc(touched->count, sizeof *m->positions),
                                      touched->count };
        SP_GO(m->positions ? 0 : SP_ENOMEM);
        memcpy(m->positions, touched->positions, touched->count * sizeof *m->positions);
        all.entries += touched->count;
    }
    sp_optim_free(t->optim); /* its views end here */
    t->optim = NULL;
    SP_GO(replace_mask(part, t, run, &all));
    for (size_t i = 0; i < part->mask.count; i++)
        SP_GO(settle(part, i));
    rc = sp_delta_apply(part->delta);
out:
    if (all.tensors)
        sp_mask_release(&all);
    return rc;
}

const struct sp_part sp_part_sparse = {
    .role = SP_PARAM_SPARSE,
    .told_as = "the mask",
    .check = sp_mask_check_budget,
    .create = create,
    .free = free_part,
    .apply = apply,
    .finish = finish,
    .collect = collect,
    .change = change,
};
