/*
 * The planner: which nodes have a backward, which values need a gradient and who writes it first, how long each value
 * lives, and where it lies in the arena. Time runs 0 .. N - 1 over the nodes forward and N .. 2 N - 1 backward.
 */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/transpose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int backward_time(const struct sp_plan *plan, const struct sp_node *node)
{
    return 2 * (int)plan->node_count - 1 - node->index;
}

/* The value is used at `time`. */
static void use(struct sp_plan *plan, int value, int time)
{
    struct sp_value *v;

    if (value < 0 || plan->values[value].kept) /* what is kept has memory of its own, for all times */
        return;
    v = &plan->values[value];
    if (v->first > v->last)
        v->first = v->last = time;
    if (time < v->first)
        v->first = time;
    if (time > v->last)
        v->last = time;
}

/* Nodes above something trained are active, and their outputs want gradients. */
static void find_active(struct sp_plan *plan)
{
    for (size_t i = 0; i < plan->node_count; i++) {
        struct sp_node *node = &plan->nodes[i];

        node->active = false;
        for (int k = 0; k < SP_NODE_PARAMS; k++)
            node->active |= sp_plan_trained(plan, node->param[k]);
        for (int k = 0; k < SP_NODE_INPUTS; k++)
            node->active |= sp_plan_wants(plan, node->input[k]);
        if (node->output >= 0)
            plan->values[node->output].wants_gradient = node->active;
    }
}

/* Adds the value that holds `value`'s gradient. */
static void add_gradient(struct sp_plan *plan, int value)
{
    char name[sizeof plan->values->name];
    int gradient;

    if (value < 0 || plan->values[value].gradient >= 0)
        return;
    snprintf(name, sizeof name, "the gradient of %.*s", (int)sizeof name - 17, plan->values[value].name);
    gradient = sp_plan_value(plan, name, plan->values[value].extent, plan->values[value].width);
    if (gradient < 0)
        return;
    plan->values[gradient].rows = plan->values[value].rows;
    plan->values[value].gradient = gradient;
}

/* Whether x and y, inputs of one node, may share a gradient: y's is only read, and is so, by the node that makes y,
 * before anything else is added to x's or to what shares x's memory below it. */
static bool share(const struct sp_plan *plan, const struct sp_node *node, int x, int y)
{
    const struct sp_node *maker = &plan->nodes[plan->values[y].producer];

    if (plan->values[y].consumers > 1 || maker->type->passes || maker->type->in_place ||
        maker->activation != SP_ACTIVATION_NONE || maker->index < plan->values[x].producer)
        return false;
    for (int i = maker->index; i < node->index; i++)
        for (int k = 0; k < SP_NODE_INPUTS; k++)
            if (plan->nodes[i].input[k] == x)
                return false;
    return true;
}

/* Gives input k of a node that passes its gradient on, or makes it in place, that very gradient, where nothing was
 * added to the input's before and an input before k, if it has it, can share it. */
static void pass_gradient(struct sp_plan *plan, const struct sp_node *node, int k)
{
    struct sp_value *input = &plan->values[node->input[k]];
    int gradient;

    if (input->gradient >= 0 || !(node->type->passes || (node->type->in_place && k == 0)))
        return;
    gradient = plan->values[node->output].gradient;
    for (int j = 0; j < k; j++)
        if (plan->values[node->input[j]].gradient == gradient && !share(plan, node, node->input[j], node->input[k]) &&
            !share(plan, node, node->input[k], node->input[j]))
            return;
    input->gradient = gradient;
}

static void add_gradients(struct sp_plan *plan)
{
    for (size_t i = plan->node_count; i-- > 0 && !plan->failed;) {
        struct sp_node *node = &plan->nodes[i];

        if (!node->active)
            continue;
        add_gradient(plan, node->output);
        for (int k = 0; k < SP_NODE_INPUTS; k++) {
            int input = node->input[k];

            if (input < 0 || !(node->type->all_inputs || sp_plan_wants(plan, input)))
                continue;
            pass_gradient(plan, node, k);
            add_gradient(plan, input);
            node->accumulate[k] = plan->values[input].gradient_seen;
            plan->values[input].gradient_seen = true;
        }
    }
}

/* Rows that are not those of tokens or sequences are refused where the node would take them for such. */
static void check_rows(struct sp_plan *plan)
{
    for (size_t i = 0; i < plan->node_count; i++)
        for (int k = 0; k < SP_NODE_INPUTS; k++) {
            const struct sp_node *node = &plan->nodes[i];

            if (node->input[k] >= 0 && plan->values[node->input[k]].extent == SP_ROWS && !node->type->any_rows)
                sp_plan_fail(plan, sp_error(SP_EINVAL, "%s: a node of type %s cannot read it",
                                            plan->values[node->input[k]].name, node->type->name));
        }
}

/* In the order of the backward walk the first node that has a parameter stores its gradient, the others add. */
static void find_shared(struct sp_plan *plan)
{
    for (size_t i = 0; i < plan->param_count; i++) {
        bool seen = false;

        for (size_t n = plan->node_count; n-- > 0;)
            for (int k = 0; k < SP_NODE_PARAMS; k++)
                if (plan->nodes[n].param[k] == (int)i) {
                    plan->nodes[n].shared[k] = seen;
                    seen = true;
                }
    }
}

/* Whether the node's backward reads input k. */
static bool reads(const struct sp_plan *plan, const struct sp_node *node, int k)
{
    return node->active && node->type->reads && node->type->reads(plan, node, k);
}

/* Whether the node's output can be made again in backward: linear layers alone read it there, for their weights'
 * gradients, and what it is made of lives until the node's own backward, which comes after theirs. */
static bool can_be_made_again(const struct sp_plan *plan, const struct sp_node *node)
{
    bool read = false;

    if (!node->type->cheap || !node->active || reads(plan, node, -1))
        return false;
    for (int k = 0; k < SP_NODE_INPUTS; k++)
        if (node->input[k] >= 0 && !reads(plan, node, k))
            return false;
    for (size_t i = 0; i < plan->node_count; i++)
        for (int k = 0; k < SP_NODE_INPUTS; k++) {
            const struct sp_node *reader = &plan->nodes[i];

            if (reader->input[k] != node->output || !reads(plan, reader, k))
                continue;
            if (!reader->type->packs || reader->type->slice)
                return false;
            read = true;
        }
    return read;
}

static void find_made_again(struct sp_plan *plan)
{
    for (size_t i = 0; i < plan->node_count && !plan->failed; i++) {
        int value = plan->nodes[i].output, again;
        char name[sizeof plan->values->name];

        if (value < 0 || !can_be_made_again(plan, &plan->nodes[i]))
            continue;
        snprintf(name, sizeof name, "%.*s again", (int)sizeof name - 7, plan->values[value].name);
        again = sp_plan_value(plan, name, plan->values[value].extent, plan->values[value].width);
        if (again < 0)
            return;
        plan->values[again].rows = plan->values[value].rows;
        plan->values[value].again = again;
    }
}

static void find_lifetimes(struct sp_plan *plan)
{
    int end = 2 * (int)plan->node_count;

    for (size_t i = 0; i < plan->node_count; i++) {
        const struct sp_node *node = &plan->nodes[i];
        int forward = node->index, backward = backward_time(plan, node);

        use(plan, node->output, forward);
        for (int k = 0; k < SP_NODE_INPUTS; k++)
            use(plan, node->input[k], forward);
        for (int k = 0; k < SP_NODE_SAVED; k++) {
            use(plan, node->saved[k], forward);
            if (node->active)
                use(plan, node->saved[k], backward);
        }
        if (!node->active)
            continue;
        use(plan, node->scratch, backward);
        if (node->output >= 0)
            use(plan, plan->values[node->output].gradient, backward);
        if (reads(plan, node, -1))
            use(plan, node->output, backward);
        for (int k = 0; k < SP_NODE_INPUTS; k++) {
            if (node->input[k] < 0)
                continue;
            use(plan, plan->values[node->input[k]].gradient, backward);
            if (reads(plan, node, k))
                use(plan, plan->values[node->input[k]].again >= 0 ? plan->values[node->input[k]].again : node->input[k],
                    backward);
        }
        if (node->fused >= 0)
            use(plan, plan->nodes[node->fused].saved[0], backward);
        use(plan, plan->xt, backward);
        use(plan, plan->dyt, backward);
    }
    use(plan, plan->logits, end); /* the host reads them after the walk */
}

/* Largest first, else in the order of the plan's array. */
static int by_size(const void *a, const void *b)
{
    const struct sp_value *x = *(struct sp_value *const *)a, *y = *(struct sp_value *const *)b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

/* The lowest offset at which value `v` overlaps nothing that is placed and alive at the same time. `placed` is sorted
 * by nothing: the scan repeats until no conflict is left, which moves the offset up each time. */
static size_t lowest_offset(const struct sp_value *v, struct sp_value *const *placed, size_t count)
{
    size_t offset = 0;
    bool moved = true;

    while (moved) {
        moved = false;
        for (size_t i = 0; i < count; i++) {
            const struct sp_value *other = placed[i];

            if (other->last < v->first || v->last < other->first)
                continue;
            if (offset < other->offset + other->bytes && other->offset < offset + v->bytes) {
                offset = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

static size_t value_bytes(const struct sp_plan *plan, size_t i, size_t alignment)
{
    const struct sp_value *value = &plan->values[i];
    size_t row = value->width * sp_dtype_size(value->dtype);
    size_t bytes = value->extent == SP_BYTES ? value->width : sp_plan_most_rows(plan, (int)i) * row;

    return (bytes + alignment - 1) / alignment * alignment;
}

/* Largest first, each at the lowest offset that is free over its lifetime. */
static int place(struct sp_plan *plan)
{
    struct sp_value **order = sp_calloc(plan->value_count, sizeof(struct sp_value *));
    size_t alignment = sp_buffer_alignment(plan->device), count = 0;

    if (!order)
        return SP_ENOMEM;
    for (size_t i = 0; i < plan->value_count; i++) {
        struct sp_value *v = &plan->values[i];

        v->bytes = value_bytes(plan, i, alignment);
        plan->memory.kept += v->kept ? v->bytes : 0;
        if (v->first <= v->last && v->bytes)
            order[count++] = v;
    }
    qsort(order, count, sizeof(struct sp_value *), by_size);
    for (size_t i = 0; i < count; i++) {
        struct sp_value *v = order[i];

        v->offset = lowest_offset(v, order, i);
        plan->memory.unshared += v->bytes;
        if (v->offset + v->bytes > plan->memory.activations)
            plan->memory.activations = v->offset + v->bytes;
    }
    free(order);
    return 0;
}

/* Buffers for the transposed X and dY of trained linear layers, alive in all of backward that trains. */
static void add_transposed(struct sp_plan *plan)
{
    size_t in = 0, out = 0;

    for (size_t i = 0; i < plan->node_count; i++) {
        const struct sp_node *node = &plan->nodes[i];
        const struct sp_param *p = node->type->packs ? &plan->params[node->param[0]] : NULL;
        size_t stride;

        if (!p || !p->role)
            continue;
        stride = (size_t)sp_transpose_stride(node->type->slice ? node->type->slice(plan, node) : plan->limits.tokens);
        in = stride * (size_t)p->cols > in ? stride * (size_t)p->cols : in;
        out = stride * (size_t)p->rows > out ? stride * (size_t)p->rows : out;
    }
    if (!in || !plan->limits.transposed)
        return;
    plan->xt = sp_plan_value(plan, "transposed input", SP_BYTES, sp_f32_bytes(in));
    plan->dyt = sp_plan_value(plan, "transposed gradient", SP_BYTES, sp_f32_bytes(out));
}

static int allocate_values(struct sp_plan *plan)
{
    int rc = sp_buffer_create(&plan->arena, plan->device, plan->memory.activations);

    if (rc < 0)
        return sp_error_context(rc,
                                "while allocating the activations of %d tokens; a smaller batch or max_seq_length "
                                "needs less",
                                plan->limits.tokens);
    for (size_t i = 0; i < plan->value_count; i++) {
        struct sp_value *v = &plan->values[i];

        if (v->first <= v->last && v->bytes)
            SP_TRY(sp_buffer_view(&v->buffer, plan->arena, v->offset, v->bytes));
        if (!v->kept)
            continue;
        rc = sp_buffer_create_zeros(&v->buffer, plan->device, v->bytes);
        if (rc < 0)
            return sp_error_context(rc, "while allocating %zu rows for %s", v->rows, v->name);
    }
    plan->transposed.xt = sp_plan_buffer(plan, plan->xt);
    plan->transposed.dyt = sp_plan_buffer(plan, plan->dyt);
    return 0;
}

/* The words of a batch, one after the other. */
static void place_batch(struct sp_plan *plan)
{
    size_t alignment = sp_buffer_alignment(plan->device), bytes = 0;

    for (size_t i = 0; i < plan->word_count; i++) {
        plan->words[i].offset = bytes;
        bytes += (plan->words[i].count * 4 + alignment - 1) / alignment * alignment;
    }
    plan->memory.inputs = bytes + sp_f32_bytes(1);
}

static int allocate_batch(struct sp_plan *plan)
{
    SP_TRY(sp_buffer_create(&plan->batch, plan->device, plan->memory.inputs - sp_f32_bytes(1)));
    for (size_t i = 0; i < plan->word_count; i++)
        SP_TRY(sp_buffer_view(&plan->words[i].buffer, plan->batch, plan->words[i].offset, plan->words[i].count * 4));
    SP_TRY(sp_upload_create(&plan->upload, plan->batch));
    return sp_buffer_create(&plan->loss, plan->device, sp_f32_bytes(1));
}

/* Whether some node's backward multiplies by this weight to give its input a gradient. */
static bool needs_backward(const struct sp_plan *plan, int param)
{
    for (size_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i].type->packs && plan->nodes[i].param[0] == param &&
            sp_plan_wants(plan, plan->nodes[i].input[0]))
            return true;
    return false;
}

static size_t rope_bytes(const struct sp_plan *plan)
{
    size_t bytes = 0;

    for (size_t i = 0; i < plan->rope_count; i++)
        bytes += sp_f32_bytes((size_t)sp_plan_positions(plan) * (size_t)plan->ropes[i].head_dim);
    return bytes;
}

static int allocate_ropes(struct sp_plan *plan)
{
    int positions = sp_plan_positions(plan), rc = 0;

    for (size_t i = 0; i < plan->rope_count && rc == 0; i++) {
        struct sp_plan_rope *r = &plan->ropes[i];
        size_t count = (size_t)positions * (size_t)r->head_dim;
        float *table = sp_calloc(count, sizeof *table);

        if (!table)
            return SP_ENOMEM;
        sp_rope_table(table, r->inverse, r->scale, r->head_dim, positions);
        rc = sp_buffer_create(&r->table, plan->device, sp_f32_bytes(count));
        rc = rc < 0 ? rc : sp_buffer_write(r->table, 0, table, sp_f32_bytes(count));
        free(table);
    }
    return rc < 0 ? sp_error_context(rc, "while making the rotary table of %d positions", positions) : 0;
}

void sp_plan_share_params(struct sp_plan *plan, const struct sp_plan *owner)
{
    plan->owner = owner;
}

static bool same_param(const struct sp_param *a, const struct sp_param *b)
{
    return strcmp(a->name, b->name) == 0 && a->kind == b->kind && a->dtype == b->dtype && a->rows == b->rows &&
           a->cols == b->cols;
}

static int borrow_params(struct sp_plan *plan)
{
    const struct sp_plan *owner = plan->owner;

    if (owner->device != plan->device || owner->param_count != plan->param_count || plan->limits.training)
        return sp_error(SP_EINVAL, "a plan for training, on another device or with other parameters cannot share those "
                                   "of a plan");
    for (size_t i = 0; i < plan->param_count; i++) {
        struct sp_param *p = &plan->params[i];

        if (!same_param(p, &owner->params[i]))
            return sp_error(SP_EINVAL, "parameter %zu, %s, cannot be shared: the other plan's is %s", i, p->name,
                            owner->params[i].name);
        p->weight = owner->params[i].weight;
        p->value = owner->params[i].value;
    }
    return allocate_ropes(plan);
}

static int allocate_params(struct sp_plan *plan)
{
    size_t before = sp_device_memory(plan->device);

    for (size_t i = 0; i < plan->param_count; i++) {
        struct sp_param *p = &plan->params[i];
        int rc;

        rc = p->kind == SP_PARAM_LINEAR ? sp_gemm_weight_create(&p->weight, plan->device, plan->family, p->rows,
                                                                p->cols, needs_backward(plan, (int)i))
                                        : 0;
        if (rc == 0 && p->kind != SP_PARAM_LINEAR)
            rc = sp_buffer_create(&p->value, plan->device, sp_param_bytes(p));
        if (rc < 0)
            return sp_error_context(rc, "while allocating %s", p->name);
    }
    SP_TRY(allocate_ropes(plan));
    plan->memory.weights = sp_device_memory(plan->device) - before;
    return 0;
}

/* All but the device's memory. */
static int arrange(struct sp_plan *plan, struct sp_device *device, const struct sp_gemm_family *family,
                   const struct sp_plan_limits *limits)
{
    plan->device = device;
    plan->family = family;
    plan->limits = *limits;
    if (!plan->failed && limits->training) {
        find_active(plan);
        add_gradients(plan);
        add_transposed(plan);
    }
    find_shared(plan);
    check_rows(plan);
    for (size_t i = 0; i < plan->node_count && !plan->failed; i++)
        if (plan->nodes[i].type->prepare)
            plan->nodes[i].type->prepare(plan, &plan->nodes[i], limits);
    if (plan->failed)
        return sp_error(plan->failed, "%s", plan->message);
    if (plan->loss_node < 0)
        return sp_error(SP_EINVAL, "the model's builder made no loss");
    find_made_again(plan);
    if (plan->failed)
        return sp_error(plan->failed, "%s", plan->message);
    find_lifetimes(plan);
    place_batch(plan);
    return place(plan);
}

int sp_plan_compile(struct sp_plan *plan, struct sp_device *device, const struct sp_gemm_family *family,
                    const struct sp_plan_limits *limits)
{
    SP_TRY(arrange(plan, device, family, limits));
    SP_TRY(plan->owner ? borrow_params(plan) : allocate_params(plan));
    SP_TRY(allocate_batch(plan));
    return allocate_values(plan);
}

int sp_plan_measure(size_t *bytes, struct sp_plan *plan, struct sp_device *device, const struct sp_gemm_family *family,
                    const struct sp_plan_limits *limits)
{
    SP_TRY(arrange(plan, device, family, limits));
    *bytes = plan->memory.activations + plan->memory.inputs + plan->memory.kept + rope_bytes(plan);
    return 0;
}
