#include "runtime/train/part_sparse.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/support.h"
#include "runtime/train/method.h"
#include "runtime/train/roles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sp_sparse_part *sp_sparse_of(const struct sp_trained *trained)
{
    return sp_trained_part(trained, &sp_part_sparse);
}

int sp_sparse_assign(struct sp_run *run)
{
    return sp_roles_of_targets(run, SP_PARAM_SPARSE);
}

/* The mask's tensors as the delta's targets, in a new array; positions are borrowed. `views`: where the gradients go,
 * or NULL. */
static int targets_of(struct sp_delta_target **out, const struct sp_mask *mask, struct sp_run *run,
                      const struct sp_optim_view *views)
{
    *out = sp_calloc(mask->count, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    for (size_t i = 0; i < mask->count; i++) {
        const struct sp_mask_tensor *m = &mask->tensors[i];

        (*out)[i] = (struct sp_delta_target){ sp_run_param_name(run, m->param),
                                              &sp_plan_param_at(run->plan, m->param)->weight, m->positions, m->count,
                                              views ? views[i].gradient : NULL };
    }
    return 0;
}

/* Target i as a view of the optimizer. */
static struct sp_optim_view view_of(const struct sp_sparse_part *part, struct sp_run *run, size_t i)
{
    const struct sp_mask_tensor *m = &part->mask.tensors[i];
    const struct sp_param *p = sp_plan_param_at(run->plan, m->param);
    struct sp_delta_part d = sp_delta_part(part->delta, i);

    return (struct sp_optim_view){ .name = p->name,
                                   .value = d.values,
                                   .gradient = d.gradients,
                                   .count = m->count,
                                   .rows = p->rows,
                                   .cols = p->cols,
                                   .positions = d.positions,
                                   .decay = true,
                                   .moving = part->moves };
}

void sp_sparse_hang(struct sp_trained *t, struct sp_run *run)
{
    struct sp_sparse_part *part = sp_sparse_of(t);

    for (size_t i = 0; i < part->mask.count; i++)
        run->gradients[part->mask.tensors[i].param].sink = part->mask.tensors[i].count ? sp_delta_sink(part->delta, i)
                                                                                       : NULL;
}

/* ---- a mask that stays ------------------------------------------------------------------------------------------- */

static int create(void **state, struct sp_trained *t, struct sp_run *run)
{
    struct sp_sparse_part *part = *state = sp_calloc(1, sizeof *part);

    if (!part)
        return SP_ENOMEM;
    part->moves = t->method->moves;
    part->first_view = t->view_count;
    SP_TRY(sp_mask_make(&part->mask, run, 0));
    for (size_t i = 0; i < part->mask.count; i++)
        SP_TRY(sp_trained_add_view(t, &(struct sp_optim_view){ .count = part->mask.tensors[i].count,
                                                               .moving = part->moves }));
    return 0;
}

/* Of an entry: its value, the pretrained weight, the gradient, and its place in the tensor and in each layout. The
 * optimizer's state is that of entries spread evenly. */
static int memory(size_t *bytes, const struct sp_run *run)
{
    bool moves = sp_config_method(run->config)->moves;
    size_t entries, targeted = 0;

    SP_TRY(sp_mask_entries(&entries, run));
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++)
        if (sp_plan_param_at(run->plan, i)->role == SP_PARAM_SPARSE)
            targeted += sp_param_elements(sp_plan_param_at(run->plan, i));
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);
        size_t count = (size_t)ceil((double)entries * (double)sp_param_elements(p) / (double)targeted);
        bool backward = p->weight.backward && p->weight.backward != p->weight.forward;

        if (p->role == SP_PARAM_SPARSE)
            *bytes += sp_f32_bytes(count * (backward ? 6 : 5) + (size_t)p->rows + 1) +
                      sp_trained_state(run, &(struct sp_optim_view){ .count = count, .rows = p->rows, .cols = p->cols,
                                                                     .moving = moves });
    }
    return 0;
}

static int hang(void *state, struct sp_trained *t, struct sp_run *run)
{
    struct sp_sparse_part *part = state;
    struct sp_optim_view *views = &t->views[part->first_view];
    struct sp_delta_target *targets;
    int rc;

    SP_TRY(targets_of(&targets, &part->mask, run, views));
    rc = sp_delta_create(&part->delta, run->device, targets, part->mask.count);
    free(targets);
    SP_TRY(rc);
    for (size_t i = 0; i < part->mask.count; i++)
        views[i] = view_of(part, run, i);
    sp_sparse_hang(t, run);
    return 0;
}

static void free_touched(struct sp_sparse_part *part)
{
    for (size_t i = 0; part->touched && i < part->mask.count; i++) {
        free(part->touched[i].positions);
        free(part->touched[i].originals);
    }
    free(part->touched);
    part->touched = NULL;
}

static void free_part(void *state)
{
    struct sp_sparse_part *part = state;

    if (!part)
        return;
    sp_delta_free(part->delta);
    free_touched(part);
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

static void discard(struct sp_adapter *out)
{
    for (size_t i = 0; i < out->sparse_count; i++)
        free((float *)(uintptr_t)out->sparse[i].values);
    free(out->sparse);
}

static int change(bool *done, float *values, const struct sp_run *run, size_t param)
{
    const struct sp_adapter_sparse *sparse = sp_adapter_find_sparse(run->adapter, sp_run_param_name(run, param));

    *done = sparse != NULL;
    for (size_t k = 0; sparse && k < sparse->count; k++)
        values[sparse->indices[k]] += sparse->values[k];
    return 0;
}

/* ---- a mask that moves ------------------------------------------------------------------------------------------- */

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

/* Adds the mask's positions to those that were touched, with the delta's base as their originals when the method
 * merges. */
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

/* Mask and delta become the next ones; values are zero. `trains`: there are steps with it, so that its gradients have
 * their places. */
static int replace_mask(struct sp_sparse_part *part, struct sp_trained *t, struct sp_run *run, struct sp_mask *next,
                        bool trains)
{
    struct sp_optim_view *views = &t->views[part->first_view];
    struct sp_delta_target *targets;
    int rc;

    for (size_t i = 0; i < next->count && trains; i++)
        views[i].count = next->tensors[i].count;
    if (trains)
        SP_TRY(sp_trained_place(t, run));
    SP_TRY(targets_of(&targets, next, run, trains ? views : NULL));
    rc = sp_delta_move(part->delta, targets);
    free(targets);
    sp_mask_release(&part->mask);
    part->mask = *next;
    *next = (struct sp_mask){ 0 };
    for (size_t i = 0; rc == 0 && trains && i < part->mask.count; i++)
        views[i] = view_of(part, run, i);
    sp_sparse_hang(t, run);
    return rc;
}

static int move_with(struct sp_sparse_part *part, struct sp_trained *t, struct sp_run *run,
                     const struct sp_sparse_move *move, struct carried *carried, struct sp_mask_change *change)
{
    if (!part->moves)
        return sp_error(SP_EINVAL, "internal error: method %s moves the mask and did not say it would",
                        t->method->name);
    if (!part->touched)
        SP_TRY(touch_mask(part));
    for (size_t i = 0; i < part->mask.count; i++)
        SP_TRY(carry(&carried[i], part, move, i, change));
    if (!move->merge)
        SP_TRY(sp_delta_restore(part->delta));
    SP_TRY(replace_mask(part, t, run, move->next, true));
    SP_TRY(touch_mask(part));
    for (size_t i = 0; i < part->mask.count; i++) {
        if (!move->merge)
            SP_TRY(sp_delta_write(part->delta, i, carried[i].values));
        SP_TRY(sp_optim_move(t->optim, part->first_view + i,
                             &(struct sp_optim_move){ .view = t->views[part->first_view + i], .from = carried[i].from,
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

int sp_sparse_move(struct sp_trained *t, struct sp_run *run, const struct sp_sparse_move *move,
                   struct sp_mask_change *change)
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

/* A mask of the same targets with room for counts[target] positions each. */
static int make_room(struct sp_mask *out, const struct sp_sparse_part *part, const size_t *counts)
{
    *out = (struct sp_mask){ .targeted = part->mask.targeted,
                             .tensors = sp_calloc(part->mask.count, sizeof *out->tensors) };
    if (!out->tensors)
        return SP_ENOMEM;
    for (; out->count < part->mask.count; out->count++) {
        struct sp_mask_tensor *m = &out->tensors[out->count];

        *m = (struct sp_mask_tensor){ part->mask.tensors[out->count].param,
                                      sp_calloc(counts[out->count], sizeof *m->positions), counts[out->count] };
        if (!m->positions)
            return SP_ENOMEM;
        out->entries += m->count;
    }
    return 0;
}

/* Every position that was ever in the mask. */
static int touched_mask(struct sp_mask *out, const struct sp_sparse_part *part)
{
    size_t *counts = sp_calloc(part->mask.count, sizeof *counts);
    int rc = counts ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < part->mask.count; i++)
        counts[i] = part->touched[i].count;
    if (rc == 0)
        rc = make_room(out, part, counts);
    for (size_t i = 0; rc == 0 && i < out->count; i++)
        memcpy(out->tensors[i].positions, part->touched[i].positions, counts[i] * sizeof(uint32_t));
    free(counts);
    return rc;
}

/* ---- its state --------------------------------------------------------------------------------------------------- */

/* Target i's positions that were ever in the mask and, where the method merges, the weights there, first and `now`. */
static int visit_touched(struct sp_sparse_part *part, struct sp_run *run, struct sp_state *visitor, float **now,
                         size_t i)
{
    struct sp_touched *touched = &part->touched[i];
    const struct sp_param *p = sp_plan_param_at(run->plan, part->mask.tensors[i].param);
    float *all = NULL;
    int rc = sp_state_host(visitor, &touched->count, sizeof touched->count, "touched.%zu.count", i);

    SP_GO(rc);
    if (visitor->restores) {
        touched->positions = sp_calloc(touched->count, sizeof *touched->positions);
        touched->originals = part->merges ? sp_calloc(touched->count, sizeof *touched->originals) : NULL;
        SP_GO(touched->positions && (touched->originals || !part->merges) ? 0 : SP_ENOMEM);
    }
    SP_GO(sp_state_host(visitor, touched->positions, touched->count * sizeof *touched->positions, "touched.%zu", i));
    if (!part->merges)
        goto out;
    *now = sp_calloc(touched->count, sizeof **now);
    all = sp_calloc(sp_param_elements(p), sizeof *all);
    SP_GO(*now && all ? sp_gemm_weight_read(all, &p->weight) : SP_ENOMEM);
    for (size_t k = 0; k < touched->count && !visitor->restores; k++)
        (*now)[k] = all[touched->positions[k]];
    SP_GO(sp_state_host(visitor, touched->originals, sp_f32_bytes(touched->count), "touched.%zu.originals", i));
    rc = sp_state_host(visitor, *now, sp_f32_bytes(touched->count), "touched.%zu.weights", i);
out:
    free(all);
    return rc;
}

/* The weights become `now`, or what they were at first (NULL), at every position that was ever in the mask: they all
 * are in it for a moment. */
static int rewrite_touched(struct sp_sparse_part *part, struct sp_trained *t, struct sp_run *run, float *const *now)
{
    struct sp_mask all = { .count = 0 };
    int rc = sp_delta_restore(part->delta);

    SP_GO(rc);
    SP_GO(touched_mask(&all, part));
    SP_GO(replace_mask(part, t, run, &all, false));
    for (size_t i = 0; i < part->mask.count; i++)
        SP_GO(sp_delta_write_base(part->delta, i, now ? now[i] : part->touched[i].originals));
    rc = sp_delta_restore(part->delta);
out:
    if (all.tensors)
        sp_mask_release(&all);
    return rc;
}

static int visit_moves(struct sp_sparse_part *part, struct sp_trained *t, struct sp_run *run, struct sp_state *visitor)
{
    bool moved = part->touched != NULL;
    float **now;
    int rc;

    SP_TRY(sp_state_host(visitor, &moved, sizeof moved, "mask.moved"));
    if (visitor->restores && part->touched) { /* this run's own moves */
        if (part->merges)
            SP_TRY(rewrite_touched(part, t, run, NULL));
        free_touched(part);
    }
    if (!moved)
        return 0;
    if (!part->touched && !(part->touched = sp_calloc(part->mask.count, sizeof *part->touched)))
        return SP_ENOMEM;
    now = sp_calloc(part->mask.count, sizeof *now);
    rc = now ? 0 : SP_ENOMEM;
    for (size_t i = 0; rc == 0 && i < part->mask.count; i++)
        rc = visit_touched(part, run, visitor, &now[i], i);
    if (rc == 0 && part->merges && visitor->restores)
        rc = rewrite_touched(part, t, run, now);
    for (size_t i = 0; now && i < part->mask.count; i++)
        free(now[i]);
    free(now);
    return rc;
}

static int visit_mask(struct sp_sparse_part *part, struct sp_trained *t, struct sp_run *run, struct sp_state *visitor)
{
    size_t count = part->mask.count, *counts = sp_calloc(count, sizeof *counts);
    struct sp_mask next = { .count = 0 }, *mask = visitor->restores ? &next : &part->mask;
    int rc = counts ? 0 : SP_ENOMEM;

    SP_GO(rc);
    for (size_t i = 0; i < count; i++)
        counts[i] = part->mask.tensors[i].count;
    SP_GO(sp_state_host(visitor, counts, count * sizeof *counts, "mask.counts"));
    if (visitor->restores)
        SP_GO(make_room(&next, part, counts));
    for (size_t i = 0; i < count; i++)
        SP_GO(sp_state_host(visitor, mask->tensors[i].positions, counts[i] * sizeof(uint32_t), "mask.%zu", i));
    if (!visitor->restores)
        goto out;
    SP_GO(sp_delta_restore(part->delta));
    SP_GO(replace_mask(part, t, run, &next, true));
out:
    if (next.tensors)
        sp_mask_release(&next);
    free(counts);
    return rc;
}

/* Target i's weights without the delta; they are the pretrained ones unless merges have changed them. */
static int visit_base(struct sp_sparse_part *part, struct sp_state *visitor, size_t i)
{
    size_t count = part->mask.tensors[i].count;
    float *base = sp_calloc(count, sizeof *base);
    int rc = base ? sp_delta_read_base(base, part->delta, i) : SP_ENOMEM;

    if (rc == 0)
        rc = sp_state_host(visitor, base, count * sizeof *base, "delta.%zu.base", i);
    if (rc == 0 && visitor->restores)
        rc = sp_delta_write_base(part->delta, i, base);
    free(base);
    return rc;
}

static int visit(void *state, struct sp_trained *t, struct sp_run *run, struct sp_state *visitor)
{
    struct sp_sparse_part *part = state;

    SP_TRY(visit_moves(part, t, run, visitor));
    SP_TRY(visit_mask(part, t, run, visitor));
    for (size_t i = 0; i < part->mask.count; i++) {
        SP_TRY(visit_base(part, visitor, i));
        SP_TRY(sp_state_device(visitor, sp_delta_part(part->delta, i).values, "delta.%zu", i));
    }
    return visitor->restores ? sp_delta_apply(part->delta) : 0;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static int finish(void *state, struct sp_trained *t, struct sp_run *run)
{
    struct sp_sparse_part *part = state;
    struct sp_mask all = { .count = 0 };
    int rc = 0;

    if (!part->merges)
        return 0;
    if (!part->touched)
        SP_TRY(touch_mask(part));
    SP_GO(touched_mask(&all, part));
    sp_optim_free(t->optim); /* its views end here */
    t->optim = NULL;
    SP_GO(replace_mask(part, t, run, &all, false));
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
    .untied = "a sparse delta",
    .transposed = true,
    .check = sp_mask_check_budget,
    .memory = memory,
    .create = create,
    .hang = hang,
    .free = free_part,
    .apply = apply,
    .visit = visit,
    .finish = finish,
    .collect = collect,
    .discard = discard,
    .change = change,
};
