/* Rows that live from one pass to the next: the output is a value of its own memory, of which a pass writes its tokens'
 * rows. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/rows.h"

#include <stdio.h>
#include <string.h>

int sp_nn_keep(struct sp_plan *plan, int x, int rows)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_keep);
    char name[SP_PARAM_NAME];

    if (!node)
        return -1;
    if (plan->values[x].extent != SP_PER_TOKEN || rows < 1)
        return sp_plan_fail(plan, sp_error(SP_EINVAL,
                                           "%s cannot be kept in %d rows: it must have a row for each token, and a row "
                                           "to go to",
                                           plan->values[x].name, rows));
    node->input[0] = x;
    snprintf(name, sizeof name, "what is kept of %.100s", plan->values[x].name);
    if (sp_plan_output(plan, node, name, SP_ROWS, plan->values[x].width) < 0)
        return -1;
    plan->values[node->output].rows = (size_t)rows;
    plan->values[node->output].kept = true;
    return node->output;
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    sp_plan_share_words(plan, &plan->kept_rows, (size_t)limits->tokens);
    if (node->accumulate[0])
        sp_plan_fail(plan,
                     sp_error(SP_EINVAL, "%s: what is kept feeds another node too", plan->values[node->output].name));
}

static int take(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    const struct sp_value *kept = &plan->values[node->output];

    if (!batch->kept_rows)
        return sp_error(SP_EINVAL, "the batch does not say to which rows its tokens go in %s", kept->name);
    for (int t = 0; t < batch->tokens; t++)
        if (batch->kept_rows[t] >= kept->rows)
            return sp_error(SP_EINVAL, "row %u is outside %s, which has %zu", batch->kept_rows[t], kept->name,
                            kept->rows);
    memcpy(sp_plan_fill(plan, plan->kept_rows), batch->kept_rows, (size_t)batch->tokens * sizeof *batch->kept_rows);
    return 0;
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return sp_rows_scatter(plan->device, &(struct sp_rows_scatter){ .out = sp_plan_buffer(plan, node->output),
                                                                    .in = sp_plan_buffer(plan, node->input[0]),
                                                                    .rows = sp_plan_read(plan, plan->kept_rows),
                                                                    .T = sp_plan_rows(plan, node->output),
                                                                    .R = plan->tokens,
                                                                    .C = (int)plan->values[node->output].width,
                                                                    .keep = true });
}

/* Rows of earlier passes are constants of this one. */
static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return sp_rows_gather(plan->device, &(struct sp_rows_gather){ .out = sp_plan_gradient(plan, node->input[0]),
                                                                  .in = sp_plan_gradient(plan, node->output),
                                                                  .rows = sp_plan_read(plan, plan->kept_rows),
                                                                  .R = plan->tokens,
                                                                  .C = (int)plan->values[node->output].width });
}

const struct sp_node_type sp_node_keep = {
    .name = "keep", .prepare = prepare, .take = take, .forward = forward, .backward = backward,
};
