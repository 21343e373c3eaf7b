/*
 * A batch of more rows and tokens than any other test's: what the data give the plan, and that the plan gives each row
 * what it has in a small batch, and each parameter the gradient that small batches add up to.
 */
#include "tests/unit/plan_support.h"

#include "models/models.h"
#include "runtime/data/batch.h"

#include <math.h>

/* The model's sizes are those of tests/data/reference/binary, for the sake of compiled kernels. */
enum { VOCAB = 30, CLASSES = 2, POSITIONS = 12, ROWS = 430, SMALL = 17 };

static struct sp_dataset data;
static uint32_t order[ROWS];

/* 8 to 12 tokens a row: 4,300 tokens. The batch takes the rows from the last one on. */
static int setup(void **state)
{
    data.offsets = calloc(ROWS + 1, sizeof *data.offsets);
    for (size_t r = 0; r < ROWS; r++) {
        data.offsets[r + 1] = data.offsets[r] + 8 + r % 5;
        order[r] = (uint32_t)(ROWS - 1 - r);
    }
    data.count = ROWS;
    data.tokens = data.offsets[ROWS];
    data.ids = calloc(data.tokens, sizeof *data.ids);
    data.types = calloc(data.tokens, sizeof *data.types);
    data.classes = calloc(ROWS, sizeof *data.classes);
    for (size_t t = 0; t < data.tokens; t++) {
        data.ids[t] = sp_rng_u32(5, SP_RNG_SKETCH, 0, t) % VOCAB;
        data.types[t] = (uint8_t)(sp_rng_u32(5, SP_RNG_SKETCH, 1, t) % 2);
    }
    for (size_t r = 0; r < ROWS; r++)
        data.classes[r] = sp_rng_u32(5, SP_RNG_SKETCH, 2, r) % CLASSES;
    return open_device(state);
}

static int teardown(void **state)
{
    free(data.offsets);
    free(data.ids);
    free(data.types);
    free(data.classes);
    return close_device(state);
}

static void fill(struct sp_batch *batch, size_t from, size_t count)
{
    assert_ok(sp_batch_init(batch, ROWS, data.tokens));
    assert_ok(sp_batch_fill(batch, &data, order, from, count));
}

static void test_data(void **state)
{
    struct sp_batch batch;
    size_t at = 0, most;

    (void)state;
    fill(&batch, 0, ROWS);
    assert_int_equal(batch.count, ROWS);
    assert_int_equal(batch.tokens, data.tokens);
    assert_ok(sp_data_max_tokens(&most, &data, ROWS));
    assert_int_equal(most, data.tokens);
    for (size_t i = 0; i < ROWS; i++) {
        size_t row = order[i], length = data.offsets[row + 1] - data.offsets[row];

        assert_int_equal(batch.bounds[i], at);
        assert_int_equal(batch.rows[i], row);
        assert_int_equal(batch.classes[i], data.classes[row]);
        for (size_t t = 0; t < length; t++, at++) {
            assert_int_equal(batch.ids[at], data.ids[data.offsets[row] + t]);
            assert_int_equal(batch.types[at], data.types[data.offsets[row] + t]);
        }
    }
    assert_int_equal(batch.bounds[ROWS], at);
    sp_batch_free(&batch);
}

/* Every parameter is trained. */
static void compile(struct model *m, struct sp_device *device)
{
    const struct sp_plan_limits limits = {
        .tokens = (int)data.tokens, .sequences = ROWS, .longest = POSITIONS, .training = true, .transposed = true
    };
    struct sp_model bert;
    struct sp_plan *plan;

    model_bert(&bert, VOCAB, 20, 3, 5, 37, POSITIONS, 0);
    assert_ok(sp_plan_create(&plan));
    sp_nn_cross_entropy(plan, model_classes(plan, &bert, CLASSES), 0);
    sp_model_release(&bert);
    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        sp_plan_param_at(plan, i)->role = SP_PARAM_DENSE;
    model_compile(m, device, plan, "auto", &limits);
}

/* The rows in batches of `size`: their logits, and the gradients of their mean loss in all parameters, each the
 * caller's. */
static void run(struct model *m, size_t size, float *logits, float *gradients[PLAN_PARAMS_MAX])
{
    struct sp_batch b;

    for (size_t from = 0; from < ROWS; from += size) {
        size_t count = size < ROWS - from ? size : ROWS - from;
        struct sp_plan_pass pass = { .loss_scale = (float)count / ROWS, .accumulate = from > 0,
                                     .gradients = m->gradients };

        fill(&b, from, count);
        assert_ok(sp_plan_set_batch(m->plan, &(struct sp_plan_batch){ .ids = b.ids,
                                                                      .types = b.types,
                                                                      .bounds = b.bounds,
                                                                      .targets = b.targets,
                                                                      .tokens = (int)b.tokens,
                                                                      .sequences = (int)b.count,
                                                                      .target_count = (int)b.target_count }));
        assert_ok(sp_plan_forward(m->plan, &pass));
        assert_ok(sp_plan_backward(m->plan, &pass));
        assert_ok(sp_plan_logits(m->plan, logits + from * CLASSES));
        sp_batch_free(&b);
    }
    for (size_t i = 0; i < m->params; i++)
        gradients[i] = model_gradient(m, i);
}

/* Within 1e-5 of the largest: sums of the same terms in other orders. */
static void compare(const char *name, const float *large, const float *small, size_t count)
{
    float most = 0;

    for (size_t k = 0; k < count; k++)
        most = fmaxf(most, fabsf(small[k]));
    assert_true(most > 0);
    for (size_t k = 0; k < count; k++)
        if (!(fabsf(large[k] - small[k]) <= 1e-5f * most))
            fail_msg("%s[%zu] of %zu: %.9g in one batch, %.9g in small ones", name, k, count, (double)large[k],
                     (double)small[k]);
}

static void test_plan(void **state)
{
    float logits[2][ROWS * CLASSES], *gradients[2][PLAN_PARAMS_MAX];
    struct model m;

    compile(&m, *state);
    run(&m, ROWS, logits[0], gradients[0]);
    run(&m, SMALL, logits[1], gradients[1]);
    compare("logits", logits[0], logits[1], ROWS * CLASSES);
    for (size_t i = 0; i < m.params; i++) {
        const char *name = sp_plan_param_at(m.plan, i)->name;

        if (!strstr(name, "key.bias")) /* whose gradient is 0 but for rounding */
            compare(name, gradients[0][i], gradients[1][i], m.size[i]);
        free(gradients[0][i]);
        free(gradients[1][i]);
    }
    model_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_data), cmocka_unit_test(test_plan) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
