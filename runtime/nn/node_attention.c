/* Attention within each sequence, or of each sequence over rows of its own among others. saved: lse. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/attention.h"
#include "runtime/op/linear_attention.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int sp_nn_attention(struct sp_plan *plan, int q, int k, int v, int heads, float dropout)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_attention);
    char name[SP_PARAM_NAME];

    if (!node)
        return -1;
    node->input[0] = q, node->input[1] = k, node->input[2] = v;
    node->heads = heads;
    node->p = dropout;
    snprintf(name, sizeof name, "attention over %.100s", plan->values[q].name);
    return sp_plan_output(plan, node, name, SP_PER_TOKEN, plan->values[q].width);
}

/* Keys and values have other rows than the queries. */
static bool other_keys(const struct sp_plan *plan, const struct sp_node *node)
{
    return plan->values[node->input[1]].extent != SP_PER_TOKEN;
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    const struct sp_value *query = &plan->values[node->input[0]], *key = &plan->values[node->input[1]];
    const struct sp_value *value = &plan->values[node->input[2]];

    if (query->extent != SP_PER_TOKEN || key->extent != value->extent || key->rows != value->rows)
        sp_plan_fail(plan, sp_error(SP_EINVAL, "%s: a query is a token's, and a value has its key's row",
                                    plan->values[node->output].name));
    if (other_keys(plan, node)) {
        sp_plan_share_words(plan, &plan->query_bounds, 2 * (size_t)limits->sequences);
        sp_plan_share_words(plan, &plan->key_bounds, 2 * (size_t)limits->sequences);
    } else {
        sp_plan_need_bounds(plan);
    }
    node->saved[0] = sp_plan_value(plan, "log-sum-exp", SP_PER_TOKEN, (size_t)node->heads);
    for (int k = 0; k < SP_NODE_INPUTS; k++)
        if (node->accumulate[k])
            sp_plan_fail(plan, sp_error(SP_EINVAL, "%s: a query, key or value feeds another node too",
                                        plan->values[node->output].name));
}

static bool reads(const struct sp_plan *plan, const struct sp_node *node, int k)
{
    (void)plan, (void)node, (void)k;
    return true;
}

/* The op's sequences own rows one after the other, but those of batch->keys lie anywhere: between each two of the
 * batch's sequences the op gets one without queries, whose keys are the rows from the one's end to the other's
 * beginning. */
static int take(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    const struct sp_value *k = &plan->values[node->input[1]];
    size_t rows = k->extent == SP_ROWS ? k->rows : (size_t)batch->sequences;
    uint32_t *bounds, end = 0;

    if (!other_keys(plan, node))
        return 0;
    if (!batch->keys)
        return sp_error(SP_EINVAL, "the batch does not say which rows of %s its sequences see", k->name);
    bounds = sp_plan_fill(plan, plan->query_bounds);
    for (int s = 0; s < batch->sequences; s++) {
        const uint32_t *own = batch->keys + 2 * (size_t)s;

        if (own[0] >= own[1] || own[1] > rows || (node->active && own[0] < end))
            return sp_error(SP_EINVAL,
                            "sequence %d cannot see rows %u to %u of %s: of its %zu rows it sees at least one%s", s,
                            own[0], own[1], k->name, rows, node->active ? ", beyond those of the sequence before" : "");
        end = own[1];
        bounds[2 * s] = batch->bounds[s];
        bounds[2 * s + 1] = batch->bounds[s + 1];
    }
    memcpy(sp_plan_fill(plan, plan->key_bounds), batch->keys, 2 * (size_t)batch->sequences * sizeof *batch->keys);
    return 0;
}

static struct sp_attention arguments(const struct sp_plan *plan, const struct sp_node *node,
                                     const struct sp_plan_pass *pass)
{
    int head_dim = (int)plan->values[node->output].width / node->heads;
    bool other = other_keys(plan, node);

    return (struct sp_attention){
        .sequences = other ? 2 * plan->sequences - 1 : plan->sequences,
        .heads = node->heads,
        .head_dim = head_dim,
        .longest = plan->longest,
        .longest_keys = other ? sp_plan_rows(plan, node->input[1]) : plan->longest,
        .scale = 1.0f / sqrtf((float)head_dim),
        .bounds = sp_plan_read(plan, other ? plan->query_bounds : plan->bounds),
        .key_bounds = sp_plan_read(plan, other ? plan->key_bounds : plan->bounds),
        .q = sp_plan_buffer(plan, node->input[0]),
        .k = sp_plan_buffer(plan, node->input[1]),
        .v = sp_plan_buffer(plan, node->input[2]),
        .out = sp_plan_buffer(plan, node->output),
        .lse = sp_plan_buffer(plan, node->saved[0]),
        .dropout = sp_plan_dropout(node, pass),
    };
}

/* out_i = scale sum_j (a_i . b_j) c_j: attention without softmax, and each of its gradients; i being a query, or with
 * `of_keys` a key. */
static int linear(struct sp_plan *plan, const struct sp_attention *args, bool of_keys, struct sp_buffer *out,
                  struct sp_buffer *a, struct sp_buffer *b, struct sp_buffer *c)
{
    return sp_linear_attention(plan->device,
                               &(struct sp_linear_attention){ .out = out,
                                                              .a = a,
                                                              .b = b,
                                                              .c = c,
                                                              .bounds = of_keys ? args->key_bounds : args->bounds,
                                                              .key_bounds = of_keys ? args->bounds : args->key_bounds,
                                                              .sequences = args->sequences,
                                                              .heads = args->heads,
                                                              .head_dim = args->head_dim,
                                                              .longest = of_keys ? args->longest_keys : args->longest,
                                                              .scale = args->scale });
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_attention args = arguments(plan, node, pass);

    return sp_attention_forward(plan->device, &args);
}

static int linear_forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_attention args = arguments(plan, node, pass);

    return linear(plan, &args, false, args.out, args.q, args.k, args.v);
}

/* The arguments with the gradients, those of rows that no sequence sees being zeros. */
static int gradients(struct sp_attention *out, struct sp_plan *plan, const struct sp_node *node,
                     const struct sp_plan_pass *pass)
{
    struct sp_attention args = arguments(plan, node, pass);

    args.dout = sp_plan_gradient(plan, node->output);
    args.dq = sp_plan_gradient(plan, node->input[0]);
    args.dk = sp_plan_gradient(plan, node->input[1]);
    args.dv = sp_plan_gradient(plan, node->input[2]);
    for (int k = 1; k <= 2 && other_keys(plan, node); k++)
        SP_TRY(sp_buffer_fill(sp_plan_gradient(plan, node->input[k]), 0, 0,
                              sp_f32_bytes((size_t)sp_plan_rows(plan, node->input[k]) *
                                           plan->values[node->input[k]].width)));
    *out = args;
    return 0;
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_attention args;

    SP_TRY(gradients(&args, plan, node, pass));
    return sp_attention_backward(plan->device, &args);
}

static int linear_backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_attention args;

    SP_TRY(gradients(&args, plan, node, pass));
    SP_TRY(linear(plan, &args, false, args.dq, args.dout, args.v, args.k));
    SP_TRY(linear(plan, &args, true, args.dk, args.v, args.dout, args.q));
    return linear(plan, &args, true, args.dv, args.k, args.q, args.dout);
}

const struct sp_node_type sp_node_attention = {
    .name = "attention",
    .all_inputs = true,
    .any_rows = true,
    .prepare = prepare,
    .reads = reads,
    .take = take,
    .forward = forward,
    .backward = backward,
    .linear_forward = linear_forward,
    .linear_backward = linear_backward,
};
