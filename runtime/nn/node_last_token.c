/* The last token of each sequence: what a decoder's classifier reads. words: which rows those are. */
#include "runtime/nn/plan_priv.h"

#include "runtime/op/rows.h"

enum { ROWS };

int sp_nn_last_token(struct sp_plan *plan, int x, int padding)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_last_token);

    if (!node)
        return -1;
    node->input[0] = x;
    node->padding = padding;
    return sp_plan_output(plan, node, "last tokens", SP_PER_SEQUENCE, plan->values[x].width);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    node->words[ROWS] = sp_plan_words(plan, (size_t)limits->sequences);
}

static int take(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    uint32_t *rows = sp_plan_fill(plan, node->words[ROWS]);

    for (int s = 0; s < batch->sequences; s++) {
        rows[s] = batch->bounds[s + 1] - 1;
        while (node->padding >= 0 && rows[s] > batch->bounds[s] && batch->ids[rows[s]] == (uint32_t)node->padding)
            rows[s]--;
    }
    return 0;
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return sp_rows_gather(plan->device, &(struct sp_rows_gather){ .out = sp_plan_buffer(plan, node->output),
                                                                  .in = sp_plan_buffer(plan, node->input[0]),
                                                                  .rows = sp_plan_read(plan, node->words[ROWS]),
                                                                  .R = plan->sequences,
                                                                  .C = (int)plan->values[node->output].width });
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    (void)pass;
    return sp_rows_scatter(plan->device, &(struct sp_rows_scatter){ .out = sp_plan_gradient(plan, node->input[0]),
                                                                    .in = sp_plan_gradient(plan, node->output),
                                                                    .rows = sp_plan_read(plan, node->words[ROWS]),
                                                                    .T = plan->tokens,
                                                                    .R = plan->sequences,
                                                                    .C = (int)plan->values[node->output].width,
                                                                    .accumulate = node->accumulate[0] });
}

const struct sp_node_type sp_node_last_token = {
    .name = "last_token", .prepare = prepare, .take = take, .forward = forward, .backward = backward,
};
