/* Attention within each sequence. saved: lse. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/attention.h"
#include "runtime/op/linear_attention.h"

#include <math.h>
#include <stdio.h>

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

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    (void)limits;
    sp_plan_need_bounds(plan);
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

static struct sp_attention arguments(const struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    int head_dim = (int)plan->values[node->output].width / node->heads;

    return (struct sp_attention){
        .sequences = plan->sequences,
        .heads = node->heads,
        .head_dim = head_dim,
        .longest = plan->longest,
        .longest_keys = plan->longest,
        .scale = 1.0f / sqrtf((float)head_dim),
        .bounds = sp_plan_read(plan, plan->bounds),
        .key_bounds = sp_plan_read(plan, plan->bounds),
        .q = sp_plan_buffer(plan, node->input[0]),
        .k = sp_plan_buffer(plan, node->input[1]),
        .v = sp_plan_buffer(plan, node->input[2]),
        .out = sp_plan_buffer(plan, node->output),
        .lse = sp_plan_buffer(plan, node->saved[0]),
        .dropout = { pass->dropout ? node->p : 0, pass->seed, pass->step, (uint32_t)node->index },
    };
}

/* out_i = scale sum_j (a_i . b_j) c_j: attention without softmax, and each of its gradients. */
static int linear(struct sp_plan *plan, const struct sp_attention *args, struct sp_buffer *out, struct sp_buffer *a,
                  struct sp_buffer *b, struct sp_buffer *c)
{
    return sp_linear_attention(plan->device, &(struct sp_linear_attention){ .out = out, .a = a, .b = b, .c = c,
                                                                            .bounds = args->bounds,
                                                                            .key_bounds = args->key_bounds,
                                                                            .sequences = args->sequences,
                                                                            .heads = args->heads,
                                                                            .head_dim = args->head_dim,
                                                                            .longest = args->longest,
                                                                            .scale = args->scale });
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_attention args = arguments(plan, node, pass);

    return pass->linear ? linear(plan, &args, args.out, args.q, args.k, args.v) : sp_attention_forward(plan->device, &args);
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_attention args = arguments(plan, node, pass);

    args.dout = sp_plan_gradient(plan, node->output);
    args.dq = sp_plan_gradient(plan, node->input[0]);
    args.dk = sp_plan_gradient(plan, node->input[1]);
    args.dv = sp_plan_gradient(plan, node->input[2]);
    if (pass->linear) {
        SP_TRY(linear(plan, &args, args.dq, args.dout, args.v, args.k));
        SP_TRY(linear(plan, &args, args.dk, args.v, args.dout, args.q));
        return linear(plan, &args, args.dv, args.k, args.q, args.dout);
    }
    return sp_attention_backward(plan->device, &args);
}

const struct sp_node_type sp_node_attention = {
    .name = "attention", .all_inputs = true, .prepare = prepare, .reads = reads, .forward = forward, .backward = backward,
};
