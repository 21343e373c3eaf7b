/*
 * What is added to a linear layer's output (runtime/op/addition.h): a product of low rank, y += (x A^T) B^T, computed
 * on the host in double precision and hung beside some layers of a small model whose weights are trained at some
 * positions by a sparse delta. Each linear node's output is compared with the formula in double precision, from the
 * node's own input; the gradients of A and B, of the weights' positions, and of everything else, which they reach
 * through dX, with differences of the loss (tests/grad/test_grad.c).
 */
#include "tests/unit/plan_support.h"

#include "runtime/sparse/delta.h"

#include <math.h>
#include <stdio.h>

enum {
    VOCAB = 9,
    CLASSES = 2,
    POSITIONS = 6,
    H = 20,
    I = 37,
    HEADS = 5,
    RANK = 3,
    EVERY = 7,
    DIRECTIONS = 4,
    LAYERS = 2
};

#define STEP 0.02
#define RELATIVE 2e-3
#define NOISE 1.5e-6

static const int lengths[] = { 5, 1, 6, 3 };
static const struct sp_plan_limits limits = { .tokens = 24, .sequences = 5, .longest = POSITIONS, .training = true,
                                              .transposed = true };

/* a (RANK x in), then b (out x RANK), and their gradients. */
struct low_rank {
    struct sp_addition addition;
    int out, in, calls;
    float p; /* of dropout on x, where the pass has it */
    float factors[RANK * (H + I)], gradients[RANK * (H + I)];
};

/* A layer with an addition: "below", with an activation, or "above"; and with another one, which is fixed. */
struct layer {
    int param;
    struct low_rank low_rank, second;
    uint32_t positions[H * I];
    size_t count;
    struct sp_delta *delta;
};

struct fixture {
    struct model model;
    struct tokens tokens;
    struct sp_plan_pass pass;
    struct sp_addition *additions[PLAN_PARAMS_MAX];
    struct layer layers[LAYERS];
};

struct addition_case {
    const char *name;
    enum sp_activation activation; /* of "below" */
    bool tied;                     /* "above" is "below" again: one weight, one addition */
    bool read_twice;               /* the output of "below" is read by another node, too: nothing is fused */
    bool below, above;             /* where there is an addition */
    bool second;                   /* and a fixed one besides */
    float dropout;                 /* of theirs */
};

static const struct addition_case cases[] = {
    { .name = "none", .activation = SP_ACTIVATION_GELU },
    { .name = "below, no activation", .below = true },
    { .name = "below, gelu", .activation = SP_ACTIVATION_GELU, .below = true },
    { .name = "above a fused gelu", .activation = SP_ACTIVATION_GELU, .above = true },
    { .name = "above a fused tanh, and there", .activation = SP_ACTIVATION_TANH, .below = true, .above = true },
    { .name = "gelu that is read twice",
      .activation = SP_ACTIVATION_GELU,
      .read_twice = true,
      .below = true,
      .above = true },
    { .name = "one weight for two layers", .activation = SP_ACTIVATION_TANH, .tied = true, .below = true },
    { .name = "two on one weight", .activation = SP_ACTIVATION_TANH, .below = true, .above = true, .second = true },
    { .name = "dropout, one weight for two layers", .tied = true, .below = true, .dropout = 0.3f },
    { .name = "dropout, two on one weight",
      .activation = SP_ACTIVATION_TANH,
      .below = true,
      .above = true,
      .second = true,
      .dropout = 0.3f },
};

/* ---- the addition ------------------------------------------------------------------------------------------------ */

static float *read_rows(struct sp_buffer *buffer, size_t count)
{
    float *out = calloc(count, sizeof *out);

    assert_ok(sp_buffer_read(out, buffer, 0, count * sizeof *out));
    return out;
}

/* What dropout makes of element i of token t. */
static double factor_of(const struct low_rank *l, struct sp_dropout words, bool drops, int t, int i)
{
    words.p = drops ? l->p : 0;
    return words.p > 0 ? sp_dropout_factor(&words, (uint64_t)(t * l->in + i)) : 1;
}

/* out[r] = <row r of a, dropout(x)>: what the rank-RANK factor makes of token t. */
static void project(double out[RANK], const struct low_rank *l, const float *x, struct sp_dropout words, bool drops,
                    int t)
{
    for (int r = 0; r < RANK; r++) {
        out[r] = 0;
        for (int i = 0; i < l->in; i++)
            out[r] += (double)l->factors[r * l->in + i] * (double)x[i] * factor_of(l, words, drops, t, i);
    }
}

static double added(const struct low_rank *l, const double u[RANK], int o)
{
    const float *b = l->factors + RANK * l->in;
    double sum = 0;

    for (int r = 0; r < RANK; r++)
        sum += (double)b[o * RANK + r] * u[r];
    return sum;
}

static int add_forward(struct sp_addition *addition, struct sp_device *device, const struct sp_addition_input *in)
{
    struct low_rank *l = (struct low_rank *)addition;
    float *x = read_rows(in->x, (size_t)(in->tokens * in->in)), *y = read_rows(in->y, (size_t)(in->tokens * in->out));

    (void)device;
    l->calls++;
    for (int t = 0; t < in->tokens; t++) {
        double u[RANK];

        project(u, l, x + t * in->in, in->words, in->dropout, t);
        for (int o = 0; o < in->out; o++)
            y[t * in->out + o] = (float)((double)y[t * in->out + o] + added(l, u, o));
    }
    assert_ok(sp_buffer_write(in->y, 0, y, (size_t)(in->tokens * in->out) * sizeof *y));
    free(y);
    free(x);
    return 0;
}

static int add_backward(struct sp_addition *addition, struct sp_device *device, const struct sp_addition_input *in)
{
    struct low_rank *l = (struct low_rank *)addition;
    float *x = read_rows(in->x, (size_t)(in->tokens * in->in)), *dy = read_rows(in->dy, (size_t)(in->tokens * in->out));
    float *dx = in->dx ? read_rows(in->dx, (size_t)(in->tokens * in->in)) : NULL;
    const float *b = l->factors + RANK * in->in;
    float *da = l->gradients, *db = l->gradients + RANK * in->in;

    (void)device;
    assert_int_equal(in->fixed, addition->fixed);
    if (!in->accumulate)
        memset(l->gradients, 0, sizeof l->gradients);
    for (int t = 0; t < in->tokens; t++) {
        double u[RANK], du[RANK] = { 0 };

        project(u, l, x + t * in->in, in->words, in->dropout, t);
        for (int o = 0; o < in->out; o++)
            for (int r = 0; r < RANK; r++) {
                du[r] += (double)b[o * RANK + r] * (double)dy[t * in->out + o];
                db[o * RANK + r] += (float)(u[r] * (double)dy[t * in->out + o]);
            }
        for (int r = 0; r < RANK; r++)
            for (int i = 0; i < in->in; i++) {
                double kept = factor_of(l, in->words, in->dropout, t, i);

                da[r * in->in + i] += (float)(du[r] * (double)x[t * in->in + i] * kept);
                if (dx)
                    dx[t * in->in + i] += (float)(du[r] * (double)l->factors[r * in->in + i] * kept);
            }
    }
    if (dx)
        assert_ok(sp_buffer_write(in->dx, 0, dx, (size_t)(in->tokens * in->in) * sizeof *dx));
    free(dx);
    free(dy);
    free(x);
    return 0;
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

static int linear(struct sp_plan *plan, int x, int out, int in, enum sp_activation activation, const char *name)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, out, in, "%s.weight", name);

    return sp_nn_linear(plan, x, weight, sp_plan_param(plan, SP_PARAM_VECTOR, out, 1, "%s.bias", name), activation);
}

/* Embeddings, the two layers, and above them an attention, so that every token has a gradient. */
static struct sp_plan *build(const struct addition_case *c, int params[LAYERS])
{
    int word, x, width = c->tied || c->read_twice ? H : I;
    struct sp_plan *plan;

    assert_ok(sp_plan_create(&plan));
    word = sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, H, "word");
    x = sp_nn_embedding(plan, word, sp_plan_param(plan, SP_PARAM_TABLE, POSITIONS, H, "position"), -1, -1);
    params[0] = sp_plan_param(plan, SP_PARAM_LINEAR, width, H, "below.weight");
    params[1] = c->tied ? -1 : sp_plan_param(plan, SP_PARAM_LINEAR, H, width, "above.weight");
    x = sp_nn_linear(plan, x, params[0], sp_plan_param(plan, SP_PARAM_VECTOR, width, 1, "below.bias"), c->activation);
    if (c->read_twice) {
        int gamma = sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "LayerNorm.weight");

        x = sp_nn_layernorm(plan, sp_nn_linear(plan, x, params[1], -1, SP_ACTIVATION_NONE), x, gamma,
                            sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "LayerNorm.bias"), 1e-5f, 0);
    } else {
        x = sp_nn_linear(plan, x, c->tied ? params[0] : params[1], -1, SP_ACTIVATION_NONE);
    }
    x = sp_nn_attention(
        plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "query"), linear(plan, x, H, H, SP_ACTIVATION_NONE, "key"),
        linear(plan, x, H, H, SP_ACTIVATION_NONE, "value"), &(struct sp_attention_shape){ .heads = HEADS });
    sp_nn_cross_entropy(plan, linear(plan, sp_nn_first_token(plan, x), CLASSES, H, SP_ACTIVATION_NONE, "classifier"),
                        0);
    return plan;
}

static void make(struct low_rank *l, const struct sp_param *p, uint32_t seed, float dropout)
{
    *l = (struct low_rank){ .addition = { .forward = add_forward, .backward = add_backward },
                            .out = p->rows, .in = p->cols, .p = dropout };
    for (size_t k = 0; k < sizeof l->factors / sizeof(float); k++)
        l->factors[k] = 0.5f * plan_draw(seed, k);
}

/* A delta at every EVERY-th position of the layer's weight in place of the dense gradient, and the additions. */
static void hang(struct fixture *f, int param, struct layer *l, bool adds, const struct addition_case *c)
{
    struct sp_param *p = sp_plan_param_at(f->model.plan, (size_t)param);

    l->param = param;
    for (uint32_t k = 0; k < f->model.size[param]; k += EVERY)
        l->positions[l->count++] = k;
    assert_ok(sp_delta_create(&l->delta, f->model.device,
                              &(struct sp_delta_target){ p->name, &p->weight, l->positions, l->count, NULL }, 1));
    f->model.gradients[param] = (struct sp_param_gradient){ .sink = sp_delta_sink(l->delta, 0) };
    make(&l->low_rank, p, (uint32_t)(100 + param), c->dropout);
    make(&l->second, p, (uint32_t)(200 + param), c->dropout);
    l->second.addition.fixed = true;
    l->low_rank.addition.next = c->second ? &l->second.addition : NULL;
    f->additions[param] = adds ? &l->low_rank.addition : NULL;
}

static void open_fixture(struct fixture *f, struct sp_device *device, const struct addition_case *c)
{
    int params[LAYERS];
    struct sp_plan *plan = build(c, params);

    *f = (struct fixture){ .pass = { .loss_scale = 1, .dropout = c->dropout > 0, .seed = 11, .step = 3 } };
    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        sp_plan_param_at(plan, i)->role = SP_PARAM_DENSE;
    for (int k = 0; k < LAYERS && params[k] >= 0; k++)
        sp_plan_param_at(plan, (size_t)params[k])->role = SP_PARAM_SPARSE;
    model_compile(&f->model, device, plan, "auto", &limits);
    for (int k = 0; k < LAYERS && params[k] >= 0; k++)
        hang(f, params[k], &f->layers[k], k ? c->above : c->below, c);
    f->pass.gradients = f->model.gradients;
    f->pass.additions = f->additions;
    tokens_draw(&f->tokens, 6, lengths, 4, VOCAB, CLASSES);
    assert_ok(sp_plan_set_batch(plan, &f->tokens.batch));
}

static void close_fixture(struct fixture *f)
{
    for (int k = 0; k < LAYERS; k++)
        sp_delta_free(f->layers[k].delta);
    model_release(&f->model);
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static double activate(enum sp_activation activation, double x)
{
    return activation == SP_ACTIVATION_GELU   ? x * 0.5 * erfc(-x / sqrt(2))
           : activation == SP_ACTIVATION_TANH ? tanh(x)
                                              : x;
}

/* The linear node's output, from its input as it is. */
static void check_node(const struct fixture *f, const struct sp_node *node, const char *name)
{
    const struct sp_plan *plan = f->model.plan;
    const struct sp_param *w = &plan->params[node->param[0]];
    const struct low_rank *l = (const struct low_rank *)f->additions[node->param[0]];
    const struct low_rank *second = l ? (const struct low_rank *)l->addition.next : NULL;
    const struct sp_dropout words = { 0, 11, 3, (uint32_t)node->index };
    const float *weight = f->model.value[node->param[0]],
                *bias = node->param[1] < 0 ? NULL : f->model.value[node->param[1]];
    int rows = sp_plan_rows(plan, node->output);
    float *x = read_rows(sp_plan_buffer(plan, node->input[0]), (size_t)(rows * w->cols));
    float *y = read_rows(sp_plan_buffer(plan, node->output), (size_t)(rows * w->rows));

    for (int t = 0; t < rows; t++) {
        double u[RANK], v[RANK];

        if (l)
            project(u, l, x + t * w->cols, words, f->pass.dropout, t);
        if (second)
            project(v, second, x + t * w->cols, words, f->pass.dropout, t);
        for (int o = 0; o < w->rows; o++) {
            double sum = bias ? (double)bias[o] : 0, size = 1, expected;

            for (int i = 0; i < w->cols; i++) {
                sum += (double)weight[o * w->cols + i] * (double)x[t * w->cols + i];
                size += fabs((double)weight[o * w->cols + i] * (double)x[t * w->cols + i]);
            }
            expected = activate(node->activation, sum + (l ? added(l, u, o) : 0) + (second ? added(second, v, o) : 0));
            if (!(fabs((double)y[t * w->rows + o] - expected) <= 1e-6 * size))
                fail_msg("%s: %s, row %d, column %d: %.8g, expected %.8g", name, w->name, t, o,
                         (double)y[t * w->rows + o], expected);
        }
    }
    free(y);
    free(x);
}

/* Node by node, since a value's memory is another's later. */
static void check_forward(struct fixture *f, const char *name)
{
    struct sp_plan *plan = f->model.plan;

    for (size_t i = 0; i < plan->node_count; i++) {
        struct sp_node *node = &plan->nodes[i];

        if (node->type->forward)
            assert_ok(node->type->forward(plan, node, &f->pass));
        if (node->type == &sp_node_linear)
            check_node(f, node, name);
    }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static double loss_of(struct fixture *f)
{
    float logits[32 * CLASSES];
    double sum = 0;

    assert_ok(sp_plan_forward(f->model.plan, &f->pass));
    assert_ok(sp_plan_logits(f->model.plan, logits));
    for (int s = 0; s < f->tokens.batch.sequences; s++) {
        const float *row = logits + s * CLASSES;

        sum += log(exp((double)row[0]) + exp((double)row[1])) - (double)row[f->tokens.classes[s]];
    }
    return sum / f->tokens.batch.sequences;
}

/* `count` numbers that are trained: `values`, which parameter `param` (-1: the host alone) holds at `positions` (NULL:
 * all). */
struct trained {
    const char *name;
    float *values;
    const uint32_t *positions;
    size_t count;
    int param;
};

static double loss_at(struct fixture *f, const struct trained *n, const float *d, double h)
{
    float *saved = calloc(n->count, sizeof *saved);
    double loss;

    for (size_t k = 0; k < n->count; k++) {
        float *value = &n->values[n->positions ? n->positions[k] : k];

        saved[k] = *value;
        *value = (float)((double)*value + h * (double)d[k]);
    }
    if (n->param >= 0)
        model_upload(&f->model, (size_t)n->param);
    loss = loss_of(f);
    for (size_t k = 0; k < n->count; k++)
        n->values[n->positions ? n->positions[k] : k] = saved[k];
    if (n->param >= 0)
        model_upload(&f->model, (size_t)n->param);
    free(saved);
    return loss;
}

static double slope(struct fixture *f, const struct trained *n, const float *d, double h)
{
    return (loss_at(f, n, d, h) - loss_at(f, n, d, -h)) / (2 * h);
}

static void check_gradient(struct fixture *f, const struct trained *n, const float *gradient, const char *name)
{
    float *d = calloc(n->count, sizeof *d);
    double norm = 0;

    for (size_t k = 0; k < n->count; k++)
        norm += (double)gradient[k] * (double)gradient[k];
    norm = sqrt(norm);
    assert_true(norm > 0);
    for (uint32_t direction = 0; direction < DIRECTIONS; direction++) {
        double expected, got = 0;

        for (size_t k = 0; k < n->count; k++) {
            d[k] = plan_draw(500 + direction, k) < 0 ? -1 : 1;
            got += (double)gradient[k] * (double)d[k];
        }
        expected = (4 * slope(f, n, d, STEP / 2) - slope(f, n, d, STEP)) / 3;
        if (!(fabs(got - expected) <= RELATIVE * norm + NOISE / STEP))
            fail_msg("%s: %s, direction %u: %.6g by backward, %.6g by differences, norm %.3g", name, n->name, direction,
                     got, expected, norm);
    }
    free(d);
}

static void check_layer(struct fixture *f, struct layer *l, const char *name)
{
    struct low_rank *r = &l->low_rank;
    float *gradient = read_rows(sp_delta_part(l->delta, 0).gradients, l->count);

    check_gradient(f,
                   &(struct trained){ "positions of a weight", f->model.value[l->param], l->positions, l->count,
                                      l->param },
                   gradient, name);
    free(gradient);
    if (!f->additions[l->param])
        return;
    assert_true(r->calls > 0);
    assert_true(!r->addition.next || l->second.calls == r->calls);
    check_gradient(f, &(struct trained){ "the addition", r->factors, NULL, (size_t)(RANK * (r->in + r->out)), -1 },
                   r->gradients, name);
}

static void test_additions(void **state)
{
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const struct addition_case *c = &cases[k];
        struct fixture f;

        open_fixture(&f, *state, c);
        check_forward(&f, c->name);
        assert_ok(sp_plan_forward(f.model.plan, &f.pass));
        assert_ok(sp_plan_backward(f.model.plan, &f.pass));
        for (int i = 0; i < LAYERS; i++)
            if (f.layers[i].delta)
                check_layer(&f, &f.layers[i], c->name);
        for (size_t i = 0; i < f.model.params; i++) {
            const struct sp_param *p = sp_plan_param_at(f.model.plan, i);
            float *gradient = p->role == SP_PARAM_DENSE ? model_gradient(&f.model, i) : NULL;

            /* softmax takes no notice of it: its gradient is rounding alone */
            if (gradient && strcmp(p->name, "key.bias") != 0)
                check_gradient(&f, &(struct trained){ p->name, f.model.value[i], NULL, f.model.size[i], (int)i },
                               gradient, c->name);
            free(gradient);
        }
        close_fixture(&f);
    }
}

/* Without training no pre-activation is kept: the addition and the activation work in the output itself, with the same
 * bits. */
static void test_evaluation(void **state)
{
    const struct addition_case *c = &cases[4];
    struct sp_plan_limits evaluating = limits;
    float logits[2][32 * CLASSES];
    int params[LAYERS];
    struct sp_plan *plan;
    struct fixture f;
    struct model m;

    open_fixture(&f, *state, c);
    assert_ok(sp_plan_forward(f.model.plan, &f.pass));
    assert_ok(sp_plan_logits(f.model.plan, logits[0]));
    evaluating.training = evaluating.transposed = false;
    plan = build(c, params);
    model_compile(&m, *state, plan, "auto", &evaluating);
    assert_ok(sp_plan_set_batch(plan, &f.tokens.batch));
    assert_ok(sp_plan_forward(plan, &(struct sp_plan_pass){ .additions = f.additions }));
    assert_ok(sp_plan_logits(plan, logits[1]));
    model_release(&m);
    assert_memory_equal(logits[0], logits[1], (size_t)f.tokens.batch.sequences * CLASSES * sizeof(float));
    close_fixture(&f);
}

/* The next micro-batch adds to the addition's gradient. */
static void test_micro_batches(void **state)
{
    float once[RANK * (H + I)];
    struct fixture f;
    struct low_rank *l = &f.layers[0].low_rank;

    open_fixture(&f, *state, &cases[2]);
    for (int round = 0; round < 2; round++) {
        assert_ok(sp_plan_forward(f.model.plan, &f.pass));
        assert_ok(sp_plan_backward(f.model.plan, &f.pass));
        if (round == 0)
            memcpy(once, l->gradients, sizeof once);
        f.pass.accumulate = true;
    }
    for (int k = 0; k < RANK * (H + I); k++)
        assert_true(fabsf(l->gradients[k] - 2 * once[k]) <= 1e-6f * (1 + fabsf(once[k])));
    close_fixture(&f);
}

/* Where nothing of the layer is trained its input is not kept: that is said instead of computed wrongly. */
static void test_frozen(void **state)
{
    struct fixture f;

    open_fixture(&f, *state, &cases[2]);
    sp_plan_param_at(f.model.plan, (size_t)f.layers[0].param)->role = SP_PARAM_FROZEN;
    f.model.gradients[f.layers[0].param].sink = NULL;
    assert_ok(sp_plan_forward(f.model.plan, &f.pass));
    assert_error(sp_plan_backward(f.model.plan, &f.pass), SP_EINVAL, "below.weight is frozen");
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_additions), cmocka_unit_test(test_evaluation),
                                        cmocka_unit_test(test_micro_batches), cmocka_unit_test(test_frozen) };

    return cmocka_run_group_tests_name("addition", tests, open_device, close_device);
}
