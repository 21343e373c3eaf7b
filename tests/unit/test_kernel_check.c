/*
 * When a kernel's case is run (runtime/kernel/check.h): before the kernel's first use, once for each binary, and never
 * where checking is off. The cases here are this file's own; what real ones compare is tests/kernel's, and that they
 * notice tests/train/test_self_test.c's.
 */
#include "tests/unit/device_support.h"

#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/device/driver.h"
#include "runtime/kernel/launch.h"

#include <dirent.h>
#include <stdlib.h>

enum { COUNT = 3 };

static char folder[] = "/tmp/speft-test-check.XXXXXX";

static const struct sp_kernel add = { "add", "act/add.cl" };
static const struct sp_kernel foreign = { "TheirProduct", "a library" };

static int calls;                   /* of cases */
static const char *library_version; /* of the foreign kernel's */

/* x = x + x with so many elements to a work-item, which is a kernel of its own. */
static int launch_add(struct sp_device *device, struct sp_buffer *x, long chunk, const struct sp_launch_check *check)
{
    struct sp_launch launch = { .kernel = &add, .global = { 1 }, .local = { 1 }, .check = *check };

    sp_launch_define(&launch, "LANES", 1);
    sp_launch_define(&launch, "CHUNK", chunk);
    for (int i = 0; i < 3; i++)
        sp_launch_buffer(&launch, x);
    sp_launch_uint(&launch, COUNT);
    return sp_launch_run(device, &launch);
}

static int call_foreign(struct sp_device *device, const struct sp_launch_check *check)
{
    struct sp_launch launch = { .kernel = &foreign, .check = *check };

    return sp_launch_foreign(device, &launch, library_version);
}

/* Cases: size[0] is the chunk of the kernel that they check. */

static int good(struct sp_device *device, const struct sp_launch_check *check)
{
    struct sp_buffer *x;
    int rc;

    calls++;
    assert_ok(sp_buffer_create_zeros(&x, device, COUNT * sizeof(float)));
    rc = launch_add(device, x, check->size[0], &(struct sp_launch_check){ 0 });
    sp_buffer_free(x);
    return rc;
}

static int bad(struct sp_device *device, const struct sp_launch_check *check)
{
    assert_ok(good(device, check));
    return sp_error(SP_ENUMERIC, "out[7] is 1, expected 2");
}

static int idle(struct sp_device *device, const struct sp_launch_check *check)
{
    (void)device, (void)check;
    calls++;
    return 0;
}

static int calls_foreign(struct sp_device *device, const struct sp_launch_check *check)
{
    (void)check;
    calls++;
    return call_foreign(device, &(struct sp_launch_check){ 0 });
}

static struct sp_launch_check with(int (*run)(struct sp_device *, const struct sp_launch_check *), int chunk)
{
    return (struct sp_launch_check){ run, &add, "sum", 5, { chunk } };
}

/* Launches on ones; what they became. */
static int run(float *out, struct sp_device *device, long chunk, struct sp_launch_check check)
{
    float x[COUNT] = { 1, 1, 1 };
    struct sp_buffer *buffer;
    int rc;

    assert_ok(sp_buffer_create(&buffer, device, sizeof x));
    assert_ok(sp_buffer_write(buffer, 0, x, sizeof x));
    rc = launch_add(device, buffer, chunk, &check);
    assert_ok(sp_buffer_read(x, buffer, 0, sizeof x));
    sp_buffer_free(buffer);
    *out = x[COUNT - 1];
    return rc;
}

static int fresh(void **state)
{
    static int number;
    char *path = sp_asprintf("%s/%d", folder, number++);

    setenv("SPEFT_CACHE_DIR", path, 1);
    free(path);
    calls = 0;
    return open_device(state);
}

static struct sp_device *reopen(void **state)
{
    close_device(state);
    assert_ok(open_device(state));
    assert_ok(sp_kernel_set_checking(*state, true));
    return *state;
}

/* Spoils every file of the cache whose name ends so; their number. */
static int spoil(const char *suffix)
{
    char *path = sp_fs_cache_dir("programs");
    DIR *dir = opendir(path);
    int count = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *file = sp_asprintf("%s/%s", path, entry->d_name);

        if (strstr(entry->d_name, suffix)) {
            assert_ok(sp_fs_write(file, "x", 1));
            count++;
        }
        free(file);
    }
    closedir(dir);
    free(path);
    return count;
}

static void test_off(void **state)
{
    float x;

    assert_ok(run(&x, *state, 16, with(bad, 16)));
    assert_true(x == 2);
    assert_int_equal(calls, 0);
}

static void test_once(void **state)
{
    struct sp_device *device = reopen(state);
    float x;

    for (int i = 0; i < 2; i++) {
        assert_ok(run(&x, device, 16, with(good, 16)));
        assert_true(x == 2);
        assert_int_equal(calls, 1);
    }
    assert_ok(run(&x, device, 32, with(good, 32))); /* another binary */
    assert_int_equal(calls, 2);
    device = reopen(state);
    assert_ok(run(&x, device, 16, with(bad, 16))); /* known from the cache to be good */
    assert_int_equal(calls, 2);
    assert_ok(run(&x, device, 64, with(good, 64)));
    assert_int_equal(calls, 3);
}

/* A verdict that cannot be read, or is on another binary than the one at hand, is none. */
static void test_verdicts(void **state)
{
    struct sp_device *device = reopen(state);
    float x;

    assert_ok(run(&x, device, 16, with(good, 16)));
    assert_int_equal(spoil(".checked"), 1);
    device = reopen(state);
    assert_ok(run(&x, device, 16, with(good, 16)));
    assert_int_equal(calls, 2);
    device = reopen(state);
    assert_ok(run(&x, device, 16, (struct sp_launch_check){ good, &add, "sum", 5, { 16, 1 } })); /* another case */
    assert_int_equal(calls, 3);
}

static char said[1024];

static void listen(enum sp_log_level level, const char *text, void *user)
{
    (void)level, (void)user;
    snprintf(said, sizeof said, "%s", text);
}

/* A verdict behind a link is none, and is called what it is. */
static void test_linked_verdict(void **state)
{
    struct sp_device *device = reopen(state);
    char *command = sp_asprintf("cd '%s/programs' && name=$(echo *.checked) && mv $name verdict && ln -s verdict $name",
                                getenv("SPEFT_CACHE_DIR"));
    float x;

    assert_ok(run(&x, device, 16, with(good, 16)));
    assert_int_equal(system(command), 0);
    free(command);
    device = reopen(state);
    sp_log_set_sink(listen, NULL);
    assert_ok(run(&x, device, 16, with(good, 16)));
    sp_log_set_sink(NULL, NULL);
    assert_int_equal(calls, 2);
    assert_int_equal(strncmp(said, "a verdict of the self-test is not used: ", 40), 0);
}

static void test_failure(void **state)
{
    struct sp_device *device = reopen(state);
    float x;

    for (int i = 0; i < 2; i++) { /* nothing is remembered in its favour */
        assert_int_equal(run(&x, device, 16, with(bad, 16)), SP_ENUMERIC);
        assert_contains(sp_error_message(), "computes wrong numbers: kernel add (act/add.cl -DLANES=1 -DCHUNK=16): "
                                            "out[7] is 1, expected 2");
        assert_contains(sp_error_message(), sp_device_info(device)->name);
        assert_contains(sp_error_message(), sp_device_info(device)->platform);
        assert_contains(sp_error_message(), sp_device_info(device)->driver);
        assert_true(x == 1);
        assert_int_equal(calls, i + 1);
    }
    device = reopen(state);
    assert_error(run(&x, device, 16, with(bad, 16)), SP_ENUMERIC, "computes wrong numbers");
}

/* Coverage is not left to care: a launch names its case, and the case launches that kernel. */
static void test_coverage(void **state)
{
    struct sp_device *device = reopen(state);
    float x;

    assert_error(run(&x, device, 16, (struct sp_launch_check){ 0 }), SP_EINVAL,
                 "kernel add (act/add.cl) has no case that checks it");
    assert_error(run(&x, device, 32, with(idle, 32)), SP_EINVAL,
                 "the case of sum that checks kernel add (act/add.cl -DLANES=1 -DCHUNK=32) does not launch it");
    assert_error(run(&x, device, 64, with(good, 16)), SP_EINVAL, "does not launch it");
    assert_true(x == 1);
}

static int record(struct sp_device *device, int (*second)(struct sp_device *, const struct sp_launch_check *))
{
    float x;

    sp_device_set_recording(device, true);
    assert_ok(run(&x, device, 16, with(good, 16)));
    assert_ok(run(&x, device, 32, with(second, 32)));
    assert_ok(run(&x, device, 16, with(good, 16)));
    sp_device_set_recording(device, false);
    return sp_kernel_build_recorded(device);
}

static void test_recorded(void **state)
{
    struct sp_device *device = reopen(state);
    float x;

    assert_error(record(device, bad), SP_ENUMERIC, "-DCHUNK=32");
    assert_int_equal(calls, 2);
    device = reopen(state);
    assert_ok(record(device, good));
    assert_int_equal(calls, 3); /* the first is known to be good */
    assert_ok(run(&x, device, 32, with(good, 32)));
    assert_int_equal(calls, 3);
}

/* A library's kernels have no binaries here: they are checked in each process, or once where the library's version is
 * known. */
static void test_foreign(void **state)
{
    static const struct {
        const char *version;
        int calls; /* so far, in the end */
    } steps[] = { { NULL, 1 }, { NULL, 2 }, { "1", 3 }, { "1", 3 }, { "2", 4 }, { NULL, 5 }, { "2", 5 } };
    int before = 0;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; before = steps[i++].calls) {
        struct sp_device *device = reopen(state);
        const struct sp_launch_check check = with(calls_foreign, 1);

        library_version = steps[i].version;
        sp_device_set_recording(device, true);
        assert_ok(call_foreign(device, &check));
        sp_device_set_recording(device, false);
        assert_int_equal(calls, before);
        assert_ok(sp_kernel_build_recorded(device));
        assert_int_equal(calls, steps[i].calls);
        assert_ok(call_foreign(device, &check));
        assert_int_equal(calls, steps[i].calls);
    }
}

/* An error of OpenCL's is not wrong numbers, and no larger device would help. */
static int fails(struct sp_device *device, const struct sp_launch_check *check)
{
    size_t peak = sp_device_peak_memory(device);
    struct sp_buffer *buffer;

    (void)check;
    assert_ok(sp_buffer_create(&buffer, device, 1 << 20));
    assert_true(sp_device_memory(device) > peak); /* the self-test's own is not counted */
    assert_int_equal(sp_device_peak_memory(device), peak);
    sp_buffer_free(buffer);
    sp_driver_enter(device, "clEnqueueNDRangeKernel");
    return sp_driver_leave(CL_OUT_OF_RESOURCES);
}

static void test_error(void **state)
{
    struct sp_device *device = reopen(state);
    struct sp_buffer *buffer;
    float x;

    assert_error(run(&x, device, 16, with(fails, 16)), SP_EDEVICE,
                 "fails in the self-test: kernel add (act/add.cl -DLANES=1 -DCHUNK=16): ");
    assert_contains(sp_error_message(),
                    "clEnqueueNDRangeKernel failed with CL_OUT_OF_RESOURCES (-5). Update the driver");
    assert_contains(sp_error_message(), sp_device_info(device)->name);
    assert_contains(sp_error_message(), sp_device_info(device)->platform);
    assert_contains(sp_error_message(), sp_device_info(device)->driver);
    assert_null(strstr(sp_error_message(), "batch"));
    assert_ok(sp_buffer_create(&buffer, device, 1 << 20));
    assert_true(sp_device_peak_memory(device) >= 1 << 20); /* the next one's is */
    sp_buffer_free(buffer);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    char *command = sp_asprintf("rm -rf '%s'", folder);
    int rc = system(command);

    (void)state;
    free(command);
    return rc;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, fresh, close_device)
    const struct CMUnitTest tests[] = {
        TEST(test_off),      TEST(test_once),     TEST(test_verdicts), TEST(test_linked_verdict), TEST(test_failure),
        TEST(test_coverage), TEST(test_recorded), TEST(test_foreign),  TEST(test_error),
    };

    return cmocka_run_group_tests_name("checks", tests, setup, teardown);
}
