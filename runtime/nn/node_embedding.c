/* Embeddings: the sum of a word's, a position's and a token type's row. Backward gives trained tables dense gradients. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/embedding.h"

#include <stdlib.h>

#define FLOAT_ONE 0x3f800000u

int sp_nn_embedding(struct sp_plan *plan, int word, int position, int type)
{
    struct sp_node *node = sp_plan_node(plan, &sp_node_embedding);

    if (!node)
        return -1;
    node->param[0] = word, node->param[1] = position, node->param[2] = type;
    sp_plan_mark(plan, word, plan->params[word].kind == SP_PARAM_LINEAR ? SP_PARAM_ROWS : 0);
    return sp_plan_output(plan, node, "embeddings", SP_PER_TOKEN, (size_t)plan->params[word].cols);
}

static int check_rows(const struct sp_plan *plan, const uint32_t *ids, int count, int param, const char *what)
{
    uint32_t rows = param < 0 ? 0 : (uint32_t)plan->params[param].rows;

    for (int t = 0; param >= 0 && t < count; t++)
        if (ids[t] >= rows)
            return sp_error(SP_EINVAL, "%s %u is outside the model's table %s of %u rows", what, ids[t],
                            plan->params[param].name, rows);
    return 0;
}

static int check_ids(const struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_batch *batch)
{
    SP_TRY(check_rows(plan, batch->ids, batch->tokens, node->param[0], "token id"));
    SP_TRY(check_rows(plan, batch->positions, batch->tokens, node->param[1], "position"));
    return check_rows(plan, batch->types, batch->tokens, node->param[2], "token type");
}

/* Room for order, starts and used of the tokens of one table. */
static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    if (node->active)
        node->scratch = sp_plan_value(plan, "embedding groups", SP_BYTES,
                                      (3 * (size_t)limits->tokens + 1) * 4 + 3 * sp_buffer_alignment(plan->device));
}

/* Every word's row is all ones: word 0 of a table of one row, for the one pass that asks for it. */
static int of_ones(struct sp_plan *plan, struct sp_embedding *args)
{
    size_t row = (size_t)args->C * sizeof(float), words = (size_t)args->T * sizeof(uint32_t);
    struct sp_buffer *ones = NULL, *zeros = NULL;
    int rc;

    SP_GO(sp_buffer_create(&ones, plan->device, row));
    SP_GO(sp_buffer_fill(ones, 0, FLOAT_ONE, row));
    SP_GO(sp_buffer_create_zeros(&zeros, plan->device, words));
    args->word = ones;
    args->ids = zeros;
    rc = sp_embedding(plan->device, args);
out:
    sp_buffer_free(ones);
    sp_buffer_free(zeros);
    return rc;
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const struct sp_param *word = &plan->params[node->param[0]];

    struct sp_embedding args = {
        .y = sp_plan_buffer(plan, node->output),
        .word = word->value,
        .position = sp_plan_values(plan, node->param[1]),
        .type = sp_plan_values(plan, node->param[2]),
        .ids = plan->ids,
        .positions = plan->positions,
        .types = plan->types,
        .T = plan->tokens,
        .C = word->cols,
    };

    return pass->linear ? of_ones(plan, &args) : sp_embedding(plan->device, &args);
}

/* The gradient of one table, its tokens grouped on the host. `host` has room for 3 T + 1 words. */
static int table_backward(struct sp_plan *plan, const struct sp_node *node, int k, const uint32_t *ids, uint32_t *host,
                          const struct sp_plan_pass *pass)
{
    const struct sp_param *table = &plan->params[node->param[k]];
    struct sp_buffer *scratch = sp_plan_buffer(plan, node->scratch), *view[3] = { NULL };
    size_t T = (size_t)plan->tokens, alignment = sp_buffer_alignment(plan->device), at = 0;
    uint32_t *order = host, *starts = host + T, *used = host + 2 * T + 1;
    const size_t sizes[3] = { T * 4, (T + 1) * 4, T * 4 };
    int groups, rc;

    SP_GO(sp_embedding_group(order, starts, used, &groups, ids, plan->tokens));
    for (int i = 0; i < 3; i++) {
        SP_GO(sp_buffer_view(&view[i], scratch, at, sizes[i]));
        at += (sizes[i] + alignment - 1) / alignment * alignment;
    }
    SP_GO(sp_buffer_write(view[0], 0, order, sizes[0]));
    SP_GO(sp_buffer_write(view[1], 0, starts, ((size_t)groups + 1) * 4));
    SP_GO(sp_buffer_write(view[2], 0, used, (size_t)groups * 4));
    SP_GO(sp_embedding_backward(plan->device, &(struct sp_embedding_backward){
                                                  .dtable = sp_plan_param_gradient(node, k, pass).buffer,
                                                  .dy = sp_plan_gradient(plan, node->output),
                                                  .order = view[0],
                                                  .starts = view[1],
                                                  .used = view[2],
                                                  .rows = table->rows,
                                                  .C = table->cols,
                                                  .groups = groups,
                                                  .accumulate = sp_plan_adds(node, k, pass),
                                              }));
out:
    for (int i = 0; i < 3; i++)
        sp_buffer_free(view[i]);
    return rc;
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const uint32_t *const ids[3] = { plan->host_ids, plan->host_positions, plan->host_types };
    uint32_t *host = sp_calloc(3 * (size_t)plan->tokens + 1, sizeof *host);
    int rc = host ? 0 : SP_ENOMEM;

    for (int i = 0; i < 3 && rc == 0; i++)
        if (sp_plan_param_gradient(node, i, pass).buffer)
            rc = table_backward(plan, node, i, ids[i], host, pass);
    free(host);
    return rc;
}

const struct sp_node_type sp_node_embedding = {
    .name = "embedding", .prepare = prepare, .check = check_ids, .forward = forward, .backward = backward,
};
