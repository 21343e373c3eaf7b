/*
 * The planner, on BERT models as their family builds them: no two living values share memory, nothing runs below what
 * is trained, the bytes are as planned, and gradients do not depend on how memory is shared.
 */
#include "tests/unit/plan_support.h"

#include "models/models.h"

#include <math.h>
#include <stdio.h>

/* The sizes are those of tests/data/reference/binary, for the sake of compiled kernels. */
enum { VOCAB = 30, CLASSES = 2, POSITIONS = 12 };

static const struct sp_attention_shape one_head = { .heads = 1 }, five_heads = { .heads = 5 };
static const int lengths[] = { 5, 1, 12, 3, 7 };
static const struct sp_plan_limits limits = { .tokens = 60, .sequences = 6, .longest = POSITIONS, .training = true,
                                              .transposed = true };

/* What is trained: parameters whose name holds one of the words; "*" is all of them. */
struct trained {
    const char *name, *words[4];
};

static const struct trained choices[] = {
    { "all", { "*" } },
    { "head", { "classifier" } },
    { "pooler and head", { "pooler", "classifier" } },
    { "query and value", { "query.weight", "value.weight", "classifier" } },
    { "one weight in the middle", { "layer.1.intermediate.dense.weight" } },
    { "one bias in the middle", { "layer.1.output.dense.bias" } },
    { "key of the last layer", { "layer.2.attention.self.key" } },
    { "a norm", { "layer.0.output.LayerNorm.bias" } },
    { "norm of the embeddings", { "embeddings.LayerNorm.weight" } },
    { "a table", { "position_embeddings" } },
    { "nothing", { NULL } },
};

static bool chosen(const struct trained *t, const char *name)
{
    for (size_t i = 0; i < 4 && t->words[i]; i++)
        if (t->words[i][0] == '*' || strstr(name, t->words[i]))
            return true;
    return false;
}

static struct sp_plan *build(const struct trained *t, float dropout)
{
    struct sp_model bert;
    struct sp_plan *plan;

    model_bert(&bert, VOCAB, 20, 3, 5, 37, POSITIONS, dropout);
    assert_ok(sp_plan_create(&plan));
    sp_nn_cross_entropy(plan, model_classes(plan, &bert, CLASSES), 0);
    sp_model_release(&bert);
    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        sp_plan_param_at(plan, i)->role = chosen(t, sp_plan_param_at(plan, i)->name) ? SP_PARAM_DENSE : SP_PARAM_FROZEN;
    return plan;
}

static bool alive(const struct sp_value *v)
{
    return v->first <= v->last && v->bytes > 0;
}

static void check_overlaps(const struct sp_plan *plan)
{
    size_t unshared = 0, end = 0;

    for (size_t i = 0; i < plan->value_count; i++) {
        const struct sp_value *a = &plan->values[i];

        if (!alive(a))
            continue;
        unshared += a->bytes;
        end = a->offset + a->bytes > end ? a->offset + a->bytes : end;
        assert_true(a->offset % sp_buffer_alignment(plan->device) == 0);
        for (size_t j = 0; j < i; j++) {
            const struct sp_value *b = &plan->values[j];

            if (alive(b) && a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->bytes &&
                b->offset < a->offset + a->bytes)
                fail_msg("\"%s\" (%d to %d) and \"%s\" (%d to %d) share memory", a->name, a->first, a->last, b->name,
                         b->first, b->last);
        }
    }
    assert_int_equal(plan->memory.unshared, unshared);
    assert_int_equal(plan->memory.activations, end);
    assert_in_range(end, 1, unshared);
}

static void test_lifetimes(void **state)
{
    for (size_t c = 0; c < sizeof choices / sizeof *choices; c++)
        for (int training = 0; training < 2; training++) {
            struct sp_plan_limits l = limits;
            struct model m;

            l.training = training;
            model_compile(&m, *state, build(&choices[c], 0.1f), "auto", &l);
            check_overlaps(m.plan);
            model_release(&m);
        }
}

/* Sharing is worth something: a pass without backward needs a small part of what its values take together. */
static void test_sharing(void **state)
{
    struct sp_plan_limits l = limits;
    struct model m;

    l.training = false;
    model_compile(&m, *state, build(&choices[0], 0), "auto", &l);
    assert_true(sp_plan_memory(m.plan).activations * 4 < sp_plan_memory(m.plan).unshared);
    model_release(&m);
}

static void test_bytes(void **state)
{
    for (size_t f = 0; f < sp_gemm_family_count; f++) {
        const struct sp_gemm_family *family = sp_gemm_families[f];
        size_t before = sp_device_memory(*state);
        struct sp_plan *plan = build(&choices[3], 0.1f);
        struct sp_plan_memory planned;

        if (sp_gemm_choose(&family, *state, family->name) == 0) {
            assert_ok(sp_plan_compile(plan, *state, family, &limits));
            planned = sp_plan_memory(plan);
            assert_int_equal(sp_device_memory(*state) - before, planned.weights + planned.activations + planned.inputs);
        }
        sp_plan_free(plan);
        assert_int_equal(sp_device_memory(*state), before);
    }
}

/* By its own walk: the values that depend on something trained. */
static void check_active(const struct sp_plan *plan)
{
    bool *below = calloc(plan->value_count, sizeof *below);

    for (size_t i = 0; i < plan->node_count; i++) {
        const struct sp_node *node = &plan->nodes[i];
        bool active = false;

        for (int k = 0; k < SP_NODE_PARAMS; k++)
            active = active || (node->param[k] >= 0 && plan->params[node->param[k]].role);
        for (int k = 0; k < SP_NODE_INPUTS; k++)
            active = active || (node->input[k] >= 0 && below[node->input[k]]);
        if (node->active != active)
            fail_msg("node %zu (%s): active is %d", i, node->type->name, node->active);
        if (node->output >= 0) {
            below[node->output] = active;
            assert_true((plan->values[node->output].gradient >= 0) == active || node->type == &sp_node_linear);
        }
    }
    free(below);
}

struct spy {
    struct sp_wgrad_sink sink;
    int calls;
};

static int spy_add(struct sp_wgrad_sink *sink, struct sp_device *device, const struct sp_wgrad_input *input)
{
    (void)device;
    (void)input;
    ((struct spy *)sink)->calls++;
    return 0;
}

/* With a spy at every linear weight, backward calls those of active nodes once, the others never. */
static void check_calls(struct model *m)
{
    struct spy spies[PLAN_PARAMS_MAX];
    struct tokens t;
    struct sp_plan_pass pass = { .loss_scale = 1, .gradients = m->gradients };

    for (size_t i = 0; i < m->params; i++) {
        spies[i] = (struct spy){ { spy_add }, 0 };
        m->gradients[i].sink = &spies[i].sink;
    }
    tokens_draw(&t, 1, lengths, 5, VOCAB, CLASSES);
    assert_ok(sp_plan_set_batch(m->plan, &t.batch));
    assert_ok(sp_plan_forward(m->plan, &pass));
    assert_ok(sp_plan_backward(m->plan, &pass));
    for (size_t i = 0; i < m->plan->node_count; i++) {
        const struct sp_node *node = &m->plan->nodes[i];

        if (node->type == &sp_node_linear)
            assert_int_equal(spies[node->param[0]].calls, node->active);
    }
}

static void test_active(void **state)
{
    for (size_t c = 0; c < sizeof choices / sizeof *choices; c++) {
        struct model m;

        model_compile(&m, *state, build(&choices[c], 0.1f), "auto", &limits);
        check_active(m.plan);
        check_calls(&m);
        model_release(&m);
    }
}

/* One batch: its logits, its loss and all trained gradients in one array, the caller's. */
static float *run(struct model *m, size_t *count)
{
    struct sp_plan_pass pass = { .dropout = true, .seed = 9, .step = 4, .loss_scale = 1, .gradients = m->gradients };
    struct tokens t;
    float *out;
    double loss;

    *count = 5 * CLASSES + 1;
    for (size_t i = 0; i < m->params; i++)
        *count += m->gradient[i] ? m->size[i] : 0;
    out = calloc(*count, sizeof *out);
    tokens_draw(&t, 1, lengths, 5, VOCAB, CLASSES);
    assert_ok(sp_plan_set_batch(m->plan, &t.batch));
    assert_ok(sp_plan_forward(m->plan, &pass));
    assert_ok(sp_plan_backward(m->plan, &pass));
    assert_ok(sp_plan_loss(m->plan, &loss));
    assert_ok(sp_plan_logits(m->plan, out + 1));
    out[0] = (float)loss;
    for (size_t i = 0, at = 5 * CLASSES + 1; i < m->params; i++)
        if (m->gradient[i]) {
            assert_ok(sp_buffer_read(out + at, m->gradient[i], 0, m->size[i] * sizeof *out));
            at += m->size[i];
        }
    return out;
}

/* Every value in memory of its own, full of NaNs. */
static void unshare(struct sp_plan *plan)
{
    for (size_t i = 0; i < plan->value_count; i++) {
        struct sp_value *v = &plan->values[i];

        if (!v->buffer)
            continue;
        sp_buffer_free(v->buffer);
        assert_ok(sp_buffer_create(&v->buffer, plan->device, v->bytes));
        assert_ok(sp_buffer_fill(v->buffer, 0, 0x7fc00000, v->bytes));
    }
    plan->transposed.xt = sp_plan_buffer(plan, plan->xt);
    plan->transposed.dyt = sp_plan_buffer(plan, plan->dyt);
}

/* What the arena holds before a pass does not matter, nor does sharing it: the bits are the same. */
static void test_arena(void **state)
{
    for (size_t c = 0; c < sizeof choices / sizeof *choices; c++) {
        float *out[4];
        size_t count;
        struct model m;

        model_compile(&m, *state, build(&choices[c], 0.1f), "auto", &limits);
        assert_ok(sp_buffer_fill(m.plan->arena, 0, 0, sp_buffer_size(m.plan->arena)));
        out[0] = run(&m, &count);
        out[1] = run(&m, &count);
        assert_ok(sp_buffer_fill(m.plan->arena, 0, 0x7fc00000, sp_buffer_size(m.plan->arena)));
        out[2] = run(&m, &count);
        unshare(m.plan);
        out[3] = run(&m, &count);
        for (int i = 1; i < 4; i++)
            if (memcmp(out[i], out[0], count * sizeof *out[0]) != 0)
                fail_msg("training %s: run %d differs from the first", choices[c].name, i);
        for (size_t k = 0; k < count; k++)
            assert_true(out[0][k] - out[0][k] == 0);
        for (int i = 0; i < 4; i++)
            free(out[i]);
        model_release(&m);
    }
}

static int linear(struct sp_plan *plan, int x, int rows, int cols, const char *name)
{
    return sp_nn_linear(plan, x, sp_plan_param(plan, SP_PARAM_LINEAR, rows, cols, "%s", name), -1, SP_ACTIVATION_NONE);
}

/* Two gated MLPs over a residual stream; all weights are trained but the upper one's `gate` and `up`. */
static struct sp_plan *build_gated(void)
{
    struct sp_plan *plan;
    int x;

    assert_ok(sp_plan_create(&plan));
    x = sp_nn_word_embedding(plan, sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, 20, "word"), 1);
    for (int i = 0; i < 2; i++) {
        int y = sp_nn_rmsnorm(plan, x, sp_plan_param(plan, SP_PARAM_VECTOR, 20, 1, "norm %d", i), 1e-5f, 0);
        int up = linear(plan, y, 37, 20, i ? "upper up" : "lower up");

        y = sp_nn_gated(plan, linear(plan, y, 37, 20, i ? "upper gate" : "lower gate"), up, SP_ACTIVATION_SILU);
        x = sp_nn_add(plan, x, linear(plan, y, 20, 37, i ? "upper down" : "lower down"));
    }
    sp_nn_cross_entropy(plan, linear(plan, sp_nn_last_token(plan, x, -1), CLASSES, 20, "head"), 0);
    for (size_t i = 0; i < sp_plan_param_count(plan); i++) {
        struct sp_param *p = sp_plan_param_at(plan, i);

        p->role = strcmp(p->name, "upper up") == 0 || strcmp(p->name, "upper gate") == 0 ? SP_PARAM_FROZEN
                                                                                         : SP_PARAM_DENSE;
    }
    return plan;
}

/* What weights' gradients alone read, and is made at little cost, does not live from forward to backward: it is made
 * again, in the same bits. Of the two MLPs that are both gatings and the lower norm. */
static void test_made_again(void **state)
{
    size_t count, again = 0;
    float *out[3];
    struct model m;

    model_compile(&m, *state, build_gated(), "auto", &limits);
    check_overlaps(m.plan);
    for (size_t i = 0; i < m.plan->value_count; i++) {
        const struct sp_value *v = &m.plan->values[i];

        if (v->again < 0)
            continue;
        again++;
        assert_true(v->first <= v->last && v->last < (int)m.plan->node_count);
        assert_true(m.plan->values[v->again].first >= (int)m.plan->node_count);
    }
    assert_int_equal(again, 3);
    assert_ok(sp_buffer_fill(m.plan->arena, 0, 0x7fc00000, sp_buffer_size(m.plan->arena)));
    out[0] = run(&m, &count);
    out[1] = run(&m, &count);
    unshare(m.plan); /* now all of them live */
    for (size_t i = 0; i < m.plan->value_count; i++)
        m.plan->values[i].remade = false, m.plan->values[i].again = -1;
    out[2] = run(&m, &count);
    for (size_t k = 0; k < count; k++)
        assert_true(out[2][k] - out[2][k] == 0);
    for (int i = 0; i < 2; i++)
        assert_memory_equal(out[i], out[2], count * sizeof *out[i]);
    for (int i = 0; i < 3; i++)
        free(out[i]);
    model_release(&m);
}

/* A plan for evaluation gives the same logits and loss, and a smaller batch after a larger one its own. */
static void test_evaluation(void **state)
{
    struct sp_plan_limits l = limits;
    struct model train, eval;
    float logits[2][5 * CLASSES];
    double loss[2];
    struct sp_plan_pass pass = { .loss_scale = 1 };

    model_compile(&train, *state, build(&choices[0], 0.1f), "auto", &l);
    l.training = false;
    model_compile(&eval, *state, build(&choices[0], 0.1f), "auto", &l);
    for (int count = 5; count > 0; count -= 2) {
        struct tokens t;

        tokens_draw(&t, (uint32_t)count, lengths, count, VOCAB, CLASSES);
        for (int i = 0; i < 2; i++) {
            struct sp_plan *plan = i ? eval.plan : train.plan;

            assert_ok(sp_plan_set_batch(plan, &t.batch));
            assert_ok(sp_plan_forward(plan, &pass));
            assert_ok(sp_plan_loss(plan, &loss[i]));
            assert_ok(sp_plan_logits(plan, logits[i]));
        }
        assert_memory_equal(logits[0], logits[1], (size_t)count * CLASSES * sizeof(float));
        assert_true(loss[0] == loss[1]);
    }
    model_release(&train);
    model_release(&eval);
}

static void test_batches(void **state)
{
    struct tokens t;
    struct model m;

    model_compile(&m, *state, build(&choices[1], 0), "auto", &limits);
    tokens_draw(&t, 1, (int[]){ 12, 12, 12, 12, 13 }, 5, VOCAB, CLASSES);
    assert_error(sp_plan_set_batch(m.plan, &t.batch), SP_EINVAL, "61 tokens");
    tokens_draw(&t, 1, (int[]){ 1, 1, 1, 1, 1, 1, 1 }, 7, VOCAB, CLASSES);
    assert_error(sp_plan_set_batch(m.plan, &t.batch), SP_EINVAL, "7 sequences");
    tokens_draw(&t, 1, lengths, 5, VOCAB, CLASSES);
    t.ids[3] = VOCAB;
    assert_error(sp_plan_set_batch(m.plan, &t.batch), SP_EINVAL, "token id 30 is outside");
    t.ids[3] = 0;
    t.types[0] = 2;
    assert_error(sp_plan_set_batch(m.plan, &t.batch), SP_EINVAL, "token type 2 is outside");
    t.types[0] = 0;
    tokens_draw(&t, 1, (int[]){ POSITIONS, POSITIONS + 1 }, 2, VOCAB, CLASSES);
    assert_error(sp_plan_set_batch(m.plan, &t.batch), SP_EINVAL, "position 12 is outside");
    model_release(&m);
}

/* A target for each row of the loss, and no other number of them; none where no loss is wanted. */
static void test_targets(void **state)
{
    for (int of_tokens = 0; of_tokens < 2; of_tokens++) {
        struct sp_plan *plan;
        struct tokens t;
        struct model m;
        int x;

        assert_ok(sp_plan_create(&plan));
        x = sp_nn_embedding(plan, sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, 4, "word"), -1, -1, -1);
        sp_nn_cross_entropy(plan, of_tokens ? x : sp_nn_first_token(plan, x), 0);
        model_compile(&m, *state, plan, "auto", &limits);
        assert_true(sp_plan_outputs_tokens(plan) == of_tokens);
        tokens_draw(&t, 1, lengths, 5, VOCAB, CLASSES);
        if (!of_tokens)
            assert_ok(sp_plan_set_batch(plan, &t.batch));
        tokens_label(&t, 1, CLASSES);
        if (of_tokens)
            assert_ok(sp_plan_set_batch(plan, &t.batch));
        t.batch.target_count = of_tokens ? 5 : 28;
        assert_error(sp_plan_set_batch(plan, &t.batch), SP_EINVAL,
                     of_tokens ? "5 targets, and the loss wants 28" : "28 targets, and the loss wants 5");
        t.batch.targets = NULL;
        assert_ok(sp_plan_set_batch(plan, &t.batch));
        model_release(&m);
    }
}

/* Backward leaves the batch's loss, which is not computed again: the logits may be gone. At a temperature it is another
 * one. */
static void test_loss_once(void **state)
{
    struct sp_plan_pass pass = { .loss_scale = 0.25f };
    double alone, left, again, cooled;
    struct tokens t;
    struct model m;

    model_compile(&m, *state, build(&choices[0], 0), "auto", &limits);
    pass.gradients = m.gradients;
    tokens_draw(&t, 1, lengths, 5, VOCAB, CLASSES);
    assert_ok(sp_plan_set_batch(m.plan, &t.batch));
    assert_ok(sp_plan_forward(m.plan, &pass));
    assert_ok(sp_plan_loss(m.plan, &alone));
    assert_ok(sp_plan_forward(m.plan, &pass));
    assert_ok(sp_plan_backward(m.plan, &pass));
    assert_ok(sp_buffer_fill(sp_plan_buffer(m.plan, m.plan->logits), 0, 0x7fc00000, 5 * CLASSES * sizeof(float)));
    assert_ok(sp_plan_loss(m.plan, &left));
    assert_true(left == alone);
    tokens_draw(&t, 2, lengths, 4, VOCAB, CLASSES);
    assert_ok(sp_plan_set_batch(m.plan, &t.batch));
    assert_ok(sp_plan_forward(m.plan, &pass));
    assert_ok(sp_plan_loss(m.plan, &again));
    assert_true(again != alone);
    pass.temperature = 3;
    assert_ok(sp_plan_forward(m.plan, &pass));
    assert_ok(sp_plan_backward(m.plan, &pass));
    assert_ok(sp_plan_loss(m.plan, &cooled));
    assert_true(cooled == again);
    model_release(&m);
}

/* Positions count from 0 in each sequence, or past a padding token as RoBERTa's do, whose padding has a position of its
 * own. */
static void test_positions(void **state)
{
    static const uint32_t bounds[] = { 0, 3, 7, 10 }, ids[] = { 5, 1, 6, 1, 1, 7, 8, 2, 3, 1 }, types[10] = { 0 },
                          expected[2][10] = { { 0, 1, 2, 0, 1, 2, 3, 0, 1, 2 }, { 2, 1, 3, 1, 1, 2, 3, 2, 3, 1 } };
    const struct sp_plan_batch batch = { .ids = ids, .types = types, .bounds = bounds, .tokens = 10, .sequences = 3 };

    for (int padding = -1; padding <= 1; padding += 2) {
        struct sp_plan *plan;
        struct model m;
        uint32_t found[10];
        int table[2], x;

        assert_ok(sp_plan_create(&plan));
        table[0] = sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, 4, "word");
        table[1] = sp_plan_param(plan, SP_PARAM_TABLE, POSITIONS, 4, "position");
        x = sp_nn_embedding(plan, table[0], table[1], -1, padding);
        sp_nn_cross_entropy(plan, sp_nn_first_token(plan, x), 0);
        model_compile(&m, *state, plan, "auto", &limits);
        for (int again = 0; again < 3; again++) {
            assert_ok(sp_plan_set_batch(plan, &batch));
            assert_ok(sp_buffer_read(found, sp_plan_read(plan, plan->nodes[0].words[1]), 0, sizeof found));
            assert_memory_equal(found, expected[padding > 0], sizeof found);
        }
        model_release(&m);
    }
}

/* ---- what passes keep -------------------------------------------------------------------------------------------- */

enum { KEPT = 16, WIDTH = 20 };

static int layer(struct sp_plan *plan, int x, const char *name)
{
    return sp_nn_linear(plan, x, sp_plan_param(plan, SP_PARAM_LINEAR, WIDTH, WIDTH, "%s", name), -1,
                        SP_ACTIVATION_NONE);
}

/* The first tokens' attention over their own sequences, or, `rows` of them being kept, over those that the batch
 * names. */
static struct sp_plan *build_kept(int rows)
{
    struct sp_plan *plan;
    int x, q, k, v;

    assert_ok(sp_plan_create(&plan));
    x = layer(plan, sp_nn_embedding(plan, sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, WIDTH, "word"), -1, -1, -1),
              "below");
    q = layer(plan, x, "query");
    k = layer(plan, x, "key");
    v = layer(plan, x, "value");
    if (rows) {
        k = sp_nn_keep(plan, k, rows);
        v = sp_nn_keep(plan, v, rows);
    }
    x = sp_nn_attention(plan, q, k, v, &five_heads);
    sp_nn_cross_entropy(plan, sp_nn_first_token(plan, x), 0);
    return plan;
}

static void forward_kept(float *logits, struct model *m, const uint32_t *ids, const uint32_t *bounds,
                         const uint32_t *rows, const uint32_t *keys)
{
    const struct sp_plan_pass pass = { .loss_scale = 1 };

    assert_ok(sp_buffer_fill(m->plan->arena, 0, 0x7fc00000, sp_buffer_size(m->plan->arena)));
    assert_ok(sp_plan_set_batch(
        m->plan,
        &(struct sp_plan_batch){
            .ids = ids, .bounds = bounds, .tokens = (int)bounds[2], .sequences = 2, .kept_rows = rows, .keys = keys }));
    assert_ok(sp_plan_forward(m->plan, &pass));
    assert_ok(sp_plan_logits(m->plan, logits));
}

/* Keys and values of one pass are read in the next: the rest of two sequences, and then their first tokens, which see
 * it all, give the bits that both give at once. What is kept lies outside the arena, which is full of NaNs before each
 * pass, and only the named rows change. */
static void test_kept(void **state)
{
    static const uint32_t ids[] = { 7, 1, 29, 4, 12, 3, 8 }, bounds[] = { 0, 4, 7 };
    static const uint32_t rest[] = { 1, 29, 4, 3, 8 }, rest_bounds[] = { 0, 3, 5 }, rest_rows[] = { 11, 12, 13, 3, 4 },
                          rest_keys[] = { 11, 14, 3, 5 };
    static const uint32_t first[] = { 7, 12 }, first_bounds[] = { 0, 1, 2 }, first_rows[] = { 10, 2 },
        first_keys[] = { 10, 14, 2, 5 };
    struct sp_plan_limits l = limits;
    float whole[2 * WIDTH], rests[2 * WIDTH], parts[2 * WIDTH], rows[3][KEPT * WIDTH];
    struct model m[2];
    struct sp_value *keys = NULL;

    l.training = false;
    for (int i = 0; i < 2; i++)
        model_compile(&m[i], *state, build_kept(i ? KEPT : 0), "auto", &l);
    for (size_t i = 0; i < m[1].plan->value_count && !keys; i++)
        keys = m[1].plan->values[i].kept ? &m[1].plan->values[i] : NULL;
    assert_non_null(keys);
    forward_kept(whole, &m[0], ids, bounds, NULL, NULL);
    assert_ok(sp_buffer_read(rows[0], keys->buffer, 0, sizeof rows[0]));
    forward_kept(rests, &m[1], rest, rest_bounds, rest_rows, rest_keys);
    assert_ok(sp_buffer_read(rows[1], keys->buffer, 0, sizeof rows[1]));
    forward_kept(parts, &m[1], first, first_bounds, first_rows, first_keys);
    assert_ok(sp_buffer_read(rows[2], keys->buffer, 0, sizeof rows[2]));
    assert_memory_equal(parts, whole, sizeof whole);
    assert_memory_not_equal(rests, whole, sizeof whole);
    for (uint32_t r = 0; r < KEPT; r++)
        for (uint32_t c = 0; c < WIDTH; c++) {
            bool in_rest = r == 3 || r == 4 || (r >= 11 && r <= 13), in_first = r == 2 || r == 10;
            const float x[] = { rows[0][r * WIDTH + c], rows[1][r * WIDTH + c], rows[2][r * WIDTH + c] };

            assert_true(x[0] == 0 && (x[1] != 0) == in_rest && (x[2] != 0) == (in_rest || in_first));
            assert_true(x[1] == x[2] || in_first);
        }
    check_overlaps(m[1].plan);
    assert_true(sp_plan_memory(m[1].plan).activations < sp_plan_memory(m[1].plan).unshared);
    assert_int_equal(sp_plan_memory(m[0].plan).kept, 0);
    for (int i = 0; i < 2; i++)
        model_release(&m[i]);
}

/* A causal plan that gives each token's attention, over its own sequence or over `rows` kept ones. */
static struct sp_plan *build_causal(int rows)
{
    struct sp_plan *plan;
    int x, q, k, v;

    assert_ok(sp_plan_create(&plan));
    x = layer(plan, sp_nn_embedding(plan, sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, WIDTH, "word"), -1, -1, -1),
              "below");
    q = layer(plan, x, "query");
    k = sp_nn_linear(plan, x, sp_plan_param(plan, SP_PARAM_LINEAR, WIDTH / 5, WIDTH, "key"), -1, SP_ACTIVATION_NONE);
    v = sp_nn_linear(plan, x, sp_plan_param(plan, SP_PARAM_LINEAR, WIDTH / 5, WIDTH, "value"), -1, SP_ACTIVATION_NONE);
    if (rows) {
        k = sp_nn_keep(plan, k, rows);
        v = sp_nn_keep(plan, v, rows);
    }
    x = sp_nn_attention(
        plan, q, k, v,
        &(struct sp_attention_shape){ .heads = 5, .kv_heads = 1, .causal = true, .window = 3, .softcap = 2 });
    sp_nn_cross_entropy(plan, x, 0);
    return plan;
}

/* Tokens in several passes over what is kept have the bits that all give at once; one by one, which has kernels of its
 * own, they differ by rounding. */
static void test_kept_causal(void **state)
{
    static const uint32_t ids[] = { 7, 1, 29, 4, 12, 3, 8, 5 }, bounds[] = { 0, 5, 8 };
    /* the first two of one and one of the other; then two of each; then, or instead, one by one */
    static const struct part {
        int from[2], count[2];
    } parts[] = { { { 0, 0 }, { 2, 1 } }, { { 2, 1 }, { 3, 2 } }, { { 2, 1 }, { 1, 1 } }, { { 3, 2 }, { 1, 1 } } };
    static const uint32_t first[] = { 9, 2 }; /* kept rows of the sequences */
    struct sp_plan_limits l = limits;
    float whole[8 * WIDTH], got[8 * WIDTH];
    struct model m[2];

    l.training = false;
    for (int i = 0; i < 2; i++)
        model_compile(&m[i], *state, build_causal(i ? KEPT : 0), "auto", &l);
    forward_kept(whole, &m[0], ids, bounds, NULL, NULL);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        uint32_t part_ids[8], rows[8], part_bounds[3] = { 0 }, keys[4], t = 0;

        for (int s = 0; s < 2; s++) {
            for (int i = 0; i < parts[p].count[s]; i++, t++) {
                part_ids[t] = ids[bounds[s] + (uint32_t)(parts[p].from[s] + i)];
                rows[t] = first[s] + (uint32_t)(parts[p].from[s] + i);
            }
            part_bounds[s + 1] = t;
            keys[2 * s] = first[s];
            keys[2 * s + 1] = first[s] + (uint32_t)(parts[p].from[s] + parts[p].count[s]);
        }
        forward_kept(got, &m[1], part_ids, part_bounds, rows, keys);
        for (int s = 0; s < 2; s++) {
            const float *expected = whole + (bounds[s] + (uint32_t)parts[p].from[s]) * WIDTH;
            size_t count = (size_t)parts[p].count[s] * WIDTH;

            if (p < 2)
                assert_memory_equal(got + part_bounds[s] * WIDTH, expected, count * sizeof *got);
            for (size_t i = 0; i < count; i++)
                assert_true(fabsf(got[part_bounds[s] * WIDTH + i] - expected[i]) < 1e-6f);
        }
    }
    for (int i = 0; i < 2; i++)
        model_release(&m[i]);
}

/* All kernels that a causal plan records, for one long sequence as for several, for decoding and for a linear pass,
 * have a case that checks them before their first use. */
static void test_attention_checked(void **state)
{
    struct sp_plan_limits l = { .tokens = 400, .sequences = 2, .longest = 200 };

    assert_ok(sp_kernel_set_checking(*state, true));
    for (int i = 0; i < 2; i++) {
        struct sp_plan *plan = build_causal(i ? KEPT : 0);
        struct sp_plan_pass p = { .loss_scale = 1 };
        struct model m;

        l.training = i == 0;
        for (size_t k = 0; k < sp_plan_param_count(plan) && l.training; k++)
            sp_plan_param_at(plan, k)->role = SP_PARAM_DENSE;
        model_compile(&m, *state, plan, "auto", &l);
        p.gradients = m.gradients;
        for (int linear = 0; linear < 2; linear++) {
            p.linear = linear;
            assert_ok(sp_plan_record(plan, &p));
            assert_ok(sp_kernel_build_recorded(*state));
        }
        model_release(&m);
    }
    assert_ok(sp_kernel_set_checking(*state, false));
}

static void test_attention_refused(void **state)
{
    static const struct bad {
        struct sp_attention_shape shape;
        const char *message;
    } bad[] = {
        { { .heads = 0 }, "0 heads cannot share 0 heads of keys and values" },
        { { .heads = 5, .kv_heads = 2 }, "5 heads cannot share 2 heads" },
        { { .heads = 5, .kv_heads = 1 }, "keys of 20 and values of 20 are not 5, 1 and 1 heads of 4" },
        { { .heads = 5, .head_dim = 5 }, "are not 5, 5 and 5 heads of 5" },
        { { .heads = 5, .window = 3 }, "a window of 3 tokens is of causal attention" },
        { { .heads = 5, .causal = true, .window = -1 }, "a window of -1 tokens" },
        { { .heads = 5, .softcap = -1 }, "cannot be capped at -1" },
    };
    static const uint32_t ids[] = { 7, 12, 1 }, bounds[] = { 0, 1, 3 }, rows[] = { 1, 2, 3 }, keys[] = { 0, 1, 3, 4 };
    const struct sp_plan_batch batch = {
        .ids = ids, .bounds = bounds, .tokens = 3, .sequences = 2, .kept_rows = rows, .keys = keys
    };
    const struct sp_gemm_family *family;
    struct sp_plan *plan;
    int x;

    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_ok(sp_plan_create(&plan));
        x = sp_nn_embedding(plan, sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, WIDTH, "word"), -1, -1, -1);
        sp_nn_cross_entropy(plan, sp_nn_attention(plan, x, x, x, &bad[i].shape), 0);
        assert_error(sp_plan_compile(plan, *state, family, &limits), SP_EINVAL, bad[i].message);
        sp_plan_free(plan);
    }
    plan = build_causal(KEPT);
    assert_ok(sp_plan_compile(plan, *state, family, &limits));
    assert_error(sp_plan_set_batch(plan, &batch), SP_EINVAL, "sequence 1 sees 1 rows of what is kept of");
    sp_plan_free(plan);
}

/* Two of so many rows, beside what the passes share. */
static void test_kept_bytes(void **state)
{
    const struct sp_gemm_family *family;
    size_t before = sp_device_memory(*state), activations[2];

    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    for (int i = 0; i < 2; i++) {
        int rows = i ? 100 * KEPT : KEPT;
        size_t bytes = (size_t)rows * WIDTH * sizeof(float), alignment = sp_buffer_alignment(*state);
        struct sp_plan *plan = build_kept(rows);
        struct sp_plan_memory planned;

        assert_ok(sp_plan_compile(plan, *state, family, &limits));
        planned = sp_plan_memory(plan);
        activations[i] = planned.activations;
        assert_int_equal(planned.kept, 2 * ((bytes + alignment - 1) / alignment * alignment));
        assert_int_equal(sp_device_memory(*state) - before,
                         planned.weights + planned.activations + planned.inputs + planned.kept);
        sp_plan_free(plan);
        assert_int_equal(sp_device_memory(*state), before);
    }
    assert_int_equal(activations[0], activations[1]);
}

static void test_kept_refused(void **state)
{
    struct bad {
        uint32_t rows[2], keys[4];
        const char *message;
    };
    static const struct bad bad[] = {
        { { 3, KEPT }, { 0, 1, 1, 2 }, "row 16 is outside what is kept of the output of key, which has 16" },
        { { 3, 4 }, { 0, 1, 2, 2 }, "sequence 1 cannot see rows 2 to 2 of what is kept of the output of key" },
        { { 3, 4 }, { 0, 1, 2, KEPT + 1 }, "sequence 1 cannot see rows 2 to 17" },
        { { 3, 4 }, { 4, 5, 3, 4 }, "beyond those of the sequence before" },
    };
    static const uint32_t ids[] = { 7, 12 }, bounds[] = { 0, 1, 2 };
    struct sp_plan_batch batch = { .ids = ids, .bounds = bounds, .tokens = 2, .sequences = 2 };
    const struct sp_gemm_family *family;
    struct sp_plan *plan = build_kept(KEPT);
    int x;

    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        sp_plan_param_at(plan, i)->role = SP_PARAM_DENSE;
    assert_ok(sp_plan_compile(plan, *state, family, &limits));
    assert_error(sp_plan_set_batch(plan, &batch), SP_EINVAL, "does not say to which rows its tokens go");
    batch.kept_rows = bad[1].rows;
    assert_error(sp_plan_set_batch(plan, &batch), SP_EINVAL,
                 "does not say which rows of what is kept of the output of key");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        batch.kept_rows = bad[i].rows;
        batch.keys = bad[i].keys;
        assert_error(sp_plan_set_batch(plan, &batch), SP_EINVAL, bad[i].message);
    }
    sp_plan_free(plan);

    /* What would be taken for tokens, and rows that do not belong together. */
    for (int k = 0; k < 3; k++) {
        assert_ok(sp_plan_create(&plan));
        x = sp_nn_embedding(plan, sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, WIDTH, "word"), -1, -1, -1);
        x = k == 0   ? layer(plan, sp_nn_keep(plan, x, KEPT), "above")
            : k == 1 ? sp_nn_attention(plan, x, sp_nn_keep(plan, x, KEPT), sp_nn_keep(plan, x, KEPT + 1), &five_heads)
                     : sp_nn_keep(plan, sp_nn_first_token(plan, x), KEPT);
        sp_nn_cross_entropy(plan, x, 0);
        assert_error(sp_plan_compile(plan, *state, family, &limits), SP_EINVAL,
                     k == 0   ? "what is kept of embeddings: a node of type linear cannot read it"
                     : k == 1 ? "a value has its key's row"
                              : "first tokens cannot be kept in 16 rows");
        sp_plan_free(plan);
    }
}

/* Recording runs nothing, and after it and a build no program is left to compile. */
static void test_recording(void **state)
{
    struct sp_plan_pass pass = { .dropout = true, .loss_scale = 1 };
    size_t cached[2], compiled[2], count;
    struct model m;

    model_compile(&m, *state, build(&choices[0], 0.1f), "auto", &limits);
    pass.gradients = m.gradients;
    assert_ok(sp_plan_record(m.plan, &pass));
    for (size_t i = 0; i < m.params; i++) {
        float *gradient = model_gradient(&m, i);

        assert_true(gradient[0] != gradient[0]); /* the NaNs are still there */
        free(gradient);
    }
    assert_ok(sp_kernel_build_recorded(*state));
    sp_kernel_build_counts(*state, &cached[0], &compiled[0]);
    free(run(&m, &count));
    sp_kernel_build_counts(*state, &cached[1], &compiled[1]);
    assert_int_equal(cached[0] + compiled[0], cached[1] + compiled[1]);
    model_release(&m);
}

static void test_not_finite(void **state)
{
    char name[SP_PARAM_NAME + 32];
    size_t count;
    struct model m;
    struct sp_plan_pass pass = { .loss_scale = 1, .gradients = m.gradients };

    model_compile(&m, *state, build(&choices[0], 0.1f), "auto", &limits);
    free(run(&m, &count));
    assert_ok(sp_plan_find_not_finite(m.plan, &pass, name));
    assert_string_equal(name, "");
    for (size_t i = 0; i < m.params; i++)
        if (strcmp(sp_plan_param_at(m.plan, i)->name, "encoder.layer.1.output.dense.bias") == 0) {
            m.value[i][3] = 1.0f / 0.0f;
            model_upload(&m, i);
        }
    assert_ok(sp_plan_find_not_finite(m.plan, &pass, name));
    assert_string_equal(name, "encoder.layer.1.output.dense.bias"); /* not what is computed from it */
    for (size_t i = 0; i < m.params; i++) { /* finite, and too large to multiply */
        const char *param = sp_plan_param_at(m.plan, i)->name;

        if (strcmp(param, "encoder.layer.1.output.dense.bias") == 0)
            m.value[i][3] = 0;
        else if (strcmp(param, "encoder.layer.1.output.dense.weight") == 0)
            for (size_t k = 0; k < sp_param_elements(sp_plan_param_at(m.plan, i)); k++)
                m.value[i][k] = 3e38f;
        else if (strcmp(param, "encoder.layer.1.intermediate.dense.bias") == 0)
            m.value[i][0] = 100;
        else
            continue;
        model_upload(&m, i);
    }
    assert_ok(sp_plan_find_not_finite(m.plan, &pass, name));
    assert_string_equal(name, "the output of encoder.layer.1.output.dense.weight");
    model_release(&m);
}

/* Parameters are allocated, written and read in their own type; a linear weight in its layouts
 * alone, also where its rows are looked up. */
static void test_param_types(void **state)
{
    static const enum sp_dtype types[] = { SP_F32, SP_BF16, SP_F16 };
    static const float values[8] = { 1, -2.5f, 0.1f, 3e-3f, 1024.4f, -0.0f, 7, 0x1.02p0f };
    const struct sp_gemm_family *family;
    struct sp_buffer *staging;

    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        float got[8], expected[8];
        unsigned char bytes[8 * sizeof(float)];
        struct sp_param *table, *words;
        struct sp_plan *plan;
        int x;

        assert_ok(sp_plan_create(&plan));
        x = sp_plan_param(plan, SP_PARAM_LINEAR, 4, 2, "words");
        sp_nn_cross_entropy(plan,
                            sp_nn_linear(plan,
                                         sp_nn_first_token(plan, sp_nn_embedding(plan, x,
                                                                                 sp_plan_param(plan, SP_PARAM_TABLE, 4,
                                                                                               2, "table"),
                                                                                 -1, -1)),
                                         x, -1, SP_ACTIVATION_NONE),
                            0);
        words = sp_plan_param_at(plan, 0);
        table = sp_plan_param_at(plan, 1);
        table->dtype = types[t];
        assert_int_equal(sp_param_bytes(table), 8 * sp_dtype_size(types[t]));
        assert_ok(sp_plan_compile(plan, *state, family, &limits));
        assert_int_equal(sp_buffer_size(table->value), 8 * sp_dtype_size(types[t]));
        sp_dtype_from_f32(bytes, types[t], values, 8);
        sp_dtype_to_f32(expected, types[t], bytes, 8);
        assert_ok(sp_param_write(table, values, NULL));
        assert_ok(sp_param_read(got, table));
        assert_memory_equal(got, expected, sizeof expected);

        assert_int_equal(sp_plan_param_staging(plan), sizeof values);
        assert_ok(sp_buffer_create(&staging, *state, sp_plan_param_staging(plan)));
        assert_ok(sp_param_write(words, values, staging));
        assert_ok(sp_param_read(got, words));
        assert_memory_equal(got, values, sizeof values);
        assert_null(words->value); /* its rows are looked up where its products have them */
        sp_buffer_free(staging);
        sp_plan_free(plan);
    }
}

/* A builder's first mistake is what compiling reports. */
static void test_builders(void **state)
{
    const struct sp_gemm_family *family;
    struct sp_plan *plan;
    int table, weight, bias, x;

    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    assert_ok(sp_plan_create(&plan));
    table = sp_plan_param(plan, SP_PARAM_TABLE, 4, 6, "table");
    weight = sp_plan_param(plan, SP_PARAM_LINEAR, 3, 5, "narrow.weight");
    bias = sp_plan_param(plan, SP_PARAM_VECTOR, 3, 1, "narrow.bias");
    x = sp_nn_embedding(plan, table, table, table, -1);
    x = sp_nn_linear(plan, x, weight, bias, SP_ACTIVATION_NONE);
    assert_int_equal(x, -1);
    x = sp_nn_first_token(plan, x);
    x = sp_nn_layernorm(plan, x, -1, bias, bias, 1e-5f, 0);
    x = sp_nn_attention(plan, x, x, x, &one_head);
    sp_nn_cross_entropy(plan, sp_nn_dropout(plan, x, 0.5f), 0);
    assert_error(sp_plan_compile(plan, *state, family, &limits), SP_EINVAL,
                 "narrow.weight is 3 x 5, its input is 6 wide");
    sp_plan_free(plan);

    /* attention and dropout store their gradients: nobody may have written them before */
    for (int k = 0; k < 2; k++) {
        assert_ok(sp_plan_create(&plan));
        table = sp_plan_param(plan, SP_PARAM_TABLE, 4, 6, "table");
        bias = sp_plan_param(plan, SP_PARAM_VECTOR, 6, 1, "norm");
        sp_plan_param_at(plan, (size_t)table)->role = SP_PARAM_DENSE;
        x = sp_nn_embedding(plan, table, table, table, -1);
        x = sp_nn_layernorm(plan, k ? sp_nn_attention(plan, x, x, x, &one_head) : sp_nn_dropout(plan, x, 0.5f), x, bias,
                            bias, 1e-5f, 0);
        sp_nn_cross_entropy(plan, sp_nn_first_token(plan, x), 0);
        assert_error(sp_plan_compile(plan, *state, family, &limits), SP_EINVAL, "feeds another node too");
        sp_plan_free(plan);
    }

    assert_ok(sp_plan_create(&plan));
    table = sp_plan_param(plan, SP_PARAM_TABLE, 4, 6, "table");
    sp_nn_embedding(plan, table, table, table, -1);
    assert_error(sp_plan_compile(plan, *state, family, &limits), SP_EINVAL, "no loss");
    sp_plan_free(plan);
    sp_plan_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetimes),    cmocka_unit_test(test_sharing),   cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_active),       cmocka_unit_test(test_arena),     cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_made_again),
        cmocka_unit_test(test_batches),      cmocka_unit_test(test_positions), cmocka_unit_test(test_targets),
        cmocka_unit_test(test_loss_once),    cmocka_unit_test(test_kept),      cmocka_unit_test(test_kept_bytes),
        cmocka_unit_test(test_kept_causal),  cmocka_unit_test(test_attention_refused),
        cmocka_unit_test(test_attention_checked),
        cmocka_unit_test(test_kept_refused), cmocka_unit_test(test_recording), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_param_types),  cmocka_unit_test(test_builders),
    };

    return cmocka_run_group_tests_name("plan", tests, open_device, close_device);
}
