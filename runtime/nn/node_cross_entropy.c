/* Cross-entropy of the model's output, a class for each of its rows. */
#include "runtime/nn/plan_priv.h"

#include "runtime/op/loss.h"

int sp_nn_cross_entropy(struct sp_plan *plan, int logits, float label_smoothing)
{
    struct sp_node *node = sp_plan_loss_node(plan, &sp_node_cross_entropy, logits, logits);

    if (!node)
        return -1;
    node->p = label_smoothing;
    return logits;
}

static int run_rows(struct sp_plan *plan, const struct sp_node *node, struct sp_buffer *gradient, float scale,
                    float temperature)
{
    return sp_cross_entropy(plan->device,
                            &(struct sp_cross_entropy){ .dlogits = gradient,
                                                        .rows = sp_plan_buffer(plan, node->saved[0]),
                                                        .logits = sp_plan_buffer(plan, node->input[0]),
                                                        .labels = sp_plan_read(plan, node->words[0]),
                                                        .B = sp_plan_rows(plan, node->input[0]),
                                                        .classes = (int)plan->values[node->input[0]].width,
                                                        .smoothing = node->p,
                                                        .scale = scale,
                                                        .temperature = temperature });
}

const struct sp_node_type sp_node_cross_entropy = {
    .name = "cross_entropy", .prepare = sp_plan_prepare_loss, .take = sp_plan_take_targets,
    .backward = sp_plan_loss_backward, .loss_rows = run_rows,
};
