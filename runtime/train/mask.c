#include "runtime/train/mask.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/metric.h"
#include "runtime/sparse/select.h"
#include "runtime/train/score_cache.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

static struct sp_param *param_of(const struct sp_run *run, const struct sp_mask *mask, size_t t)
{
    return sp_plan_param_at(run->plan, mask->tensors[t].param);
}

static size_t size_of(const struct sp_run *run, const struct sp_mask *mask, size_t t)
{
    return sp_param_elements(param_of(run, mask, t));
}

static int find_targets(struct sp_mask *mask, const struct sp_run *run)
{
    mask->tensors = sp_calloc(sp_plan_param_count(run->plan), sizeof *mask->tensors);
    if (!mask->tensors)
        return SP_ENOMEM;
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        if (sp_plan_param_at(run->plan, i)->role != SP_PARAM_SPARSE)
            continue;
        if (sp_param_elements(sp_plan_param_at(run->plan, i)) > INT_MAX)
            return sp_error(SP_ELIMIT,
                            "%s has %zu weights, and a target has at most %d: leave it out of sparse.target_modules",
                            sp_run_param_name(run, i), sp_param_elements(sp_plan_param_at(run->plan, i)), INT_MAX);
        mask->tensors[mask->count].param = i;
        mask->targeted += size_of(run, mask, mask->count++);
    }
    return 0;
}

/* The same count for each tensor; one that is smaller gives all it has, and what it lacks is shared by the others. A
 * remainder of fewer entries than tensors is not used. */
static void share_evenly(size_t *out, const struct sp_run *run, const struct sp_mask *mask, size_t budget)
{
    size_t left = mask->count, each = 0;
    bool settled = false;

    while (!settled && left) {
        each = budget / left;
        settled = true;
        for (size_t t = 0; t < mask->count; t++)
            if (!out[t] && size_of(run, mask, t) <= each) {
                out[t] = size_of(run, mask, t);
                budget -= out[t];
                left--;
                settled = false;
            }
    }
    for (size_t t = 0; t < mask->count; t++)
        out[t] = out[t] ? out[t] : each;
}

/* Each target's part of the budget K, out[targets] being zero before. uniform_count: the same number; tensor: the same
 * density, floor(K n / N); global: the same, for want of another measure. */
static void share(size_t *out, const struct sp_run *run, const struct sp_mask *mask, size_t budget)
{
    if (run->config->sparse.scope == SP_CONFIG_SCOPE_UNIFORM_COUNT) {
        share_evenly(out, run, mask, budget);
        return;
    }
    for (size_t t = 0; t < mask->count; t++)
        out[t] = (size_t)((unsigned __int128)budget * size_of(run, mask, t) / mask->targeted);
}

/* K: the count; floor(density N); or r sum (in + out), what LoRA of rank r would train. */
static int budget(size_t *out, const struct sp_run *run, const struct sp_mask *mask)
{
    const struct sp_config_sparse *c = &run->config->sparse;
    size_t sum = 0, shared = 0, *shares;

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
    shares = sp_calloc(mask->count, sizeof *shares);
    if (!shares)
        return SP_ENOMEM;
    share(shares, run, mask, *out);
    for (size_t t = 0; t < mask->count; t++)
        shared += shares[t];
    free(shares);
    if (c->scope != SP_CONFIG_SCOPE_GLOBAL && shared == 0)
        return sp_error(SP_ECONFIG,
                        "the sparse budget of %zu entries gives none to any of the %zu matrices with sparse.scope %s",
                        *out, mask->count, sp_config_scopes[c->scope]);
    return 0;
}

int sp_mask_entries(size_t *out, const struct sp_run *run)
{
    struct sp_mask mask = { 0 };
    int rc = find_targets(&mask, run);

    *out = 0;
    if (rc == 0)
        rc = budget(out, run, &mask);
    sp_mask_release(&mask);
    return rc;
}

int sp_mask_check_budget(const struct sp_run *run)
{
    size_t entries;

    return sp_mask_entries(&entries, run);
}

/* Scores on their way to the selection. */
struct scorer {
    struct sp_run *run;
    struct sp_mask *mask;
    const struct sp_metric *metric;
    struct sp_select *global; /* one selection over all targets, or NULL for one a tensor */
    size_t *shares;           /* [targets], without a global selection */
    bool any;                 /* some score says something */
};

/* Whether a score says something, which zeros do not; SP_ENUMERIC when one is not finite. */
static int check_scores(bool *any, const float *scores, size_t n, const char *name)
{
    *any = false;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(scores[i]))
            return sp_error(SP_ENUMERIC, "the score of %s at position %zu is %s", name, i,
                            isnan(scores[i]) ? "not a number" : "infinite");
        *any |= scores[i] != 0;
    }
    return 0;
}

/* A target's scores: selected from, or added to the selection over all. Where a tensor must give entries, zeros alone
 * choose none of them before another, so they are an error; over all targets they come after every positive score. */
static int take(void *user, size_t t, const float *scores)
{
    struct scorer *s = user;
    struct sp_mask_tensor *tensor = &s->mask->tensors[t];
    size_t n = size_of(s->run, s->mask, t);
    const char *name = sp_run_param_name(s->run, tensor->param);
    struct sp_select *own = NULL;
    bool any;
    int rc;

    SP_TRY(check_scores(&any, scores, n, name));
    any = any || s->metric->zero_is_best;
    s->any |= any;
    if (s->global)
        return sp_select_add(s->global, (uint32_t)t, scores, n, name);
    if (!any && s->shares[t])
        return sp_error(SP_ENUMERIC,
                        "all scores of %s by %s are zero, and sparse.scope wants %zu of its entries; scope global can "
                        "do without them",
                        name, s->metric->name, s->shares[t]);
    SP_TRY(sp_select_create(&own, s->shares[t]));
    rc = sp_select_add(own, (uint32_t)t, scores, n, name);
    if (rc == 0)
        rc = sp_select_positions(&tensor->positions, &tensor->count, own, (uint32_t)t);
    sp_select_free(own);
    return rc;
}

/* The parameters to score, in a new array. */
static int params_of(size_t **out, const struct sp_mask *mask)
{
    *out = sp_calloc(mask->count, sizeof **out);
    for (size_t t = 0; *out && t < mask->count; t++)
        (*out)[t] = mask->tensors[t].param;
    return *out ? 0 : SP_ENOMEM;
}

int sp_mask_memory(size_t *out, const struct sp_run *run)
{
    const struct sp_metric *metric = sp_metric_find(run->config->sparse.metric);
    struct sp_mask mask = { 0 };
    size_t *params = NULL;
    int rc = find_targets(&mask, run);

    *out = 0;
    if (rc == 0)
        rc = params_of(&params, &mask);
    if (rc == 0 && metric)
        *out = sp_salience_memory(run, &(struct sp_salience){ metric, params, mask.count, 0 });
    free(params);
    sp_mask_release(&mask);
    return rc;
}

static int make(struct sp_mask *mask, struct scorer *s, uint32_t round, size_t entries)
{
    const struct sp_metric *metric = sp_metric_find(s->run->config->sparse.metric);
    size_t *params = NULL;
    int rc = params_of(&params, mask);

    s->metric = metric;
    s->shares = sp_calloc(mask->count, sizeof *s->shares);
    SP_GO(rc);
    SP_GO(s->shares ? 0 : SP_ENOMEM);
    if (!metric)
        SP_GO(sp_error(SP_ECONFIG, "sparse.metric: there is no metric called '%s'", s->run->config->sparse.metric));
    share(s->shares, s->run, mask, entries);
    if (s->run->config->sparse.scope == SP_CONFIG_SCOPE_GLOBAL)
        SP_GO(sp_select_create(&s->global, entries));
    SP_GO(sp_score_cache_score(s->run, &(struct sp_salience){ metric, params, mask->count, round }, take, s));
    if (!s->any)
        SP_GO(sp_error(SP_ENUMERIC,
                       "all scores by %s are zero, those of %s too: no weight can be chosen before another",
                       metric->name, sp_run_param_name(s->run, params[0])));
    for (size_t t = 0; s->global && t < mask->count; t++)
        SP_GO(sp_select_positions(&mask->tensors[t].positions, &mask->tensors[t].count, s->global, (uint32_t)t));
out:
    sp_select_free(s->global);
    free(s->shares);
    free(params);
    return rc;
}

int sp_mask_make(struct sp_mask *out, struct sp_run *run, uint32_t round)
{
    struct scorer s = { .run = run, .mask = out };
    size_t entries;
    int rc;

    *out = (struct sp_mask){ 0 };
    SP_GO(find_targets(out, run));
    SP_GO(budget(&entries, run, out));
    SP_GO(make(out, &s, round, entries));
    for (size_t t = 0; t < out->count; t++)
        out->entries += out->tensors[t].count;
    sp_log(SP_LOG_INFO, "mask: %zu of %zu weights in %zu matrices by %s", out->entries, out->targeted, out->count,
           run->config->sparse.metric);
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
