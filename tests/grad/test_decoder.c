/* The backward of decoders' nodes by finite differences (grad_support.h). */
#include "tests/grad/grad_support.h"

static int rmsnorm(struct sp_plan *plan, int x, int width, float offset, const char *name)
{
    int gamma = sp_plan_param(plan, SP_PARAM_VECTOR, width, 1, offset > 0 ? "%s.norm" : "%s.LayerNorm.weight", name);

    return sp_nn_rmsnorm(plan, x, gamma, 1e-2f, offset);
}

static int rmsnorm_alone(struct sp_plan *plan, int x)
{
    return rmsnorm(plan, x, H, 0, "a");
}

static int rmsnorm_offset(struct sp_plan *plan, int x)
{
    return rmsnorm(plan, x, H, 1, "a");
}

static int rmsnorm_heads(struct sp_plan *plan, int x)
{
    return rmsnorm(plan, x, H / HEADS, 0, "a");
}

/* One gamma for two norms. */
static int rmsnorm_shared(struct sp_plan *plan, int x)
{
    int gamma = sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "a.LayerNorm.weight");

    x = sp_nn_rmsnorm(plan, x, gamma, 1e-2f, 0);
    return sp_nn_rmsnorm(plan, linear(plan, x, H, H, SP_ACTIVATION_NONE, "below"), gamma, 1e-2f, 0);
}

static int mlp(struct sp_plan *plan, int x, const char *name)
{
    return linear(plan, x, H, H, SP_ACTIVATION_NONE, name);
}

/* Two layers before whose branches there is a norm: one memory for all gradients of the residual. */
static int residuals(struct sp_plan *plan, int x)
{
    x = sp_nn_add(plan, x, mlp(plan, rmsnorm(plan, x, H, 0, "a"), "b"));
    return sp_nn_add(plan, x, mlp(plan, rmsnorm(plan, x, H, 1, "c"), "d"));
}

/* The same with the branch first, and with a norm behind it, as Gemma 2 has them. */
static int residuals_reversed(struct sp_plan *plan, int x)
{
    x = sp_nn_add(plan, rmsnorm(plan, mlp(plan, rmsnorm(plan, x, H, 0, "a"), "b"), H, 1, "e"), x);
    return sp_nn_add(plan, mlp(plan, rmsnorm(plan, x, H, 1, "c"), "d"), x);
}

/* Branches whose gradient cannot lie where the residual's does: of the very residual, and in a node that changes it. */
static int branch_of_residual(struct sp_plan *plan, int x)
{
    x = sp_nn_add(plan, x, mlp(plan, x, "a"));
    return sp_nn_add(plan, x, linear(plan, rmsnorm(plan, x, H, 0, "b"), H, H, SP_ACTIVATION_TANH, "c"));
}

/* The residual is read once more between a branch's node and the sum, whose branch is itself a sum. */
static int branches(struct sp_plan *plan, int x)
{
    int a = mlp(plan, rmsnorm(plan, x, H, 0, "a"), "b"), b = mlp(plan, x, "c");

    return sp_nn_add(plan, x, sp_nn_add(plan, a, b));
}

static int added_to_itself(struct sp_plan *plan, int x)
{
    x = mlp(plan, x, "a");
    return sp_nn_add(plan, x, x);
}

/* A norm of the other kind before a branch: OPT's. */
static int layernorm_before(struct sp_plan *plan, int x)
{
    x = sp_nn_add(plan, x, mlp(plan, layernorm(plan, x, -1, 0, "a"), "b"));
    return sp_nn_add(plan, x, sp_nn_dropout(plan, mlp(plan, layernorm(plan, x, -1, 0, "c"), "d"), 0.3f));
}

static const struct sp_rope rope = { .head_dim = H / HEADS, .base = 10 };

static int rope_alone(struct sp_plan *plan, int x)
{
    return sp_nn_rope(plan, x, &rope);
}

/* With an attention factor, behind a norm of each head, and of a value whose gradient is added to. */
static int rope_yarn(struct sp_plan *plan, int x)
{
    const struct sp_rope yarn = {
        .head_dim = H, .base = 10, .scaling = SP_ROPE_YARN, .factor = 3, .original_max_position_embeddings = 5
    };

    x = rmsnorm(plan, mlp(plan, x, "a"), H / HEADS, 0, "b");
    return sp_nn_add(plan, x, sp_nn_rope(plan, sp_nn_rope(plan, x, &yarn), &rope));
}

/* A gated MLP. `used` says what else reads the gate (1) and what it gates (2). */
static int gated(struct sp_plan *plan, int x, enum sp_activation activation, int used)
{
    int gate = linear(plan, x, I, H, SP_ACTIVATION_NONE, "gate"), up = linear(plan, x, I, H, SP_ACTIVATION_NONE, "up");
    int y = sp_nn_gated(plan, gate, up, activation);

    y = used & 1 ? sp_nn_add(plan, y, gate) : y;
    y = used & 2 ? sp_nn_add(plan, y, up) : y;
    return linear(plan, y, H, I, SP_ACTIVATION_NONE, "down");
}

static int gated_silu(struct sp_plan *plan, int x)
{
    return gated(plan, x, SP_ACTIVATION_SILU, 0);
}

static int gated_gelu_tanh(struct sp_plan *plan, int x)
{
    return gated(plan, x, SP_ACTIVATION_GELU_TANH, 0);
}

static int gated_added_to(struct sp_plan *plan, int x)
{
    return gated(plan, x, SP_ACTIVATION_SILU, 3);
}

/* OPT's and Gemma's embeddings: scaled words, positions from 2 on; and a classifier of each text's last token. */
static void build_embeddings(struct sp_plan *plan)
{
    int word = sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, H, "word");
    int position = sp_plan_param(plan, SP_PARAM_TABLE, POSITIONS + 2, H, "position");
    int x = sp_nn_add(plan, sp_nn_word_embedding(plan, word, 1.5f), sp_nn_position_embedding(plan, position, 2));

    x = sp_nn_last_token(plan, attention(plan, x, 0), -1);
    sp_nn_cross_entropy(plan, linear(plan, x, CLASSES, H, SP_ACTIVATION_NONE, "classifier"), 0);
}

/* A head that is the words' table, whose gradient is of both. */
static void build_tied(struct sp_plan *plan)
{
    int word = sp_plan_param(plan, SP_PARAM_LINEAR, VOCAB, H, "word"), classes, x;

    x = attention(plan, sp_nn_word_embedding(plan, word, 1.5f), 0);
    x = sp_nn_linear(plan, x, word, -1, SP_ACTIVATION_NONE);
    classes = sp_plan_param(plan, SP_PARAM_LINEAR, CLASSES, VOCAB, "classes");
    sp_nn_cross_entropy(plan, sp_nn_linear(plan, sp_nn_last_token(plan, x, -1), classes, -1, SP_ACTIVATION_NONE), 0);
}

static const struct grad_case cases[] = {
    { .name = "rmsnorm", .build = rmsnorm_alone, .step = 0.02 },
    { .name = "rmsnorm, offset", .build = rmsnorm_offset, .step = 0.02 },
    { .name = "rmsnorm of heads", .build = rmsnorm_heads, .step = 0.01 },
    { .name = "rmsnorm, one for two", .build = rmsnorm_shared, .step = 0.01 },
    { .name = "residuals", .build = residuals, .step = 0.005 },
    { .name = "residuals, the branch first", .build = residuals_reversed, .step = 0.005 },
    { .name = "a branch of the residual", .build = branch_of_residual, .step = 0.01 },
    { .name = "two branches", .build = branches, .step = 0.01 },
    { .name = "a value added to itself", .build = added_to_itself, .step = 0.02 },
    { .name = "layernorm before a branch", .build = layernorm_before, .step = 0.01 },
    { .name = "rope", .build = rope_alone, .step = 0.02 },
    { .name = "rope, yarn", .build = rope_yarn, .step = 0.005 },
    { .name = "gated, silu", .build = gated_silu, .step = 0.02 },
    { .name = "gated, gelu_tanh", .build = gated_gelu_tanh, .step = 0.02 },
    { .name = "gated, gradients added to", .build = gated_added_to, .step = 0.005 },
    { .name = "gated, linear", .build = gated_silu, .linear = true, .step = 0.02 },
    { .name = "rope, linear", .build = rope_yarn, .linear = true, .step = 0.005 },
    { .name = "embeddings, last token", .build_all = build_embeddings, .step = 0.02 },
    { .name = "words that are the head", .build_all = build_tied, .step = 0.01 },
    { .name = "residuals, linear", .build = residuals, .linear = true, .step = 0.01 },
};

static void test_nodes(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(*state, &cases[i], "auto");
}

/* The logits of a batch of tokens, to the caller. */
static float *logits_of(struct model *m, const struct sp_plan_batch *batch)
{
    float *out = calloc((size_t)batch->tokens * CLASSES, sizeof *out);
    struct sp_plan_pass p = { 0 };

    assert_ok(sp_plan_set_batch(m->plan, batch));
    assert_ok(sp_plan_forward(m->plan, &p));
    assert_ok(sp_plan_logits(m->plan, out));
    return out;
}

/* Tokens at the positions that a batch names are what they are at those positions of a text. */
static void test_positions(void **state)
{
    static const struct sp_plan_limits few = { .tokens = 6, .sequences = 3, .longest = 6, .positions = 7 };
    static const uint32_t bounds[] = { 0, 1, 3 }, positions[] = { 4, 2, 5 }, far[] = { 0, 7, 1 };
    struct sp_plan *plan;
    float *all, *some;
    struct tokens t;
    struct model m;
    int position, weight, x;

    assert_ok(sp_plan_create(&plan));
    x = sp_nn_embedding(plan, sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, H, "word"), -1, -1, -1);
    x = sp_nn_rope(plan, x, &rope);
    position = sp_plan_param(plan, SP_PARAM_TABLE, (int)few.positions + 2, H, "position");
    x = sp_nn_add(plan, x, sp_nn_position_embedding(plan, position, 2));
    weight = sp_plan_param(plan, SP_PARAM_LINEAR, CLASSES, H, "classifier");
    sp_nn_cross_entropy(plan, sp_nn_linear(plan, x, weight, -1, SP_ACTIVATION_NONE), 0);
    model_compile(&m, *state, plan, "auto", &few);
    tokens_draw(&t, 3, (int[]){ 6 }, 1, VOCAB, CLASSES);
    t.batch.targets = NULL;
    all = logits_of(&m, &t.batch);
    for (size_t i = 0; i < 3; i++)
        t.ids[i + 6] = t.ids[positions[i]];
    t.batch = (struct sp_plan_batch){
        .ids = t.ids + 6, .types = t.types, .bounds = bounds, .positions = positions, .tokens = 3, .sequences = 2
    };
    some = logits_of(&m, &t.batch);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(some + i * CLASSES, all + positions[i] * CLASSES, CLASSES * sizeof *some);
    t.batch.positions = far;
    assert_error(sp_plan_set_batch(plan, &t.batch), SP_EINVAL, "position 7 of a plan for positions below 7");
    free(all);
    free(some);
    model_release(&m);
}

/* A tied table is read in the products' layouts alone: for backward in a plan that trains, for forward in one that does
 * not, and as it is in another family's. The bits are those of a table of its own. */
static void test_tied(void **state)
{
    static const char *const families[] = { "packed", "packed", "tiled" };
    float *expected = NULL;
    struct tokens t;

    tokens_draw(&t, 6, lengths, 4, VOCAB, CLASSES);
    t.batch.targets = NULL;
    for (int i = -1; i < 3; i++) {
        struct sp_plan_limits only_forward = limits;
        struct sp_plan *plan;
        float *got;
        struct model m;
        int word, x;

        only_forward.training = i == 1;
        assert_ok(sp_plan_create(&plan));
        word = sp_plan_param(plan, i < 0 ? SP_PARAM_TABLE : SP_PARAM_LINEAR, VOCAB, CLASSES, "word");
        sp_plan_param_at(plan, (size_t)word)->role = SP_PARAM_DENSE;
        x = sp_nn_word_embedding(plan, word, 3);
        if (i >= 0)
            sp_nn_linear(plan, x, word, -1, SP_ACTIVATION_NONE);
        sp_nn_cross_entropy(plan, x, 0);
        model_compile(&m, *state, plan, i < 0 ? "auto" : families[i], &only_forward);
        assert_true((i == 1) == (m.plan->params[0].weight.backward != NULL && i != 2));
        got = logits_of(&m, &t.batch);
        if (i < 0)
            expected = got;
        else
            assert_memory_equal(got, expected, (size_t)t.batch.tokens * CLASSES * sizeof *got);
        if (i >= 0)
            free(got);
        model_release(&m);
    }
    free(expected);
}

/* The last token of a text, and the last that is not padding. */
static void test_last_token(void **state)
{
    static const uint32_t ids[] = { 3, 1, 1, 1, 1, 2, 1 }, bounds[] = { 0, 3, 5, 7 };
    static const struct {
        int padding;
        uint32_t rows[3];
    } cases_of[] = { { -1, { 2, 4, 6 } }, { 1, { 0, 3, 5 } } };
    const struct sp_plan_batch batch = { .ids = ids, .types = ids, .bounds = bounds, .tokens = 7, .sequences = 3 };

    for (size_t i = 0; i < 2; i++) {
        struct sp_plan_pass p = { 0 };
        float got[3 * CLASSES];
        struct sp_plan *plan;
        struct model m;
        int word, position, x;

        assert_ok(sp_plan_create(&plan));
        word = sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, CLASSES, "word");
        position = sp_plan_param(plan, SP_PARAM_TABLE, POSITIONS, CLASSES, "position");
        x = sp_nn_embedding(plan, word, position, -1, -1);
        sp_nn_cross_entropy(plan, sp_nn_last_token(plan, x, cases_of[i].padding), 0);
        model_compile(&m, *state, plan, "auto", &limits);
        assert_ok(sp_plan_set_batch(plan, &batch));
        assert_ok(sp_plan_forward(plan, &p));
        assert_ok(sp_plan_logits(plan, got));
        for (size_t s = 0; s < 3; s++)
            for (size_t k = 0; k < CLASSES; k++) {
                uint32_t row = cases_of[i].rows[s];

                assert_true(got[s * CLASSES + k] == m.value[0][ids[row] * CLASSES + k] +
                                                        m.value[1][(row - bounds[s]) * CLASSES + k]);
            }
        model_release(&m);
    }
}

/* All gradients of a chain of residuals are one value: nothing is copied or added on the way down. */
static void test_shared(void **state)
{
    const struct sp_gemm_family *family;

    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    for (size_t i = 0; i < 2; i++) {
        struct sp_plan *plan = build(&(struct grad_case){ .build = i ? residuals_reversed : residuals });
        int gradient = -1;

        assert_ok(sp_plan_compile(plan, *state, family, &limits));
        for (size_t n = 0; n < plan->node_count; n++) {
            const struct sp_node *node = &plan->nodes[n];

            if (node->type != &sp_node_add)
                continue;
            gradient = gradient < 0 ? plan->values[node->output].gradient : gradient;
            assert_int_equal(plan->values[node->output].gradient, gradient);
            assert_int_equal(plan->values[node->input[0]].gradient, gradient);
            assert_int_equal(plan->values[node->input[1]].gradient, gradient);
        }
        assert_true(gradient >= 0);
        sp_plan_free(plan);
    }
}

/* A layer of the residual itself adds to its gradient while it reads that of its own output: two values, where a
 * product as small as these cases' would not show it. */
static void test_not_shared(void **state)
{
    struct sp_plan *plan = build(&(struct grad_case){ .build = branch_of_residual });
    const struct sp_gemm_family *family;
    int sums = 0;

    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    assert_ok(sp_plan_compile(plan, *state, family, &limits));
    for (size_t n = 0; n < plan->node_count; n++) {
        const struct sp_node *node = &plan->nodes[n];

        if (node->type != &sp_node_add)
            continue;
        sums++;
        assert_int_equal(plan->values[node->input[0]].gradient, plan->values[node->output].gradient);
        assert_int_not_equal(plan->values[node->input[1]].gradient, plan->values[node->output].gradient);
    }
    assert_int_equal(sums, 2);
    sp_plan_free(plan);
}

/* Every kernel of these nodes has a case that checks it before its first use in a run. */
static void test_checked(void **state)
{
    assert_ok(sp_kernel_set_checking(*state, true));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sp_plan_pass p = pass_of(&cases[i]);
        struct model m;

        model_compile(&m, *state, build(&cases[i]), "auto", &limits);
        p.gradients = m.gradients;
        assert_ok(sp_plan_record(m.plan, &p));
        assert_ok(sp_kernel_build_recorded(*state));
        model_release(&m);
    }
    assert_ok(sp_kernel_set_checking(*state, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_nodes), cmocka_unit_test(test_positions),
                                        cmocka_unit_test(test_tied), cmocka_unit_test(test_last_token),
                                        cmocka_unit_test(test_shared), cmocka_unit_test(test_not_shared),
                                        cmocka_unit_test(test_checked) };

    return cmocka_run_group_tests_name("decoder", tests, open_device, close_device);
}
