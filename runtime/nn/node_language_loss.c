/*
 * The loss of a language model over its vocabulary: logits, cross-entropy and both gradients of a slice of the rows
 * that have a target, then of the next one, in one buffer. In training all of it is backward's, so that logits are
 * computed once; where there is no backward, the loss alone, when it is asked for.
 *
 * saved: what the host reads of each token, then what is of a slice.
 */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/language.h"
#include "runtime/op/rows.h"
#include "runtime/tensor/dtype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LOSSES, HITS, LOGITS, X, DX, WORKSPACE };

/* Of the node's words: the list of rows that have a target, and their targets; all rows, for a pass that is linear; the
 * last one of each sequence. */
enum { ROWS, TARGETS, ALL, LAST };

/* A matrix product wants many rows, for each slice reads the whole weight: 64 MiB are 336 rows of a vocabulary of
 * 49,152 and 48 of one of 256,000, and little beside such a weight. */
#define SLICE_BYTES ((size_t)64 << 20)
#define STEP 48 /* slices of fewer rows than all are of multiples of it: whole register tiles of most kernels */

/* How many rows are computed at a time. */
static int slice(const struct sp_plan *plan, const struct sp_node *node)
{
    size_t classes = (size_t)plan->params[node->param[0]].rows;
    size_t rows = (plan->limits.logits ? plan->limits.logits : SLICE_BYTES) / sp_f32_bytes(classes);

    if (rows >= (size_t)plan->limits.tokens)
        return plan->limits.tokens;
    rows -= rows >= STEP ? rows % STEP : 0;
    return rows ? (int)rows : 1;
}

int sp_nn_language_loss(struct sp_plan *plan, int x, int weight, float softcap)
{
    struct sp_node *node = sp_plan_loss_node(plan, &sp_node_language_loss, x, -1);
    const struct sp_param *w;

    if (!node)
        return -1;
    w = &plan->params[weight];
    if (w->kind != SP_PARAM_LINEAR || plan->values[x].width != (size_t)w->cols ||
        plan->values[x].extent != SP_PER_TOKEN)
        return sp_plan_fail(plan, sp_error(SP_EINVAL, "%s (%d x %d) makes no logits of %s, %zu wide", w->name, w->rows,
                                           w->cols, plan->values[x].name, plan->values[x].width));
    node->param[0] = weight;
    node->softcap = softcap;
    return x;
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    const struct sp_param w = plan->params[node->param[0]];
    size_t rows = (size_t)slice(plan, node), x = sp_f32_bytes(rows * (size_t)w.cols), workspace;
    char name[sizeof plan->values->name];

    node->slice = (int)rows;
    workspace = sp_language_workspace(plan->device, node->slice, w.rows);
    snprintf(name, sizeof name, "the output of %s", w.name);
    node->saved[LOSSES] = sp_plan_value(plan, name, SP_PER_TOKEN, 1);
    node->saved[HITS] = sp_plan_value(plan, "hits", SP_PER_TOKEN, 1);
    node->saved[LOGITS] = sp_plan_value(plan, "logits", SP_BYTES, sp_f32_bytes(rows * (size_t)w.rows));
    node->saved[X] = sp_plan_value(plan, "rows of hidden states", SP_BYTES, x);
    if (sp_plan_wants(plan, node->input[0]))
        node->saved[DX] = sp_plan_value(plan, "rows of their gradient", SP_BYTES, x);
    if (workspace)
        node->saved[WORKSPACE] = sp_plan_value(plan, "parts of rows", SP_BYTES, workspace);
    node->words[ROWS] = sp_plan_words(plan, (size_t)limits->tokens);
    node->words[TARGETS] = sp_plan_words(plan, (size_t)limits->tokens);
    node->words[LAST] = sp_plan_words(plan, (size_t)limits->sequences);
    if (node->active)
        node->words[ALL] = sp_plan_words(plan, (size_t)limits->tokens);
}

static bool reads(const struct sp_plan *plan, const struct sp_node *node, int k)
{
    (void)plan, (void)node;
    return k == 0;
}

/* Where no token has a target the list is the first one, without: its gradients are the zeros that are wanted. */
static int take(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    const struct sp_param *w = &plan->params[node->param[0]];
    uint32_t *rows = sp_plan_fill(plan, node->words[ROWS]), *last = sp_plan_fill(plan, node->words[LAST]);
    uint32_t *all = sp_plan_fill(plan, node->words[ALL]);
    int32_t *targets = sp_plan_fill(plan, node->words[TARGETS]);
    const int32_t *given = batch->targets;

    if (given && batch->target_count != batch->tokens)
        return sp_error(SP_EINVAL, "a batch with %d targets, and the loss wants %d: one for each token",
                        batch->target_count, batch->tokens);
    rows[0] = 0;
    targets[0] = SP_NO_TARGET;
    node->listed = 0;
    for (int t = 0; t < batch->tokens; t++) {
        if (all)
            all[t] = (uint32_t)t;
        if (!given || given[t] == SP_NO_TARGET)
            continue;
        if (given[t] < 0 || given[t] >= w->rows)
            return sp_error(SP_EINVAL, "the target %d is outside the model's vocabulary %s of %d", given[t], w->name,
                            w->rows);
        rows[node->listed] = (uint32_t)t;
        targets[node->listed++] = given[t];
    }
    node->listed += node->listed == 0;
    for (int s = 0; s < batch->sequences; s++)
        last[s] = batch->bounds[s + 1] - 1;
    return 0;
}

/* Entries of the list; what is recorded does not depend on the batch. */
static int listed(const struct sp_plan *plan, const struct sp_node *node)
{
    return sp_device_recording(plan->device) ? plan->tokens : node->listed;
}

/* How many entries of a list of `count` the slice that begins at `first` has. */
static int slice_of(const struct sp_node *node, int first, int count)
{
    return count - first < node->slice ? count - first : node->slice;
}

/* The hidden states of the entries first .. first + rows - 1 of a list; their logits, too. */
static int run_hidden(struct sp_plan *plan, const struct sp_node *node, int words, int first, int rows)
{
    return sp_rows_gather(plan->device, &(struct sp_rows_gather){ .out = sp_plan_buffer(plan, node->saved[X]),
                                                                  .in = sp_plan_buffer(plan, node->input[0]),
                                                                  .rows = sp_plan_read(plan, node->words[words]),
                                                                  .R = rows,
                                                                  .C = plan->params[node->param[0]].cols,
                                                                  .first = first });
}

static int run_logits(struct sp_plan *plan, const struct sp_node *node, int words, int first, int rows)
{
    SP_TRY(run_hidden(plan, node, words, first, rows));
    return sp_gemm_forward(plan->device, &plan->params[node->param[0]].weight,
                           sp_plan_buffer(plan, node->saved[LOGITS]), sp_plan_buffer(plan, node->saved[X]), rows, NULL,
                           SP_ACTIVATION_NONE, NULL);
}

/* The losses of such entries, and the gradient of `scale` times their sum in the place of their logits. */
static int run_slice(struct sp_plan *plan, const struct sp_node *node, int first, int rows, bool gradient, float scale,
                     float temperature)
{
    SP_TRY(run_logits(plan, node, ROWS, first, rows));
    return sp_language(plan->device, &(struct sp_language){ .logits = sp_plan_buffer(plan, node->saved[LOGITS]),
                                                            .losses = sp_plan_buffer(plan, node->saved[LOSSES]),
                                                            .hits = sp_plan_buffer(plan, node->saved[HITS]),
                                                            .rows = sp_plan_read(plan, node->words[ROWS]),
                                                            .targets = sp_plan_read(plan, node->words[TARGETS]),
                                                            .workspace = sp_plan_buffer(plan, node->saved[WORKSPACE]),
                                                            .R = rows,
                                                            .classes = plan->params[node->param[0]].rows,
                                                            .first = first,
                                                            .gradient = gradient,
                                                            .softcap = node->softcap,
                                                            .scale = scale,
                                                            .temperature = temperature });
}

/* What tokens without a target have. */
static int clear(struct sp_plan *plan, const struct sp_node *node)
{
    size_t bytes = sp_f32_bytes((size_t)plan->tokens);

    SP_TRY(sp_buffer_fill(sp_plan_buffer(plan, node->saved[LOSSES]), 0, 0, bytes));
    return sp_buffer_fill(sp_plan_buffer(plan, node->saved[HITS]), 0, 0, bytes);
}

/* Without a gradient: backward has its own. */
static int loss_rows(struct sp_plan *plan, const struct sp_node *node, struct sp_buffer *gradient, float scale,
                     float temperature)
{
    int count = listed(plan, node);

    (void)gradient;
    SP_TRY(clear(plan, node));
    for (int first = 0; first < count; first += node->slice)
        SP_TRY(run_slice(plan, node, first, slice_of(node, first, count), false, scale, temperature));
    return 0;
}

/* What becomes of the logits' gradient, of the slice at `first` of a list of `count`: the weight's, and that of the
 * hidden states, which is 0 in rows that the list has not. */
static int propagate(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass, int words,
                     int first, int count)
{
    const struct sp_param *w = &plan->params[node->param[0]];
    struct sp_wgrad_sink *sink = sp_plan_param_gradient(node, 0, pass).sink;
    struct sp_buffer *dy = sp_plan_buffer(plan, node->saved[LOGITS]), *dx = sp_plan_buffer(plan, node->saved[DX]);
    int rows = slice_of(node, first, count);

    plan->transposed.x_in_xt = NULL; /* the same buffer has other rows now */
    if (sink)
        SP_TRY(sink->add(sink, plan->device,
                         &(struct sp_wgrad_input){ .dy = dy,
                                                   .x = sp_plan_buffer(plan, node->saved[X]),
                                                   .tokens = rows,
                                                   .out = w->rows,
                                                   .in = w->cols,
                                                   .accumulate = sp_plan_adds(node, 0, pass),
                                                   .goes_on = first > 0,
                                                   .more = first + rows < count,
                                                   .transposed = &plan->transposed }));
    plan->transposed.x_in_xt = NULL;
    if (!dx)
        return 0;
    SP_TRY(sp_gemm_backward(plan->device, &w->weight, dx, dy, rows, SP_ACTIVATION_NONE, NULL, false));
    return sp_rows_scatter(plan->device, &(struct sp_rows_scatter){ .out = sp_plan_gradient(plan, node->input[0]),
                                                                    .in = dx,
                                                                    .rows = sp_plan_read(plan, node->words[words]),
                                                                    .T = plan->tokens,
                                                                    .R = rows,
                                                                    .C = w->cols,
                                                                    .first = first,
                                                                    .accumulate = node->accumulate[0],
                                                                    .keep = first > 0 });
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    float scale = pass->loss_scale / sp_plan_terms(plan, node);
    int count = listed(plan, node);

    SP_TRY(clear(plan, node));
    for (int first = 0; first < count; first += node->slice) {
        SP_TRY(run_slice(plan, node, first, slice_of(node, first, count), true, scale, pass->temperature));
        SP_TRY(propagate(plan, node, pass, ROWS, first, count));
    }
    return pass->temperature > 0 ? 0 : sp_plan_total_loss(plan, node); /* at a temperature it is another loss */
}

/* Of loss_scale times the sum of all tokens' logits, which have no soft-cap then. */
static int linear_backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    size_t classes = (size_t)plan->params[node->param[0]].rows;
    uint32_t scale;

    memcpy(&scale, &pass->loss_scale, sizeof scale);
    for (int first = 0; first < plan->tokens; first += node->slice) {
        int rows = slice_of(node, first, plan->tokens);

        SP_TRY(run_hidden(plan, node, ALL, first, rows));
        SP_TRY(sp_buffer_fill(sp_plan_buffer(plan, node->saved[LOGITS]), 0, scale,
                              sp_f32_bytes((size_t)rows * classes)));
        SP_TRY(propagate(plan, node, pass, ALL, first, plan->tokens));
    }
    return 0;
}

/* There is nothing to compute before the loss is asked for; but that would leave out an addition. */
static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    if (pass->additions && pass->additions[node->param[0]])
        return sp_error(SP_EINVAL, "%s: nothing can be added to the logits of a vocabulary",
                        plan->params[node->param[0]].name);
    return 0;
}

/* A row's loss is finite where its logits are. */
static int probe(struct sp_plan *plan, const struct sp_node *node)
{
    SP_TRY(sp_plan_run_loss(plan));
    return node->saved[LOSSES];
}

/* Of the last token of each sequence; in recording mode out may be NULL. */
static int read_last_logits(float *out, struct sp_plan *plan, const struct sp_node *node)
{
    size_t classes = (size_t)plan->params[node->param[0]].rows, count = (size_t)plan->sequences * classes;

    for (int first = 0; first < plan->sequences; first += node->slice) {
        int rows = slice_of(node, first, plan->sequences);

        SP_TRY(run_logits(plan, node, LAST, first, rows));
        if (sp_device_recording(plan->device))
            return 0;
        SP_TRY(sp_buffer_read(out + (size_t)first * classes, sp_plan_buffer(plan, node->saved[LOGITS]), 0,
                              sp_f32_bytes((size_t)rows * classes)));
    }
    for (size_t i = 0; node->softcap > 0 && i < count; i++)
        out[i] = node->softcap * tanhf(out[i] / node->softcap);
    return 0;
}

static int record(struct sp_plan *plan, const struct sp_node *node)
{
    return read_last_logits(NULL, plan, node);
}

int sp_plan_last_logits(struct sp_plan *plan, float *out)
{
    const struct sp_node *node = &plan->nodes[plan->loss_node];

    if (node->type != &sp_node_language_loss)
        return sp_error(SP_EINVAL, "a loss of type %s has no logits of a vocabulary", node->type->name);
    return read_last_logits(out, plan, node);
}

const struct sp_node_type sp_node_language_loss = {
    .name = "language_loss",
    .packs = true,
    .slice = slice,
    .prepare = prepare,
    .reads = reads,
    .take = take,
    .forward = forward,
    .backward = backward,
    .linear_backward = linear_backward,
    .loss_rows = loss_rows,
    .record = record,
    .probe = probe,
};
