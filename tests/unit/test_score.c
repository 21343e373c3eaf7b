/* The tasks' metrics against cases worked out by hand. */
#include "tests/unit/near.h"

#include "runtime/train/score.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NEAR 1e-12

static struct sp_class_scores classes(const char *predicted, const char *truth, size_t count)
{
    struct sp_class_scores scores;
    struct sp_class_counts counts;

    assert_int_equal(sp_class_counts_init(&counts, count), 0);
    for (size_t i = 0; predicted[i]; i++)
        sp_class_counts_add(&counts, (uint32_t)(predicted[i] - '0'), (uint32_t)(truth[i] - '0'));
    sp_score_classes(&scores, &counts);
    sp_class_counts_release(&counts);
    return scores;
}

static void test_two_classes(void **state)
{
    /* 3 true positives, 2 false ones, 1 false negative, 4 true negatives */
    struct sp_class_scores s = classes("1110011000", "1111000000", 2);

    (void)state;
    assert_near(s.accuracy, 0.7, NEAR);
    assert_near(s.f1, 2 * 3.0 / (2 * 3 + 2 + 1), NEAR);
    assert_near(s.matthews_correlation, (3 * 4 - 2 * 1) / sqrt(5.0 * 4 * 6 * 5), NEAR);

    s = classes("0101", "0101", 2);
    assert_near(s.accuracy, 1, NEAR);
    assert_near(s.f1, 1, NEAR);
    assert_near(s.matthews_correlation, 1, NEAR);

    s = classes("1010", "0101", 2);
    assert_near(s.accuracy, 0, NEAR);
    assert_near(s.f1, 0, NEAR);
    assert_near(s.matthews_correlation, -1, NEAR);
}

/* Where a denominator is 0 the metric is 0. */
static void test_one_sided(void **state)
{
    struct sp_class_scores s = classes("0000", "0101", 2);

    (void)state;
    assert_near(s.accuracy, 0.5, NEAR);
    assert_near(s.f1, 0, NEAR);
    assert_near(s.matthews_correlation, 0, NEAR);
    assert_true(s.one && s.said == 0);
    assert_near(s.guess, log(2), NEAR);
    s = classes("2222", "0021", 3);
    assert_true(s.one && s.said == 2);
    assert_near(s.guess, 1.5 * log(2), NEAR); /* a half and two quarters */
    assert_false(classes("0001", "0101", 2).one);
    assert_false(classes("000", "000", 2).one); /* as they are */
    s = classes("0", "0", 2);
    assert_near(s.accuracy, 1, NEAR);
    assert_near(s.f1, 0, NEAR);
    assert_near(s.matthews_correlation, 0, NEAR);
    s = classes("111", "111", 2);
    assert_near(s.f1, 1, NEAR);
    assert_near(s.matthews_correlation, 0, NEAR);
}

static void test_three_classes(void **state)
{
    /*            truth 0  1  2
     * predicted 0      2  1  0
     *           1      0  1  1
     *           2      1  0  3 */
    struct sp_class_scores s = classes("002101222", "000112222", 3);

    (void)state;
    assert_near(s.accuracy, 6.0 / 9, NEAR);
    assert_near(s.f1, (2.0 * 2 / (3 + 3) + 2.0 * 1 / (2 + 2) + 2.0 * 3 / (4 + 4)) / 3, NEAR);
    /* R_K: right * n - sum of predicted * held */
    assert_near(s.matthews_correlation,
                (6.0 * 9 - (3 * 3 + 2 * 2 + 4 * 4)) / sqrt((81.0 - (9 + 4 + 16)) * (81.0 - (9 + 4 + 16))), NEAR);

    /* a class that neither side has does not count in F1; one that is only predicted counts 0 */
    s = classes("0011", "0011", 4);
    assert_near(s.f1, 1, NEAR);
    s = classes("0012", "0011", 4);
    assert_near(s.f1, (1 + 2.0 / 3 + 0) / 3, NEAR);
}

static void test_values(void **state)
{
    const float x[] = { 1, 2, 3, 4, 5 }, y[] = { 2, 1, 4, 3, 7 };
    struct sp_value_scores s;

    (void)state;
    assert_int_equal(sp_score_values(&s, x, y, 5), 0);
    assert_near(s.mse, (1 + 1 + 1 + 1 + 4) / 5.0, NEAR);
    /* deviations from 3 and 3.4: the sum of products is 12, of squares 10 and 21.2 */
    assert_near(s.pearson, 12 / sqrt(10 * 21.2), NEAR);
    /* ranks 2 1 4 3 5: the sum of squared differences is 4 */
    assert_near(s.spearman, 1 - 6.0 * 4 / (5 * 24), NEAR);
}

static void test_ranks_with_ties(void **state)
{
    const float x[] = { 10, 20, 20, 30, 5 }, y[] = { 1, 1, 2, 3, 1 };
    /* ranks 2, 3.5, 3.5, 5, 1 and 2, 2, 4, 5, 2: deviations -1 .5 .5 2 -2 and -1 -1 1 2 -1 */
    const double products = 1 - 0.5 + 0.5 + 4 + 2, xx = 1 + 0.25 + 0.25 + 4 + 4, yy = 1 + 1 + 1 + 4 + 1;
    struct sp_value_scores s;

    (void)state;
    assert_int_equal(sp_score_values(&s, x, y, 5), 0);
    assert_near(s.spearman, products / sqrt(xx * yy), NEAR);
}

static void test_constant_side(void **state)
{
    const float x[] = { 2, 2, 2 }, y[] = { 1, 2, 3 }, z[] = { 3, 2, 1 };
    struct sp_value_scores s;

    (void)state;
    assert_int_equal(sp_score_values(&s, x, y, 3), 0);
    assert_near(s.pearson, 0, 0);
    assert_near(s.spearman, 0, 0);
    assert_near(s.mse, 2.0 / 3, NEAR);
    assert_near(s.variance, 2.0 / 3, NEAR);
    assert_near(s.spread, 0, 0);
    assert_int_equal(sp_score_values(&s, z, y, 3), 0);
    assert_near(s.pearson, -1, NEAR);
    assert_near(s.spread, 1, NEAR);
    assert_near(s.spearman, -1, NEAR);
    assert_int_equal(sp_score_values(&s, y, y, 1), 0);
    assert_near(s.pearson, 0, 0);
    assert_near(s.mse, 0, 0);
    assert_near(s.spread, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_classes),     cmocka_unit_test(test_one_sided), cmocka_unit_test(test_three_classes),
        cmocka_unit_test(test_values),          cmocka_unit_test(test_ranks_with_ties),
        cmocka_unit_test(test_constant_side),
    };

    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
