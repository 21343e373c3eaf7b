/*
 * Devices and their memory on the driver at hand. Started with the argument "list" it is the child
 * of test_no_driver: it lists the devices and prints what happened.
 */
#include "tests/unit/device_support.h"

#include "runtime/base/fs.h"
#include "runtime/device/driver.h"
#include "runtime/device/guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct sp_device_info made_up[] = {
    { .index = 0,
      .type = SP_DEVICE_CPU,
      .platform = "Portable Computing Language",
      .name = "pthread-skylake-Intel(R) Xeon(R)",
      .vendor = "GenuineIntel" },
    { .index = 1,
      .type = SP_DEVICE_CPU,
      .platform = "Intel(R) OpenCL",
      .name = "Intel(R) Xeon(R) Processor",
      .vendor = "Intel(R) Corporation" },
    { .index = 2,
      .type = SP_DEVICE_GPU,
      .platform = "NVIDIA CUDA",
      .name = "NVIDIA H100",
      .vendor = "NVIDIA Corporation" },
    { .index = 3,
      .type = SP_DEVICE_GPU,
      .platform = "AMD APP",
      .name = "gfx90a",
      .vendor = "Advanced Micro Devices, Inc." },
};

static void test_choose(void **state)
{
    static const struct {
        const char *spec;
        size_t expected;
    } cases[] = {
        { NULL, 2 },
        { "", 2 },
        { "auto", 2 },
        { "cpu", 0 },
        { "GPU", 2 },
        { "3", 3 },
        { "h100", 2 },
        { "GFX90A", 3 },
        { "xeon", 0 },
        { "portable", 0 },
        { "vendor:intel", 0 },
        { "vendor:nvidia", 2 },
        { "vendor:Advanced", 3 },
        { "intel(r) opencl", 1 },
    };
    size_t chosen;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(sp_device_choose(&chosen, made_up, 4, cases[i].spec));
        if (chosen != cases[i].expected)
            fail_msg("\"%s\" chose %zu", cases[i].spec ? cases[i].spec : "NULL", chosen);
    }
    assert_ok(sp_device_choose(&chosen, made_up, 2, "auto"));
    assert_int_equal(chosen, 0); /* no GPU: the first */
}

static void test_choose_nothing(void **state)
{
    static const char *const specs[] = { "4",       "-1",         "radeon",
                                         "vendor:", "vendor:arm", "99999999999999999999", " ", "(", "vendor: " };
    size_t chosen;

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        assert_error(sp_device_choose(&chosen, made_up, 4, specs[i]), SP_ENOTFOUND, specs[i]);
        assert_contains(sp_error_message(), "2: NVIDIA H100 (NVIDIA CUDA)");
    }
    assert_error(sp_device_choose(&chosen, made_up, 2, "gpu"), SP_ENOTFOUND, "\"gpu\"");
    assert_error(sp_device_choose(&chosen, made_up, 0, NULL), SP_ENOTFOUND, "none");
}

static void test_list(void **state)
{
    struct sp_device_info *list;
    size_t count;

    (void)state;
    assert_ok(sp_device_list(&list, &count));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list[i].index, i);
        assert_true(list[i].name[0] && list[i].platform[0] && list[i].driver[0]);
        assert_true(list[i].global_memory >= list[i].max_allocation);
        assert_true(list[i].max_allocation > 0 && list[i].max_work_group > 0);
        assert_true(list[i].address_alignment >= 64 && list[i].compute_units > 0);
        assert_false(list[i].probed);
        for (size_t j = 0; j < i; j++) /* each once */
            assert_false(strcmp(list[i].name, list[j].name) == 0 &&
                         strcmp(list[i].platform_version, list[j].platform_version) == 0);
    }
    free(list);
}

/* What each driver is known to do; any other driver only has to be probed. */
static void test_probe(void **state)
{
    const char *driver = getenv("SPEFT_TEST_DRIVER");
    struct sp_device_info *list;
    size_t count;

    (void)state;
    assert_ok(sp_device_list(&list, &count));
    assert_ok(sp_device_probe(&list[0]));
    assert_true(list[0].probed);
    if (driver && strcmp(driver, "pocl") == 0)
        assert_true(list[0].fp64);
    if (driver && strcmp(driver, "intel") == 0)
        assert_true(list[0].fp16 && list[0].fp64 && list[0].subgroups);
    if (driver && strcmp(driver, "oclgrind") == 0)
        assert_true(list[0].fp64 && !list[0].fp16 && !list[0].subgroups);
    list[0].index = 1000;
    assert_error(sp_device_probe(&list[0]), SP_ENOTFOUND, "1000");
    free(list);
}

static void test_write_read(void **state)
{
    struct sp_buffer *buffer, *other;
    uint32_t out[100], in[100];

    for (uint32_t i = 0; i < 100; i++)
        in[i] = i * 2654435761u;
    assert_ok(sp_buffer_create(&buffer, *state, sizeof in));
    assert_ok(sp_buffer_create(&other, *state, sizeof in));
    assert_int_equal(sp_buffer_size(buffer), sizeof in);
    assert_ptr_equal(sp_buffer_device(buffer), *state);
    assert_ok(sp_buffer_write(buffer, 0, in, sizeof in));
    memset(out, 0, sizeof out);
    assert_ok(sp_buffer_read(out, buffer, 0, sizeof out));
    assert_memory_equal(out, in, sizeof in);
    /* parts, at odd places */
    assert_ok(sp_buffer_write(buffer, 37, "xyz", 3));
    memcpy((char *)in + 37, "xyz", 3);
    assert_ok(sp_buffer_read(out, buffer, 5, 50));
    assert_memory_equal(out, (char *)in + 5, 50);
    assert_ok(sp_buffer_copy(other, 8, buffer, 20, 100));
    assert_ok(sp_buffer_fill(other, 12, 0xdeadbeef, 8));
    assert_ok(sp_buffer_read(out, other, 8, 100));
    assert_int_equal(out[0], in[5]);
    assert_int_equal(out[1], 0xdeadbeef);
    assert_int_equal(out[2], 0xdeadbeef);
    assert_memory_equal(&out[3], &in[8], 88);
    /* nothing is nothing */
    assert_ok(sp_buffer_write(buffer, sizeof in, in, 0));
    assert_ok(sp_buffer_read(out, buffer, 0, 0));
    assert_ok(sp_buffer_fill(buffer, 4, 1, 0));
    assert_ok(sp_buffer_copy(other, 0, buffer, 0, 0));
    sp_buffer_free(buffer);
    sp_buffer_free(other);
    sp_buffer_free(NULL);
}

static void check_download(const uint32_t *words, size_t count, uint32_t i)
{
    assert_int_equal(words[0], 10 + i);
    assert_int_equal(words[count - 1], 10 + i);
    assert_int_equal(words[count], 20 + i);
    assert_int_equal(words[count + 2], 20 + i);
}

/* Each download has what its buffers held when it began, whatever came after; they end in their order, and at most two
 * are on their way. */
static void test_downloads(void **state)
{
    enum { WORDS = 50000, BYTES = WORDS * sizeof(uint32_t) };
    struct sp_buffer *buffers[2];
    struct sp_download_part parts[2] = { { .bytes = BYTES }, { .bytes = 12 } };
    struct sp_download *download;
    const void *read[2];

    for (int k = 0; k < 2; k++) {
        assert_ok(sp_buffer_create(&buffers[k], *state, BYTES));
        parts[k].buffer = buffers[k];
    }
    assert_ok(sp_download_create(&download, *state, BYTES + 12));
    assert_error(sp_download_end(&read[0], download), SP_EINVAL, "no download");
    for (uint32_t i = 0; i < 6; i++) {
        assert_ok(sp_buffer_fill(buffers[0], 0, 10 + i, BYTES));
        assert_ok(sp_buffer_fill(buffers[1], 0, 20 + i, BYTES));
        assert_ok(sp_download_begin(download, parts, 2));
        if (i == 0)
            continue;
        assert_error(sp_download_begin(download, parts, 2), SP_EINVAL, "two downloads");
        assert_ok(sp_download_end(&read[(i - 1) % 2], download));
        check_download(read[(i - 1) % 2], WORDS, i - 1);
    }
    assert_ok(sp_download_end(&read[1], download));
    check_download(read[1], WORDS, 5);
    check_download(read[0], WORDS, 4); /* is there still: its turn has not come again */
    parts[1].bytes = 16;
    assert_error(sp_download_begin(download, parts, 2), SP_EINVAL, "too many");
    sp_device_set_recording(*state, true);
    assert_ok(sp_download_begin(download, parts, 2));
    sp_device_set_recording(*state, false);
    assert_error(sp_download_end(&read[0], download), SP_EINVAL, "no download");
    sp_download_free(download);
    sp_download_free(NULL);
    sp_buffer_free(buffers[0]);
    sp_buffer_free(buffers[1]);
}

/* What is filled while the last write may still be on its way does not change what that writes; a recording writes
 * nothing. */
static void test_uploads(void **state)
{
    enum { WORDS = 200000 };
    struct sp_buffer *buffer, *copies[5];
    struct sp_upload *upload;
    uint32_t *host, *out = test_calloc(WORDS, sizeof *out);
    void *begun;

    assert_ok(sp_buffer_create(&buffer, *state, WORDS * sizeof *out));
    assert_ok(sp_upload_create(&upload, buffer));
    for (uint32_t i = 0; i < 5; i++) {
        assert_ok(sp_buffer_create(&copies[i], *state, WORDS * sizeof *out));
        assert_ok(sp_upload_begin(&begun, upload));
        host = begun;
        for (uint32_t k = 0; k < WORDS; k++)
            host[k] = i * WORDS + k;
        sp_device_set_recording(*state, i == 3);
        assert_ok(sp_upload_end(upload));
        sp_device_set_recording(*state, false);
        assert_ok(sp_buffer_copy(copies[i], 0, buffer, 0, WORDS * sizeof *out));
    }
    for (uint32_t i = 0; i < 5; i++) {
        assert_ok(sp_buffer_read(out, copies[i], 0, WORDS * sizeof *out));
        for (uint32_t k = 0; k < WORDS; k++)
            assert_int_equal(out[k], (i == 3 ? 2 : i) * WORDS + k);
        sp_buffer_free(copies[i]);
    }
    sp_upload_free(upload);
    sp_upload_free(NULL);
    sp_buffer_free(buffer);
    test_free(out);
}

static void test_ranges(void **state)
{
    struct sp_buffer *buffer;
    char data[16] = { 0 };

    assert_ok(sp_buffer_create(&buffer, *state, 16));
    assert_error(sp_buffer_write(buffer, 1, data, 16), SP_EINVAL, "16 bytes at 1");
    assert_error(sp_buffer_read(data, buffer, 17, 0), SP_EINVAL, "does not fit");
    assert_error(sp_buffer_read(data, buffer, 1, SIZE_MAX), SP_EINVAL, "does not fit");
    assert_error(sp_buffer_fill(buffer, 8, 0, 12), SP_EINVAL, "does not fit");
    assert_error(sp_buffer_fill(buffer, 0, 0, 6), SP_EINVAL, "multiples of 4");
    assert_error(sp_buffer_copy(buffer, 8, buffer, 0, 9), SP_EINVAL, "does not fit");
    sp_buffer_free(buffer);
}

static void test_views(void **state)
{
    struct sp_device *device = *state;
    size_t step = sp_buffer_alignment(device), before = sp_device_memory(device);
    struct sp_buffer *root, *view, *inner;
    uint32_t word;

    assert_true(step >= 64 && step % 64 == 0);
    assert_ok(sp_buffer_create(&root, device, 4 * step));
    assert_int_equal(sp_device_memory(device), before + 4 * step);
    assert_ok(sp_buffer_view(&view, root, step, 3 * step));
    assert_ok(sp_buffer_view(&inner, view, step, 8));
    assert_int_equal(sp_device_memory(device), before + 4 * step); /* views are not counted */
    assert_int_equal(sp_buffer_size(inner), 8);
    assert_ok(sp_buffer_fill(root, 0, 1, 4 * step));
    assert_ok(sp_buffer_fill(inner, 4, 7, 4));
    assert_ok(sp_buffer_read(&word, root, 2 * step + 4, 4));
    assert_int_equal(word, 7);
    assert_ok(sp_buffer_read(&word, inner, 0, 4));
    assert_int_equal(word, 1);
    assert_error(sp_buffer_read(&word, inner, 8, 4), SP_EINVAL, "does not fit");
    sp_buffer_free(inner);
    assert_error(sp_buffer_view(&inner, root, 4, 4), SP_EINVAL, "not aligned");
    assert_error(sp_buffer_view(&inner, root, step, 4 * step), SP_EINVAL, "does not fit");
    assert_error(sp_buffer_view(&inner, view, 3 * step, 1), SP_EINVAL, "does not fit");
    sp_buffer_free(view);
    sp_buffer_free(root);
    assert_int_equal(sp_device_memory(device), before);
    assert_true(sp_device_peak_memory(device) >= before + 4 * step);
}

static void test_map(void **state)
{
    struct sp_buffer *buffer, *view;
    size_t step = sp_buffer_alignment(*state);
    uint32_t word = 0;
    void *mapped;

    assert_ok(sp_buffer_create(&buffer, *state, 2 * step));
    assert_ok(sp_buffer_view(&view, buffer, step, step));
    assert_ok(sp_buffer_fill(buffer, 0, 3, 2 * step));
    assert_ok(sp_buffer_map(&mapped, view, true));
    assert_int_equal(((uint32_t *)mapped)[0], 3);
    ((uint32_t *)mapped)[1] = 9;
    assert_ok(sp_buffer_unmap(view, mapped));
    assert_ok(sp_buffer_read(&word, view, 4, 4));
    assert_int_equal(word, 9);
    assert_ok(sp_buffer_map(&mapped, view, false));
    assert_int_equal(((uint32_t *)mapped)[1], 9);
    assert_ok(sp_buffer_unmap(view, mapped));
    assert_ok(sp_device_finish(*state));
    sp_buffer_free(view);
    sp_buffer_free(buffer);
}

static void test_too_large(void **state)
{
    struct sp_device *device = *state;
    uint64_t memory = device->info.global_memory;
    struct sp_buffer *buffer = NULL, *second;
    size_t before = sp_device_memory(device);

    assert_error(sp_buffer_create(&buffer, device, (size_t)device->info.max_allocation + 1),
                 SP_ELIMIT, "in one allocation");
    assert_contains(sp_error_message(), device->info.name);
    assert_error(sp_buffer_create(&buffer, device, SIZE_MAX), SP_ELIMIT, "smaller batch");
    device->info.global_memory = before + 1000;
    assert_ok(sp_buffer_create(&buffer, device, 600));
    assert_error(sp_buffer_create(&second, device, 600), SP_ELIMIT, "are in use");
    device->info.global_memory = memory;
    assert_int_equal(sp_device_memory(device), before + 600);
    sp_buffer_free(buffer);
    assert_ok(sp_buffer_create(&buffer, device, 0));
    assert_int_equal(sp_buffer_size(buffer), 4);
    sp_buffer_free(buffer);
}

static void test_recording(void **state)
{
    struct sp_device *device = *state;
    uint32_t in = 5, out = 77;
    struct sp_buffer *buffer;

    assert_ok(sp_buffer_create(&buffer, device, 4));
    assert_ok(sp_buffer_write(buffer, 0, &in, 4));
    sp_device_set_recording(device, true);
    assert_true(sp_device_recording(device));
    in = 6;
    assert_ok(sp_buffer_write(buffer, 0, &in, 4));
    assert_ok(sp_buffer_fill(buffer, 0, 8, 4));
    assert_ok(sp_buffer_read(&out, buffer, 0, 4));
    assert_int_equal(out, 0);
    assert_ok(sp_device_finish(device));
    assert_error(sp_buffer_write(buffer, 1, &in, 4), SP_EINVAL, "does not fit"); /* still checked */
    sp_device_set_recording(device, false);
    assert_ok(sp_buffer_read(&out, buffer, 0, 4));
    assert_int_equal(out, 5);
    sp_buffer_free(buffer);
}

static void test_failed_call(void **state)
{
    struct sp_device *device = *state;

    assert_error(SP_CL(device, clSetKernelArg(NULL, 0, 0, NULL)), SP_EDEVICE,
                 "clSetKernelArg failed");
    assert_contains(sp_error_message(), "CL_INVALID_KERNEL (-48)");
    assert_contains(sp_error_message(), device->info.name);
    assert_error(SP_CL(device, CL_MEM_OBJECT_ALLOCATION_FAILURE), SP_ELIMIT, "out of memory");
    assert_error(SP_CL(device, -12345), SP_EDEVICE, "unknown OpenCL error (-12345)");
}

/* Runs `body` in a child with the guard installed; its standard error and how it ended. */
static int in_child(char *out, size_t size, void (*body)(struct sp_device *),
                    struct sp_device *device)
{
    int ends[2], status;
    size_t length = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        body(device);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], out + length, size - 1 - length)) > 0;)
        length += (size_t)n;
    out[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void crashed(const char *message, size_t length)
{
    if (write(STDERR_FILENO, message, length) < 0)
        _exit(9);
    _exit(8);
}

static cl_int die(int number)
{
    raise(number);
    return CL_SUCCESS;
}

static unsigned touch_cut_file(void)
{
    char path[] = "/tmp/speft-test-cut-XXXXXX";
    static const char block[3 * 4096];
    struct sp_map map;
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, block, sizeof block) != sizeof block || sp_fs_map(&map, path) < 0 || ftruncate(fd, 100) < 0)
        _exit(7);
    unlink(path);
    return map.data[2 * 4096];
}

/* In a driver's call, which is not what is to blame. */
static void touch_in_call(struct sp_device *device)
{
    sp_device_guard_install(crashed);
    sp_driver_activity("building", "some/kernel.cl");
    _exit(SP_CL(device, (int)touch_cut_file()));
}

static void *touch_in_thread(void *unused)
{
    (void)unused;
    return (void *)(size_t)touch_cut_file();
}

/* In a thread that a driver made. */
static void touch_elsewhere(struct sp_device *device)
{
    pthread_t thread;

    (void)device;
    sp_device_guard_install(crashed);
    pthread_create(&thread, NULL, touch_in_thread, NULL);
    pthread_join(thread, NULL);
}

static void test_cut_file(void **state)
{
    void (*const bodies[])(struct sp_device *) = { touch_in_call, touch_elsewhere };
    char text[2048];

    for (size_t i = 0; i < 2; i++) {
        int status = in_child(text, sizeof text, bodies[i], *state);

        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 8);
        assert_contains(text, "/tmp/speft-test-cut-");
        assert_contains(text, " became shorter while it was read");
        assert_null(strstr(text, "driver"));
    }
}

static void crash_in_call(struct sp_device *device)
{
    sp_device_guard_install(crashed);
    sp_driver_activity("building", "some/kernel.cl");
    _exit(SP_CL(device, die(SIGSEGV)));
}

static void crash_without_activity(struct sp_device *device)
{
    sp_device_guard_install(crashed);
    _exit(SP_CL(device, die(SIGABRT)));
}

static void *driver_thread(void *number)
{
    die(*(int *)number);
    return NULL;
}

static void crash_in_thread(struct sp_device *device)
{
    int number = SIGILL;
    pthread_t thread;

    sp_device_guard_install(crashed);
    sp_driver_launch = (struct sp_driver_launch){ device, "some_kernel" };
    pthread_create(&thread, NULL, driver_thread, &number);
    pthread_join(thread, NULL);
}

static void crash_elsewhere(struct sp_device *device)
{
    (void)device;
    signal(SIGSEGV, SIG_DFL); /* not the sanitizer's */
    sp_device_guard_install(crashed);
    die(SIGSEGV);
}

static void test_guard(void **state)
{
    struct sp_device *device = *state;
    char text[4096];
    int status = in_child(text, sizeof text, crash_in_call, device);

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 8);
    assert_contains(text, "crashed while building some/kernel.cl; try another device");
    assert_contains(text, device->info.name);
    assert_contains(text, device->info.driver);
    status = in_child(text, sizeof text, crash_without_activity, device);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 8);
    assert_contains(text, "while in die(");
    status = in_child(text, sizeof text, crash_in_thread, device);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 8);
    assert_contains(text, "crashed while running some_kernel");
    status = in_child(text, sizeof text, crash_elsewhere, device);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_string_equal(text, "");
}

static void list_without_driver(struct sp_device *device)
{
    (void)device;
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    setenv("OCL_ICD_FILENAMES", "", 1);
    unsetenv("LD_PRELOAD"); /* Oclgrind's way in */
    execl("/proc/self/exe", "test_device", "list", (char *)NULL);
}

static void test_no_driver(void **state)
{
    char text[4096];
    int status = in_child(text, sizeof text, list_without_driver, *state);

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    assert_contains(text, "no OpenCL driver was found");
    assert_contains(text, "pocl-opencl-icd");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose),      cmocka_unit_test(test_choose_nothing),
        cmocka_unit_test(test_list),        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_write_read),  cmocka_unit_test(test_uploads), cmocka_unit_test(test_downloads),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_views),       cmocka_unit_test(test_map),
        cmocka_unit_test(test_too_large),   cmocka_unit_test(test_recording),
        cmocka_unit_test(test_failed_call), cmocka_unit_test(test_guard),
        cmocka_unit_test(test_no_driver),   cmocka_unit_test(test_cut_file),
    };

    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        struct sp_device_info *list;
        size_t count;
        int rc = sp_device_list(&list, &count);

        fprintf(stderr, "%s\n", sp_error_message());
        return rc == SP_ENOTFOUND ? 3 : 4;
    }
    return cmocka_run_group_tests(tests, open_device, close_device);
}
