/*
 * Linear layers: y = act(x W^T + b). Backward gives dW to the weight's sink, db by column sums, and dx by a product.
 *
 * The derivative of an activation is applied by the product that computes dy, in its epilogue, when this layer's output feeds
 * one linear layer only (`fused` of that layer); otherwise by a pass of its own. saved: the pre-activation.
 */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/column_sum.h"

int sp_nn_linear(struct sp_plan *plan, int x, int weight, int bias, enum sp_activation activation)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_linear);
    const struct sp_param *w;

    if (!node)
        return -1;
    w = &plan->params[weight];
    if (plan->values[x].width != (size_t)w->cols || (bias >= 0 && plan->params[bias].rows != w->rows))
        return sp_plan_fail(plan, sp_error(SP_EINVAL, "%s is %d x %d, its input is %zu wide and its bias %d", w->name, w->rows,
                                           w->cols, plan->values[x].width, bias < 0 ? 0 : plan->params[bias].rows));
    node->input[0] = x;
    node->param[0] = weight, node->param[1] = bias;
    node->activation = activation;
    return sp_plan_output_of(plan, node, weight, plan->values[x].extent, (size_t)w->rows);
}

static struct sp_node *producer(struct sp_plan *plan, int value)
{
    return plan->values[value].producer < 0 ? NULL : &plan->nodes[plan->values[value].producer];
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    const struct sp_value *y = &plan->values[node->output];
    struct sp_node *below = producer(plan, node->input[0]);
    int rows = y->extent == SP_PER_TOKEN ? limits->tokens : limits->sequences;

    if (!node->active)
        return;
    if (sp_plan_trained(plan, node->param[1]))
        node->scratch = sp_plan_value(plan, "column sums", SP_BYTES, sp_column_sum_workspace(rows, (int)y->width));
    y = &plan->values[node->output]; /* values may have moved */
    if (node->activation != SP_ACTIVATION_NONE)
        node->saved[0] = sp_plan_value(plan, "pre-activation", y->extent, y->width);
    if (below && below->type == &sp_node_linear && below->active && below->activation != SP_ACTIVATION_NONE &&
        plan->values[node->input[0]].consumers == 1)
        node->fused = below->index;
}

/* The activation of this pass. */
static enum sp_activation activation(const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return pass->linear ? SP_ACTIVATION_NONE : node->activation;
}

/* Whether another node's epilogue already applies this node's activation to its dy. */
static bool is_fused(const struct sp_plan *plan, const struct sp_node *node)
{
    for (size_t i = (size_t)node->index + 1; i < plan->node_count; i++)
        if (plan->nodes[i].fused == node->index)
            return true;
    return false;
}

static bool reads(const struct sp_plan *plan, const struct sp_node *node, int k)
{
    return k == 0 && sp_plan_trained(plan, node->param[0]);
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return sp_gemm_forward(plan->device, &plan->params[node->param[0]].weight, sp_plan_buffer(plan, node->output),
                           sp_plan_buffer(plan, node->input[0]), sp_plan_rows(plan, node->output),
                           sp_plan_values(plan, node->param[1]), activation(node, pass), sp_plan_buffer(plan, node->saved[0]));
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const struct sp_param *w = &plan->params[node->param[0]];
    struct sp_wgrad_sink *sink = sp_plan_param_gradient(node, 0, pass).sink;
    struct sp_buffer *bias = sp_plan_param_gradient(node, 1, pass).buffer;
    struct sp_buffer *dy = sp_plan_gradient(plan, node->output);
    const struct sp_node *below = node->fused < 0 ? NULL : &plan->nodes[node->fused];
    int rows = sp_plan_rows(plan, node->output);

    if (activation(node, pass) != SP_ACTIVATION_NONE && !is_fused(plan, node))
        SP_TRY(sp_activation_backward(plan->device, &(struct sp_activation_backward){
                                                        .dx = dy,
                                                        .dy = dy,
                                                        .x = sp_plan_buffer(plan, node->saved[0]),
                                                        .count = (size_t)rows * (size_t)w->rows,
                                                        .activation = node->activation,
                                                    }));
    if (sink)
        SP_TRY(sink->add(sink, plan->device,
                         &(struct sp_wgrad_input){ .dy = dy, .x = sp_plan_buffer(plan, node->input[0]), .tokens = rows,
                                                   .out = w->rows, .in = w->cols, .accumulate = sp_plan_adds(node, 0, pass),
                                                   .transposed = &plan->transposed }));
    if (bias)
        SP_TRY(sp_column_sum(plan->device, &(struct sp_column_sum){ .out = bias, .in = dy,
                                                                    .workspace = sp_plan_buffer(plan, node->scratch),
                                                                    .T = rows, .C = w->rows,
                                                                    .accumulate = sp_plan_adds(node, 1, pass) }));
    if (!sp_plan_wants(plan, node->input[0]))
        return 0;
    return sp_gemm_backward(plan->device, &w->weight, sp_plan_gradient(plan, node->input[0]), dy, rows,
                            below ? activation(below, pass) : SP_ACTIVATION_NONE,
                            below ? sp_plan_buffer(plan, below->saved[0]) : NULL, node->accumulate[0]);
}

const struct sp_node_type sp_node_linear = {
    .name = "linear", .packs = true, .prepare = prepare, .reads = reads, .forward = forward, .backward = backward,
};
