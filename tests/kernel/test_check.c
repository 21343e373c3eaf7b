/*
 * The conformance harness itself: what it must notice, it does. The op under test is the addition of two vectors; the reference is made
 * wrong instead of the kernel.
 */
#include "tests/unit/device_support.h"

#include "runtime/op/add.h"
#include "runtime/op/check.h"

#include <math.h>
#include <stdio.h>

enum { COUNT = 40 };

/* What the next case adds, what it takes for right, and how near is near. */
static double magnitude, error, far_value, tolerance;
static int wrong; /* the element whose reference is off by `error`; -1: all */

static double a_value(int i)
{
    return i == 3 && far_value != 0 ? far_value : magnitude * (i % 7 + 1);
}

static int run(void *user)
{
    struct sp_add *args = user;

    return sp_add_buffers(sp_buffer_device(args->out), args);
}

static int check(struct sp_check *t, const struct sp_op_case *c)
{
    struct sp_add args = { .count = COUNT };
    double *a = sp_check_double(t, COUNT), *b = sp_check_double(t, COUNT), *expected = sp_check_double(t, COUNT);

    assert_true(a && b && expected);
    for (int i = 0; i < COUNT; i++) {
        a[i] = (float)a_value(i);
        expected[i] = a[i] * (wrong < 0 || wrong == i ? 1 + error : 1);
    }
    assert_ok(sp_check_input_values(t, &args.a, a, COUNT));
    assert_ok(sp_check_input_values(t, &args.b, b, COUNT));
    assert_ok(sp_check_output(t, &args.out, COUNT));
    SP_TRY(sp_check_run(t, run, &args));
    return sp_check_compare(t, "out", args.out, expected, COUNT, c->tolerance);
}

static int run_case(struct sp_device *device)
{
    const struct sp_op_case c = { .name = "made up", .tolerance = tolerance };

    return sp_check_case(device, &(struct sp_op){ .name = "sum", .cases = &c, .case_count = 1, .check = check }, &c);
}

static void set(double size, double off, int element, double near)
{
    magnitude = size, error = off, wrong = element, tolerance = near, far_value = 0;
}

/* A result is judged by the size that it has: 5 % of small numbers is as wrong as 5 % of large ones. */
static void test_scale(void **state)
{
    for (double size = 1e-30; size < 1e6; size *= 1e5) {
        set(size, 0, -1, 1e-6);
        assert_ok(run_case(*state));
        set(size, 0.05, -1, 1e-2);
        assert_error(run_case(*state), SP_ENUMERIC, "sum, case made up: out[");
        set(size, 1e-5, 6, 1e-6);
        assert_error(run_case(*state), SP_ENUMERIC, "out[6] is ");
    }
}

/* One far number hides nothing in the others. */
static void test_far(void **state)
{
    set(1, 1e-3, 5, 1e-6);
    far_value = 1e30;
    assert_error(run_case(*state), SP_ENUMERIC, "out[5] is 6, expected 6.006");
    far_value = INFINITY;
    assert_error(run_case(*state), SP_ENUMERIC, "out[5] is 6, expected 6.006");
    far_value = NAN;
    assert_error(run_case(*state), SP_ENUMERIC, "out[5] is 6, expected 6.006");
}

/* A case in which nothing could be wrong by 5 % is no test. */
static void test_blind(void **state)
{
    set(1, 0, -1, 0.06);
    assert_error(run_case(*state), SP_EINVAL, "the case cannot fail");
    set(0, 0, -1, 1e-6);
    assert_error(run_case(*state), SP_EINVAL, "the case cannot fail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_blind),
    };

    return cmocka_run_group_tests_name("check", tests, open_device, close_device);
}
