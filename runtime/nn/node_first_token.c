/* The first token of each sequence: BERT's [CLS], what its pooler reads. */
#include "runtime/nn/plan_priv.h"

#include "runtime/op/rows.h"

int sp_nn_first_token(struct sp_plan *plan, int x)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_first_token);

    if (!node)
        return -1;
    node->input[0] = x;
    return sp_plan_output(plan, node, "first tokens", SP_PER_SEQUENCE, plan->values[x].width);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    (void)node, (void)limits;
    sp_plan_need_bounds(plan);
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return sp_rows_gather(plan->device, &(struct sp_rows_gather){ .out = sp_plan_buffer(plan, node->output),
                                                                  .in = sp_plan_buffer(plan, node->input[0]),
                                                                  .rows = sp_plan_read(plan, plan->bounds),
                                                                  .R = plan->sequences,
                                                                  .C = (int)plan->values[node->output].width });
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return sp_rows_scatter(plan->device, &(struct sp_rows_scatter){ .out = sp_plan_gradient(plan, node->input[0]),
                                                                    .in = sp_plan_gradient(plan, node->output),
                                                                    .rows = sp_plan_read(plan, plan->bounds),
                                                                    .T = plan->tokens,
                                                                    .R = plan->sequences,
                                                                    .C = (int)plan->values[node->output].width,
                                                                    .accumulate = node->accumulate[0] });
}

const struct sp_node_type sp_node_first_token = {
    .name = "first_token", .prepare = prepare, .forward = forward, .backward = backward,
};
