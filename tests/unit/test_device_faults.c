/*
 * Every OpenCL call and every allocation of a whole session fails once, one at a time: each failure
 * is an error value with a message, or something that can be done without; nothing crashes, and
 * under AddressSanitizer nothing is lost. The linker's --wrap puts the functions below in front of
 * the real ones.
 */
#include "tests/unit/device_support.h"

#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/device/driver.h"
#include "runtime/kernel/launch.h"

#include <stdio.h>
#include <stdlib.h>

static long driver_countdown, memory_countdown; /* the call that fails; 0: none */

/* True once, when the countdown ends. */
static bool fails(long *countdown)
{
    return *countdown > 0 && --*countdown == 0;
}

int __real_sp_driver_leave(cl_int status);
void *__real_sp_calloc(size_t count, size_t size);
void *__real_sp_realloc(void *pointer, size_t count, size_t size);
char *__real_sp_strdup(const char *text);
int __wrap_sp_driver_leave(cl_int status);
void *__wrap_sp_calloc(size_t count, size_t size);
void *__wrap_sp_realloc(void *pointer, size_t count, size_t size);
char *__wrap_sp_strdup(const char *text);
char *__wrap_sp_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

int __wrap_sp_driver_leave(cl_int status)
{
    return __real_sp_driver_leave(fails(&driver_countdown) ? CL_OUT_OF_RESOURCES : status);
}

static bool no_memory(void)
{
    return fails(&memory_countdown) && sp_error(SP_ENOMEM, "out of memory (by the test)") < 0;
}

void *__wrap_sp_calloc(size_t count, size_t size)
{
    return no_memory() ? NULL : __real_sp_calloc(count, size);
}

void *__wrap_sp_realloc(void *pointer, size_t count, size_t size)
{
    return no_memory() ? NULL : __real_sp_realloc(pointer, count, size);
}

char *__wrap_sp_strdup(const char *text)
{
    return no_memory() ? NULL : __real_sp_strdup(text);
}

char *__wrap_sp_asprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    if (no_memory())
        return NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return text;
}

static const struct sp_kernel scale = { "scale", "scale.cl" };

static int launch_scale(struct sp_device *device, struct sp_buffer *x, int factor)
{
    struct sp_launch launch = { .kernel = &scale, .global = { 4 }, .local = { 1 } };

    sp_launch_define(&launch, "FACTOR", factor);
    sp_launch_buffer(&launch, x);
    return sp_launch_run(device, &launch);
}

static int use(struct sp_device *device)
{
    struct sp_buffer *x = NULL, *view = NULL;
    struct sp_profile_entry *entries = NULL;
    float values[4] = { 1, 2, 3, 4 };
    void *mapped;
    size_t count;
    int rc;

    SP_GO(sp_buffer_create(&x, device, sizeof values));
    SP_GO(sp_buffer_view(&view, x, 0, sizeof values));
    SP_GO(sp_buffer_write(x, 0, values, sizeof values));
    sp_device_set_recording(device, true);
    rc = launch_scale(device, view, 2);
    if (rc == 0)
        rc = launch_scale(device, view, 3);
    sp_device_set_recording(device, false);
    SP_GO(rc);
    SP_GO(sp_kernel_build_recorded(device));
    SP_GO(sp_device_set_profiling(device, true));
    SP_GO(launch_scale(device, view, 2));
    SP_GO(launch_scale(device, view, 5)); /* one that was not noted */
    SP_GO(sp_device_take_profile(device, &entries, &count));
    SP_GO(sp_device_finish(device));
    SP_GO(sp_buffer_map(&mapped, view, true));
    SP_GO(sp_buffer_unmap(view, mapped));
    SP_GO(sp_buffer_copy(x, 0, x, 8, 4));
    SP_GO(sp_buffer_fill(x, 12, 0, 4));
    SP_GO(sp_buffer_read(values, x, 0, sizeof values));
    assert_true(values[0] == 30 && values[1] == 20 && values[2] == 30 && values[3] == 0);
out:
    free(entries);
    sp_buffer_free(view);
    sp_buffer_free(x);
    return rc;
}

static int session(void)
{
    struct sp_device_info *list;
    struct sp_device *device;
    size_t count;
    int rc;

    SP_TRY(sp_device_list(&list, &count));
    free(list);
    SP_TRY(sp_device_open(&device, "auto"));
    rc = use(device);
    assert_int_equal(sp_device_memory(device), 0);
    sp_device_close(device);
    return rc;
}

/* Fails each call in turn until a session ends before the countdown does. */
static void walk(long *countdown)
{
    long failed = 0, number = 1;

    for (;; number++) {
        int rc;

        *countdown = number;
        sp_error(0, "%s", "");
        rc = session();
        if (*countdown > 0)
            break;
        failed += rc < 0;
        if (rc < 0 && !sp_error_message()[0])
            fail_msg("call %ld failed without a word", number);
        assert_true(number < 2000);
    }
    *countdown = 0;
    assert_ok(session());
    assert_true(failed > 20 && failed > number / 2); /* most calls cannot be done without */
}

static void test_driver(void **state)
{
    (void)state;
    walk(&driver_countdown);
}

static void test_memory(void **state)
{
    (void)state;
    walk(&memory_countdown);
}

static char folder[] = "/tmp/speft-test-faults.XXXXXX";

static int setup(void **state)
{
    static const char source[] = "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
                                 "void scale(__global float *x)\n"
                                 "{\n"
                                 "    x[get_global_id(0)] *= FACTOR;\n"
                                 "}\n";
    char *path;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    setenv("SPEFT_KERNEL_DIR", folder, 1);
    setenv("SPEFT_CACHE_DIR", folder, 1);
    path = sp_fs_join(folder, "scale.cl");
    if (sp_fs_write(path, source, strlen(source)) < 0)
        return -1;
    free(path);
    return session(); /* fills the cache */
}

static int teardown(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_driver),
                                        cmocka_unit_test(test_memory) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
