#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/support.h"
#include "runtime/train/method.h"
#include "runtime/train/move_priv.h"

#include <stdlib.h>
#include <string.h>

/* What a move carries over of one target. */
struct carried {
    uint32_t *from; /* [next count] */
    float *values;  /* likewise; NULL when merging */
};

int sp_trained_targets(struct sp_delta_target **out, const struct sp_mask *mask, struct sp_run *run)
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

struct sp_optim_view sp_trained_view(const struct sp_trained *t, struct sp_run *run, size_t i)
{
    const struct sp_mask_tensor *m = &t->mask.tensors[i];
    const struct sp_param *p = sp_plan_param_at(run->plan, m->param);
    struct sp_delta_part part = sp_delta_part(t->delta, i);

    return (struct sp_optim_view){ .name = p->name, .value = part.values, .gradient = part.gradients, .count = m->count,
                                   .rows = p->rows, .cols = p->cols, .positions = part.positions, .decay = true,
                                   .moving = t->method->after_step != NULL };
}

void sp_trained_hang(struct sp_trained *t)
{
    for (size_t i = 0; i < t->mask.count; i++)
        t->gradients[t->mask.tensors[i].param].sink = t->mask.tensors[i].count ? sp_delta_sink(t->delta, i) : NULL;
}

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

int sp_trained_touch(struct sp_trained *t)
{
    if (!t->touched)
        t->touched = sp_calloc(t->mask.count, sizeof *t->touched);
    if (!t->touched)
        return SP_ENOMEM;
    for (size_t i = 0; i < t->mask.count; i++) {
        float *base = t->merges ? sp_calloc(t->mask.tensors[i].count, sizeof *base) : NULL;
        int rc = t->merges && !base ? SP_ENOMEM : 0;

        if (rc == 0 && base)
            rc = sp_delta_read_base(base, t->delta, i);
        if (rc == 0)
            rc = touch(&t->touched[i], &t->mask.tensors[i], base);
        free(base);
        SP_TRY(rc);
    }
    return 0;
}

/* Maps target i's new entries to the old ones and takes the values along; counts in *change. */
static int carry(struct carried *c, struct sp_trained *t, const struct sp_trained_move *move, size_t i,
                 struct sp_mask_change *change)
{
    const struct sp_mask_tensor *now = &t->mask.tensors[i], *next = &move->next->tensors[i];
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
    rc = c->values && old ? sp_delta_read(old, t->delta, i) : SP_ENOMEM;
    if (rc == 0)
        sp_remap_words(c->values, old, c->from, next->count, 0);
    free(old);
    return rc;
}

/* Mask and delta become the next ones; values are zero. */
static int replace_mask(struct sp_trained *t, struct sp_run *run, struct sp_mask *next)
{
    struct sp_delta_target *targets;
    int rc;

    SP_TRY(sp_trained_targets(&targets, next, run));
    rc = sp_delta_move(t->delta, targets);
    free(targets);
    sp_mask_release(&t->mask);
    t->mask = *next;
    *next = (struct sp_mask){ 0 };
    sp_trained_hang(t);
    return rc;
}

static int move_with(struct sp_trained *t, struct sp_run *run, const struct sp_trained_move *move, struct carried *carried,
                     struct sp_mask_change *change)
{
    for (size_t i = 0; i < t->mask.count; i++)
        SP_TRY(carry(&carried[i], t, move, i, change));
    if (!move->merge)
        SP_TRY(sp_delta_restore(t->delta));
    SP_TRY(replace_mask(t, run, move->next));
    SP_TRY(sp_trained_touch(t));
    for (size_t i = 0; i < t->mask.count; i++) {
        if (!move->merge)
            SP_TRY(sp_delta_write(t->delta, i, carried[i].values));
        SP_TRY(sp_optim_move(t->optim, i, &(struct sp_optim_move){ .view = sp_trained_view(t, run, i),
                                                                   .from = carried[i].from,
                                                                   .mean = move->seeds ? move->seeds[i].mean : NULL,
                                                                   .square = move->seeds ? move->seeds[i].square : NULL,
                                                                   .age = move->age, .anew = move->merge }));
        change->touched += t->touched[i].count;
    }
    change->moved = true;
    change->size = t->mask.entries;
    return move->merge ? 0 : sp_delta_apply(t->delta);
}

int sp_trained_move(struct sp_trained *t, struct sp_run *run, const struct sp_trained_move *move, struct sp_mask_change *change)
{
    size_t count = t->mask.count;
    struct carried *carried = sp_calloc(count, sizeof *carried);
    int rc = carried ? move_with(t, run, move, carried, change) : SP_ENOMEM;

    for (size_t i = 0; carried && i < count; i++) {
        free(carried[i].from);
        free(carried[i].values);
    }
    free(carried);
    sp_mask_release(move->next);
    return rc < 0 ? sp_error_context(rc, "while the mask moved") : 0;
}

int sp_trained_before_step(struct sp_trained *t, struct sp_run *run, size_t done)
{
    return t->method->before_step ? t->method->before_step(t->state, t, run, done) : 0;
}

int sp_trained_after_step(struct sp_trained *t, struct sp_run *run, size_t done, struct sp_mask_change *change)
{
    return t->method->after_step ? t->method->after_step(t->state, t, run, done, change) : 0;
}

/* Target i's value at each position that was touched: what the pretrained weight lacks of the present one. */
static int settle(struct sp_trained *t, size_t i)
{
    const struct sp_touched *touched = &t->touched[i];
    float *values = sp_calloc(touched->count, sizeof *values);
    int rc = values ? sp_delta_read_base(values, t->delta, i) : SP_ENOMEM;

    for (size_t k = 0; rc == 0 && k < touched->count; k++)
        values[k] -= touched->originals[k];
    if (rc == 0)
        rc = sp_delta_write_base(t->delta, i, touched->originals);
    if (rc == 0)
        rc = sp_delta_write(t->delta, i, values);
    free(values);
    return rc;
}

int sp_trained_finish(struct sp_trained *t, struct sp_run *run)
{
    struct sp_mask all = { .count = t->mask.count, .targeted = t->mask.targeted };
    int rc = 0;

    if (!t->merges)
        return 0;
    all.tensors = sp_calloc(all.count, sizeof *all.tensors);
    SP_GO(all.tensors ? 0 : SP_ENOMEM);
    for (size_t i = 0; i < all.count; i++) {
        const struct sp_touched *touched = &t->touched[i];
        struct sp_mask_tensor *m = &all.tensors[i];

        *m = (struct sp_mask_tensor){ t->mask.tensors[i].param, sp_calloc(touched->count, sizeof *m->positions), touched->count };
        SP_GO(m->positions ? 0 : SP_ENOMEM);
        memcpy(m->positions, touched->positions, touched->count * sizeof *m->positions);
        all.entries += touched->count;
    }
    sp_optim_free(t->optim); /* its views end here */
    t->optim = NULL;
    SP_GO(replace_mask(t, run, &all));
    for (size_t i = 0; i < t->mask.count; i++)
        SP_GO(settle(t, i));
    rc = sp_delta_apply(t->delta);
out:
    if (all.tensors)
        sp_mask_release(&all);
    return rc;
}
