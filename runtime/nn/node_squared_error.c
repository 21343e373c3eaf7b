/* The squared error of the model's output, a number for each of its rows. */
#include "runtime/nn/plan_priv.h"

#include "runtime/op/loss.h"

int sp_nn_squared_error(struct sp_plan *plan, int output)
{
    return sp_plan_loss_node(plan, &sp_node_squared_error, output, output) ? output : -1;
}

static int run_rows(struct sp_plan *plan, const struct sp_node *node, struct sp_buffer *gradient, float scale,
                    float temperature)
{
    return sp_squared_error(plan->device, &(struct sp_squared_error){ .doutput = gradient,
                                                                      .rows = sp_plan_buffer(plan, node->saved[0]),
                                                                      .output = sp_plan_buffer(plan, node->input[0]),
                                                                      .targets = sp_plan_read(plan, node->words[0]),
                                                                      .B = sp_plan_rows(plan, node->input[0]),
                                                                      .scale = scale,
                                                                      .temperature = temperature });
}

const struct sp_node_type sp_node_squared_error = {
    .name = "squared_error", .prepare = sp_plan_prepare_loss, .take = sp_plan_take_targets,
    .backward = sp_plan_loss_backward, .loss_rows = run_rows,
};
