/*
 * What the nodes that are a loss share: their targets, the mean over the loss's terms, and where backward begins. The
 * terms are of the rows of the node's input: sequences, or tokens.
 */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/loss.h"

#include <string.h>

enum { TARGETS }; /* of the node's words */

struct sp_node *sp_plan_loss_node(struct sp_plan *plan, const struct sp_node_type *type, int x, int logits)
{
    struct sp_node *node = sp_plan_node(plan, type);

    if (!node)
        return NULL;
    node->input[0] = x;
    plan->values[x].consumers++;
    plan->logits = logits;
    plan->loss_node = node->index;
    return node;
}

void sp_plan_prepare_loss(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    (void)limits;
    node->saved[0] = sp_plan_value(plan, "losses", plan->values[node->input[0]].extent, 1);
    node->words[TARGETS] = sp_plan_words(plan, sp_plan_most_rows(plan, node->input[0]));
}

int sp_plan_take_targets(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    const struct sp_value *input = &plan->values[node->input[0]];
    int rows = input->extent == SP_PER_TOKEN ? batch->tokens : batch->sequences;
    uint32_t *out = sp_plan_fill(plan, node->words[TARGETS]);

    if (!batch->targets) {
        memset(out, 0, (size_t)rows * sizeof *out);
        return 0;
    }
    if (batch->target_count != rows)
        return sp_error(SP_EINVAL, "a batch with %d targets, and the loss wants %d: one for each row of %s",
                        batch->target_count, rows, input->name);
    memcpy(out, batch->targets, (size_t)rows * sizeof *out);
    return 0;
}

float sp_plan_terms(const struct sp_plan *plan, const struct sp_node *node)
{
    return (float)(plan->terms ? plan->terms : node->listed ? node->listed : sp_plan_rows(plan, node->input[0]));
}

int sp_plan_total_loss(struct sp_plan *plan, const struct sp_node *node)
{
    SP_TRY(sp_loss_total(plan->device, &(struct sp_loss_total){ .total = plan->loss,
                                                                .rows = sp_plan_buffer(plan, node->saved[0]),
                                                                .B = sp_plan_rows(plan, node->input[0]),
                                                                .scale = 1 / sp_plan_terms(plan, node) }));
    plan->has_loss = true;
    return 0;
}

int sp_plan_run_loss(struct sp_plan *plan)
{
    const struct sp_node *node = &plan->nodes[plan->loss_node];

    if (plan->has_loss)
        return 0;
    SP_TRY(node->type->loss_rows(plan, node, NULL, 1 / sp_plan_terms(plan, node), 0));
    return sp_plan_total_loss(plan, node);
}

int sp_plan_row_losses(struct sp_plan *plan, float *losses, float *hits)
{
    const struct sp_node *node = &plan->nodes[plan->loss_node];
    size_t bytes = sp_f32_bytes((size_t)sp_plan_rows(plan, node->input[0]));

    if (hits && node->saved[1] < 0)
        return sp_error(SP_EINVAL, "a loss of type %s does not say which rows are right", node->type->name);
    SP_TRY(sp_plan_run_loss(plan));
    SP_TRY(sp_buffer_read(losses, sp_plan_buffer(plan, node->saved[0]), 0, bytes));
    return hits ? sp_buffer_read(hits, sp_plan_buffer(plan, node->saved[1]), 0, bytes) : 0;
}

int sp_plan_loss_backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_buffer *gradient = sp_plan_gradient(plan, node->input[0]);

    SP_TRY(node->type->loss_rows(plan, node, gradient, pass->loss_scale / sp_plan_terms(plan, node),
                                 pass->temperature));
    return pass->temperature > 0 ? 0 : sp_plan_total_loss(plan, node); /* at a temperature it is another loss */
}

int sp_plan_sum_backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    size_t count = (size_t)sp_plan_rows(plan, node->input[0]) * plan->values[node->input[0]].width;
    uint32_t scale;

    memcpy(&scale, &pass->loss_scale, sizeof scale);
    return sp_buffer_fill(sp_plan_gradient(plan, node->input[0]), 0, scale, sp_f32_bytes(count));
}
