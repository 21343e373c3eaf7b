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
    { .name = "residuals, linear", .build = residuals, .linear = true, .step = 0.01 },
};

static void test_nodes(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(*state, &cases[i], "auto");
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_nodes), cmocka_unit_test(test_shared) };

    return cmocka_run_group_tests_name("decoder", tests, open_device, close_device);
}
