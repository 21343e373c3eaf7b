/* What is said of GPUs' device files; folders for temporary files. */
#include "tests/unit/io_files.h"

#include "runtime/base/fs.h"
#include "runtime/base/process.h"
#include "runtime/base/temporary.h"
#include "runtime/device/access.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, OTHERS = 1 /* a group that root is not in */ };

static void says(const char *words, bool denied)
{
    bool is_denied;
    char *text;

    assert_int_equal(sp_device_access(&text, &is_denied, io_path("dev")), 0);
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, text);
    assert_int_equal(is_denied, denied);
    free(text);
}

static void test_files(void **state)
{
    (void)state;
    says("there is no device file of a GPU", false);
    io_write_text("dev/dri/card0", ""); /* a screen's: no driver of OpenCL needs it */
    says("there is no device file of a GPU", false);
    io_write_text("dev/kfd", "");
    says("can be opened (", false);
    assert_int_equal(mkdir(io_path("dev/nvidia0"), 0700), 0); /* cannot be opened for writing */
    says("nvidia0 (Is a directory); see `ls -l`", true);
}

static void test_group(void **state)
{
    const char *node = io_write_text("dev/dri/renderD128", "");
    bool root = geteuid() == 0;

    (void)state;
    assert_int_equal(chmod(io_path(""), 0755), 0);
    says("renderD128), so that the driver is for other hardware", false);
    assert_int_equal(chmod(node, root ? 0660 : 0060), 0);
    if (root) {
        assert_int_equal(chown(node, 0, OTHERS), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    says("this user cannot open ", true);
    says("renderD128 (Permission denied; it is for the group ", true);
    says(": `usermod -aG ", true);
    if (root)
        assert_int_equal(seteuid(0), 0);
}

/* A folder of the scratch folder with a file, a folder with a file, and links out of it. */
static char *make_full(void)
{
    char *made, *inner;

    assert_int_equal(sp_temporary_make(&made, io_path(""), "work"), 0);
    inner = sp_fs_join(made, "inner");
    assert_int_equal(mkdir(inner, 0700), 0);
    assert_int_equal(chdir(inner), 0);
    assert_int_equal(sp_fs_write("file", "x", 1), 0);
    assert_int_equal(symlink(io_path("kept"), "link"), 0);
    assert_int_equal(chdir("/"), 0);
    free(inner);
    return made;
}

static void test_temporary(void **state)
{
    const char *kept = io_write_text("kept/file", "x"), *own = io_write_text("work.tmp-mine/file", "x");
    struct stat st;
    char *made, *second;

    (void)state;
    made = make_full();
    assert_int_equal(stat(made, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    second = make_full(); /* this process is not gone */
    assert_string_not_equal(made, second);
    assert_true(sp_fs_is_dir(made));
    sp_temporary_remove(made);
    assert_false(sp_fs_exists(made));
    assert_true(sp_fs_is_dir(second));
    sp_temporary_end();
    assert_false(sp_fs_exists(second));
    assert_true(sp_fs_exists(kept));
    assert_true(sp_fs_exists(own));
    sp_temporary_remove(NULL);
    free(second);
    free(made);
}

static void test_killed(void **state)
{
    size_t before = io_entries(io_path(""));
    pid_t child = fork();
    char *made;
    int status;

    (void)state;
    if (child == 0) {
        make_full();
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(io_entries(io_path("")), before + 1);
    made = make_full();
    assert_int_equal(io_entries(io_path("")), before + 1); /* the other one is gone */
    child = fork();
    if (child == 0)
        exit(0); /* what its parent made is not its own */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(sp_fs_is_dir(made));
    sp_temporary_end();
    free(made);
}

static void test_place(void **state)
{
    char *before = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;

    (void)state;
    setenv("TMPDIR", "/somewhere", 1);
    assert_string_equal(sp_temporary_place(0), "/somewhere");
    setenv("TMPDIR", "here", 1);
    assert_string_equal(sp_temporary_place(0), "/tmp");
    assert_null(sp_temporary_place(3));
    if (before)
        setenv("TMPDIR", before, 1);
    else
        unsetenv("TMPDIR");
    free(before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = { TEST(test_files), TEST(test_group), TEST(test_temporary), TEST(test_killed),
                                        TEST(test_place) };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
