/* Layer normalisation of residual + dropout(x). saved: xhat, rstd. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/column_sum.h"
#include "runtime/op/layernorm.h"

int sp_nn_layernorm(struct sp_plan *plan, int x, int residual, int gamma, int beta, float epsilon, float dropout)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_layernorm);

    if (!node)
        return -1;
    node->input[0] = x, node->input[1] = residual;
    node->param[0] = gamma, node->param[1] = beta;
    node->epsilon = epsilon;
    node->p = dropout;
    return sp_plan_output_of(plan, node, gamma, SP_PER_TOKEN, plan->values[x].width);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    size_t width = plan->values[node->output].width;

    node->saved[1] = sp_plan_value(plan, "rstd", SP_PER_TOKEN, 1);
    if (!node->active)
        return;
    node->saved[0] = sp_plan_value(plan, "xhat", SP_PER_TOKEN, width);
    if (node->accumulate[0] && (node->input[1] >= 0 || node->p > 0))
        sp_plan_fail(plan, sp_error(SP_EINVAL, "%s: the normalised branch feeds another node too",
                                    plan->values[node->output].name));
    if (sp_plan_trained(plan, node->param[0]) || sp_plan_trained(plan, node->param[1]))
        node->scratch = sp_plan_value(plan, "column sums", SP_BYTES,
                                      sp_column_sum_workspace(limits->tokens, (int)width));
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_buffer *y = sp_plan_buffer(plan, node->output), *xhat = sp_plan_buffer(plan, node->saved[0]);

    return sp_layernorm(plan->device, &(struct sp_layernorm){
                                          .y = y,
                                          .xhat = xhat ? xhat : y,
                                          .rstd = sp_plan_buffer(plan, node->saved[1]),
                                          .x = sp_plan_buffer(plan, node->input[0]),
                                          .residual = sp_plan_buffer(plan, node->input[1]),
                                          .gamma = plan->params[node->param[0]].value,
                                          .beta = plan->params[node->param[1]].value,
                                          .T = sp_plan_rows(plan, node->output),
                                          .C = (int)plan->values[node->output].width,
                                          .epsilon = node->epsilon,
                                          .dropout = sp_plan_dropout(node, pass),
                                      });
}

/* The gradient of gamma (factor xhat) or beta (no factor). */
static int param_backward(struct sp_plan *plan, const struct sp_node *node, int k, struct sp_buffer *factor,
                          const struct sp_plan_pass *pass)
{
    struct sp_buffer *gradient = sp_plan_param_gradient(node, k, pass).buffer;

    if (!gradient)
        return 0;
    return sp_column_sum(plan->device, &(struct sp_column_sum){
                                           .out = gradient,
                                           .in = sp_plan_gradient(plan, node->output),
                                           .factor = factor,
                                           .workspace = sp_plan_buffer(plan, node->scratch),
                                           .T = sp_plan_rows(plan, node->output),
                                           .C = (int)plan->values[node->output].width,
                                           .accumulate = sp_plan_adds(node, k, pass),
                                       });
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_buffer *xhat = sp_plan_buffer(plan, node->saved[0]);
    bool adds = node->accumulate[0]; /* to what the op calls the residual's: alone and not dropped they are one */
    bool wants = sp_plan_wants(plan, node->input[0]) || sp_plan_wants(plan, node->input[1]);

    SP_TRY(param_backward(plan, node, 0, xhat, pass));
    SP_TRY(param_backward(plan, node, 1, NULL, pass));
    if (!wants)
        return 0;
    return sp_layernorm_backward(plan->device, &(struct sp_layernorm_backward){
                                                   .dresidual = sp_plan_gradient(plan, node->input[!adds]),
                                                   .dx = adds ? NULL : sp_plan_gradient(plan, node->input[0]),
                                                   .dy = sp_plan_gradient(plan, node->output),
                                                   .xhat = xhat,
                                                   .rstd = sp_plan_buffer(plan, node->saved[1]),
                                                   .gamma = plan->params[node->param[0]].value,
                                                   .T = sp_plan_rows(plan, node->output),
                                                   .C = (int)plan->values[node->output].width,
                                                   .accumulate = adds || node->accumulate[1],
                                                   .dropout = sp_plan_dropout(node, pass),
                                               });
}

const struct sp_node_type sp_node_layernorm = {
    .name = "layernorm", .prepare = prepare, .forward = forward, .backward = backward,
};
