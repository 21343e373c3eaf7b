/* Embeddings: the sum of a word's, a position's and a token type's row. Backward gives trained tables dense
 * gradients. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/embedding.h"

#include <string.h>

#define FLOAT_ONE 0x3f800000u

/* Of the node's words: the rows of each table, and of one that is trained its tokens by row, as sp_embedding_group
 * makes them. */
enum { ROWS, ORDER = 3, STARTS = 6, USED = 9 };

int sp_nn_embedding(struct sp_plan *plan, int word, int position, int type, int padding)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_embedding);

    if (!node)
        return -1;
    node->param[0] = word, node->param[1] = position, node->param[2] = type;
    node->padding = padding;
    sp_plan_mark(plan, word, plan->params[word].kind == SP_PARAM_LINEAR ? SP_PARAM_ROWS : 0);
    return sp_plan_output(plan, node, "embeddings", SP_PER_TOKEN, (size_t)plan->params[word].cols);
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    size_t T = (size_t)limits->tokens;

    for (int k = 0; k < SP_NODE_PARAMS; k++) {
        if (node->param[k] < 0)
            continue;
        node->words[ROWS + k] = sp_plan_words(plan, T);
        if (!node->active || !sp_plan_trained(plan, node->param[k]))
            continue;
        node->words[ORDER + k] = sp_plan_words(plan, T);
        node->words[STARTS + k] = sp_plan_words(plan, T + 1);
        node->words[USED + k] = sp_plan_words(plan, T);
        node->groups[k] = 1; /* before the first batch: what is recorded does not depend on it */
    }
}

/* The position of every token in its sequence, as sp_nn_embedding counts. */
static void find_positions(uint32_t *out, const struct sp_node *node, const struct sp_plan_batch *batch)
{
    uint32_t padding = (uint32_t)node->padding, first = padding + 1; /* 0 without padding */

    for (int s = 0; s < batch->sequences; s++) {
        uint32_t next = first;

        for (uint32_t t = batch->bounds[s]; t < batch->bounds[s + 1]; t++)
            out[t] = node->padding >= 0 && batch->ids[t] == padding ? padding : next++;
    }
}

static int take(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    static const char *const what[] = { "token id", "position", "token type" };
    const uint32_t *const from[] = { batch->ids, NULL, batch->types };

    for (int k = 0; k < SP_NODE_PARAMS; k++) {
        const struct sp_param *table = node->param[k] < 0 ? NULL : &plan->params[node->param[k]];
        uint32_t *rows = sp_plan_fill(plan, node->words[ROWS + k]);

        if (!table)
            continue;
        if (from[k])
            memcpy(rows, from[k], (size_t)batch->tokens * sizeof *rows);
        else
            find_positions(rows, node, batch);
        for (int t = 0; t < batch->tokens; t++)
            if (rows[t] >= (uint32_t)table->rows)
                return sp_error(SP_EINVAL, "%s %u is outside the model's table %s of %d rows", what[k], rows[t],
                                table->name, table->rows);
        if (node->words[ORDER + k] >= 0)
            SP_TRY(sp_embedding_group(sp_plan_fill(plan, node->words[ORDER + k]),
                                      sp_plan_fill(plan, node->words[STARTS + k]),
                                      sp_plan_fill(plan, node->words[USED + k]), &node->groups[k], rows,
                                      batch->tokens));
    }
    return 0;
}

static struct sp_embedding arguments(const struct sp_plan *plan, const struct sp_node *node)
{
    const struct sp_param *word = &plan->params[node->param[0]];

    return (struct sp_embedding){
        .y = sp_plan_buffer(plan, node->output),
        .word = word->value,
        .position = sp_plan_values(plan, node->param[1]),
        .type = sp_plan_values(plan, node->param[2]),
        .ids = sp_plan_read(plan, node->words[ROWS]),
        .positions = sp_plan_read(plan, node->words[ROWS + 1]),
        .types = sp_plan_read(plan, node->words[ROWS + 2]),
        .T = plan->tokens,
        .C = word->cols,
    };
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_embedding args = arguments(plan, node);

    (void)pass;
    return sp_embedding(plan->device, &args);
}

/* Every word's row is all ones: word 0 of a table of one row, for the one pass that asks for it. */
static int linear_forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    struct sp_embedding args = arguments(plan, node);
    size_t row = sp_f32_bytes((size_t)args.C), words = (size_t)args.T * sizeof(uint32_t);
    struct sp_buffer *ones = NULL, *zeros = NULL;
    int rc;

    (void)pass;
    SP_GO(sp_buffer_create(&ones, plan->device, row));
    SP_GO(sp_buffer_fill(ones, 0, FLOAT_ONE, row));
    SP_GO(sp_buffer_create_zeros(&zeros, plan->device, words));
    args.word = ones;
    args.ids = zeros;
    rc = sp_embedding(plan->device, &args);
out:
    sp_buffer_free(ones);
    sp_buffer_free(zeros);
    return rc;
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    for (int k = 0; k < SP_NODE_PARAMS; k++) {
        struct sp_buffer *gradient = sp_plan_param_gradient(node, k, pass).buffer;

        if (gradient)
            SP_TRY(sp_embedding_backward(plan->device, &(struct sp_embedding_backward){
                                                           .dtable = gradient,
                                                           .dy = sp_plan_gradient(plan, node->output),
                                                           .order = sp_plan_read(plan, node->words[ORDER + k]),
                                                           .starts = sp_plan_read(plan, node->words[STARTS + k]),
                                                           .used = sp_plan_read(plan, node->words[USED + k]),
                                                           .rows = plan->params[node->param[k]].rows,
                                                           .C = plan->params[node->param[k]].cols,
                                                           .groups = node->groups[k],
                                                           .accumulate = sp_plan_adds(node, k, pass),
                                                       }));
    }
    return 0;
}

const struct sp_node_type sp_node_embedding = {
    .name = "embedding", .prepare = prepare, .take = take, .forward = forward, .backward = backward,
    .linear_forward = linear_forward,
};
