#include "runtime/train/mask.h"

#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/op/op.h"
#include "runtime/sparse/dense.h"
#include "runtime/sparse/metric.h"
#include "runtime/sparse/select.h"
#include "runtime/train/load.h"

#include <math.h>
#include <stdlib.h>

/* The scoring pass over one group of targets, whose gradients fit sparse.scoring_memory. */
struct group {
    size_t first, count; /* of the mask's tensors */
    struct sp_dense_sink *sinks;
};

static struct sp_param *param_of(const struct sp_run *run, const struct sp_mask *mask, size_t t)
{
    return sp_plan_param_at(run->plan, mask->tensors[t].param);
}

static size_t size_of(const struct sp_run *run, const struct sp_mask *mask, size_t t)
{
    const struct sp_param *p = param_of(run, mask, t);

    return (size_t)p->rows * (size_t)p->cols;
}

static int find_targets(struct sp_mask *mask, const struct sp_run *run)
{
    mask->tensors = sp_calloc(sp_plan_param_count(run->plan), sizeof *mask->tensors);
    if (!mask->tensors)
        return SP_ENOMEM;
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        if (!sp_run_is_target(run, i))
            continue;
        mask->tensors[mask->count].param = i;
        mask->targeted += size_of(run, mask, mask->count++);
    }
    return 0;
}

/* Target t's part of the budget where each has the same density: floor(K n / N). */
static size_t share(const struct sp_run *run, const struct sp_mask *mask, size_t t, size_t budget)
{
    return (size_t)((unsigned __int128)budget * size_of(run, mask, t) / mask->targeted);
}

/* K: the count; floor(density N); or r sum (in + out), what LoRA of rank r would train. */
static int budget(size_t *out, const struct sp_run *run, const struct sp_mask *mask)
{
    const struct sp_config_sparse *c = &run->config->sparse;
    size_t sum = 0, shared = 0;

    for (size_t t = 0; t < mask->count; t++)
        sum += (size_t)param_of(run, mask, t)->rows + (size_t)param_of(run, mask, t)->cols;
    if (c->count > 0)
        *out = (size_t)c->count;
    else if (!isnan(c->density))
        *out = (size_t)floor(c->density * (double)mask->targeted);
    else
        *out = (size_t)c->rank_equivalent * sum;
    if (*out == 0)
        return sp_error(SP_ECONFIG, "sparse.density %g of %zu targeted weights rounds to no entry at all", c->density,
                        mask->targeted);
    if (*out > mask->targeted)
        return sp_error(SP_ECONFIG, "the sparse budget of %zu entries is larger than the %zu targeted weights", *out,
                        mask->targeted);
    for (size_t t = 0; t < mask->count; t++)
        shared += share(run, mask, t, *out);
    if (c->scope == SP_CONFIG_SCOPE_TENSOR && shared == 0)
        return sp_error(SP_ECONFIG, "the sparse budget of %zu entries gives none to any of the %zu matrices with sparse.scope tensor",
                        *out, mask->count);
    return 0;
}

/* One batch through forward and backward with the group's sinks adding up gradients. */
static int score_batches(struct sp_run *run, const uint32_t *order, size_t examples, size_t group, size_t groups)
{
    size_t batch = (size_t)run->config->per_device_train_batch_size, batches = (examples + batch - 1) / batch;
    struct sp_plan_pass pass = { .loss_scale = 1.0f / (float)batches };

    for (size_t b = 0; b < batches; b++) {
        size_t from = b * batch, count = examples - from < batch ? examples - from : batch;

        if (sp_interrupted())
            return sp_error(SP_EINTR, "interrupted while scoring");
        pass.accumulate = b > 0;
        SP_TRY(sp_run_set_batch(run, &run->train, order, from, count));
        if (b <= 1) { /* the first batch stores gradients, later ones add: two variants of the kernels */
            SP_TRY(sp_plan_record(run->plan, &pass));
            SP_TRY(sp_kernel_build_recorded(run->device));
            SP_TRY(sp_run_set_batch(run, &run->train, order, from, count));
        }
        SP_TRY(sp_plan_forward(run->plan, &pass));
        SP_TRY(sp_plan_backward(run->plan, &pass));
        SP_TRY(sp_device_finish(run->device));
        if (run->observer.progress)
            run->observer.progress(run->observer.user, "score", group * batches + b + 1, groups * batches, NAN, 0, false);
    }
    return 0;
}

int sp_mask_check_budget(const struct sp_run *run)
{
    struct sp_mask mask = { 0 };
    size_t entries;
    int rc = find_targets(&mask, run);

    if (rc == 0)
        rc = budget(&entries, run, &mask);
    sp_mask_release(&mask);
    return rc;
}

static void free_group(struct sp_run *run, const struct sp_mask *mask, struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        param_of(run, mask, g->first + i)->sink = NULL;
        sp_buffer_free(g->sinks[i].gradient);
        g->sinks[i].gradient = NULL;
    }
}

/* Gives the group's targets dense gradients. */
static int open_group(struct sp_run *run, const struct sp_mask *mask, struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        struct sp_param *p = param_of(run, mask, g->first + i);
        struct sp_buffer *gradient;

        SP_TRY(sp_buffer_create(&gradient, run->device, size_of(run, mask, g->first + i) * sizeof(float)));
        sp_dense_sink_init(&g->sinks[i], p->weight.family, gradient);
        p->sink = &g->sinks[i].sink;
    }
    return 0;
}

/* As many targets from `first` on as fit the scoring memory, at least one. */
static size_t group_size(const struct sp_run *run, const struct sp_mask *mask, size_t first)
{
    size_t limit = (size_t)run->config->sparse.scoring_memory << 20, bytes = 0, count = 0;

    while (first + count < mask->count) {
        bytes += size_of(run, mask, first + count) * sizeof(float);
        if (count && bytes > limit)
            break;
        count++;
    }
    return count;
}

struct scorer {
    const struct sp_metric *metric;
    struct sp_select *global; /* one selection over all targets, or NULL for one a tensor */
    size_t budget;
    float *weight, *gradient, *scores; /* room for the largest target */
};

/* Scores target t, whose gradient is in `gradient` where the metric needs one, and selects or adds to the selection. */
static int score_tensor(struct sp_run *run, struct sp_mask *mask, struct scorer *s, size_t t, struct sp_buffer *gradient)
{
    struct sp_mask_tensor *tensor = &mask->tensors[t];
    size_t n = size_of(run, mask, t);
    const char *name = sp_run_param_name(run, tensor->param);
    struct sp_select *own = NULL;
    int rc;

    if (s->metric->needs_weight)
        SP_TRY(sp_load_weight(s->weight, run, tensor->param));
    if (s->metric->needs_gradient)
        SP_TRY(sp_buffer_read(s->gradient, gradient, 0, n * sizeof(float)));
    s->metric->score(s->scores, &(struct sp_metric_input){ .tensor = (uint32_t)t, .seed = (uint64_t)run->config->seed,
                                                           .weight = s->weight, .gradient = s->gradient, .count = n });
    if (s->global)
        return sp_select_add(s->global, (uint32_t)t, s->scores, n, name);
    SP_TRY(sp_select_create(&own, share(run, mask, t, s->budget)));
    rc = sp_select_add(own, (uint32_t)t, s->scores, n, name);
    if (rc == 0)
        rc = sp_select_positions(&tensor->positions, &tensor->count, own, (uint32_t)t);
    sp_select_free(own);
    return rc;
}

/* All targets, in groups where gradients are needed. */
static int score_targets(struct sp_run *run, struct sp_mask *mask, struct scorer *s, const uint32_t *order, size_t examples)
{
    struct group g = { .sinks = sp_calloc(mask->count, sizeof *g.sinks) };
    size_t groups = 0, done = 0;
    int rc = g.sinks ? 0 : SP_ENOMEM;

    for (size_t first = 0; first < mask->count; first += group_size(run, mask, first))
        groups++;
    for (; rc == 0 && g.first < mask->count; g.first += g.count, done++) {
        g.count = group_size(run, mask, g.first);
        if (s->metric->needs_gradient) {
            rc = open_group(run, mask, &g);
            if (rc == 0)
                rc = score_batches(run, order, examples, done, groups);
        }
        for (size_t i = 0; rc == 0 && i < g.count; i++)
            rc = score_tensor(run, mask, s, g.first + i, g.sinks[i].gradient);
        free_group(run, mask, &g);
    }
    free(g.sinks);
    return rc;
}

static int make(struct sp_mask *mask, struct sp_run *run, struct scorer *s)
{
    size_t examples = (size_t)run->config->sparse.scoring_examples, largest = 0;
    uint32_t *order = sp_calloc(run->train.count, sizeof *order);
    int rc = order ? 0 : SP_ENOMEM;

    if (examples > run->train.count)
        examples = run->train.count;
    for (size_t t = 0; t < mask->count; t++)
        largest = size_of(run, mask, t) > largest ? size_of(run, mask, t) : largest;
    s->scores = sp_calloc(largest, sizeof *s->scores);
    s->weight = s->metric->needs_weight ? sp_calloc(largest, sizeof *s->weight) : NULL;
    s->gradient = s->metric->needs_gradient ? sp_calloc(largest, sizeof *s->gradient) : NULL;
    if (!s->scores || (s->metric->needs_weight && !s->weight) || (s->metric->needs_gradient && !s->gradient))
        rc = SP_ENOMEM;
    if (rc == 0 && run->config->sparse.scope == SP_CONFIG_SCOPE_GLOBAL)
        rc = sp_select_create(&s->global, s->budget);
    if (rc == 0) {
        sp_data_order(order, run->train.count, (uint64_t)run->config->seed, 0, run->config->shuffle);
        rc = score_targets(run, mask, s, order, examples);
    }
    for (size_t t = 0; rc == 0 && s->global && t < mask->count; t++)
        rc = sp_select_positions(&mask->tensors[t].positions, &mask->tensors[t].count, s->global, (uint32_t)t);
    sp_select_free(s->global);
    free(s->scores);
    free(s->weight);
    free(s->gradient);
    free(order);
    return rc;
}

int sp_mask_make(struct sp_mask *out, struct sp_run *run)
{
    struct scorer s = { .metric = sp_metric_find(run->config->sparse.metric) };
    int rc;

    *out = (struct sp_mask){ 0 };
    if (!s.metric)
        return sp_error(SP_ECONFIG, "sparse.metric: there is no metric called '%s'", run->config->sparse.metric);
    SP_GO(find_targets(out, run));
    SP_GO(budget(&s.budget, run, out));
    SP_GO(make(out, run, &s));
    for (size_t t = 0; t < out->count; t++)
        out->entries += out->tensors[t].count;
    sp_log(SP_LOG_INFO, "mask: %zu of %zu weights in %zu matrices by %s", out->entries, out->targeted, out->count,
           s.metric->name);
out:
    if (rc < 0)
        sp_mask_release(out);
    return rc;
}

void sp_mask_release(struct sp_mask *mask)
{
    for (size_t t = 0; t < mask->count; t++)
        free(mask->tensors[t].positions);
    free(mask->tensors);
    *mask = (struct sp_mask){ 0 };
}
