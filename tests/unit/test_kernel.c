/*
 * Launches, programs, the binary cache and the build workers, on the driver at hand. The kernels
 * are files that the test writes into $SPEFT_KERNEL_DIR. Started as a build worker it is one; when
 * $TEST_WORKER says so, a worker that dies, leaves or hangs.
 */
#include "tests/unit/device_support.h"

#include "runtime/base/child.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cache.h"
#include "runtime/kernel/launch.h"
#include "runtime/kernel/worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/speft-test-kernel.XXXXXX"; /* kernels in k/, the cache in c/ */

static const struct sp_kernel add = { "add", "t/add.cl" };

static const char add_source[] = "#include \"t/lib.h\"\n"
                                 "# include \"t/lib.h\" // twice\n"
                                 "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
                                 "void add(__global float *y, __global const float *x, int n)\n"
                                 "{\n"
                                 "    int i = (int)get_global_id(0);\n"
                                 "    if (i < n)\n"
                                 "        y[i] = x[i] + offset();\n"
                                 "}\n";
static const char lib_source[] = "static float offset(void) { return K; }\n";

static void write_kernel(const char *name, const char *text)
{
    char *path = sp_asprintf("%s/k/%s", folder, name);

    assert_ok(sp_fs_write(path, text, strlen(text)));
    free(path);
}

static void use_cache(const char *name)
{
    char *path = sp_asprintf("%s/%s", folder, name);

    setenv("SPEFT_CACHE_DIR", path, 1);
    free(path);
}

/* Calls `visit` with the path of every cached program; their number. */
static size_t cached_programs(void (*visit)(const char *path))
{
    char *path = sp_fs_cache_dir("programs");
    DIR *dir = opendir(path);
    size_t count = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *file = sp_fs_join(path, entry->d_name);

        if (entry->d_name[0] != '.') {
            count++;
            if (visit)
                visit(file);
        }
        free(file);
    }
    if (dir)
        closedir(dir);
    free(path);
    return count;
}

static int setup(void **state)
{
    char *path;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    path = sp_asprintf("%s/k/t", folder);
    if (sp_fs_mkdirs(path) < 0)
        return -1;
    free(path);
    path = sp_asprintf("%s/k", folder);
    setenv("SPEFT_KERNEL_DIR", path, 1);
    free(path);
    write_kernel("t/add.cl", add_source);
    write_kernel("t/lib.h", lib_source);
    return 0;
}

static int teardown(void **state)
{
    char *command = sp_asprintf("rm -rf '%s'", folder);
    int rc = system(command);

    (void)state;
    free(command);
    return rc;
}

/* A new cache for each test. */
static int fresh(void **state)
{
    static int number;
    char name[32];

    snprintf(name, sizeof name, "c%d", number++);
    use_cache(name);
    return open_device(state);
}

/* y[i] = x[i] + K over n elements. */
static int launch_add(struct sp_device *device, struct sp_buffer *y, struct sp_buffer *x, int n,
                      int k)
{
    struct sp_launch launch = { .kernel = &add, .global = { (size_t)n }, .local = { 1 } };

    sp_launch_define(&launch, "K", k);
    sp_launch_buffer(&launch, y);
    sp_launch_buffer(&launch, x);
    sp_launch_int(&launch, n);
    return sp_launch_run(device, &launch);
}

/* Launches with K = k on a new buffer and checks the result. */
static void check_add(struct sp_device *device, int k)
{
    struct sp_buffer *buffer;
    float x[3] = { 1, 2, 3 };

    assert_ok(sp_buffer_create(&buffer, device, sizeof x));
    assert_ok(sp_buffer_write(buffer, 0, x, sizeof x));
    assert_ok(launch_add(device, buffer, buffer, 3, k));
    assert_ok(sp_buffer_read(x, buffer, 0, sizeof x));
    for (int i = 0; i < 3; i++)
        if (x[i] != (float)(i + 1 + k))
            fail_msg("%d + %d is not %g", i + 1, k, (double)x[i]);
    sp_buffer_free(buffer);
}

static void assert_counts(struct sp_device *device, size_t cached, size_t compiled)
{
    size_t c, n;

    sp_kernel_build_counts(device, &c, &n);
    if (c != cached || n != compiled)
        fail_msg("%zu from the cache and %zu compiled, expected %zu and %zu", c, n, cached,
                 compiled);
}

/* Closes the device and opens it again: an empty table. */
static struct sp_device *reopen(void **state)
{
    close_device(state);
    assert_ok(open_device(state));
    return *state;
}

static void test_launch(void **state)
{
    struct sp_device *device = *state;

    assert_counts(device, 0, 0);
    check_add(device, 5);
    check_add(device, 5);
    assert_counts(device, 0, 1);
    check_add(device, -7);
    check_add(device, 5);
    assert_counts(device, 0, 2);
}

static void test_arguments(void **state)
{
    static const struct sp_kernel kernel = { "arguments", "t/arguments.cl" };
    struct sp_launch launch = { .kernel = &kernel, .global = { 4, 6 }, .local = { 2, 3 } };
    struct sp_device *device = *state;
    struct sp_buffer *out;
    unsigned long long got[6];

    write_kernel(
        "t/arguments.cl",
        "__kernel void arguments(__global ulong *out, __global int *none, int a, uint b,\n"
        "                        ulong c, float d)\n"
        "{\n"
        "    if (get_global_id(0) == 3 && get_global_id(1) == 5 && get_global_id(2) == 0) {\n"
        "        out[0] = none == 0;\n"
        "        out[1] = (ulong)(long)a;\n"
        "        out[2] = b;\n"
        "        out[3] = c;\n"
        "        out[4] = as_uint(d);\n"
        "        out[5] = get_local_size(0) * 10 + get_local_size(1) + NAME;\n"
        "    }\n"
        "}\n");
    assert_ok(sp_buffer_create(&out, device, sizeof got));
    sp_launch_define_text(&launch, "NAME", "(100+200)");
    sp_launch_buffer(&launch, out);
    sp_launch_buffer(&launch, NULL);
    sp_launch_int(&launch, -3);
    sp_launch_uint(&launch, 0xfffffffe);
    sp_launch_ulong(&launch, 0x123456789abcdef0);
    sp_launch_float(&launch, 1.5f);
    assert_ok(sp_launch_run(device, &launch));
    assert_ok(sp_buffer_read(got, out, 0, sizeof got));
    assert_true(got[0] == 1 && got[1] == (unsigned long long)-3 && got[2] == 0xfffffffe);
    assert_true(got[3] == 0x123456789abcdef0 && got[4] == 0x3fc00000 && got[5] == 323);
    sp_buffer_free(out);
}

static void test_bad_launches(void **state)
{
    static const struct sp_kernel unknown = { "subtract", "t/add.cl" };
    struct sp_launch launch = { .kernel = &add, .global = { 6 }, .local = { 4 } };
    struct sp_device *device = *state;

    sp_launch_define(&launch, "K", 0);
    assert_error(sp_launch_run(device, &launch), SP_EINVAL, "6 work-items in dimension 0");
    launch.global[0] = 0;
    assert_error(sp_launch_run(device, &launch), SP_EINVAL, "add: 0 work-items");
    launch.global[0] = launch.local[0] = (size_t)1 << 30;
    assert_error(sp_launch_run(device, &launch), SP_EDEVICE, "1073741824: use another device");
    launch.global[0] = launch.local[0] = 1;
    assert_int_equal(sp_launch_run(device, &launch), SP_EDEVICE); /* no arguments at all */
    sp_launch_float(&launch, 1);
    assert_error(sp_launch_run(device, &launch), SP_EDEVICE, "kernel add, argument 0");
    launch = (struct sp_launch){ .kernel = &unknown, .global = { 1 }, .local = { 1 } };
    sp_launch_define(&launch, "K", 0);
    assert_error(sp_launch_run(device, &launch), SP_EDEVICE, "kernel subtract of t/add.cl");
    for (int i = 0; i <= SP_LAUNCH_ARGUMENTS; i++)
        sp_launch_int(&launch, i);
    assert_error(sp_launch_run(device, &launch), SP_ELIMIT, "too many arguments");
    launch = (struct sp_launch){ .kernel = &add, .global = { 1 }, .local = { 1 } };
    for (int i = 0; i < 100; i++)
        sp_launch_define(&launch, "LONG_NAME", i);
    assert_error(sp_launch_run(device, &launch), SP_ELIMIT, "or defines");
}

static void test_build_errors(void **state)
{
    static const struct sp_kernel broken = { "broken", "t/broken.cl" },
                                  lost = { "lost", "t/lost.cl" }, absent = { "a", "t/absent.cl" };
    struct sp_launch launch = { .kernel = &broken, .global = { 1 }, .local = { 1 } };
    struct sp_device *device = *state;

    write_kernel("t/broken.cl",
                 "#include \"t/lib.h\"\n__kernel void broken(void)\n{\n  oops();\n}\n");
    write_kernel("t/lost.cl", "\n\n#include \"t/nowhere.h\"\n");
    sp_launch_define(&launch, "K", 1);
    assert_error(sp_launch_run(device, &launch), SP_EBUILD, sp_device_info(device)->name);
    assert_contains(sp_error_message(), "cannot build the kernel file t/broken.cl");
    assert_contains(sp_error_message(), "oops");
    if (!strcmp(sp_device_info(device)->platform, "Portable Computing Language"))
        assert_contains(sp_error_message(), "t/broken.cl:4");
    launch.kernel = &lost;
    assert_error(sp_launch_run(device, &launch), SP_ENOTFOUND,
                 "t/lost.cl:3: there is no kernel file t/nowhere.h");
    launch.kernel = &absent;
    assert_error(sp_launch_run(device, &launch), SP_ENOTFOUND, "t/absent.cl");
    assert_counts(device, 0, 0);
    assert_int_equal(cached_programs(NULL), 0);
    check_add(device, 1); /* the device is none the worse */
}

/* A compiler's warnings are no news to who trains: PoCL counts them on standard error. */
static void test_warnings(void **state)
{
    static const struct sp_kernel careless = { "careless", "t/careless.cl" };
    struct sp_launch launch = { .kernel = &careless, .global = { 1 }, .local = { 1 } };
    char *path = sp_fs_join(folder, "stderr");
    char *text = sp_asprintf("/* %s: PoCL has not seen it yet */\n"
                             "__kernel void careless(void) { int i = 1.5f; int never; }\n",
                             folder);
    const char *driver = getenv("SPEFT_TEST_DRIVER");
    int before, file, rc;
    size_t size;
    char *said;

    if (driver && strcmp(driver, "oclgrind") == 0)
        skip(); /* knows no -w */
    before = dup(STDERR_FILENO);
    file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    write_kernel("t/careless.cl", text);
    dup2(file, STDERR_FILENO);
    rc = sp_launch_run(*state, &launch);
    dup2(before, STDERR_FILENO);
    close(before);
    close(file);
    assert_ok(rc);
    assert_ok(sp_fs_read(&said, &size, path, 1 << 16));
    if (size > 0)
        fail_msg("building a kernel said: %s", said);
    free(said);
    free(text);
    free(path);
}

static void test_cache(void **state)
{
    struct sp_device *device = *state;

    check_add(device, 1);
    check_add(device, 2);
    assert_int_equal(cached_programs(NULL), 2);
    device = reopen(state);
    check_add(device, 1);
    check_add(device, 2);
    assert_counts(device, 2, 0);
    /* another text under the same name is another program, be the change in an include */
    write_kernel("t/lib.h", "static float offset(void) { return K + 1 - 1; }\n");
    device = reopen(state);
    check_add(device, 1);
    assert_counts(device, 0, 1);
    write_kernel("t/lib.h", lib_source);
}

static void flip_byte(const char *path)
{
    FILE *file = fopen(path, "r+b");
    int c;

    fseek(file, -1, SEEK_END);
    c = fgetc(file);
    fseek(file, -1, SEEK_END);
    fputc(c ^ 1, file);
    fclose(file);
}

static void flip_first(const char *path)
{
    FILE *file = fopen(path, "r+b");

    fputc('S', file);
    fclose(file);
}

static void cut(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
}

static void cut_header(const char *path)
{
    assert_int_equal(truncate(path, 100), 0);
}

static void empty(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void lengthen(const char *path)
{
    FILE *file = fopen(path, "ab");

    fputc(0, file);
    fclose(file);
}

static const char *victim(void)
{
    static char path[64];

    snprintf(path, sizeof path, "%s/victim", folder);
    return path;
}

static void link_away(const char *path)
{
    assert_int_equal(rename(path, victim()), 0); /* a good program, but reached through a link */
    assert_int_equal(symlink(victim(), path), 0);
}

static void link_to_text(const char *path)
{
    assert_ok(sp_fs_write(victim(), "precious", 8));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(victim(), path), 0);
}

static void make_pipe(const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void open_to_all(const char *path)
{
    assert_int_equal(chmod(path, 0666), 0);
}

static char *other_program; /* the file of a valid entry, for another key */

static void remember(const char *path)
{
    other_program = sp_strdup(path);
}

static void replace_by_other(const char *path)
{
    char *data;
    size_t length;

    if (strcmp(path, other_program) == 0)
        return;
    assert_ok(sp_fs_read(&data, &length, other_program, (size_t)1 << 28));
    assert_ok(sp_fs_write(path, data, length));
    free(data);
}

static void test_bad_entries(void **state)
{
    void (*const faults[])(const char *) = { flip_byte, flip_first, cut,       cut_header,  empty,
                                             lengthen,  link_away,  make_pipe, open_to_all, link_to_text };
    struct sp_device *device = *state;
    char *text;

    check_add(device, 1);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        cached_programs(faults[i]);
        device = reopen(state);
        check_add(device, 1);
        assert_counts(device, 0, 1);
        device = reopen(state); /* replaced by a good one */
        check_add(device, 1);
        assert_counts(device, 1, 0);
    }
    assert_ok(sp_fs_read(&text, NULL, victim(), 100)); /* not written through the link */
    assert_string_equal(text, "precious");
    free(text);
    cached_programs(remember);
    check_add(device, 2);
    cached_programs(replace_by_other);
    device = reopen(state);
    check_add(device, 2);
    assert_counts(device, 0, 1);
    free(other_program);
}

/* What this code stored, but no binary of the driver. */
static void test_useless_binary(void **state)
{
    struct sp_device *device = *state;
    char key[SP_HASH_HEX];

    if (strcmp(sp_device_info(device)->platform, "rusticl") == 0)
        skip(); /* it aborts on a binary that it did not make */
    check_add(device, 1);
    cached_programs(remember);
    memcpy(key, strrchr(other_program, '/') + 1, SP_HASH_HEX - 1);
    key[SP_HASH_HEX - 1] = '\0';
    sp_cache_store(key, "nonsense", 8);
    device = reopen(state);
    check_add(device, 1);
    assert_counts(device, 0, 1);
    free(other_program);
}

static void test_no_cache(void **state)
{
    struct sp_device *device;

    use_cache("k/t/add.cl/below-a-file");
    device = reopen(state);
    check_add(device, 1);
    assert_counts(device, 0, 1);
    setenv("SPEFT_CACHE_DIR", "/proc/no-such-folder", 1);
    device = reopen(state);
    check_add(device, 1);
    assert_counts(device, 0, 1);
}

static char said[512];
static int warnings;

static void take_log(enum sp_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == SP_LOG_WARNING && warnings++ == 0)
        snprintf(said, sizeof said, "%s", text);
}

/* Neither is anything read from a folder that others can write, nor is anything put there; it is said once. */
static void test_foreign_cache(void **state)
{
    struct sp_device *device = *state;
    char *path = sp_fs_cache_dir("programs"), *above = sp_fs_cache_dir(".");

    check_add(device, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(chmod(i ? path : above, 0777), 0);
        warnings = 0;
        sp_log_set_sink(take_log, NULL);
        device = reopen(state);
        check_add(device, 1);
        check_add(device, 2);
        sp_log_set_sink(NULL, NULL);
        assert_counts(device, 0, 2);
        assert_int_equal(warnings, 1);
        assert_contains(said, "compiled programs are not kept for the next run: ");
        assert_contains(said, "can be written by everybody");
        assert_false(sp_cache_keeps());
        assert_int_equal(chmod(i ? path : above, 0700), 0);
        assert_int_equal(cached_programs(NULL), 1);
    }
    assert_true(sp_cache_keeps());
    device = reopen(state);
    check_add(device, 1);
    assert_counts(device, 1, 0);
    free(path);
    free(above);
}

/* Nowhere to keep them: that is said once, too. */
static void test_homeless(void **state)
{
    static const char *const names[] = { "SPEFT_CACHE_DIR", "XDG_CACHE_HOME", "HOME" };
    char *values[3];
    struct sp_device *device;

    for (int i = 0; i < 3; i++) {
        values[i] = getenv(names[i]) ? strdup(getenv(names[i])) : NULL;
        unsetenv(names[i]);
    }
    warnings = 0;
    sp_log_set_sink(take_log, NULL);
    device = reopen(state);
    check_add(device, 1);
    check_add(device, 2);
    sp_log_set_sink(NULL, NULL);
    assert_false(sp_cache_keeps());
    (void)sp_error(SP_EIO, "an error on its way");
    sp_cache_prune();
    assert_string_equal(sp_error_message(), "an error on its way");
    for (int i = 0; i < 3; i++) {
        if (values[i])
            setenv(names[i], values[i], 1);
        free(values[i]);
    }
    assert_counts(device, 0, 2);
    assert_int_equal(warnings, 1);
    assert_contains(said,
                    "compiled programs are not kept for the next run: neither HOME nor XDG_CACHE_HOME names a folder");
}

static void test_read_only_cache(void **state)
{
    struct sp_device *device = *state;
    char *path = sp_fs_cache_dir("programs");

    check_add(device, 1);
    assert_int_equal(chmod(path, 0555), 0);
    device = reopen(state);
    check_add(device, 1);
    check_add(device, 2);
    assert_counts(device, 1, 1);
    assert_int_equal(chmod(path, 0755), 0);
    free(path);
}

static void test_prune(void **state)
{
    char *path = sp_fs_cache_dir("programs"), key[SP_HASH_HEX], *file;
    struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
    void *data;
    size_t size;

    (void)state;
    for (int i = 0; i < 8193; i++) {
        snprintf(key, sizeof key, "%064d", i);
        file = sp_asprintf("%s/%s.program", path, key);
        if (i < 2)
            sp_cache_store(key, "x", 1); /* makes the folder */
        else
            fclose(fopen(file, "wb"));
        old[0].tv_sec = old[1].tv_sec = 1000000000 + i;
        utimensat(AT_FDCWD, file, old, 0);
        free(file);
    }
    snprintf(key, sizeof key, "%064d", 1);
    assert_true(sp_cache_load(&data, &size, key)); /* used: now the youngest */
    free(data);
    sp_cache_prune();
    assert_int_equal(cached_programs(NULL), 6144);
    assert_true(sp_cache_load(&data, &size, key));
    free(data);
    snprintf(key, sizeof key, "%064d", 0);
    assert_false(sp_cache_load(&data, &size, key));
    free(path);
}

/* Notes programs with K = 0 .. count - 1. */
static void record(struct sp_device *device, int count)
{
    struct sp_buffer *buffer;

    assert_ok(sp_buffer_create(&buffer, device, 12));
    sp_device_set_recording(device, true);
    for (int k = 0; k < count; k++)
        assert_ok(launch_add(device, buffer, buffer, 3, k));
    sp_device_set_recording(device, false);
    sp_buffer_free(buffer);
}

static void test_recorded(void **state)
{
    struct sp_device *device = *state;

    assert_ok(sp_kernel_build_recorded(device)); /* nothing noted */
    record(device, 4);
    record(device, 4);
    assert_counts(device, 0, 0);
    assert_ok(sp_kernel_build_recorded(device));
    assert_counts(device, 0, 4);
    assert_int_equal(cached_programs(NULL), 4);
    for (int k = 0; k < 4; k++)
        check_add(device, k);
    assert_counts(device, 0, 4);
    device = reopen(state);
    record(device, 6); /* four of them are cached */
    assert_ok(sp_kernel_build_recorded(device));
    assert_counts(device, 4, 2);
    check_add(device, 5);
}

static void test_recorded_failure(void **state)
{
    static const struct sp_kernel broken = { "broken", "t/broken2.cl" };
    struct sp_launch launch = { .kernel = &broken, .global = { 1 }, .local = { 1 } };
    struct sp_device *device = *state;

    write_kernel("t/broken2.cl", "__kernel void broken(void) { oops(); }\n");
    record(device, 2);
    sp_device_set_recording(device, true);
    assert_ok(sp_launch_run(device, &launch));
    sp_device_set_recording(device, false);
    assert_error(sp_kernel_build_recorded(device), SP_EBUILD, "t/broken2.cl");
    assert_contains(sp_error_message(), "oops");
}

static void test_worker_dies(void **state)
{
    struct sp_device *device = *state;

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        skip(); /* builds are done here, one by one */
    setenv("TEST_WORKER", "dies", 1);
    record(device, 3);
    assert_error(sp_kernel_build_recorded(device), SP_EBUILD,
                 "crashed (signal 9) while building t/add.cl");
    assert_contains(sp_error_message(), sp_device_info(device)->name);
    setenv("TEST_WORKER", "leaves", 1); /* then the work is done here */
    assert_ok(sp_kernel_build_recorded(device));
    assert_counts(device, 0, 3);
    check_add(device, 2);
    unsetenv("TEST_WORKER");
}

static char warned[4096];

static void keep_warning(enum sp_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == SP_LOG_WARNING)
        snprintf(warned + strlen(warned), sizeof warned - strlen(warned), "%s\n", text);
}

/* Drivers that crash or hang where a worker lists its devices: the work is done here, and it is said. */
static void test_worker_does_not_open(void **state)
{
    struct sp_device *device = *state;
    double began = sp_clock_now();

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        skip();
    sp_log_set_sink(keep_warning, NULL);
    setenv("TEST_WORKER", "dies early", 1);
    record(device, 3);
    assert_ok(sp_kernel_build_recorded(device));
    assert_counts(device, 0, 3);
    assert_contains(warned, "crashed (signal 9) when it was asked for its devices by a process that was to compile");
    warned[0] = '\0';
    setenv("TEST_WORKER", "hangs", 1);
    setenv("SPEFT_DRIVER_TIMEOUT", "1", 1);
    record(device, 6);
    assert_ok(sp_kernel_build_recorded(device));
    assert_counts(device, 0, 6);
    assert_true(sp_clock_now() - began >= 1);
    assert_contains(warned, "has not listed its devices yet in a process that was started to compile; speft-cl doctor");
    assert_contains(warned, "has not listed its devices for 1 second (SPEFT_DRIVER_TIMEOUT) in a process");
    assert_contains(warned, "OpenCL driver");
    check_add(device, 5);
    unsetenv("SPEFT_DRIVER_TIMEOUT");
    unsetenv("TEST_WORKER");
    sp_log_set_sink(NULL, NULL);
}

/* The end of a worker at its first job. */
static void die_at_job(void)
{
    const int32_t ready = 0;
    size_t length;
    void *block;

    if (sp_child_receive_block(STDIN_FILENO, &block, &length, (size_t)1 << 20) &&
        sp_child_send(STDIN_FILENO, &ready, sizeof ready) &&
        sp_child_receive_block(STDIN_FILENO, &block, &length, (size_t)1 << 20))
        raise(SIGKILL);
}

static void test_profile(void **state)
{
    struct sp_launch launch = { .kernel = &add, .global = { 3 }, .local = { 1 }, .label = "mine" };
    struct sp_device *device = *state;
    struct sp_profile_entry *entries;
    struct sp_buffer *buffer;
    size_t count, found = 0;

    assert_error(sp_device_take_profile(device, &entries, &count), SP_EINVAL, "profiling is off");
    assert_ok(sp_buffer_create(&buffer, device, 12));
    assert_ok(sp_buffer_fill(buffer, 0, 0, 12));
    assert_ok(launch_add(device, buffer, buffer, 3, 1));
    assert_ok(sp_device_set_profiling(device, true));
    assert_ok(sp_device_set_profiling(device, true));
    for (int i = 0; i < 700; i++)
        assert_ok(launch_add(device, buffer, buffer, 3, 1));
    sp_launch_define(&launch, "K", 2);
    sp_launch_buffer(&launch, buffer);
    sp_launch_buffer(&launch, buffer);
    sp_launch_int(&launch, 3);
    assert_ok(sp_launch_run(device, &launch));
    assert_ok(sp_buffer_fill(buffer, 0, 0, 12));
    assert_ok(sp_device_take_profile(device, &entries, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            assert_true(entries[i - 1].nanoseconds >= entries[i].nanoseconds);
        if (strcmp(entries[i].label, "add") == 0)
            found += entries[i].count == 700;
        else
            found += entries[i].count == 1 && (strcmp(entries[i].label, "mine") == 0 ||
                                               strcmp(entries[i].label, "buffer_fill") == 0);
    }
    assert_int_equal(found, 3);
    free(entries);
    assert_ok(sp_device_take_profile(device, &entries, &count));
    assert_int_equal(count, 0);
    free(entries);
    assert_ok(launch_add(device, buffer, buffer, 3, 1));
    assert_ok(sp_device_set_profiling(device, false));
    assert_ok(launch_add(device, buffer, buffer, 3, 1));
    assert_ok(sp_device_finish(device));
    sp_buffer_free(buffer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, close_device)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_launch),          TEST(test_arguments),
        TEST(test_bad_launches),    TEST(test_build_errors),
        TEST(test_cache),           TEST(test_bad_entries),
        TEST(test_useless_binary),  TEST(test_no_cache),
        TEST(test_read_only_cache), TEST(test_foreign_cache),
        TEST(test_homeless),        TEST(test_prune),
        TEST(test_recorded),        TEST(test_recorded_failure),
        TEST(test_worker_dies),     TEST(test_worker_does_not_open),
        TEST(test_profile),         TEST(test_warnings),
    };
    const char *worker = argc == 2 ? getenv("TEST_WORKER") : NULL;
    int status;

    sp_child_begin();
    if (worker && strcmp(worker, "dies") == 0)
        die_at_job();
    if (worker && strcmp(worker, "dies early") == 0)
        raise(SIGKILL);
    while (worker && strcmp(worker, "hangs") == 0)
        pause();
    if (worker)
        return 0;
    if (sp_kernel_worker(argc, argv, &status))
        return status;
    return cmocka_run_group_tests(tests, setup, teardown);
}
