/* The sum of two values: a residual connection. The gradient of either is the output's, whose memory an input takes
 * over where it can (compile.c), so that most often backward does nothing. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/add.h"

#include <stdio.h>

int sp_nn_add(struct sp_plan *plan, int a, int b)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_add);
    const struct sp_value *x, *y;
    char name[SP_PARAM_NAME + 32];

    if (!node)
        return -1;
    x = &plan->values[a], y = &plan->values[b];
    if (x->width != y->width || x->extent != y->extent)
        return sp_plan_fail(plan, sp_error(SP_EINVAL, "%s, %zu wide, and %s, %zu wide, cannot be added", x->name,
                                           x->width, y->name, y->width));
    node->input[0] = a, node->input[1] = b;
    snprintf(name, sizeof name, "the sum with %.140s", y->name);
    return sp_plan_output(plan, node, name, x->extent, x->width);
}

static size_t count(const struct sp_plan *plan, const struct sp_node *node)
{
    return (size_t)sp_plan_rows(plan, node->output) * plan->values[node->output].width;
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return sp_add_buffers(plan->device, &(struct sp_add){ .out = sp_plan_buffer(plan, node->output),
                                                          .a = sp_plan_buffer(plan, node->input[0]),
                                                          .b = sp_plan_buffer(plan, node->input[1]),
                                                          .count = count(plan, node) });
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_buffer *dy = sp_plan_gradient(plan, node->output);

    (void)pass;
    for (int k = 0; k < 2; k++) {
        struct sp_buffer *dx = sp_plan_wants(plan, node->input[k]) ? sp_plan_gradient(plan, node->input[k]) : NULL;

        if (dx && node->accumulate[k])
            SP_TRY(sp_add_buffers(plan->device,
                                  &(struct sp_add){ .out = dx, .a = dx, .b = dy, .count = count(plan, node) }));
        else if (dx && dx != dy)
            SP_TRY(sp_buffer_copy(dx, 0, dy, 0, sp_f32_bytes(count(plan, node))));
    }
    return 0;
}

const struct sp_node_type sp_node_add = { .name = "add", .passes = true, .forward = forward, .backward = backward };
