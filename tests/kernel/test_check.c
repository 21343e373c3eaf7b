/*
 * The conformance harness itself: what it must notice, it does. The op under test is the addition of two vectors; the
 * reference is made wrong instead of the kernel. And self-tests of kernels whose results differ in size, made a little
 * wrong where they are small.
 */
#include "tests/unit/device_support.h"

#include "runtime/base/fs.h"
#include "runtime/kernel/sources.h"
#include "runtime/op/adamw.h"
#include "runtime/op/add.h"
#include "runtime/op/check.h"
#include "runtime/op/loss.h"
#include "runtime/op/norm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* ---- self-tests ---- */

/* Launches one of the kernels, on whatever the buffer holds. */
static int launch(struct sp_device *device, struct sp_buffer *buffer, const char *kernel)
{
    if (strcmp(kernel, "norm_finish") == 0)
        return sp_norm_finish(device, &(struct sp_norm_finish){
                                          .out = buffer, .slots = buffer, .slot_count = 1, .max_norm = 1 });
    if (strcmp(kernel, "norm_squares") == 0)
        return sp_norm_squares(device, &(struct sp_norm_squares){ .slots = buffer, .in = buffer, .count = 1 });
    if (strcmp(kernel, "adamw") == 0)
        return sp_adamw(device,
                        &(struct sp_adamw){
                            .value = buffer, .m = buffer, .v = buffer, .gradient = buffer, .count = 1, .step = 1 });
    return sp_cross_entropy(device, &(struct sp_cross_entropy){ .dlogits = buffer,
                                                                .rows = buffer,
                                                                .logits = buffer,
                                                                .labels = buffer,
                                                                .B = 1,
                                                                .classes = 10000,
                                                                .scale = 1 });
}

/* Writes the kernel's file into `folder`, `from` replaced by `to`. */
static void write_changed(const char *folder, const char *file, const char *from, const char *to)
{
    size_t i = 0;
    const char *text, *at;
    char path[200], changed[20000];

    while (i < sp_cl_source_count && strcmp(sp_cl_sources[i].path, file) != 0)
        i++;
    assert_true(i < sp_cl_source_count);
    text = sp_cl_sources[i].text;
    at = strstr(text, from);
    assert_non_null(at);
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)(strchr(file, '/') - file), file);
    assert_ok(sp_fs_mkdirs(path));
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_ok(sp_fs_write(path, changed, strlen(changed)));
}

/* A result that is small beside another of the same kernel is looked at as closely. */
static void test_small_results(void **state)
{
    static const struct {
        const char *kernel, *file, *from, *to;
    } cases[] = {
        /* the coefficient beside the norm */
        { "norm_finish", "optim/norm_finish.cl", "(norm + 1e-6f)", "(1.05f * norm)" },
        { "norm_squares", "optim/norm_squares.cl", "= sum;", "= n < 40 ? 1.01f * sum : sum;" }, /* of a small tensor */
        { "adamw", "optim/adamw.cl", "* rest2;", "* (1.05f * rest2);" }, /* of which v gets a thousandth */
        /* of the many other classes */
        { "cross_entropy", "loss/cross_entropy.cl", "(softmax - even)", "(1.05f * softmax - even)" },
    };
    char folder[] = "/tmp/speft-check-XXXXXX", words[100];

    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("SPEFT_KERNEL_DIR", folder, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sp_device *device;
        struct sp_buffer *buffer;

        write_changed(folder, cases[i].file, cases[i].from, cases[i].to);
        assert_ok(sp_device_open(&device, NULL));
        assert_ok(sp_buffer_create_zeros(&buffer, device, 40000));
        assert_ok(sp_kernel_set_checking(device, true));
        snprintf(words, sizeof words, "computes wrong numbers: kernel %s (", cases[i].kernel);
        assert_error(launch(device, buffer, cases[i].kernel), SP_ENUMERIC, words);
        sp_buffer_free(buffer);
        sp_device_close(device);
    }
    unsetenv("SPEFT_KERNEL_DIR");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(words, sizeof words, "%s/%s", folder, cases[i].file);
        assert_int_equal(unlink(words), 0);
        *strrchr(words, '/') = '\0';
        (void)rmdir(words);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_blind),
        cmocka_unit_test(test_small_results),
    };

    return cmocka_run_group_tests_name("check", tests, open_device, close_device);
}
