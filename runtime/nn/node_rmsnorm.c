/* RMS normalisation of a row, or of each head in it by itself. saved: rstd. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/column_sum.h"
#include "runtime/op/rmsnorm.h"

int sp_nn_rmsnorm(struct sp_plan *plan, int x, int gamma, float epsilon, float offset)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_rmsnorm);

    if (!node)
        return -1;
    if (plan->values[x].width % (size_t)plan->params[gamma].rows != 0)
        return sp_plan_fail(plan, sp_error(SP_EINVAL, "%s is for heads of %d, and %s is %zu wide",
                                           plan->params[gamma].name, plan->params[gamma].rows, plan->values[x].name,
                                           plan->values[x].width));
    node->input[0] = x;
    node->param[0] = gamma;
    node->epsilon = epsilon;
    node->offset = offset;
    return sp_plan_output_of(plan, node, gamma, plan->values[x].extent, plan->values[x].width);
}

static size_t heads(const struct sp_plan *plan, const struct sp_node *node)
{
    return plan->values[node->output].width / (size_t)plan->params[node->param[0]].rows;
}

/* Rows of the op in the current batch. */
static int op_rows(const struct sp_plan *plan, const struct sp_node *node)
{
    return sp_plan_rows(plan, node->output) * (int)heads(plan, node);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    const struct sp_param *gamma = &plan->params[node->param[0]];
    size_t most = sp_plan_most_rows(plan, node->output) * heads(plan, node);

    (void)limits;
    node->saved[0] = sp_plan_value(plan, "rstd", plan->values[node->output].extent, heads(plan, node));
    if (node->active && sp_plan_trained(plan, node->param[0]))
        node->scratch = sp_plan_value(plan, "column sums", SP_BYTES, sp_column_sum_workspace((int)most, gamma->rows));
}

static bool reads(const struct sp_plan *plan, const struct sp_node *node, int k)
{
    (void)plan, (void)node;
    return k == 0;
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const struct sp_param *gamma = &plan->params[node->param[0]];

    (void)pass;
    return sp_rmsnorm(plan->device, &(struct sp_rmsnorm){ .y = sp_plan_buffer(plan, node->output),
                                                          .rstd = sp_plan_buffer(plan, node->saved[0]),
                                                          .x = sp_plan_buffer(plan, node->input[0]),
                                                          .gamma = gamma->value,
                                                          .R = op_rows(plan, node),
                                                          .C = gamma->rows,
                                                          .epsilon = node->epsilon,
                                                          .offset = node->offset });
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const struct sp_param *gamma = &plan->params[node->param[0]];
    struct sp_buffer *dgamma = sp_plan_param_gradient(node, 0, pass).buffer;
    struct sp_buffer *dy = sp_plan_gradient(plan, node->output), *x = sp_plan_buffer(plan, node->input[0]);
    struct sp_buffer *rstd = sp_plan_buffer(plan, node->saved[0]);
    int rows = op_rows(plan, node);

    if (dgamma)
        SP_TRY(sp_column_sum(plan->device, &(struct sp_column_sum){ .out = dgamma,
                                                                    .in = dy,
                                                                    .factor = x,
                                                                    .scale = rstd,
                                                                    .workspace = sp_plan_buffer(plan, node->scratch),
                                                                    .T = rows,
                                                                    .C = gamma->rows,
                                                                    .accumulate = sp_plan_adds(node, 0, pass) }));
    if (!sp_plan_wants(plan, node->input[0]))
        return 0;
    return sp_rmsnorm_backward(plan->device,
                               &(struct sp_rmsnorm_backward){ .dx = sp_plan_gradient(plan, node->input[0]),
                                                              .dy = dy,
                                                              .x = x,
                                                              .rstd = rstd,
                                                              .gamma = gamma->value,
                                                              .R = rows,
                                                              .C = gamma->rows,
                                                              .offset = node->offset,
                                                              .accumulate = node->accumulate[0] });
}

const struct sp_node_type sp_node_rmsnorm = {
    .name = "rmsnorm", .cheap = true, .prepare = prepare, .reads = reads, .forward = forward, .backward = backward,
};
