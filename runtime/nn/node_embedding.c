/* Embeddings: the sum of a word's row, times a scale, a position's and a token type's. Backward gives trained tables
 * dense gradients. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/embedding.h"

#include <string.h>

#define FLOAT_ONE 0x3f800000u

enum { WORD, POSITION, TYPE }; /* the node's parameters: tables, of which some may be missing */

/* What it has of a batch for each of them: the row of each token, and of one that is trained the tokens by row, as
 * sp_embedding_group makes them. */
enum { ROWS, ORDER, STARTS, USED };

/* Which of the node's words that is. */
static int at(int what, int table)
{
    return what * SP_NODE_PARAMS + table;
}

/* With word -1 the positions' rows alone. NULL after an error. */
static struct sp_node *embedding(struct sp_plan *plan, int word, int position, int type)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_embedding);
    int table = word < 0 ? position : word;

    if (!node)
        return NULL;
    node->param[WORD] = word;
    node->param[POSITION] = position;
    node->param[TYPE] = type;
    node->padding = -1;
    node->scale = 1;
    sp_plan_mark(plan, table, plan->params[table].kind == SP_PARAM_LINEAR ? SP_PARAM_ROWS : 0);
    return sp_plan_output(plan, node, "embeddings", SP_PER_TOKEN, (size_t)plan->params[table].cols) < 0 ? NULL : node;
}

int sp_nn_embedding(struct sp_plan *plan, int word, int position, int type, int padding)
{
    struct sp_node *node = embedding(plan, word, position, type);

    if (!node)
        return -1;
    node->padding = padding;
    return node->output;
}

int sp_nn_word_embedding(struct sp_plan *plan, int word, float scale)
{
    struct sp_node *node = embedding(plan, word, -1, -1);

    if (!node)
        return -1;
    node->scale = scale;
    return node->output;
}

int sp_nn_position_embedding(struct sp_plan *plan, int position, int offset)
{
    struct sp_node *node = embedding(plan, -1, position, -1);

    if (!node)
        return -1;
    node->first = offset;
    return node->output;
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    size_t T = (size_t)limits->tokens;

    for (int k = 0; k < SP_NODE_PARAMS; k++) {
        if (node->param[k] < 0)
            continue;
        node->words[at(ROWS, k)] = sp_plan_words(plan, T);
        if (!node->active || !sp_plan_trained(plan, node->param[k]))
            continue;
        node->words[at(ORDER, k)] = sp_plan_words(plan, T);
        node->words[at(STARTS, k)] = sp_plan_words(plan, T + 1);
        node->words[at(USED, k)] = sp_plan_words(plan, T);
        node->groups[k] = 1; /* before the first batch: what is recorded does not depend on it */
    }
}

/* The row of every token's position: as the batch has it, or as sp_nn_embedding counts. */
static void find_positions(uint32_t *out, const struct sp_node *node, const struct sp_plan_batch *batch)
{
    uint32_t padding = (uint32_t)node->padding, first = (uint32_t)node->first + padding + 1; /* + 0 without padding */

    for (int s = 0; s < batch->sequences; s++) {
        uint32_t next = first;

        for (uint32_t t = batch->bounds[s]; t < batch->bounds[s + 1]; t++)
            if (batch->positions)
                out[t] = first + batch->positions[t];
            else
                out[t] = node->padding >= 0 && batch->ids[t] == padding ? padding : next++;
    }
}

static int take(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch)
{
    static const char *const what[] = { [WORD] = "token id", [POSITION] = "position", [TYPE] = "token type" };
    const uint32_t *const from[] = { [WORD] = batch->ids, [TYPE] = batch->types };

    for (int k = 0; k < SP_NODE_PARAMS; k++) {
        const struct sp_param *table = node->param[k] < 0 ? NULL : &plan->params[node->param[k]];
        uint32_t *rows = sp_plan_fill(plan, node->words[at(ROWS, k)]);

        if (!table)
            continue;
        if (k == POSITION)
            find_positions(rows, node, batch);
        else
            memcpy(rows, from[k], (size_t)batch->tokens * sizeof *rows);
        for (int t = 0; t < batch->tokens; t++)
            if (rows[t] >= (uint32_t)table->rows)
                return sp_error(SP_EINVAL, "%s %u is outside the model's table %s of %d rows", what[k], rows[t],
                                table->name, table->rows);
        if (node->words[at(ORDER, k)] >= 0)
            SP_TRY(sp_embedding_group(sp_plan_fill(plan, node->words[at(ORDER, k)]),
                                      sp_plan_fill(plan, node->words[at(STARTS, k)]),
                                      sp_plan_fill(plan, node->words[at(USED, k)]), &node->groups[k], rows,
                                      batch->tokens));
    }
    return 0;
}

/* The table that the op cannot do without: the words', or in its place the positions' where there are no words. A
 * linear weight is read as its products have it: in the layout for backward, where it is there, for in that one a row's
 * elements lie side by side. */
static void set_first(struct sp_embedding *args, const struct sp_plan *plan, const struct sp_node *node)
{
    int first = node->param[WORD] < 0 ? POSITION : WORD;
    const struct sp_param *table = &plan->params[node->param[first]];
    enum sp_gemm_kind kind = table->weight.backward ? SP_GEMM_BACKWARD : SP_GEMM_FORWARD;

    args->ids = sp_plan_read(plan, node->words[at(ROWS, first)]);
    args->C = table->cols;
    args->word = table->value;
    if (table->kind != SP_PARAM_LINEAR)
        return;
    args->word = kind == SP_GEMM_BACKWARD ? table->weight.backward : table->weight.forward;
    args->layout = sp_gemm_weight_layout(&table->weight, kind);
}

static struct sp_embedding arguments(const struct sp_plan *plan, const struct sp_node *node)
{
    struct sp_embedding args = {
        .y = sp_plan_buffer(plan, node->output),
        .position = node->param[WORD] < 0 ? NULL : sp_plan_values(plan, node->param[POSITION]),
        .type = sp_plan_values(plan, node->param[TYPE]),
        .positions = sp_plan_read(plan, node->words[at(ROWS, POSITION)]),
        .types = sp_plan_read(plan, node->words[at(ROWS, TYPE)]),
        .T = plan->tokens,
        .scale = node->scale,
    };

    set_first(&args, plan, node);
    return args;
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
    if (node->param[WORD] < 0)
        return sp_embedding(plan->device, &args);
    SP_GO(sp_buffer_create(&ones, plan->device, row));
    SP_GO(sp_buffer_fill(ones, 0, FLOAT_ONE, row));
    SP_GO(sp_buffer_create_zeros(&zeros, plan->device, words));
    args.word = ones;
    args.ids = zeros;
    args.scale = 1;
    args.layout = (struct sp_gemm_layout){ 0 };
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
                                                           .order = sp_plan_read(plan, node->words[at(ORDER, k)]),
                                                           .starts = sp_plan_read(plan, node->words[at(STARTS, k)]),
                                                           .used = sp_plan_read(plan, node->words[at(USED, k)]),
                                                           .rows = plan->params[node->param[k]].rows,
                                                           .C = plan->params[node->param[k]].cols,
                                                           .groups = node->groups[k],
                                                           .scale = k == WORD ? node->scale : 1,
                                                           .accumulate = sp_plan_adds(node, k, pass),
                                                       }));
    }
    return 0;
}

const struct sp_node_type sp_node_embedding = {
    .name = "embedding", .prepare = prepare, .take = take, .forward = forward, .backward = backward,
    .linear_forward = linear_forward,
};
