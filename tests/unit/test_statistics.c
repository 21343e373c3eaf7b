/* The statistics of repeated runs, against tables and closed forms. */
#include "runtime/base/statistics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void near(double found, double expected, double relative)
{
    if (!(fabs(found - expected) <= relative * fabs(expected)))
        fail_msg("found %.15g, expected %.15g", found, expected);
}

static void test_deviation(void **state)
{
    static const double values[] = { 2, 4, 4, 4, 5, 5, 7, 9 };

    (void)state;
    near(sp_statistics_mean(values, 8), 5, 1e-15);
    near(sp_statistics_deviation(values, 8), sqrt(32.0 / 7), 1e-15);
    assert_true(isnan(sp_statistics_deviation(values, 1)));
    assert_true(isnan(sp_statistics_mean(values, 0)));
}

/* With 1, 2 and 4 degrees of freedom the distribution has a closed form:
 * 1 - (2 / pi) atan t; 1 - t / sqrt(2 + t^2); with s = t / sqrt(4 + t^2), 1 - s (3 - s^2) / 2. */
static void test_closed_forms(void **state)
{
    static const double ts[] = { 1e-3, 0.1, 0.5, 1, 1.5, 2, 3, 5, 12, 40, 1e3 };
    const double pi = acos(-1);

    (void)state;
    for (size_t i = 0; i < COUNT(ts); i++) {
        double t = ts[i], s = t / sqrt(4 + t * t);

        near(sp_statistics_t_tails(t, 1), 2 / pi * atan(1 / t), 1e-12);
        near(sp_statistics_t_tails(-t, 2), 2 / (sqrt(2 + t * t) * (sqrt(2 + t * t) + t)), 1e-12);
        near(sp_statistics_t_tails(t, 4), (1 - s) * (1 - s) * (2 + s) / 2, t < 100 ? 1e-10 : 1e-4);
    }
    near(sp_statistics_t_tails(0, 7), 1, 1e-15);
}

/* The printed tables' two-sided points, to the digits that they have. */
static void test_table(void **state)
{
    static const struct {
        double freedom, tails, t;
    } rows[] = {
        { 1, 0.05, 12.706 }, { 2, 0.05, 4.303 },   { 2, 0.01, 9.925 },     { 3, 0.05, 3.182 },  { 4, 0.05, 2.776 },
        { 4, 0.001, 8.610 }, { 9, 0.05, 2.262 },   { 10, 0.01, 3.169 },    { 22, 0.05, 2.074 }, { 30, 0.001, 3.646 },
        { 60, 0.05, 2.000 }, { 120, 0.01, 2.617 }, { 1e7, 0.05, 1.95996 }, { 5, 0.5, 0.727 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        double t = sp_statistics_t_critical(rows[i].tails, rows[i].freedom);

        near(t, rows[i].t, 5.1e-4 / rows[i].t);
        near(sp_statistics_t_tails(t, rows[i].freedom), rows[i].tails, 1e-8);
    }
}

/* By hand: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 made not to fall. */
static void test_holm(void **state)
{
    static const double p[] = { 0.01, 0.04, NAN, 0.03, 0.005 }, expected[] = { 0.03, 0.06, NAN, 0.06, 0.02 };
    static const double equal[] = { 0.4, 0.4, 0.4 };
    double adjusted[5];

    (void)state;
    sp_statistics_holm(adjusted, p, 5);
    for (size_t i = 0; i < 5; i++)
        if (i == 2)
            assert_true(isnan(adjusted[i]));
        else
            near(adjusted[i], expected[i], 1e-15);
    sp_statistics_holm(adjusted, equal, 3);
    for (size_t i = 0; i < 3; i++)
        near(adjusted[i], 1, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deviation),
        cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_holm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
