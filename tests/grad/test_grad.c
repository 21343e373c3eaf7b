/* Every node's backward by finite differences (grad_support.h), and that of parts and of micro-batches. */
#include "tests/grad/grad_support.h"

static int plain(struct sp_plan *plan, int x)
{
    (void)plan;
    return x;
}

static int layernorm_alone(struct sp_plan *plan, int x)
{
    return layernorm(plan, x, -1, 0, "a");
}

static int layernorm_residual(struct sp_plan *plan, int x)
{
    return layernorm(plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "below"), x, 0, "a");
}

static int layernorm_dropout(struct sp_plan *plan, int x)
{
    return layernorm(plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "below"), x, 0.3f, "a");
}

/* Two residuals of one value: its gradient is stored by the upper one, then added to by the lower one. */
static int layernorm_twice(struct sp_plan *plan, int x)
{
    int y = layernorm(plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "below"), x, 0.1f, "a");

    return layernorm(plan, linear(plan, y, H, H, SP_ACTIVATION_NONE, "above"), x, 0.2f, "b");
}

static int dropout(struct sp_plan *plan, int x)
{
    return sp_nn_dropout(plan, x, 0.4f);
}

static int linear_plain(struct sp_plan *plan, int x)
{
    return linear(plan, x, H, H, SP_ACTIVATION_NONE, "a");
}

/* The activation's derivative in the epilogue of the layer above. */
static int fused(struct sp_plan *plan, int x, enum sp_activation activation)
{
    return linear(plan, linear(plan, x, I, H, activation, "below"), H, I, SP_ACTIVATION_NONE, "above");
}

static int fused_gelu(struct sp_plan *plan, int x)
{
    return fused(plan, x, SP_ACTIVATION_GELU);
}

static int fused_relu(struct sp_plan *plan, int x)
{
    return fused(plan, x, SP_ACTIVATION_RELU);
}

static int fused_tanh(struct sp_plan *plan, int x)
{
    return fused(plan, x, SP_ACTIVATION_TANH);
}

static int fused_silu(struct sp_plan *plan, int x)
{
    return fused(plan, x, SP_ACTIVATION_SILU);
}

static int fused_gelu_tanh(struct sp_plan *plan, int x)
{
    return fused(plan, x, SP_ACTIVATION_GELU_TANH);
}

/* Three in a row: a layer that is fused into the one above and has one fused below. */
static int fused_chain(struct sp_plan *plan, int x)
{
    return linear(plan, linear(plan, linear(plan, x, I, H, SP_ACTIVATION_GELU, "a"), I, I, SP_ACTIVATION_TANH, "b"), H,
                  I, SP_ACTIVATION_NONE, "c");
}

/* The derivative in a pass of its own, for two layers read the value. */
static int unfused(struct sp_plan *plan, int x, enum sp_activation activation)
{
    int y = linear(plan, x, H, H, activation, "below");

    return layernorm(plan, linear(plan, y, H, H, SP_ACTIVATION_NONE, "above"), y, 0, "a");
}

static int unfused_gelu(struct sp_plan *plan, int x)
{
    return unfused(plan, x, SP_ACTIVATION_GELU);
}

static int unfused_relu(struct sp_plan *plan, int x)
{
    return unfused(plan, x, SP_ACTIVATION_RELU);
}

static int unfused_tanh(struct sp_plan *plan, int x)
{
    return unfused(plan, x, SP_ACTIVATION_TANH);
}

static int unfused_silu(struct sp_plan *plan, int x)
{
    return unfused(plan, x, SP_ACTIVATION_SILU);
}

static int unfused_gelu_tanh(struct sp_plan *plan, int x)
{
    return unfused(plan, x, SP_ACTIVATION_GELU_TANH);
}

static int attention_alone(struct sp_plan *plan, int x)
{
    return attention(plan, x, 0);
}

static int attention_dropout(struct sp_plan *plan, int x)
{
    return attention(plan, x, 0.25f);
}

/* One head of keys and values for all, kept or not. */
static int grouped(struct sp_plan *plan, int x, bool keep, struct sp_attention_shape shape)
{
    int q = linear(plan, x, H, H, SP_ACTIVATION_NONE, "query");
    int k = linear(plan, x, H / HEADS, H, SP_ACTIVATION_NONE, "key");
    int v = linear(plan, x, H / HEADS, H, SP_ACTIVATION_NONE, "value");

    shape.heads = HEADS, shape.kv_heads = 1, shape.head_dim = H / HEADS;
    if (keep)
        k = sp_nn_keep(plan, k, KEPT * 4), v = sp_nn_keep(plan, v, KEPT * 4);
    return sp_nn_attention(plan, q, k, v, &shape);
}

static int attention_causal(struct sp_plan *plan, int x)
{
    return grouped(plan, x, false, (struct sp_attention_shape){ .causal = true });
}

static int attention_window(struct sp_plan *plan, int x)
{
    return grouped(plan, x, false, (struct sp_attention_shape){ .causal = true, .window = 2, .scale = 0.7f });
}

static int attention_capped(struct sp_plan *plan, int x)
{
    return grouped(plan, x, false, (struct sp_attention_shape){ .softcap = 0.5f, .scale = 1, .dropout = 0.25f });
}

static int attention_kept_causal(struct sp_plan *plan, int x)
{
    return grouped(plan, x, true, (struct sp_attention_shape){ .causal = true, .window = 4 });
}

static int kept(struct sp_plan *plan, int x, float dropout)
{
    int q = linear(plan, x, H, H, SP_ACTIVATION_NONE, "query");
    int k = sp_nn_keep(plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "key"), KEPT * 4);
    int v = sp_nn_keep(plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "value"), KEPT * 4);

    return sp_nn_attention(plan, q, k, v, &(struct sp_attention_shape){ .heads = HEADS, .dropout = dropout });
}

static int attention_kept(struct sp_plan *plan, int x)
{
    return kept(plan, x, 0);
}

static int attention_kept_dropout(struct sp_plan *plan, int x)
{
    return kept(plan, x, 0.25f);
}

/* A pooler over sequences: fused, and with the dropout between them that keeps it from being. */
static void build_pooler(struct sp_plan *plan)
{
    int table[3], x;

    tables(plan, table);
    x = sp_nn_first_token(plan, sp_nn_embedding(plan, table[0], table[1], table[2], -1));
    x = linear(plan, x, H, H, SP_ACTIVATION_TANH, "pooler");
    x = sp_nn_dropout(plan, x, 0.2f);
    sp_nn_cross_entropy(plan, linear(plan, x, CLASSES, H, SP_ACTIVATION_NONE, "classifier"), 0);
}

/* A linear layer without bias. */
static int linear_unbiased(struct sp_plan *plan, int x)
{
    return sp_nn_linear(plan, x, sp_plan_param(plan, SP_PARAM_LINEAR, H, H, "a.weight"), -1, SP_ACTIVATION_NONE);
}

/* One weight and bias for two layers, the lower one with an activation. */
static int linear_shared(struct sp_plan *plan, int x)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, H, H, "a.weight"),
        bias = sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "a.bias");

    x = sp_nn_linear(plan, x, weight, bias, SP_ACTIVATION_TANH);
    return sp_nn_linear(plan, x, weight, bias, SP_ACTIVATION_NONE);
}

/* The same norm twice. */
static int layernorm_shared(struct sp_plan *plan, int x)
{
    int gamma = sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "a.LayerNorm.weight");
    int beta = sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "a.LayerNorm.bias");

    x = sp_nn_layernorm(plan, x, -1, gamma, beta, 1e-5f, 0);
    return sp_nn_layernorm(plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "below"), x, gamma, beta, 1e-5f, 0);
}

/* Words alone, and a head that is the words' table. */
static void build_tied(struct sp_plan *plan)
{
    int word = sp_plan_param(plan, SP_PARAM_LINEAR, VOCAB, H, "word"), classes, x;

    x = attention(plan, sp_nn_embedding(plan, word, -1, -1, -1), 0);
    x = sp_nn_linear(plan, sp_nn_first_token(plan, x), word, -1, SP_ACTIVATION_TANH);
    classes = sp_plan_param(plan, SP_PARAM_LINEAR, CLASSES, VOCAB, "classes");
    sp_nn_cross_entropy(plan, sp_nn_linear(plan, x, classes, -1, SP_ACTIVATION_NONE), 0);
}

static void build_bert(struct sp_plan *plan)
{
    struct sp_model bert;

    model_bert(&bert, VOCAB, H, 2, HEADS, I, POSITIONS, 0.1f);
    sp_nn_cross_entropy(plan, model_classes(plan, &bert, CLASSES), 0.1f);
    sp_model_release(&bert);
}

static const struct grad_case cases[] = {
    { .name = "embedding, first token, cross-entropy", .build = plain, .step = 0.02 },
    { .name = "label smoothing", .build = plain, .smoothing = 0.2f, .step = 0.02 },
    { .name = "squared error", .build = plain, .regression = true, .step = 0.02 },
    { .name = "layernorm", .build = layernorm_alone, .step = 0.02 },
    { .name = "layernorm, residual", .build = layernorm_residual, .step = 0.02 },
    { .name = "layernorm, residual and dropout", .build = layernorm_dropout, .step = 0.02 },
    { .name = "layernorm, two of one residual", .build = layernorm_twice, .step = 0.01 },
    { .name = "dropout", .build = dropout, .step = 0.02 },
    { .name = "linear", .build = linear_plain, .step = 0.02 },
    { .name = "linear, gelu fused", .build = fused_gelu, .step = 0.02 },
    { .name = "linear, relu fused", .build = fused_relu, .step = 0.005, .kinks = true },
    { .name = "linear, tanh fused", .build = fused_tanh, .step = 0.02 },
    { .name = "linear, silu fused", .build = fused_silu, .step = 0.02 },
    { .name = "linear, gelu_tanh fused", .build = fused_gelu_tanh, .step = 0.02 },
    { .name = "linear, three in a row", .build = fused_chain, .step = 0.02 },
    { .name = "linear, gelu unfused", .build = unfused_gelu, .step = 0.02 },
    { .name = "linear, relu unfused", .build = unfused_relu, .step = 0.005, .kinks = true },
    { .name = "linear, tanh unfused", .build = unfused_tanh, .step = 0.02 },
    { .name = "linear, silu unfused", .build = unfused_silu, .step = 0.02 },
    { .name = "linear, gelu_tanh unfused", .build = unfused_gelu_tanh, .step = 0.02 },
    { .name = "attention", .build = attention_alone, .step = 0.02 },
    { .name = "attention, dropout", .build = attention_dropout, .step = 0.02 },
    { .name = "attention over what is kept", .build = attention_kept, .kept = true, .step = 0.02 },
    { .name = "attention over what is kept, dropout", .build = attention_kept_dropout, .kept = true, .step = 0.02 },
    { .name = "attention over what is kept, linear",
      .build = attention_kept,
      .kept = true,
      .linear = true,
      .step = 0.02 },
    { .name = "attention, causal, grouped", .build = attention_causal, .step = 0.02 },
    { .name = "attention, causal, a window", .build = attention_window, .step = 0.02 },
    { .name = "attention, grouped, capped, dropout", .build = attention_capped, .step = 0.02 },
    { .name = "attention over what is kept, causal, a window",
      .build = attention_kept_causal,
      .kept = true,
      .step = 0.02 },
    { .name = "attention over what is kept, causal, a window, linear",
      .build = attention_kept_causal,
      .kept = true,
      .linear = true,
      .step = 0.02 },
    { .name = "pooler", .build_all = build_pooler, .step = 0.02 },
    { .name = "attention, linear", .build = attention_alone, .linear = true, .step = 0.02 },
    { .name = "linear, gelu fused, linear", .build = fused_gelu, .linear = true, .step = 0.02 },
    { .name = "BERT, linear", .build_all = build_bert, .linear = true, .step = 0.004 },
    { .name = "linear, no bias", .build = linear_unbiased, .step = 0.02 },
    { .name = "linear, one weight for two", .build = linear_shared, .step = 0.01 },
    { .name = "layernorm, one for two", .build = layernorm_shared, .step = 0.01 },
    { .name = "words that are the head", .build_all = build_tied, .step = 0.02 },
    { .name = "cooled cross-entropy", .build = plain, .smoothing = 0.2f, .temperature = 3, .step = 0.02 },
    { .name = "cooled squared error", .build = plain, .regression = true, .temperature = 3, .step = 0.02 },
    { .name = "cross-entropy of tokens", .build = plain, .tokens = true, .smoothing = 0.1f, .step = 0.02 },
    { .name = "cross-entropy of tokens, cooled, a mean over others",
      .build = plain,
      .tokens = true,
      .terms = 7,
      .temperature = 3,
      .step = 0.02 },
    { .name = "squared error of tokens, a mean over others",
      .build = plain,
      .tokens = true,
      .terms = 7,
      .regression = true,
      .step = 0.02 },
    { .name = "logits of tokens, linear", .build = plain, .tokens = true, .linear = true, .step = 0.02 },
    { .name = "BERT", .build_all = build_bert, .smoothing = 0.1f, .step = 0.004 },
};

static void test_nodes(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(*state, &cases[i], "auto");
}

/* Gradients of a part of the parameters are those that training all of them gives, bit for bit. */
static void test_parts(void **state)
{
    static const char *const parts[] = { "query", "key", "value", "below", "position", "LayerNorm.bias" };
    const struct grad_case *c = &cases[5];
    struct sp_plan_pass p = pass;
    struct tokens t;
    struct model all;

    tokens_draw(&t, 6, lengths, 4, VOCAB, CLASSES);
    model_compile(&all, *state, build(c), "auto", &limits);
    p.gradients = all.gradients;
    assert_ok(sp_plan_set_batch(all.plan, &t.batch));
    assert_ok(sp_plan_forward(all.plan, &p));
    assert_ok(sp_plan_backward(all.plan, &p));
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        struct sp_plan *plan = build(c);
        struct model m;

        for (size_t i = 0; i < sp_plan_param_count(plan); i++)
            sp_plan_param_at(plan, i)->role = strstr(sp_plan_param_at(plan, i)->name, parts[k]) ? SP_PARAM_DENSE
                                                                                                : SP_PARAM_FROZEN;
        model_compile(&m, *state, plan, "auto", &limits);
        assert_ok(sp_plan_set_batch(plan, &t.batch));
        p.gradients = m.gradients;
        assert_ok(sp_plan_forward(plan, &p));
        assert_ok(sp_plan_backward(plan, &p));
        for (size_t i = 0; i < m.params; i++) {
            float *got, *expected;

            if (!m.gradient[i])
                continue;
            got = model_gradient(&m, i);
            expected = model_gradient(&all, i);
            assert_memory_equal(got, expected, m.size[i] * sizeof *got);
            free(got);
            free(expected);
        }
        model_release(&m);
    }
    model_release(&all);
}

/* loss_scale scales every gradient, and accumulation adds the next micro-batch's. */
static void test_micro_batches(void **state)
{
    const struct grad_case *c = &cases[sizeof cases / sizeof *cases - 1];
    float *sum[PLAN_PARAMS_MAX] = { NULL };
    struct model m;

    model_compile(&m, *state, build(c), "auto", &limits);
    for (uint32_t round = 0; round < 4; round++) { /* two batches each by itself, then the same two accumulated */
        struct sp_plan_pass p = { .dropout = true, .seed = 77, .step = round % 2, .loss_scale = round < 2 ? 1 : 0.5f,
                                  .accumulate = round == 3, .gradients = m.gradients };
        struct tokens t;

        tokens_draw(&t, round % 2, lengths + round % 2, 3, VOCAB, CLASSES);
        assert_ok(sp_plan_set_batch(m.plan, &t.batch));
        assert_ok(sp_plan_forward(m.plan, &p));
        assert_ok(sp_plan_backward(m.plan, &p));
        for (size_t i = 0; i < m.params; i++) {
            float *got = model_gradient(&m, i);

            for (size_t k = 0; k < m.size[i] && round == 1; k++)
                sum[i][k] += got[k];
            for (size_t k = 0; k < m.size[i] && round == 3; k++)
                if (!(fabsf(got[k] - 0.5f * sum[i][k]) <= 1e-6f * (1 + fabsf(sum[i][k]))))
                    fail_msg("%s[%zu]: %g, expected %g", sp_plan_param_at(m.plan, i)->name, k, (double)got[k],
                             0.5 * (double)sum[i][k]);
            if (round == 0)
                sum[i] = got;
            else
                free(got);
        }
    }
    for (size_t i = 0; i < m.params; i++)
        free(sum[i]);
    model_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_nodes), cmocka_unit_test(test_parts),
                                        cmocka_unit_test(test_micro_batches) };

    return cmocka_run_group_tests_name("grad", tests, open_device, close_device);
}
