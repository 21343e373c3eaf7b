/*
 * Linear layers: y = act(x W^T + b). Backward gives dW to the weight's sink, db by column sums, and dx by a product.
 *
 * The derivative of an activation is applied by the product that computes dy, in its epilogue, when this layer's output
 * feeds one linear layer only (`fused` of that layer); otherwise by a pass of its own. saved: the pre-activation.
 *
 * What a pass adds to the output (addition.h) comes before the activation, so that the activation and, where the layer
 * below is fused, its derivative are then passes of their own.
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
        return sp_plan_fail(plan,
                            sp_error(SP_EINVAL, "%s is %d x %d, its input is %zu wide and its bias %d", w->name,
                                     w->rows, w->cols, plan->values[x].width, bias < 0 ? 0 : plan->params[bias].rows));
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

/* The first; NULL: none. */
static struct sp_addition *addition_of(const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return pass->additions ? pass->additions[node->param[0]] : NULL;
}

static struct sp_addition_input input_of(const struct sp_plan *plan, const struct sp_node *node,
                                         const struct sp_plan_pass *pass)
{
    return (struct sp_addition_input){
        .x = sp_plan_buffer(plan, node->input[0]),
        .tokens = sp_plan_rows(plan, node->output),
        .out = plan->params[node->param[0]].rows,
        .in = plan->params[node->param[0]].cols,
        .dropout = pass->dropout && !pass->linear,
        .words = sp_plan_dropout(node, pass),
    };
}

static int forward_with(struct sp_addition *addition, struct sp_plan *plan, const struct sp_node *node,
                        const struct sp_plan_pass *pass)
{
    struct sp_addition_input in = input_of(plan, node, pass);
    enum sp_activation f = sp_plan_activation(node, pass);
    const struct sp_param *w = &plan->params[node->param[0]];
    struct sp_buffer *y = sp_plan_buffer(plan, node->output);

    in.y = f != SP_ACTIVATION_NONE && node->saved[0] >= 0 ? sp_plan_buffer(plan, node->saved[0]) : y;
    SP_TRY(sp_gemm_forward(plan->device, &w->weight, in.y, in.x, in.tokens, sp_plan_values(plan, node->param[1]),
                           SP_ACTIVATION_NONE, NULL));
    for (; addition; addition = addition->next)
        SP_TRY(addition->forward(addition, plan->device, &in));
    if (f == SP_ACTIVATION_NONE)
        return 0;
    return sp_activation_forward(plan->device,
                                 &(struct sp_activation_forward){ .y = y,
                                                                  .x = in.y,
                                                                  .activation = f,
                                                                  .count = (size_t)in.tokens * (size_t)in.out });
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_addition *addition = addition_of(node, pass);

    if (addition)
        return forward_with(addition, plan, node, pass);
    return sp_gemm_forward(plan->device, &plan->params[node->param[0]].weight, sp_plan_buffer(plan, node->output),
                           sp_plan_buffer(plan, node->input[0]), sp_plan_rows(plan, node->output),
                           sp_plan_values(plan, node->param[1]), sp_plan_activation(node, pass),
                           sp_plan_buffer(plan, node->saved[0]));
}

/* dy, the gradient of the node's output, becomes that of its pre-activation. */
static int differentiate(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass,
                         struct sp_buffer *dy)
{
    size_t count = (size_t)sp_plan_rows(plan, node->output) * plan->values[node->output].width;

    if (sp_plan_activation(node, pass) == SP_ACTIVATION_NONE)
        return 0;
    return sp_activation_backward(plan->device,
                                  &(struct sp_activation_backward){ .dx = dy,
                                                                    .dy = dy,
                                                                    .count = count,
                                                                    .x = sp_plan_buffer(plan, node->saved[0]),
                                                                    .activation = node->activation });
}

/* The input's gradient and the additions' own, where they are wanted. */
static int backward_with(struct sp_addition *addition, struct sp_plan *plan, const struct sp_node *node,
                         const struct sp_plan_pass *pass)
{
    const struct sp_param *w = &plan->params[node->param[0]];
    struct sp_addition_input in = input_of(plan, node, pass);
    bool kept = w->role != SP_PARAM_FROZEN;

    in.x = kept ? in.x : NULL;
    in.dy = sp_plan_gradient(plan, node->output);
    in.dx = sp_plan_wants(plan, node->input[0]) ? sp_plan_gradient(plan, node->input[0]) : NULL;
    in.accumulate = sp_plan_adds(node, 0, pass);
    if (in.dx)
        SP_TRY(sp_gemm_backward(plan->device, &w->weight, in.dx, in.dy, in.tokens, SP_ACTIVATION_NONE, NULL,
                                node->accumulate[0]));
    for (; addition; addition = addition->next) {
        in.fixed = pass->fixed_additions || addition->fixed;
        if (!kept && !in.fixed)
            return sp_error(SP_EINVAL, "%s is frozen, so that the input of its layer is not kept for what is added",
                            w->name);
        SP_TRY(addition->backward(addition, plan->device, &in));
    }
    return node->fused < 0 ? 0 : differentiate(plan, &plan->nodes[node->fused], pass, in.dx);
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const struct sp_param *w = &plan->params[node->param[0]];
    struct sp_wgrad_sink *sink = sp_plan_param_gradient(node, 0, pass).sink;
    struct sp_buffer *bias = sp_plan_param_gradient(node, 1, pass).buffer;
    struct sp_buffer *dy = sp_plan_gradient(plan, node->output);
    const struct sp_node *below = node->fused < 0 ? NULL : &plan->nodes[node->fused];
    int rows = sp_plan_rows(plan, node->output);

    if (!is_fused(plan, node))
        SP_TRY(differentiate(plan, node, pass, dy));
    if (sink)
        SP_TRY(sink->add(sink, plan->device,
                         &(struct sp_wgrad_input){ .dy = dy,
                                                   .x = sp_plan_buffer(plan, node->input[0]),
                                                   .tokens = rows,
                                                   .out = w->rows,
                                                   .in = w->cols,
                                                   .accumulate = sp_plan_adds(node, 0, pass),
                                                   .transposed = &plan->transposed }));
    if (bias)
        SP_TRY(sp_column_sum(plan->device, &(struct sp_column_sum){ .out = bias, .in = dy,
                                                                    .workspace = sp_plan_buffer(plan, node->scratch),
                                                                    .T = rows, .C = w->rows,
                                                                    .accumulate = sp_plan_adds(node, 1, pass) }));
    if (addition_of(node, pass))
        return backward_with(addition_of(node, pass), plan, node, pass);
    if (!sp_plan_wants(plan, node->input[0]))
        return 0;
    return sp_gemm_backward(plan->device, &w->weight, sp_plan_gradient(plan, node->input[0]), dy, rows,
                            below ? sp_plan_activation(below, pass) : SP_ACTIVATION_NONE,
                            below ? sp_plan_buffer(plan, below->saved[0]) : NULL, node->accumulate[0]);
}

const struct sp_node_type sp_node_linear = {
    .name = "linear", .packs = true, .prepare = prepare, .reads = reads, .forward = forward, .backward = backward,
};
