/* Building a plan: values, nodes, parameters. compile.c derives the rest, run.c runs it. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_MAX 100000 /* values, nodes or parameters: far above any model */

int sp_plan_create(struct sp_plan **out)
{
    *out = sp_calloc(1, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    (*out)->logits = (*out)->loss_node = (*out)->xt = (*out)->dyt = -1;
    (*out)->bounds = (*out)->positions = (*out)->kept_rows = (*out)->key_bounds = (*out)->query_bounds = -1;
    return 0;
}

void sp_plan_free(struct sp_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->value_count; i++)
        sp_buffer_free(plan->values[i].buffer);
    for (size_t i = 0; i < plan->param_count && !plan->owner; i++) {
        sp_gemm_weight_free(&plan->params[i].weight);
        sp_buffer_free(plan->params[i].value);
    }
    sp_upload_free(plan->upload);
    for (size_t i = 0; i < plan->word_count; i++)
        sp_buffer_free(plan->words[i].buffer);
    sp_buffer_free(plan->batch);
    sp_buffer_free(plan->arena);
    sp_buffer_free(plan->loss);
    for (size_t i = 0; i < plan->rope_count; i++) {
        sp_buffer_free(plan->ropes[i].table);
        free(plan->ropes[i].inverse);
    }
    free(plan->ropes);
    free(plan->words);
    free(plan->values);
    free(plan->nodes);
    free(plan->params);
    free(plan);
}

int sp_plan_fail(struct sp_plan *plan, int rc)
{
    if (!plan->failed) {
        plan->failed = rc;
        snprintf(plan->message, sizeof plan->message, "%s", sp_error_message());
    }
    return -1;
}

int sp_plan_param(struct sp_plan *plan, enum sp_param_kind kind, int rows, int cols, const char *name, ...)
{
    struct sp_param *param;
    va_list args;
    int rc = sp_grow(&plan->params, plan->param_count, &plan->param_room, sizeof *plan->params, PLAN_MAX, "parameters");

    if (rc < 0 || plan->failed)
        return sp_plan_fail(plan, rc);
    param = &plan->params[plan->param_count];
    *param = (struct sp_param){ .kind = kind, .dtype = SP_F32, .rows = rows, .cols = cols };
    va_start(args, name);
    vsnprintf(param->name, sizeof param->name, name, args);
    va_end(args);
    return (int)plan->param_count++;
}

void sp_plan_mark(struct sp_plan *plan, int param, unsigned flags)
{
    if (param >= 0)
        plan->params[param].flags |= flags;
}

int sp_plan_tie(struct sp_plan *plan, const char *name)
{
    size_t i = 0;

    while (i < plan->param_count && strcmp(plan->params[i].name, name) != 0)
        i++;
    if (plan->failed)
        return -1;
    if (i == plan->param_count || plan->params[i].kind != SP_PARAM_TABLE)
        return sp_plan_fail(plan, sp_error(SP_EINVAL, "%s is no table that a head could be tied to", name));
    plan->params[i].kind = SP_PARAM_LINEAR;
    sp_plan_mark(plan, (int)i, SP_PARAM_ROWS);
    return (int)i;
}

struct sp_node *sp_plan_node(struct sp_plan *plan, const struct sp_node_type *type)
{
    struct sp_node *node;
    int rc = sp_grow(&plan->nodes, plan->node_count, &plan->node_room, sizeof *plan->nodes, PLAN_MAX, "nodes");

    if (rc < 0 || plan->failed) {
        sp_plan_fail(plan, rc);
        return NULL;
    }
    node = &plan->nodes[plan->node_count];
    memset(node, 0, sizeof *node);
    node->type = type;
    node->index = (int)plan->node_count++;
    node->output = node->scratch = node->fused = -1;
    for (int i = 0; i < SP_NODE_INPUTS; i++)
        node->input[i] = -1;
    for (int i = 0; i < SP_NODE_PARAMS; i++)
        node->param[i] = -1;
    for (int i = 0; i < SP_NODE_SAVED; i++)
        node->saved[i] = -1;
    for (int i = 0; i < SP_NODE_WORDS; i++)
        node->words[i] = -1;
    return node;
}

int sp_plan_value(struct sp_plan *plan, const char *name, enum sp_extent extent, size_t width)
{
    struct sp_value *value;
    int rc = sp_grow(&plan->values, plan->value_count, &plan->value_room, sizeof *plan->values, PLAN_MAX, "values");

    if (rc < 0 || plan->failed)
        return sp_plan_fail(plan, rc);
    value = &plan->values[plan->value_count];
    *value = (struct sp_value){
        .extent = extent, .dtype = SP_F32, .width = width, .producer = -1,
        .gradient = -1, .again = -1, .first = 1, .last = 0
    };
    snprintf(value->name, sizeof value->name, "%s", name);
    return (int)plan->value_count++;
}

int sp_plan_words(struct sp_plan *plan, size_t count)
{
    int rc = sp_grow(&plan->words, plan->word_count, &plan->word_room, sizeof *plan->words, PLAN_MAX, "inputs");

    if (rc < 0 || plan->failed)
        return sp_plan_fail(plan, rc);
    plan->words[plan->word_count] = (struct sp_plan_words){ .count = count };
    return (int)plan->word_count++;
}

void sp_plan_share_words(struct sp_plan *plan, int *words, size_t count)
{
    if (*words < 0)
        *words = sp_plan_words(plan, count);
}

void sp_plan_need_bounds(struct sp_plan *plan)
{
    sp_plan_share_words(plan, &plan->bounds, (size_t)plan->limits.sequences + 1);
}

void *sp_plan_fill(const struct sp_plan *plan, int words)
{
    return words < 0 ? NULL : plan->filling + plan->words[words].offset;
}

struct sp_buffer *sp_plan_read(const struct sp_plan *plan, int words)
{
    return words < 0 ? NULL : plan->words[words].buffer;
}

int sp_plan_output_of(struct sp_plan *plan, struct sp_node *node, int param, enum sp_extent extent, size_t width)
{
    char name[sizeof plan->values->name];

    snprintf(name, sizeof name, "the output of %s", plan->params[param].name);
    return sp_plan_output(plan, node, name, extent, width);
}

int sp_plan_output(struct sp_plan *plan, struct sp_node *node, const char *name, enum sp_extent extent, size_t width)
{
    node->output = sp_plan_value(plan, name, extent, width);
    if (node->output >= 0)
        plan->values[node->output].producer = node->index;
    for (int k = 0; k < SP_NODE_INPUTS; k++)
        if (node->input[k] >= 0)
            plan->values[node->input[k]].consumers++;
    return node->output;
}

struct sp_buffer *sp_plan_buffer(const struct sp_plan *plan, int value)
{
    const struct sp_value *v = value < 0 ? NULL : &plan->values[value];

    return !v ? NULL : v->remade ? plan->values[v->again].buffer : v->buffer;
}

struct sp_buffer *sp_plan_gradient(const struct sp_plan *plan, int value)
{
    return value < 0 ? NULL : sp_plan_buffer(plan, plan->values[value].gradient);
}

struct sp_buffer *sp_plan_values(const struct sp_plan *plan, int param)
{
    return param < 0 ? NULL : plan->params[param].value;
}

struct sp_param_gradient sp_plan_param_gradient(const struct sp_node *node, int k, const struct sp_plan_pass *pass)
{
    return node->param[k] < 0 || !pass->gradients ? (struct sp_param_gradient){ NULL, NULL }
                                                  : pass->gradients[node->param[k]];
}

bool sp_plan_adds(const struct sp_node *node, int k, const struct sp_plan_pass *pass)
{
    return pass->accumulate || node->shared[k];
}

struct sp_dropout sp_plan_dropout(const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return (struct sp_dropout){ pass->dropout && !pass->linear ? node->p : 0, pass->seed, pass->step,
                                (uint32_t)node->index };
}

enum sp_activation sp_plan_activation(const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return pass->linear ? SP_ACTIVATION_NONE : node->activation;
}

int sp_plan_rows(const struct sp_plan *plan, int value)
{
    const struct sp_value *v = &plan->values[value];

    return v->extent == SP_ROWS ? (int)v->rows : v->extent == SP_PER_TOKEN ? plan->tokens : plan->sequences;
}

size_t sp_plan_most_rows(const struct sp_plan *plan, int value)
{
    const struct sp_value *v = &plan->values[value];

    return v->extent == SP_ROWS ? v->rows
                                : (size_t)(v->extent == SP_PER_TOKEN ? plan->limits.tokens : plan->limits.sequences);
}

int sp_plan_positions(const struct sp_plan *plan)
{
    return plan->limits.positions ? plan->limits.positions : plan->limits.longest;
}

bool sp_plan_trained(const struct sp_plan *plan, int param)
{
    return param >= 0 && plan->params[param].role != SP_PARAM_FROZEN;
}

bool sp_plan_wants(const struct sp_plan *plan, int value)
{
    return value >= 0 && plan->values[value].wants_gradient;
}

size_t sp_plan_param_count(const struct sp_plan *plan)
{
    return plan->param_count;
}

struct sp_param *sp_plan_param_at(struct sp_plan *plan, size_t i)
{
    return &plan->params[i];
}

bool sp_plan_has_activation(const struct sp_plan *plan, enum sp_activation activation)
{
    for (size_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i].activation == activation)
            return true;
    return false;
}

int sp_plan_outputs(const struct sp_plan *plan)
{
    return plan->logits < 0 ? 0 : (int)plan->values[plan->logits].width;
}

bool sp_plan_outputs_tokens(const struct sp_plan *plan)
{
    return plan->logits >= 0 && plan->values[plan->logits].extent == SP_PER_TOKEN;
}

bool sp_plan_loss_tokens(const struct sp_plan *plan)
{
    return plan->values[plan->nodes[plan->loss_node].input[0]].extent == SP_PER_TOKEN;
}

struct sp_plan_memory sp_plan_memory(const struct sp_plan *plan)
{
    return plan->memory;
}
