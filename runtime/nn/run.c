/* Running a compiled plan: the batch, the two walks, and what the host reads. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/mem.h"
#include "runtime/tensor/elements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each token's position, where nodes turn by it. */
static int take_positions(struct sp_plan *plan, const struct sp_plan_batch *batch)
{
    uint32_t *out = sp_plan_fill(plan, plan->positions), limit = (uint32_t)sp_plan_positions(plan);

    for (int s = 0; out && s < batch->sequences; s++)
        for (uint32_t t = batch->bounds[s]; t < batch->bounds[s + 1]; t++) {
            out[t] = batch->positions ? batch->positions[t] : t - batch->bounds[s];
            if (out[t] >= limit)
                return sp_error(SP_EINVAL, "position %u of a plan for positions below %u", out[t], limit);
        }
    return 0;
}

int sp_plan_set_batch(struct sp_plan *plan, const struct sp_plan_batch *batch)
{
    void *host;

    plan->has_loss = false;
    if (batch->tokens > plan->limits.tokens || batch->sequences > plan->limits.sequences)
        return sp_error(SP_EINVAL, "a batch of %d tokens in %d sequences does not fit a plan for %d in %d",
                        batch->tokens, batch->sequences, plan->limits.tokens, plan->limits.sequences);
    SP_TRY(sp_upload_begin(&host, plan->upload));
    plan->filling = host;
    if (plan->bounds >= 0)
        memcpy(sp_plan_fill(plan, plan->bounds), batch->bounds, ((size_t)batch->sequences + 1) * sizeof *batch->bounds);
    SP_TRY(take_positions(plan, batch));
    for (size_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i].type->take)
            SP_TRY(plan->nodes[i].type->take(plan, &plan->nodes[i], batch));
    plan->tokens = batch->tokens;
    plan->sequences = batch->sequences;
    plan->terms = batch->terms;
    plan->longest = 0;
    for (int s = 0; s < batch->sequences; s++) {
        int length = (int)(batch->bounds[s + 1] - batch->bounds[s]);

        plan->longest = length > plan->longest ? length : plan->longest;
    }
    return sp_upload_end(plan->upload);
}

/* The node's output, or with `again` what it is made into once more. */
static int make(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass, bool again)
{
    const struct sp_node_type *type = node->type;

    if (!type->forward)
        return 0;
    if (node->output >= 0)
        plan->values[node->output].remade = again;
    return pass->linear && type->linear_forward ? type->linear_forward(plan, node, pass)
                                                : type->forward(plan, node, pass);
}

static int forward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    return make(plan, node, pass, false);
}

/* What the node's backward reads of its input and was not kept until here. */
static int make_again(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const struct sp_value *v = node->type->packs ? &plan->values[node->input[0]] : NULL;

    if (!v || v->again < 0 || v->remade || !node->type->reads(plan, node, 0))
        return 0;
    return make(plan, &plan->nodes[v->producer], pass, true);
}

static int backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass)
{
    const struct sp_node_type *type = node->type;

    SP_TRY(make_again(plan, node, pass));
    if (pass->linear && type->loss_rows && !type->linear_backward)
        return sp_plan_sum_backward(plan, node, pass);
    return pass->linear && type->linear_backward ? type->linear_backward(plan, node, pass)
                                                 : type->backward(plan, node, pass);
}

int sp_plan_forward(struct sp_plan *plan, const struct sp_plan_pass *pass)
{
    plan->has_loss = false;
    for (size_t i = 0; i < plan->node_count; i++)
        SP_TRY(forward(plan, &plan->nodes[i], pass));
    return 0;
}

int sp_plan_backward(struct sp_plan *plan, const struct sp_plan_pass *pass)
{
    plan->transposed.x_in_xt = NULL;
    for (size_t i = plan->node_count; i-- > 0;)
        if (plan->nodes[i].active)
            SP_TRY(backward(plan, &plan->nodes[i], pass));
    return 0;
}

int sp_plan_observe(struct sp_plan *plan, const struct sp_plan_pass *pass)
{
    for (size_t i = plan->node_count; i-- > 0;) { /* as backward does: the first of a weight's nodes stores */
        const struct sp_node *node = &plan->nodes[i];
        const struct sp_param *w = node->type->packs ? &plan->params[node->param[0]] : NULL;
        struct sp_wgrad_sink *sink = w ? sp_plan_param_gradient(node, 0, pass).sink : NULL;

        if (!sink)
            continue;
        SP_TRY(make_again(plan, node, pass));
        SP_TRY(sink->add(sink, plan->device,
                             &(struct sp_wgrad_input){ .x = sp_plan_buffer(plan, node->input[0]),
                                                       .tokens = sp_plan_rows(plan, node->input[0]),
                                                       .out = w->rows,
                                                       .in = w->cols,
                                                       .accumulate = sp_plan_adds(node, 0, pass),
                                                       .transposed = &plan->transposed }));
    }
    return 0;
}

static int record_more(struct sp_plan *plan)
{
    for (size_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i].type->record)
            SP_TRY(plan->nodes[i].type->record(plan, &plan->nodes[i]));
    return 0;
}

int sp_plan_record(struct sp_plan *plan, const struct sp_plan_pass *pass)
{
    bool before = sp_device_recording(plan->device);
    int rc;

    sp_device_set_recording(plan->device, true);
    plan->tokens = plan->limits.tokens;
    plan->sequences = plan->limits.sequences;
    plan->terms = 0;
    plan->longest = plan->limits.longest;
    rc = sp_plan_forward(plan, pass);
    if (rc == 0)
        rc = sp_plan_loss(plan, &(double){ 0 });
    if (rc == 0)
        rc = record_more(plan);
    if (rc == 0 && plan->limits.training && !pass->forward_only)
        rc = sp_plan_backward(plan, pass);
    sp_device_set_recording(plan->device, before);
    plan->has_loss = false; /* nothing ran */
    return rc;
}

int sp_plan_loss_into(struct sp_plan *plan, struct sp_buffer *out, size_t i)
{
    SP_TRY(sp_plan_run_loss(plan));
    return sp_buffer_copy(out, sp_f32_bytes(i), plan->loss, 0, sp_f32_bytes(1));
}

int sp_plan_loss(struct sp_plan *plan, double *loss)
{
    float value = 0;

    SP_TRY(sp_plan_run_loss(plan));
    SP_TRY(sp_buffer_read(&value, plan->loss, 0, sizeof value));
    *loss = value;
    return 0;
}

int sp_plan_logits(struct sp_plan *plan, float *out)
{
    size_t count = (size_t)sp_plan_rows(plan, plan->logits) * (size_t)sp_plan_outputs(plan);

    return sp_elements_read(out, sp_plan_buffer(plan, plan->logits), plan->values[plan->logits].dtype, count);
}

/* 1 when the value holds a number that is not finite, else 0 or an error. */
static int not_finite(struct sp_plan *plan, int value)
{
    const struct sp_value *v = value < 0 ? NULL : &plan->values[value];
    size_t count;
    float *host;
    int rc;

    if (!v || !v->buffer || v->extent == SP_BYTES)
        return 0;
    count = (size_t)sp_plan_rows(plan, value) * v->width;
    host = sp_calloc(count, sizeof *host);
    if (!host)
        return SP_ENOMEM;
    rc = sp_elements_read(host, v->buffer, v->dtype, count);
    rc = rc < 0 ? rc : sp_first_not_finite(host, count) < count;
    free(host);
    return rc;
}

/* The same of a parameter as the kernels see it. */
static int param_not_finite(const struct sp_param *p)
{
    float *host = sp_calloc(sp_param_elements(p), sizeof *host);
    int rc = host ? sp_param_read(host, p) : SP_ENOMEM;

    rc = rc < 0 ? rc : sp_first_not_finite(host, sp_param_elements(p)) < sp_param_elements(p);
    free(host);
    return rc;
}

#define NAME (SP_PARAM_NAME + 32) /* room for a name that is found */

/* 1 and its name when a parameter of the weight's additions holds such a number. */
static int find_in_additions(char *name, const struct sp_plan_pass *pass, int param)
{
    int found = 0;

    for (struct sp_addition *a = pass->additions ? pass->additions[param] : NULL; a && found == 0; a = a->next)
        if (a->find_not_finite)
            SP_TRY(found = a->find_not_finite(a, name, NAME));
    return found;
}

/* The same of the node's parameters, then of what is added to them. */
static int find_in_params(char *name, const struct sp_plan *plan, const struct sp_node *node,
                          const struct sp_plan_pass *pass)
{
    int found = 0;

    for (int k = 0; k < SP_NODE_PARAMS && found == 0; k++) {
        const struct sp_param *p = node->param[k] < 0 ? NULL : &plan->params[node->param[k]];

        if (!p)
            continue;
        SP_TRY(found = param_not_finite(p));
        if (found)
            snprintf(name, NAME, "%s", p->name);
        else
            SP_TRY(found = find_in_additions(name, pass, node->param[k]));
    }
    return found;
}

int sp_plan_find_not_finite(struct sp_plan *plan, const struct sp_plan_pass *pass, char name[NAME])
{
    int found = 0, value = -1;

    plan->has_loss = false;
    name[0] = '\0';
    for (size_t i = 0; i < plan->node_count && found == 0; i++) {
        if (!plan->nodes[i].type->forward)
            continue;
        SP_TRY(found = find_in_params(name, plan, &plan->nodes[i], pass));
        if (found)
            return 0;
        SP_TRY(forward(plan, &plan->nodes[i], pass));
        value = plan->nodes[i].output;
        if (plan->nodes[i].type->probe)
            SP_TRY(value = plan->nodes[i].type->probe(plan, &plan->nodes[i]));
        SP_TRY(found = not_finite(plan, value));
    }
    plan->transposed.x_in_xt = NULL;
    for (size_t i = pass->forward_only ? 0 : plan->node_count; i-- > 0 && found == 0;) {
        const struct sp_node *node = &plan->nodes[i];

        if (!node->active)
            continue;
        SP_TRY(backward(plan, node, pass));
        for (int k = 0; k < SP_NODE_INPUTS && found == 0; k++) {
            value = node->input[k] < 0 ? -1 : plan->values[node->input[k]].gradient;
            SP_TRY(found = not_finite(plan, value));
        }
    }
    if (found)
        snprintf(name, NAME, "%s", plan->values[value].name);
    return 0;
}
