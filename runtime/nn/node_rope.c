/* Rotary position embedding of each head of a row by its token's position. Backward turns the gradient back where it
 * lies. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/add.h"
#include "runtime/op/rotary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROPES_MAX = 1000 };

/* The plan's rope with these frequencies, an old one or a new one; -1 after an error. */
static int find_rope(struct sp_plan *plan, const struct sp_rope *rope)
{
    size_t half = rope->head_dim > 0 ? (size_t)rope->head_dim / 2 : 0;
    struct sp_plan_rope new = { .head_dim = rope->head_dim, .inverse = sp_calloc(half + 1, sizeof *new.inverse) };
    int rc = new.inverse ? sp_rope_frequencies(new.inverse, &new.scale, rope) : SP_ENOMEM;

    for (size_t i = 0; i < plan->rope_count && rc == 0; i++) {
        const struct sp_plan_rope *old = &plan->ropes[i];

        if (old->head_dim == new.head_dim && old->scale == new.scale &&
            memcmp(old->inverse, new.inverse, half * sizeof *new.inverse) == 0) {
            free(new.inverse);
            return (int)i;
        }
    }
    if (rc == 0)
        rc = sp_grow(&plan->ropes, plan->rope_count, &plan->rope_room, sizeof *plan->ropes, ROPES_MAX, "ropes");
    if (rc < 0) {
        free(new.inverse);
        return sp_plan_fail(plan, rc);
    }
    plan->ropes[plan->rope_count] = new;
    return (int)plan->rope_count++;
}

int sp_nn_rope(struct sp_plan *plan, int x, const struct sp_rope *rope)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_rope);
    const struct sp_value *value;
    char name[SP_PARAM_NAME + 32];

    if (!node)
        return -1;
    node->rope = find_rope(plan, rope);
    if (node->rope < 0)
        return -1;
    value = &plan->values[x];
    if (value->extent != SP_PER_TOKEN || value->width % (size_t)rope->head_dim != 0)
        return sp_plan_fail(plan, sp_error(SP_EINVAL, "%s, %zu wide, is not heads of %d of each token", value->name,
                                           value->width, rope->head_dim));
    node->input[0] = x;
    snprintf(name, sizeof name, "the rotation of %.140s", value->name);
    return sp_plan_output(plan, node, name, SP_PER_TOKEN, value->width);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    (void)node;
    sp_plan_share_words(plan, &plan->positions, (size_t)limits->tokens);
}

/* y = x turned, or turned back. */
static int rotate(struct sp_plan *plan, const struct sp_node *node, struct sp_buffer *y, struct sp_buffer *x, bool back)
{
    const struct sp_plan_rope *rope = &plan->ropes[node->rope];

    return sp_rotary(plan->device, &(struct sp_rotary){ .y = y,
                                                        .x = x,
                                                        .table = rope->table,
                                                        .positions = sp_plan_read(plan, plan->positions),
                                                        .T = plan->tokens,
                                                        .heads = (int)plan->values[node->output].width / rope->head_dim,
                                                        .D = rope->head_dim,
                                                        .back = back });
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return rotate(plan, node, sp_plan_buffer(plan, node->output), sp_plan_buffer(plan, node->input[0]), false);
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_buffer *dy = sp_plan_gradient(plan, node->output), *dx = sp_plan_gradient(plan, node->input[0]);
    size_t count = (size_t)plan->tokens * plan->values[node->output].width;

    (void)pass;
    SP_TRY(rotate(plan, node, dy, dy, true));
    return dx == dy ? 0 : sp_add_buffers(plan->device, &(struct sp_add){ .out = dx, .a = dx, .b = dy, .count = count });
}

const struct sp_node_type sp_node_rope = {
    .name = "rope", .in_place = true, .prepare = prepare, .forward = forward, .backward = backward,
};
