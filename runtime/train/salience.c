#include "runtime/train/salience.h"

#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/mem.h"
#include "runtime/op/column_sum.h"
#include "runtime/op/op.h"
#include "runtime/sparse/dense.h"
#include "runtime/sparse/observe.h"
#include "runtime/train/rewrite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DENSE (SP_NEED_GRADIENT | SP_NEED_FLOW | SP_NEED_HESSIAN) /* what a dense gradient gives */
#define PASSES (DENSE | SP_NEED_SQUARES | SP_NEED_INPUTS)

union sink {
    struct sp_wgrad_sink sink;
    struct sp_dense_sink dense;
    struct sp_square_sink square;
    struct sp_input_sink input;
};

struct scoring {
    struct sp_run *run;
    const struct sp_salience *what;
    sp_salience_take *take;
    void *user;
    unsigned needs;
    size_t groups, passes, steps, step;  /* for progress: groups in each of the passes, batches in all */
    uint32_t *order;                     /* the scoring rows, then grasp's second ones */
    size_t rows, largest, cols;          /* entries and columns of the largest target */
    float *weight, *gradient, *norms, *scores;
    struct sp_rewrite *rewrite;

    /* the pass at work */
    struct sp_plan_pass pass;
    const uint32_t *at; /* its rows; NULL: the batch that is set */
    double scale;
    bool not_finite; /* it gave such a number */

    /* the group at work */
    size_t first, count;
    union sink *sinks;
    struct sp_buffer **sums;              /* [count]: what the sinks add up */
    struct sp_buffer *scratch, *workspace; /* shared by the sinks */
    struct sp_param_gradient *gradients;   /* of a pass: the group's sinks and nothing else */
};

size_t sp_salience_rows(const struct sp_run *run)
{
    size_t rows = (size_t)run->config->sparse.scoring_examples;

    return rows < run->train.count ? rows : run->train.count;
}

static struct sp_param *target(const struct scoring *s, size_t t)
{
    return sp_plan_param_at(s->run->plan, s->what->params[t]);
}

static size_t size_of(const struct scoring *s, size_t t)
{
    return sp_param_elements(target(s, t));
}

/* Floats that target t's sink adds up. */
static size_t sums_of(const struct scoring *s, size_t t)
{
    return s->needs & SP_NEED_INPUTS ? (size_t)target(s, t)->cols : size_of(s, t);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

/* As many targets from `first` on as fit the scoring memory, at least one. */
static size_t group_size(const struct scoring *s, size_t first)
{
    size_t limit = (size_t)s->run->config->sparse.scoring_memory << 20, count = 0;
    size_t bytes = s->needs & SP_NEED_SQUARES ? sp_f32_bytes(2 * s->largest) : 0;

    while (first + count < s->what->count) {
        bytes += sp_f32_bytes(sums_of(s, first + count));
        if (count && bytes > limit)
            break;
        count++;
    }
    return count;
}

static void close_group(struct scoring *s)
{
    for (size_t i = 0; i < s->count; i++) {
        s->gradients[s->what->params[s->first + i]].sink = NULL;
        sp_buffer_free(s->sums[i]);
        s->sums[i] = NULL;
    }
    s->count = 0;
}

static void init_sink(struct scoring *s, size_t i)
{
    const struct sp_param *p = target(s, s->first + i);
    union sink *sink = &s->sinks[i];

    if (s->needs & SP_NEED_SQUARES)
        sp_square_sink_init(&sink->square, p->weight.family, s->sums[i], s->scratch, s->workspace);
    else if (s->needs & SP_NEED_INPUTS)
        sp_input_sink_init(&sink->input, s->sums[i], s->workspace);
    else
        sp_dense_sink_init(&sink->dense, p->weight.family, s->sums[i]);
    s->gradients[s->what->params[s->first + i]].sink = &sink->sink;
}

static int open_group(struct scoring *s, size_t first)
{
    s->first = first;
    for (size_t i = 0, count = group_size(s, first); i < count; i++) {
        SP_TRY(sp_buffer_create(&s->sums[i], s->run->device, sp_f32_bytes(sums_of(s, first + i))));
        s->count = i + 1;
        init_sink(s, i);
    }
    return 0;
}

/* ---- passes over rows -------------------------------------------------------------------------------------------- */

/* The batch that is set, through the plan. */
static int run_pass(struct scoring *s, const struct sp_plan_pass *pass)
{
    SP_TRY(sp_plan_forward(s->run->plan, pass));
    return s->needs & SP_NEED_INPUTS ? sp_plan_observe(s->run->plan, pass) : sp_plan_backward(s->run->plan, pass);
}

static int build_kernels(struct scoring *s, const struct sp_plan_pass *pass)
{
    SP_TRY(sp_plan_record(s->run->plan, pass));
    return sp_kernel_build_recorded(s->run->device);
}

/* What backward of a batch begins with, so that gradients add up to `scale` times their mean over all rows' terms;
 * squares are of single rows as they are. */
static float batch_scale(const struct scoring *s, const uint32_t *order, size_t from, size_t count, double scale)
{
    const struct sp_dataset *d = &s->run->train;
    double terms = (double)sp_data_terms(d, order, from, count);

    return s->needs & SP_NEED_SQUARES ? 1 : (float)(scale * terms / (double)sp_data_terms(d, order, 0, s->rows));
}

/* Rows of `order` in batches of `size`, the sinks adding up; `pass` without accumulate stores at the first. */
static int run_rows(struct scoring *s, const uint32_t *order, size_t size, struct sp_plan_pass pass, double scale)
{
    struct sp_run *run = s->run;

    pass.forward_only = s->needs & SP_NEED_INPUTS;
    s->pass = pass;
    s->at = order;
    s->scale = scale;
    for (size_t from = 0; from < s->rows; from += size) {
        size_t count = s->rows - from < size ? s->rows - from : size;

        pass.loss_scale = batch_scale(s, order, from, count, scale);
        if (sp_interrupted())
            return sp_error(SP_EINTR, "interrupted while scoring");
        if (from <= size) /* the first batch may store gradients, later ones add: two variants of the kernels */
            SP_TRY(build_kernels(s, &pass));
        SP_TRY(sp_run_set_batch(run, &run->train, order, from, count));
        SP_TRY(run_pass(s, &pass));
        SP_TRY(sp_device_finish(run->device));
        pass.accumulate = true;
        if (run->observer.progress)
            run->observer.progress(run->observer.user, "score", ++s->step, s->steps, NAN, 0, false);
    }
    return 0;
}

static size_t batch_size(const struct scoring *s)
{
    return s->needs & SP_NEED_SQUARES ? 1 : (size_t)s->run->config->per_device_train_batch_size;
}

static size_t batches(const struct scoring *s)
{
    return (s->rows + batch_size(s) - 1) / batch_size(s);
}

/* Target first + i's sums, times `factor`, to the host. */
static int read_sums(float *out, const struct scoring *s, size_t i, float factor)
{
    size_t n = sums_of(s, s->first + i);

    SP_TRY(sp_buffer_read(out, s->sums[i], 0, n * sizeof *out));
    for (size_t k = 0; k < n && factor != 1; k++)
        out[k] *= factor;
    return 0;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* Scores target t from what was put into s->weight, s->gradient and s->norms, and hands the scores over. */
static int score_target(struct scoring *s, size_t t)
{
    const struct sp_param *p = target(s, t);
    const struct sp_metric *metric = s->what->metric;
    struct sp_metric_input in = {
        .tensor = (uint32_t)t,
        .round = s->what->round,
        .seed = (uint64_t)s->run->config->seed,
        .rows = (size_t)p->rows,
        .cols = (size_t)p->cols,
        .count = size_of(s, t),
        .weight = metric->needs & SP_NEED_WEIGHT ? s->weight : NULL,
        .gradient = s->needs & (SP_NEED_GRADIENT | SP_NEED_FLOW) ? s->gradient : NULL,
        .squares = s->needs & SP_NEED_SQUARES ? s->gradient : NULL,
        .hessian = s->needs & SP_NEED_HESSIAN ? s->gradient : NULL,
        .norms = s->needs & SP_NEED_INPUTS ? s->norms : NULL,
        .options = s->run->config->sparse.metrics,
    };
    int rc;

    SP_TRY(metric->score(s->scores, &in));
    rc = s->take(s->user, t, s->scores);
    s->not_finite = rc == SP_ENUMERIC && sp_first_not_finite(s->scores, in.count) < in.count;
    return rc;
}

/* The group's sums, read and scored; weights are as they are on the device. */
static int score_group(struct scoring *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct sp_param *p = target(s, s->first + i);

        if (s->what->metric->needs & SP_NEED_WEIGHT)
            SP_TRY(sp_gemm_weight_read(s->weight, &p->weight));
        if (s->needs & SP_NEED_INPUTS) {
            SP_TRY(read_sums(s->norms, s, i, 1));
            for (int j = 0; j < p->cols; j++)
                s->norms[j] = sqrtf(s->norms[j]);
        } else if (s->needs) {
            SP_TRY(read_sums(s->gradient, s, i, s->needs & SP_NEED_SQUARES ? 1 / (float)s->rows : 1));
        }
        SP_TRY(score_target(s, s->first + i));
    }
    return 0;
}

/* Metrics of the weights alone. */
static int score_weights(struct scoring *s)
{
    for (size_t t = 0; t < s->what->count; t++) {
        if (s->what->metric->needs & SP_NEED_WEIGHT)
            SP_TRY(sp_gemm_weight_read(s->weight, &target(s, t)->weight));
        SP_TRY(score_target(s, t));
    }
    return 0;
}

/* Mean gradients, mean squares and input norms. */
static int score_rows(struct scoring *s)
{
    for (size_t first = 0; first < s->what->count; first += group_size(s, first)) {
        SP_TRY(open_group(s, first));
        SP_TRY(run_rows(s, s->order, batch_size(s), sp_run_scoring_pass(s->run, s->gradients), 1));
        SP_TRY(score_group(s));
        close_group(s);
    }
    return 0;
}

/* ---- synaptic flow ----------------------------------------------------------------------------------------------- */

/* One group's gradient of `scale` times the sum of the logits, from a single token; parameters are absolute already. */
static int flow_group(struct scoring *s, size_t first, float scale)
{
    static const uint32_t zero, bounds[2] = { 0, 1 };
    const struct sp_plan_batch batch = { .ids = &zero, .types = &zero, .bounds = bounds, .tokens = 1, .sequences = 1 };
    struct sp_plan_pass pass = sp_run_scoring_pass(s->run, s->gradients);

    pass.linear = true;
    pass.additions = NULL; /* the flow is of absolute weights, which what is added beside them is not */
    pass.loss_scale = scale;
    SP_TRY(open_group(s, first));
    if (first == 0)
        SP_TRY(build_kernels(s, &pass));
    s->pass = pass;
    SP_TRY(sp_plan_set_batch(s->run->plan, &batch));
    return run_pass(s, &pass);
}

/* The largest |gradient| of all targets at a scale; infinite when one is not finite. */
static int flow_largest(float *out, struct scoring *s, float scale)
{
    *out = 0;
    for (size_t first = 0; first < s->what->count; first += group_size(s, first)) {
        SP_TRY(flow_group(s, first, scale));
        for (size_t i = 0; i < s->count; i++) {
            SP_TRY(read_sums(s->gradient, s, i, 1));
            for (size_t k = 0; k < size_of(s, first + i); k++)
                *out = isfinite(s->gradient[k]) ? fmaxf(*out, fabsf(s->gradient[k])) : INFINITY;
        }
        close_group(s);
    }
    return 0;
}

/*
 * The flow through a deep model may leave fp32's range either way. Only the ranking counts, and the gradients are
 * linear in the scale with which backward begins: a power of two under which the largest lies well inside the range is
 * looked for first.
 */
static int flow_scale(float *scale, struct scoring *s)
{
    float largest = 0;

    for (int tries = 0; tries < 4; tries++) {
        *scale = tries == 0 ? 1 : *scale * (largest < 1 ? 0x1p40f : 0x1p-40f);
        SP_TRY(flow_largest(&largest, s, *scale));
        if (largest > 0x1p-60f && largest < 0x1p60f)
            break;
    }
    return 0; /* without such a scale, scores that are zero or not finite are for the selection to report */
}

static int score_flow(struct scoring *s)
{
    float scale;

    SP_TRY(sp_rewrite_absolute(s->rewrite));
    SP_TRY(flow_scale(&scale, s));
    for (size_t first = 0; first < s->what->count; first += group_size(s, first)) {
        if (sp_interrupted())
            return sp_error(SP_EINTR, "interrupted while scoring");
        SP_TRY(flow_group(s, first, scale));
        SP_TRY(score_group(s));
        close_group(s);
    }
    return 0;
}

/* ---- Hessian times gradient -------------------------------------------------------------------------------------- */

/* A direction that is not finite would spoil the scores of every target: it is told where it comes from. */
static int check_gradient(struct scoring *s, size_t t)
{
    size_t k = sp_first_not_finite(s->gradient, size_of(s, t));

    s->not_finite = k < size_of(s, t);
    if (!s->not_finite)
        return 0;
    return sp_error(SP_ENUMERIC, "the gradient of %s at position %zu is not finite, so that %s can make no score of it",
                    sp_run_param_name(s->run, s->what->params[t]), k, s->what->metric->name);
}

/* The mean gradient g at the weights as they are becomes the direction in which they are moved. */
static int find_direction(struct scoring *s)
{
    struct sp_plan_pass pass = sp_run_scoring_pass(s->run, s->gradients);

    pass.temperature = SP_SALIENCE_TEMPERATURE;
    for (size_t first = 0; first < s->what->count; first += group_size(s, first)) {
        SP_TRY(open_group(s, first));
        SP_TRY(run_rows(s, s->order, batch_size(s), pass, 1));
        for (size_t i = 0; i < s->count; i++) {
            SP_TRY(read_sums(s->gradient, s, i, 1));
            SP_TRY(check_gradient(s, first + i));
            SP_TRY(sp_rewrite_keep(s->rewrite, first + i, s->what->params[first + i], s->gradient));
        }
        close_group(s);
    }
    return 0;
}

/* (g(W + e v) - g(W - e v)) / (2 e) of a group: both sums in one buffer, backward beginning with a factor of +- 1 / (2
 * e). */
static int difference(struct scoring *s, double step)
{
    struct sp_plan_pass pass = sp_run_scoring_pass(s->run, s->gradients);

    pass.temperature = SP_SALIENCE_TEMPERATURE;
    for (int sign = 1; sign >= -1; sign -= 2) {
        SP_TRY(sp_rewrite_move(s->rewrite, sign * step));
        SP_TRY(run_rows(s, s->order + s->rows, batch_size(s), pass, sign / (2 * step)));
        pass.accumulate = true;
    }
    return sp_rewrite_move(s->rewrite, 0);
}

static int score_hessian(struct scoring *s)
{
    double step;

    SP_TRY(find_direction(s));
    step = sp_rewrite_step(s->rewrite, SP_SALIENCE_STEP);
    for (size_t first = 0; first < s->what->count; first += group_size(s, first)) {
        SP_TRY(open_group(s, first));
        SP_TRY(difference(s, step));
        SP_TRY(score_group(s));
        close_group(s);
    }
    return 0;
}

/* ---- a scoring --------------------------------------------------------------------------------------------------- */

int sp_salience_order(uint32_t **out, size_t *count, const struct sp_run *run, const struct sp_salience *what)
{
    size_t rows = sp_salience_rows(run);
    uint32_t *epoch = sp_calloc(run->train.count, sizeof *epoch);
    int rc;

    *count = what->metric->needs & SP_NEED_HESSIAN ? 2 * rows : rows;
    *out = sp_calloc(*count, sizeof **out);
    rc = epoch && *out ? 0 : SP_ENOMEM;
    if (rc == 0)
        sp_data_order(epoch, run->train.count, (uint64_t)run->config->seed, what->round, run->config->shuffle);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        (*out)[i] = epoch[i % run->train.count];
    free(epoch);
    if (rc < 0) {
        free(*out);
        *out = NULL;
    }
    return rc;
}

/* The largest target's entries and columns. */
static void measure(struct scoring *s)
{
    s->cols = 1;
    for (size_t t = 0; t < s->what->count; t++) {
        s->largest = size_of(s, t) > s->largest ? size_of(s, t) : s->largest;
        s->cols = (size_t)target(s, t)->cols > s->cols ? (size_t)target(s, t)->cols : s->cols;
    }
}

/* Bytes of the sinks' scratch and workspace. */
static size_t scratch_bytes(const struct scoring *s)
{
    return s->needs & SP_NEED_SQUARES ? sp_f32_bytes(s->largest) : 0;
}

static size_t workspace_bytes(const struct scoring *s)
{
    if (s->needs & SP_NEED_SQUARES)
        return sp_column_sum_workspace(1, (int)s->largest);
    return s->needs & SP_NEED_INPUTS ? sp_column_sum_workspace(s->run->limits.tokens, (int)s->cols) : 0;
}

size_t sp_salience_memory(const struct sp_run *run, const struct sp_salience *what)
{
    struct scoring s = { .run = (struct sp_run *)(uintptr_t)run, .what = what, .needs = what->metric->needs & PASSES };
    size_t most = 0;

    measure(&s);
    for (size_t first = 0, count; first < what->count && s.needs; first += count) {
        size_t bytes = 0;

        count = group_size(&s, first);
        for (size_t i = 0; i < count; i++)
            bytes += sp_f32_bytes(sums_of(&s, first + i));
        most = bytes > most ? bytes : most;
    }
    if (s.needs & (SP_NEED_FLOW | SP_NEED_HESSIAN))
        most += sp_plan_param_staging(run->plan); /* rewrite.c's */
    return most + scratch_bytes(&s) + workspace_bytes(&s);
}

static int allocate(struct scoring *s)
{
    measure(s);
    s->scores = sp_calloc(s->largest, sizeof *s->scores);
    s->weight = sp_calloc(s->what->metric->needs & SP_NEED_WEIGHT ? s->largest : 0, sizeof *s->weight);
    s->gradient = sp_calloc(s->needs & ~(unsigned)SP_NEED_INPUTS ? s->largest : 0, sizeof *s->gradient);
    s->norms = sp_calloc(s->cols, sizeof *s->norms);
    s->sinks = sp_calloc(s->what->count, sizeof *s->sinks);
    s->sums = sp_calloc(s->what->count, sizeof *s->sums);
    s->gradients = sp_calloc(sp_plan_param_count(s->run->plan), sizeof *s->gradients);
    if (!s->scores || !s->weight || !s->gradient || !s->norms || !s->sinks || !s->sums || !s->gradients)
        return SP_ENOMEM;
    if (scratch_bytes(s))
        SP_TRY(sp_buffer_create(&s->scratch, s->run->device, scratch_bytes(s)));
    return workspace_bytes(s) ? sp_buffer_create(&s->workspace, s->run->device, workspace_bytes(s)) : 0;
}

/* The pass that gave a number that is not finite, again, batch by batch: adds to the error where that began. A sum or a
 * product of what is finite everywhere begins in no tensor: then the error stays as it is. */
static int explain(struct scoring *s, int rc)
{
    char name[SP_WEIGHT_NAME + 64] = "";
    size_t size = batch_size(s), rows = s->at ? s->rows : 1;

    for (size_t from = 0; from < rows && !name[0]; from += size) {
        size_t count = s->rows - from < size ? s->rows - from : size;

        if (sp_interrupted())
            return rc;
        if (s->at) {
            s->pass.loss_scale = batch_scale(s, s->at, from, count, s->scale);
            SP_TRY(sp_run_set_batch(s->run, &s->run->train, s->at, from, count));
        }
        SP_TRY(sp_run_find_not_finite(name, sizeof name, s->run, &s->pass));
    }
    if (name[0])
        sp_error_context(rc, "while scoring by %s; the first tensor that is not finite: %s", s->what->metric->name,
                         name);
    return rc;
}

static int score_all(struct scoring *s)
{
    size_t count;

    if (s->needs & SP_NEED_FLOW)
        return score_flow(s);
    if (!s->needs)
        return score_weights(s);
    SP_TRY(sp_salience_order(&s->order, &count, s->run, s->what));
    for (size_t first = 0; first < s->what->count; first += group_size(s, first))
        s->groups++;
    s->steps = s->groups * batches(s) * (s->needs & SP_NEED_HESSIAN ? 3 : 1);
    return s->needs & SP_NEED_HESSIAN ? score_hessian(s) : score_rows(s);
}

static void release(struct scoring *s)
{
    sp_buffer_free(s->scratch);
    sp_buffer_free(s->workspace);
    free(s->order);
    free(s->scores);
    free(s->weight);
    free(s->gradient);
    free(s->norms);
    free(s->sinks);
    free(s->sums);
    free(s->gradients);
    sp_rewrite_free(s->rewrite);
}

/* Where a relu bends, the difference of gradients has what the second derivative has not. */
static int check_smooth(const struct sp_run *run, const struct sp_metric *metric)
{
    if (!(metric->needs & SP_NEED_HESSIAN) || !sp_plan_has_activation(run->plan, SP_ACTIVATION_RELU))
        return 0;
    return sp_error(SP_ECONFIG,
                    "sparse.metric: %s takes the second derivative of the loss by a difference of gradients, which is "
                    "another number where a model's activation is relu, as this one's; take another metric (speft-cl "
                    "metrics lists them)",
                    metric->name);
}

int sp_salience_score(struct sp_run *run, const struct sp_salience *what, sp_salience_take *take, void *user)
{
    struct scoring s = { .run = run, .what = what, .take = take, .user = user, .needs = what->metric->needs & PASSES,
                         .rows = sp_salience_rows(run) };
    int rc, restored;

    if (what->metric->needs & SP_NEED_LABELS && !run->train.targets)
        return sp_error(SP_ECONFIG,
                        "sparse.metric: %s needs labels, and %s has none; name their column with label_column, or take "
                        "a metric that needs none (speft-cl metrics lists them)",
                        what->metric->name, run->config->train_file);
    SP_TRY(check_smooth(run, what->metric));
    SP_GO(allocate(&s));
    if (s.needs & (SP_NEED_FLOW | SP_NEED_HESSIAN))
        SP_GO(sp_rewrite_create(&s.rewrite, run->plan, run->device, what->count));
    rc = score_all(&s);
    if (rc == SP_ENUMERIC && s.not_finite && s.needs)
        rc = explain(&s, rc);
    restored = s.rewrite ? sp_rewrite_restore(s.rewrite) : 0;
    rc = rc < 0 ? rc : restored;
    close_group(&s);
out:
    release(&s);
    return rc;
}
