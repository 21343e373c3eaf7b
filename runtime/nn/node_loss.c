/*
 * The loss over the model's output: cross-entropy, or squared error. Forward leaves the mean loss in plan->loss; backward starts the gradients.
 */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/loss.h"

#include <string.h>

enum { TARGETS }; /* of the node's words */

static int add(struct sp_plan *plan, int logits, bool squared, float smoothing)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_loss);

    if (!node)
        return -1;
    node->input[0] = logits;
    node->squared_error = squared;
    node->p = smoothing;
    plan->values[logits].consumers++;
    plan->logits = logits;
    return 0;
}

int sp_nn_cross_entropy(struct sp_plan *plan, int logits, float label_smoothing)
{
    return add(plan, logits, false, label_smoothing);
}

int sp_nn_squared_error(struct sp_plan *plan, int output)
{
    return add(plan, output, true, 0);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    node->saved[0] = sp_plan_value(plan, "losses", SP_PER_SEQUENCE, 1);
    node->words[TARGETS] = sp_plan_words(plan, (size_t)limits->sequences);
}

static int take(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    if (batch->targets)
        memcpy(sp_plan_fill(plan, node->words[TARGETS]), batch->targets, (size_t)batch->sequences * 4);
    return 0;
}

static int run_loss(struct sp_plan *plan, const struct sp_node *node, struct sp_buffer *gradient, struct sp_buffer *total, float scale,
               float temperature)
{
    struct sp_buffer *logits = sp_plan_buffer(plan, node->input[0]), *rows = sp_plan_buffer(plan, node->saved[0]);
    struct sp_buffer *targets = sp_plan_read(plan, node->words[TARGETS]);

    scale /= (float)plan->sequences;
    if (node->squared_error)
        return sp_squared_error(plan->device, &(struct sp_squared_error){ .doutput = gradient, .rows = rows, .total = total,
                                                                          .output = logits, .targets = targets,
                                                                          .B = plan->sequences, .scale = scale,
                                                                          .temperature = temperature });
    return sp_cross_entropy(plan->device, &(struct sp_cross_entropy){ .dlogits = gradient, .rows = rows, .total = total,
                                                                      .logits = logits, .labels = targets,
                                                                      .B = plan->sequences,
                                                                      .classes = sp_plan_outputs(plan),
                                                                      .smoothing = node->p, .scale = scale,
                                                                      .temperature = temperature });
}

static int loss(struct sp_plan *plan, const struct sp_node *node)
{
    return run_loss(plan, node, NULL, plan->loss, 1, 0);
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return run_loss(plan, node, sp_plan_gradient(plan, node->input[0]), plan->scaled_loss, pass->loss_scale, pass->temperature);
}

/* Of loss_scale times the sum of the logits. */
static int linear_backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    uint32_t scale;

    memcpy(&scale, &pass->loss_scale, sizeof scale);
    return sp_buffer_fill(sp_plan_gradient(plan, node->input[0]), 0, scale,
                          sp_f32_bytes((size_t)plan->sequences * (size_t)sp_plan_outputs(plan)));
}

const struct sp_node_type sp_node_loss = {
    .name = "loss", .prepare = prepare, .take = take, .backward = backward, .linear_backward = linear_backward, .loss = loss,
};
