/* Attention within each sequence, or of each sequence over rows of its own among others. saved: lse; what decoding
 * leaves of chunks of keys. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/attention_decode.h"
#include "runtime/op/linear_attention.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The shape with what was left open; SP_EINVAL where it does not fit q, k and v. */
static int complete(struct sp_attention_shape *out, const struct sp_attention_shape *shape, const struct sp_value *q,
                    const struct sp_value *k, const struct sp_value *v)
{
    struct sp_attention_shape s = *shape;

    if (s.heads > 0 && s.head_dim == 0)
        s.head_dim = (int)q->width / s.heads;
    if (s.kv_heads == 0)
        s.kv_heads = s.heads;
    if (s.heads < 1 || s.kv_heads < 1 || s.heads % s.kv_heads != 0)
        return sp_error(SP_EINVAL, "attention over %s: %d heads cannot share %d heads of keys and values", q->name,
                        s.heads, s.kv_heads);
    if (s.head_dim < 1 || q->width != (size_t)s.heads * (size_t)s.head_dim ||
        k->width != (size_t)s.kv_heads * (size_t)s.head_dim || v->width != k->width)
        return sp_error(SP_EINVAL,
                        "attention over %s: queries of %zu columns, keys of %zu and values of %zu are not %d, %d and "
                        "%d heads of %d",
                        q->name, q->width, k->width, v->width, s.heads, s.kv_heads, s.kv_heads, s.head_dim);
    if (s.window < 0 || (s.window > 0 && !s.causal))
        return sp_error(SP_EINVAL, "attention over %s: a window of %d tokens is of causal attention, and at least 1",
                        q->name, s.window);
    if (!(s.softcap >= 0))
        return sp_error(SP_EINVAL, "attention over %s: scores cannot be capped at %g", q->name, (double)s.softcap);
    if (s.scale == 0)
        s.scale = 1.0f / sqrtf((float)s.head_dim);
    *out = s;
    return 0;
}

void sp_plan_keep_keys(struct sp_plan *plan, int rows)
{
    plan->keys_rows = rows;
}

int sp_nn_attention(struct sp_plan *plan, int q, int k, int v, const struct sp_attention_shape *shape)
{
    bool keeps = shape->causal && plan->keys_rows > 0;
    struct sp_node *node;
    char name[SP_PARAM_NAME];
    int rc;

    k = keeps ? sp_nn_keep(plan, k, plan->keys_rows) : k;
    v = keeps ? sp_nn_keep(plan, v, plan->keys_rows) : v;
    node = sp_plan_node(plan, &sp_node_attention);
    if (!node)
        return -1;
    rc = complete(&node->attention, shape, &plan->values[q], &plan->values[k], &plan->values[v]);
    if (rc < 0)
        return sp_plan_fail(plan, rc);
    node->input[0] = q, node->input[1] = k, node->input[2] = v;
    node->p = shape->dropout;
    snprintf(name, sizeof name, "attention over %.100s", plan->values[q].name);
    return sp_plan_output(plan, node, name, SP_PER_TOKEN, plan->values[q].width);
}

/* Keys and values have other rows than the queries. */
static bool other_keys(const struct sp_plan *plan, const struct sp_node *node)
{
    return plan->values[node->input[1]].extent != SP_PER_TOKEN;
}

/* What does not depend on a batch. */
static struct sp_attention arguments_of(const struct sp_attention_shape *shape, int sequences, int longest_keys)
{
    return (struct sp_attention){
        .sequences = sequences,
        .heads = shape->heads,
        .kv_heads = shape->kv_heads,
        .head_dim = shape->head_dim,
        .longest_keys = longest_keys,
        .scale = shape->scale,
        .softcap = shape->softcap,
        .causal = shape->causal,
        .window = shape->window,
    };
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
    node->longest_keys = other_keys(plan, node) ? (int)key->rows : limits->longest;
    node->saved[0] = sp_plan_value(plan, "log-sum-exp", SP_PER_TOKEN, (size_t)node->attention.heads);
    if (other_keys(plan, node) && node->attention.causal && !node->active) {
        struct sp_attention one = arguments_of(&node->attention, 2, node->longest_keys);

        node->saved[1] = sp_plan_value(plan, "shares of chunks", SP_PER_SEQUENCE, sp_attention_decode_shares(&one));
    }
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
    uint32_t *bounds, end = 0, most = 0;

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
        if (node->attention.causal && own[1] - own[0] < batch->bounds[s + 1] - batch->bounds[s])
            return sp_error(SP_EINVAL,
                            "sequence %d sees %u rows of %s, but has %u tokens, which are the last that it sees", s,
                            own[1] - own[0], k->name, batch->bounds[s + 1] - batch->bounds[s]);
        end = own[1];
        most = end - own[0] > most ? end - own[0] : most;
        bounds[2 * s] = batch->bounds[s];
        bounds[2 * s + 1] = batch->bounds[s + 1];
    }
    node->longest_keys = (int)most;
    memcpy(sp_plan_fill(plan, plan->key_bounds), batch->keys, 2 * (size_t)batch->sequences * sizeof *batch->keys);
    return 0;
}

static struct sp_attention arguments(const struct sp_plan *plan, const struct sp_node *node,
                                     const struct sp_plan_pass *pass)
{
    bool other = other_keys(plan, node);
    struct sp_attention args = arguments_of(&node->attention, other ? 2 * plan->sequences - 1 : plan->sequences,
                                            other ? sp_plan_rows(plan, node->input[1]) : plan->longest);

    args.longest = plan->longest;
    args.bounds = sp_plan_read(plan, other ? plan->query_bounds : plan->bounds);
    args.key_bounds = sp_plan_read(plan, other ? plan->key_bounds : plan->bounds);
    args.q = sp_plan_buffer(plan, node->input[0]);
    args.k = sp_plan_buffer(plan, node->input[1]);
    args.v = sp_plan_buffer(plan, node->input[2]);
    args.out = sp_plan_buffer(plan, node->output);
    args.lse = sp_plan_buffer(plan, node->saved[0]);
    args.dropout = sp_plan_dropout(node, pass);
    return args;
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
                                                              .kv_heads = args->kv_heads,
                                                              .head_dim = args->head_dim,
                                                              .longest = of_keys ? args->longest_keys : args->longest,
                                                              .scale = args->scale,
                                                              .causal = args->causal,
                                                              .of_keys = of_keys,
                                                              .window = args->window });
}

/* Decoding token by token has kernels of its own; a plan that is recorded will have both kinds of passes. */
static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_attention args = arguments(plan, node, pass), one = args;
    bool recording = sp_device_recording(plan->device), decodes = node->saved[1] >= 0 && args.dropout.p <= 0;

    one.longest_keys = node->longest_keys;
    if (decodes && (recording || args.longest == 1))
        SP_TRY(sp_attention_decode(plan->device, &one, sp_plan_buffer(plan, node->saved[1])));
    return decodes && !recording && args.longest == 1 ? 0 : sp_attention_forward(plan->device, &args);
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
