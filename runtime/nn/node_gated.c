/* The gate of a gated MLP: activation(gate) * up. In a pass that is linear the activation is the identity, and the
 * product stays. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/gated.h"

#include <stdio.h>

int sp_nn_gated(struct sp_plan *plan, int gate, int up, enum sp_activation activation)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_gated);
    const struct sp_value *g, *u;
    char name[SP_PARAM_NAME + 32];

    if (!node)
        return -1;
    g = &plan->values[gate], u = &plan->values[up];
    if (g->width != u->width || g->extent != u->extent || gate == up)
        return sp_plan_fail(plan, sp_error(SP_EINVAL, "%s, %zu wide, cannot be the gate of %s, %zu wide", g->name,
                                           g->width, u->name, u->width));
    node->input[0] = gate, node->input[1] = up;
    node->activation = activation;
    snprintf(name, sizeof name, "the gating of %.140s", u->name);
    return sp_plan_output(plan, node, name, u->extent, u->width);
}

static bool reads(const struct sp_plan *plan, const struct sp_node *node, int k)
{
    return k == 0 || (k == 1 && sp_plan_wants(plan, node->input[0]));
}

static size_t count(const struct sp_plan *plan, const struct sp_node *node)
{
    return (size_t)sp_plan_rows(plan, node->output) * plan->values[node->output].width;
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return sp_gated(plan->device, &(struct sp_gated){ .y = sp_plan_buffer(plan, node->output),
                                                      .gate = sp_plan_buffer(plan, node->input[0]),
                                                      .up = sp_plan_buffer(plan, node->input[1]),
                                                      .count = count(plan, node),
                                                      .activation = sp_plan_activation(node, pass) });
}

/* Of input k; NULL where it wants none. */
static struct sp_buffer *gradient(const struct sp_plan *plan, const struct sp_node *node, int k)
{
    return sp_plan_wants(plan, node->input[k]) ? sp_plan_gradient(plan, node->input[k]) : NULL;
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return sp_gated_backward(plan->device, &(struct sp_gated_backward){ .dgate = gradient(plan, node, 0),
                                                                        .dup = gradient(plan, node, 1),
                                                                        .dy = sp_plan_gradient(plan, node->output),
                                                                        .gate = sp_plan_buffer(plan, node->input[0]),
                                                                        .up = sp_plan_buffer(plan, node->input[1]),
                                                                        .count = count(plan, node),
                                                                        .activation = sp_plan_activation(node, pass),
                                                                        .accumulate_gate = node->accumulate[0],
                                                                        .accumulate_up = node->accumulate[1] });
}

const struct sp_node_type sp_node_gated = {
    .name = "gated", .in_place = true, .cheap = true, .reads = reads, .forward = forward, .backward = backward,
};
