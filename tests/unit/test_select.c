/* Salience scores and the exact choice of the largest, against a full sort. No device is used. */
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/sparse/metric.h"
#include "runtime/sparse/select.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TENSORS_MAX 6

/* Some tensors' scores, and the same entries in the order that decides. */
struct scores {
    size_t tensors, size[TENSORS_MAX], total;
    float *values[TENSORS_MAX];
    struct entry {
        float score;
        uint32_t tensor, position;
    } *sorted;
};

static int by_rank(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->tensor != y->tensor)
        return x->tensor < y->tensor ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}

/* Scores of `tensors` tensors, drawn from `levels` values (0: almost all different). */
static struct scores draw(uint64_t seed, size_t tensors, size_t largest, uint32_t levels)
{
    struct scores s = { .tensors = tensors };
    size_t k = 0;

    for (size_t t = 0; t < tensors; t++) {
        s.size[t] = sp_rng_u32(seed, SP_RNG_SKETCH, 0, t) % (largest + 1);
        s.values[t] = calloc(s.size[t] + 1, sizeof *s.values[t]);
        s.total += s.size[t];
    }
    s.sorted = calloc(s.total + 1, sizeof *s.sorted);
    for (size_t t = 0; t < tensors; t++)
        for (size_t i = 0; i < s.size[t]; i++) {
            uint32_t word = sp_rng_u32(seed, SP_RNG_SKETCH, (uint32_t)t + 1, i);

            s.values[t][i] = (float)(levels ? word % levels : word >> 8) - 3;
            s.sorted[k++] = (struct entry){ s.values[t][i], (uint32_t)t, (uint32_t)i };
        }
    qsort(s.sorted, s.total, sizeof *s.sorted, by_rank);
    return s;
}

static void release(struct scores *s)
{
    for (size_t t = 0; t < s->tensors; t++)
        free(s->values[t]);
    free(s->sorted);
}

/* Chooses `count` with the tensors added from the `first` on, around; the choice must be the head of the sorted
 * list. */
static void check(const struct scores *s, size_t count, size_t first)
{
    size_t found = 0, wanted = count < s->total ? count : s->total;
    unsigned char *chosen[TENSORS_MAX];
    struct sp_select *select;

    assert_int_equal(sp_select_create(&select, count), 0);
    for (size_t k = 0; k < s->tensors; k++) {
        size_t t = (first + k) % s->tensors;

        assert_int_equal(sp_select_add(select, (uint32_t)t, s->values[t], s->size[t], "w"), 0);
    }
    for (size_t t = 0; t < s->tensors; t++) {
        uint32_t *positions;
        size_t n;

        assert_int_equal(sp_select_positions(&positions, &n, select, (uint32_t)t), 0);
        chosen[t] = calloc(s->size[t] + 1, 1);
        for (size_t i = 0; i < n; i++) {
            assert_true(positions[i] < s->size[t] && (i == 0 || positions[i] > positions[i - 1]));
            chosen[t][positions[i]] = 1;
        }
        found += n;
        free(positions);
    }
    assert_int_equal(found, wanted);
    for (size_t k = 0; k < wanted; k++)
        assert_true(chosen[s->sorted[k].tensor][s->sorted[k].position]);
    for (size_t t = 0; t < s->tensors; t++)
        free(chosen[t]);
    sp_select_free(select);
}

/* Every budget that may matter, and every tensor in turn as the first. */
static void check_all(struct scores s)
{
    const size_t counts[] = { 0, 1, 2, s.total / 7, s.total / 2, s.total - 1, s.total, s.total + 5 };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i] <= s.total + 5)
            check(&s, counts[i], i % s.tensors);
    for (size_t first = 0; first < s.tensors; first++)
        check(&s, s.total / 3, first);
    release(&s);
}

static void test_different(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        check_all(draw(seed, 1 + seed % TENSORS_MAX, seed % 3 ? 60 : 500, 0));
}

static void test_ties(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 120; seed++)
        check_all(draw(seed, 1 + seed % TENSORS_MAX, 200, 1 + (uint32_t)seed % 5));
}

/* More candidates than are kept: they are cut down while tensors are added. */
static void test_many(void **state)
{
    static const uint32_t levels[] = { 0, 1, 2, 1000 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct scores s = draw(200 + i, 3, 30000, levels[i]);

        for (size_t count = 1; count <= 3000; count *= 3)
            check(&s, count, i % 3);
        release(&s);
    }
}

/* Orders that a quickselect may dislike: rising, falling, all equal, an organ pipe. */
static void test_orders(void **state)
{
    enum { N = 40000 };

    (void)state;
    for (int order = 0; order < 4; order++) {
        struct scores s = { .tensors = 1, .size = { N }, .total = N };

        s.values[0] = calloc(N, sizeof(float));
        s.sorted = calloc(N, sizeof *s.sorted);
        for (int i = 0; i < N; i++) {
            const float values[] = { (float)i, (float)-i, 1, (float)abs(i - N / 2) };

            s.values[0][i] = values[order];
            s.sorted[i] = (struct entry){ values[order], 0, (uint32_t)i };
        }
        qsort(s.sorted, N, sizeof *s.sorted, by_rank);
        check(&s, 100, 0);
        check(&s, N / 2, 0);
        release(&s);
    }
}

static void test_infinite(void **state)
{
    float values[] = { 1, INFINITY, -INFINITY, 0.0f, -0.0f, INFINITY };
    struct sp_select *select;
    uint32_t *positions;
    size_t n;

    (void)state;
    assert_int_equal(sp_select_create(&select, 4), 0);
    assert_int_equal(sp_select_add(select, 7, values, 6, "w"), 0);
    assert_int_equal(sp_select_positions(&positions, &n, select, 7), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(positions, ((uint32_t[]){ 0, 1, 3, 5 }), 16); /* 0 and -0 are equal: the lower one */
    free(positions);
    assert_int_equal(sp_select_positions(&positions, &n, select, 3), 0); /* never added */
    assert_int_equal(n, 0);
    free(positions);
    sp_select_free(select);
}

static void test_nan(void **state)
{
    float values[] = { 1, 2, NAN };
    struct sp_select *select;

    (void)state;
    assert_int_equal(sp_select_create(&select, 1), 0);
    assert_int_equal(sp_select_add(select, 0, values, 2, "encoder.weight"), 0);
    assert_int_equal(sp_select_add(select, 1, values, 3, "encoder.weight"), SP_ENUMERIC);
    assert_non_null(strstr(sp_error_message(), "encoder.weight at position 2"));
    sp_select_free(select);
    sp_select_free(NULL);
}

static void test_metrics(void **state)
{
    const float weight[] = { 1, -2, 0, -0.5f }, gradient[] = { -3, 2, 0, 1e-30f }, squares[] = { 9, 4, 0, 1 };
    const float hessian[] = { 0.5f, 2, 7, -3 }, norms[] = { 2, 8 };
    struct sp_metric_input in = { .tensor = 2, .seed = 42, .weight = weight, .gradient = gradient, .squares = squares,
                                  .hessian = hessian, .norms = norms, .rows = 2, .cols = 2, .count = 4,
                                  .options = { .lift_rank = 2 } };
    const struct {
        const char *name;
        float scores[4];
    } formulas[] = {
        { "magnitude", { 1, 2, 0, 0.5f } },     { "magnitude_bottom", { -1, -2, 0, -0.5f } },
        { "gradient", { 3, 2, 0, 1e-30f } },    { "snip", { 3, 4, 0, 5e-31f } },
        { "force", { 3, 4, 0, 5e-31f } },       { "taylor_fo", { 3, 4, 0, 5e-31f } },
        { "grad_weight_ratio", { 3, 1, 0, 2e-30f } }, { "fisher", { 9, 4, 0, 1 } },
        { "synflow", { 3, 4, 0, 5e-31f } },     { "wanda", { 2, 16, 0, 4 } },
        { "grasp", { -0.5f, 4, 0, -1.5f } },    { "lift", { 1, 2, 0, 0.5f } },
    };
    float out[4], again[4];

    (void)state;
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        assert_int_equal(sp_metric_find(formulas[i].name)->score(out, &in), 0);
        for (int k = 0; k < 4; k++)
            if (out[k] != formulas[i].scores[k])
                fail_msg("%s[%d]: %g, expected %g", formulas[i].name, k, (double)out[k], (double)formulas[i].scores[k]);
    }
    in.options.grasp_code = true;
    assert_int_equal(sp_metric_find("grasp")->score(out, &in), 0);
    assert_true(out[0] == 0.5f && out[1] == -4 && out[3] == 1.5f);
    in.gradient = (float[]){ 0, 0, 1, -1e30f };
    in.weight = (float[]){ 0, 1, 0, 1e-30f };
    assert_int_equal(sp_metric_find("grad_weight_ratio")->score(out, &in), 0);
    assert_true(out[0] == 0 && out[1] == 0 && out[2] == FLT_MAX && out[3] == FLT_MAX);
    in.gradient = (float[]){ NAN, INFINITY, 0, 1 };
    in.weight = (float[]){ 0, 1, NAN, -INFINITY };
    assert_int_equal(sp_metric_find("grad_weight_ratio")->score(out, &in), 0);
    for (int k = 0; k < 4; k++)
        assert_true(isnan(out[k]));
    in.weight = weight;
    in.gradient = gradient;
    assert_null(sp_metric_find("magnitud"));

    sp_metric_find("random")->score(out, &in);
    sp_metric_find("random")->score(again, &in);
    assert_memory_equal(out, again, sizeof out);
    in.tensor = 3;
    sp_metric_find("random")->score(again, &in);
    assert_memory_not_equal(out, again, sizeof out);
    in.tensor = 2;
    in.round = 1;
    sp_metric_find("random")->score(again, &in);
    assert_memory_not_equal(out, again, sizeof out);
    in.round = 0;
    in.seed = 43;
    sp_metric_find("random")->score(again, &in);
    assert_memory_not_equal(out, again, sizeof out);
}

/* What a metric says it does not need it gets as NULL. */
static void test_needs(void **state)
{
    const float values[] = { 1, -2, 3 };
    float out[3];

    (void)state;
    for (size_t i = 0; i < sp_metric_count; i++) {
        const struct sp_metric *m = sp_metrics[i];

        assert_ptr_equal(sp_metric_find(m->name), m);
        assert_true(strlen(m->summary) > 10);
        assert_true(strlen(m->cost) > 3);
        assert_int_equal(m->score(out, &(struct sp_metric_input){
                                           .weight = m->needs & SP_NEED_WEIGHT ? values : NULL,
                                           .gradient = m->needs & (SP_NEED_GRADIENT | SP_NEED_FLOW) ? values : NULL,
                                           .squares = m->needs & SP_NEED_SQUARES ? values : NULL,
                                           .hessian = m->needs & SP_NEED_HESSIAN ? values : NULL,
                                           .norms = m->needs & SP_NEED_INPUTS ? values : NULL,
                                           .rows = 1, .cols = 3, .count = 3, .options = { .lift_rank = 1 } }), 0);
    }
}

/* lift: a matrix of rank 2 is its own approximation; one of rank 1 and a little noise comes back without the noise. */
static void test_lift(void **state)
{
    enum { M = 37, N = 23 };
    float weight[M * N], out[M * N], again[M * N];
    struct sp_metric_input in = {
        .seed = 1, .weight = weight, .rows = M, .cols = N, .count = M * N, .options = { .lift_rank = 2 }
    };

    (void)state;
    for (int i = 0; i < M * N; i++)
        weight[i] = (float)(sin(i / N) * cos(i % N) + 0.3 * cos(2 * (i / N)) * sin(3 * (i % N)));
    assert_int_equal(sp_metric_find("lift")->score(out, &in), 0);
    for (int i = 0; i < M * N; i++)
        assert_true(fabsf(out[i] - fabsf(weight[i])) < 1e-6f);
    assert_int_equal(sp_metric_find("lift")->score(again, &in), 0);
    assert_memory_equal(out, again, sizeof out);
    for (int i = 0; i < M * N; i++)
        weight[i] = (float)(sin(i / N) * cos(i % N) + 1e-4 * (sp_rng_uniform(1, SP_RNG_SKETCH, 0, (uint64_t)i) - 0.5));
    in.options.lift_rank = 1;
    assert_int_equal(sp_metric_find("lift")->score(out, &in), 0);
    for (int i = 0; i < M * N; i++)
        assert_true(fabs((double)out[i] - fabs(sin(i / N) * cos(i % N))) < 5e-5);
}

/* Many numbers at once are those one by one: also where the counter's low word runs over. */
static void test_numbers(void **state)
{
    uint32_t words[21];

    (void)state;
    for (size_t count = 0; count <= 21; count++) {
        sp_rng_fill_u32(words, count, 0x123456789abcdefu, SP_RNG_MASK, 5, 0xfffffffau);
        for (size_t i = 0; i < count; i++)
            assert_true(words[i] == sp_rng_u32(0x123456789abcdefu, SP_RNG_MASK, 5, 0xfffffffau + (uint64_t)i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_different), cmocka_unit_test(test_ties), cmocka_unit_test(test_many),
        cmocka_unit_test(test_orders),    cmocka_unit_test(test_infinite), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nan),       cmocka_unit_test(test_metrics),  cmocka_unit_test(test_needs),
        cmocka_unit_test(test_lift),
    };

    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
