/* Plans that have the parameters of another one, which may be in training: as they are, and in memory once. */
#include "tests/unit/plan_support.h"

/* The model's sizes are those of tests/data/reference/binary, for the sake of compiled kernels. */
enum { VOCAB = 30, CLASSES = 2, POSITIONS = 12, ROWS = 5 };

static struct sp_plan_limits limits = { .tokens = 60, .sequences = 6, .longest = POSITIONS, .transposed = true };

static struct sp_plan *build(int layers, enum sp_param_role role)
{
    struct sp_model bert;
    struct sp_plan *plan;

    model_bert(&bert, VOCAB, 20, layers, 5, 37, POSITIONS, 0);
    assert_ok(sp_plan_create(&plan));
    sp_nn_cross_entropy(plan, model_classes(plan, &bert, CLASSES), 0);
    sp_model_release(&bert);
    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        sp_plan_param_at(plan, i)->role = role;
    return plan;
}

static void logits_of(float out[ROWS * CLASSES], struct sp_plan *plan, const struct sp_plan_batch *batch)
{
    const struct sp_plan_pass pass = { .loss_scale = 1, .forward_only = true };

    assert_ok(sp_plan_set_batch(plan, batch));
    assert_ok(sp_plan_forward(plan, &pass));
    assert_ok(sp_plan_logits(plan, out));
}

static void check_refused(const struct model *owner, int layers, bool training)
{
    struct sp_plan *plan = build(layers, SP_PARAM_FROZEN);

    limits.training = training;
    sp_plan_share_params(plan, owner->plan);
    assert_int_equal(sp_plan_compile(plan, owner->device, owner->plan->family, &limits), SP_EINVAL);
    sp_plan_free(plan);
}

static void test_shared_params(void **state)
{
    static const int lengths[ROWS] = { 5, 1, 12, 3, 7 };
    struct sp_plan *plan = build(3, SP_PARAM_FROZEN);
    float logits[3][ROWS * CLASSES];
    struct tokens t;
    struct model m;

    tokens_draw(&t, 8, lengths, ROWS, VOCAB, CLASSES);
    limits.training = true;
    model_compile(&m, *state, build(3, SP_PARAM_DENSE), "auto", &limits);
    limits.training = false;
    sp_plan_share_params(plan, m.plan);
    assert_ok(sp_plan_compile(plan, m.device, m.plan->family, &limits));
    assert_int_equal(sp_plan_memory(plan).weights, 0);
    logits_of(logits[0], m.plan, &t.batch);
    for (size_t i = 0; i < m.size[0]; i++)
        m.value[0][i] += 0.25f;
    model_upload(&m, 0);
    logits_of(logits[1], plan, &t.batch);
    assert_memory_not_equal(logits[1], logits[0], sizeof logits[0]);
    sp_plan_free(plan);
    logits_of(logits[2], m.plan, &t.batch);
    assert_memory_equal(logits[2], logits[1], sizeof logits[1]);

    check_refused(&m, 3, true);
    check_refused(&m, 2, false); /* other parameters */
    model_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shared_params) };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
