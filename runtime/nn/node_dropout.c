/* Dropout by itself: of the embeddings and of the classifier's input. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/dropout.h"

int sp_nn_dropout(struct sp_plan *plan, int x, float p)
{
    struct sp_node *node;

    if (p <= 0)
        return x;
    node = sp_plan_node(plan, &sp_node_dropout);
    if (!node)
        return -1;
    node->input[0] = x;
    node->p = p;
    return sp_plan_output(plan, node, "dropout", plan->values[x].extent, plan->values[x].width);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    (void)limits;
    if (node->accumulate[0])
        sp_plan_fail(plan, sp_error(SP_EINVAL, "dropout of a value that feeds another node too"));
}

static int apply(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass,
                 struct sp_buffer *out, struct sp_buffer *in)
{
    return sp_dropout_apply(plan->device, &(struct sp_dropout_apply){
                                              .out = out,
                                              .in = in,
                                              .count = (size_t)sp_plan_rows(plan, node->output) *
                                                       plan->values[node->output].width,
                                              .dropout = sp_plan_dropout(node, pass),
                                          });
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return apply(plan, node, pass, sp_plan_buffer(plan, node->output), sp_plan_buffer(plan, node->input[0]));
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return apply(plan, node, pass, sp_plan_gradient(plan, node->input[0]), sp_plan_gradient(plan, node->output));
}

const struct sp_node_type sp_node_dropout = {
    .name = "dropout", .prepare = prepare, .forward = forward, .backward = backward,
};
