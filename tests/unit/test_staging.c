/* Folders that are replaced as a whole; with --wrap, as in test_files.c. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

static const char *const files[] = { "f", NULL }; /* of a folder that is replaced */
static char calls[256];       /* since it was emptied: "fsync rename exchange" */
static bool refuse_exchange;  /* as file systems do that cannot */
static bool in_image;         /* folders, which an overlay file system then does not move */
static char said[1024];       /* to another user's process */

static void note(const char *call)
{
    size_t used = strlen(calls);

    snprintf(calls + used, sizeof calls - used, "%s%s", used ? " " : "", call);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    note("rename");
    if (in_image && sp_fs_is_dir(from)) {
        errno = EXDEV;
        return -1;
    }
    return __real_rename(from, to);
}

int __real_renameat(int at, const char *from, int to_at, const char *to);
int __wrap_renameat(int at, const char *from, int to_at, const char *to);
int __wrap_renameat(int at, const char *from, int to_at, const char *to)
{
    note("rename");
    return __real_renameat(at, from, to_at, to);
}

#ifdef RENAME_EXCHANGE
int __real_renameat2(int at, const char *from, int to_at, const char *to, unsigned flags);
int __wrap_renameat2(int at, const char *from, int to_at, const char *to, unsigned flags);
int __wrap_renameat2(int at, const char *from, int to_at, const char *to, unsigned flags)
{
    note(flags == RENAME_EXCHANGE ? "exchange" : "renameat2");
    if (refuse_exchange || in_image) {
        errno = in_image ? EXDEV : EINVAL;
        return -1;
    }
    return __real_renameat2(at, from, to_at, to, flags);
}
#endif

static void stage(const char *dir, const char *text)
{
    struct sp_staging staging;
    char *path;

    io_assert_ok(sp_staging_open(&staging, dir, files));
    path = sp_fs_join(staging.path, "f");
    io_assert_ok(sp_fs_write(path, text, strlen(text)));
    calls[0] = '\0';
    io_assert_ok(sp_staging_commit(&staging));
    free(path);
}

static void test_exchange(void **state)
{
    const char *dir = io_path("d");

    (void)state;
    stage(dir, "one");
    assert_string_equal(calls, "rename");
    io_write_text("d/other", "kept");
    stage(dir, "two");
#ifdef RENAME_EXCHANGE
    /* one step, so that there is no moment without the folder; then `other` follows */
    assert_string_equal(calls, "exchange rename");
    refuse_exchange = true;
    stage(dir, "three");
    refuse_exchange = false;
    assert_string_equal(calls, "exchange rename rename rename rename");
    stage(dir, "two");
#endif
    io_assert_file(io_path("d/f"), "two");
    io_assert_file(io_path("d/other"), "kept");
    assert_int_equal(io_entries(io_path("")), 1);
}

#ifdef RENAME_EXCHANGE
/* A folder that cannot be moved gets the new files, and keeps what else is in it. */
static void test_in_image(void **state)
{
    const char *dir = io_path("d");
    struct stat before, after;

    (void)state;
    in_image = true;
    stage(dir, "one"); /* where nothing is: the new one may lie in an image, too */
    io_assert_file(io_path("d/f"), "one");
    io_write_text("d/other", "kept");
    io_write_text("d/sub/notes", "kept, too");
    io_assert_ok(chmod(io_path("d/f"), 0640));
    io_assert_ok(stat(dir, &before));
    stage(dir, "two");
    in_image = false;
    io_assert_ok(stat(dir, &after));
    assert_true(before.st_ino == after.st_ino);
    io_assert_file(io_path("d/f"), "two");
    io_assert_file(io_path("d/other"), "kept");
    io_assert_file(io_path("d/sub/notes"), "kept, too");
    io_assert_ok(stat(io_path("d/f"), &after));
    assert_int_equal(after.st_mode & 0777, 0640);
    assert_int_equal(io_entries(dir), 3);
    assert_int_equal(io_entries(io_path("")), 1);
}
#endif

/* What cannot be put in its place is not lost where it is lasting. */
static void test_staging_lasts(void **state)
{
    const char *file = io_write_text("file", ""), *path;
    struct sp_staging staging;

    (void)state;
    io_assert_ok(sp_staging_beside(&staging, io_path("file/below"), "-made"));
    free(staging.path);
    staging.path = strdup(io_path("made"));
    path = io_path("made/f");
    io_assert_ok(sp_fs_mkdirs(io_path("made")));
    io_write_text("made/f", "whole");
    io_assert_error(sp_staging_commit(&staging), SP_EIO, "what was written stays as ", io_path("made"), file, NULL);
    io_assert_file(path, "whole");
    io_assert_ok(sp_staging_beside(&staging, io_path("place"), "-made"));
    io_assert_ok(sp_fs_mkdirs(io_path("place-made")));
    io_write_text("place-made/f", "whole");
    io_assert_ok(sp_staging_commit(&staging));
    io_assert_file(io_path("place/f"), "whole");
    assert_false(sp_fs_exists(io_path("place-made")));
}

static void test_staging_refuses(void **state)
{
    const char *file = io_write_text("file", ""), *link = io_path("link");
    struct sp_staging staging;

    (void)state;
    io_assert_ok(symlink("nothing", link));
    io_assert_error(sp_staging_open(&staging, file, files), SP_EIO, file, "a file of that name", NULL);
    io_assert_error(sp_staging_open(&staging, link, files), SP_EIO, link, "a link to nothing", NULL);
    io_assert_error(sp_staging_open(&staging, io_path("file/below"), files), SP_EIO, file, NULL);
    io_assert_error(sp_staging_open(&staging, "/proc", files), SP_EIO, "cannot replace /proc", "mounted", NULL);
    assert_int_equal(io_entries(io_path("")), 2);
}

/* An earlier run's folder that this user cannot empty, or not move; the message is in `said`. */
static int stage_as_user(const char *dir)
{
    int status, told[2];
    ssize_t length;
    pid_t pid;

    io_assert_ok(pipe(told));
    pid = fork();
    if (pid == 0) {
        struct sp_staging staging;
        int rc = setgid(65534) == 0 && setuid(65534) == 0 ? sp_staging_open(&staging, dir, files) : -99;

        if (rc == 0)
            sp_staging_abandon(&staging);
        else
            dprintf(told[1], "%s", sp_error_message());
        _exit(-rc);
    }
    close(told[1]);
    length = read(told[0], said, sizeof said - 1);
    said[length > 0 ? length : 0] = '\0';
    close(told[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void assert_said(const char *path, const char *text)
{
    assert_non_null(strstr(said, path));
    assert_non_null(strstr(said, text));
}

static void test_staging_of_another(void **state)
{
    const char *above = io_path("a"), *dir = io_path("a/d");

    (void)state;
    if (geteuid() != 0)
        skip();
    io_assert_ok(chmod(io_path(""), 0755));
    io_write_text("a/d/f", "");
    io_assert_ok(chown(above, 65534, 65534));
    if (stage_as_user(io_path("a/new")) != 0)
        skip(); /* the folder for temporary files is root's alone */
    assert_int_equal(stage_as_user(dir), SP_EIO); /* root's, 755 */
    io_assert_ok(chmod(dir, 0777));
    assert_int_equal(stage_as_user(dir), SP_EIO); /* root's file in it, 644 */
    assert_said(io_path("a/d/f"), "is write-protected (mode 644, of user 0)");
    io_assert_ok(chown(io_path("a/d/f"), 65534, 65534));
    io_assert_ok(chmod(io_path("a/d/f"), 0444)); /* his own, which he means to keep */
    assert_int_equal(stage_as_user(dir), SP_EIO);
    assert_said(io_path("a/d/f"), "is write-protected (mode 444, of user 65534)");
    io_assert_ok(rename(io_path("a/d/f"), io_path("a/d/kept"))); /* what moves to the new folder is not written to */
    io_assert_ok(stage_as_user(dir));
    io_assert_ok(chown(above, 0, 0));
    io_assert_ok(chmod(above, 01777));
    assert_int_equal(stage_as_user(dir), SP_EIO);
    io_assert_ok(chown(dir, 65534, 65534));
    io_assert_ok(stage_as_user(dir));
    assert_int_equal(io_entries(above), 1);
}

/* A folder of the earlier run in whose place a file is to go. */
static void test_staging_kinds(void **state)
{
    const char *dir = io_path("d"), *place = io_path("d/f");
    struct sp_staging staging;

    (void)state;
    io_write_text("d/f/notes", "");
    io_assert_error(sp_staging_open(&staging, dir, files), SP_EIO, place, "is a folder", "remove what is in the way",
                    NULL);
    assert_int_equal(io_entries(io_path("")), 1);
    io_assert_ok(rename(place, io_path("elsewhere")));
    io_assert_ok(symlink("../elsewhere", place)); /* the link is replaced */
    stage(dir, "new");
    io_assert_file(place, "new");
    assert_true(sp_fs_exists(io_path("elsewhere/notes")));
}

/* What another user put into the folder, and this one can neither move nor replace. */
static void test_staging_entries(void **state)
{
    const char *dir = io_path("a/d");

    (void)state;
    if (geteuid() != 0)
        skip();
    io_assert_ok(chmod(io_path(""), 0755));
    io_write_text("a/d/sub/g", "");
    io_write_text("theirs/g", "");
    io_assert_ok(chown(io_path("a"), 65534, 65534));
    if (stage_as_user(io_path("a/new")) != 0)
        skip(); /* the folder for temporary files is root's alone */
    io_assert_ok(chmod(dir, 0777));
    assert_int_equal(stage_as_user(dir), SP_EIO);
    assert_said(io_path("a/d/sub"), "cannot move");
    assert_said(dir, "remove what is in the way, or name another place");
    assert_int_equal(io_entries(io_path("a")), 1);
    io_assert_ok(chmod(io_path("a/d/sub"), 0777));
    io_assert_ok(stage_as_user(dir));
    io_assert_ok(symlink(io_path("theirs"), io_path("a/d/link")));
    io_assert_ok(stage_as_user(dir)); /* a link's target is not looked at */
    io_assert_ok(chmod(dir, 01777));
    assert_int_equal(stage_as_user(dir), SP_EIO);
    assert_said(dir, "its folder is sticky");
    io_assert_ok(chown(dir, 65534, 65534));
    io_assert_ok(stage_as_user(dir));
    io_assert_ok(chown(dir, 0, 0));
    io_assert_ok(chmod(dir, 0733));
    assert_int_equal(stage_as_user(dir), SP_EIO); /* what is in it is not known */
}

#ifdef FS_IOC_SETFLAGS
/* Not even root moves or replaces it. */
static void test_staging_marked(void **state)
{
    const char *dir = io_path("d"), *path = io_write_text("d/f", "");
    static const int marks[] = { FS_IMMUTABLE_FL, FS_APPEND_FL };
    int fd = open(path, O_RDONLY | O_CLOEXEC), kept, flags;
    bool can = fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &kept) == 0 && ioctl(fd, FS_IOC_SETFLAGS, &kept) == 0;
    int rc[4] = { SP_EIO, SP_EIO, SP_EIO, SP_EIO };

    (void)state;
    for (int i = 0; can && i < 2; i++) {
        struct sp_staging staging;

        flags = kept | marks[i];
        can = ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
        if (!can)
            break;
        rc[i] = sp_staging_open(&staging, dir, files);
        sp_staging_abandon(&staging);
        rc[2 + i] = sp_fs_check_writable(path);
        io_assert_ok(ioctl(fd, FS_IOC_SETFLAGS, &kept)); /* or it could not be removed */
    }
    close(fd);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], SP_EIO);
    if (!can)
        skip();
    assert_non_null(strstr(sp_error_message(), "immutable or append-only"));
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_exchange), TEST(test_staging_refuses), TEST(test_staging_of_another), TEST(test_staging_lasts),
        TEST(test_staging_kinds), TEST(test_staging_entries),
#ifdef RENAME_EXCHANGE
        TEST(test_in_image),
#endif
#ifdef FS_IOC_SETFLAGS
        TEST(test_staging_marked),
#endif
    };

    return cmocka_run_group_tests_name("staging", tests, NULL, NULL);
}
