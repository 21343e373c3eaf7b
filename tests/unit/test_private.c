/* Folders that the program keeps for itself: nothing that another user could have put there is believed. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/private.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_private(const char *name, bool make)
{
    struct sp_private folder;
    int rc = sp_private_open(&folder, io_path(name), make);

    sp_private_close(&folder);
    return rc;
}

static void store(const char *text)
{
    struct sp_private folder;
    struct sp_fs_writer writer;

    io_assert_ok(sp_private_open(&folder, io_path("c"), true));
    io_assert_ok(sp_private_writer_open(&writer, &folder, "e"));
    fputs(text, writer.file);
    io_assert_ok(sp_fs_writer_commit(&writer));
    sp_private_close(&folder);
}

static int load(const char *text)
{
    struct sp_private folder;
    char *found;
    int rc;

    io_assert_ok(sp_private_open(&folder, io_path("c"), false));
    rc = sp_private_read(&found, NULL, &folder, "e", 100);
    if (rc == 0) {
        assert_string_equal(found, text);
        free(found);
    }
    sp_private_close(&folder);
    return rc;
}

static void test_private_folder(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(open_private("c/d", false), SP_ENOTFOUND);
    umask(0);
    io_assert_ok(open_private("c/d", true));
    umask(022);
    io_assert_ok(stat(io_path("c"), &st));
    assert_int_equal(st.st_mode & 07777, 0700);
    io_write_text("file", "");
    io_assert_error(open_private("file", true), SP_EIO, io_path("file"), "a file of that name is in the way", NULL);
    io_assert_error(open_private("file", false), SP_EIO, io_path("file"), "not a folder", NULL);
    io_assert_error(open_private("file/below", true), SP_EIO, io_path("file"), NULL);

    /* the folder itself, and one on the way */
    io_assert_ok(chmod(io_path("c/d"), 0777));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c/d"), "everybody", NULL);
    io_assert_ok(chmod(io_path("c/d"), 01777));
    io_assert_error(open_private("c/d", false), SP_EINVAL, "everybody", NULL);
    io_assert_ok(open_private("c/d/e", true)); /* in a sticky folder nobody else can replace it */
    io_assert_ok(chmod(io_path("c/d"), 0755));
    io_assert_ok(open_private("c/d", false));
    io_assert_ok(chmod(io_path("c"), 0777));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c "), "everybody", NULL);
    io_assert_ok(chmod(io_path("c"), 0755));

    /* links on the way are followed, and what they lead through is looked at, too */
    io_assert_ok(symlink("c/d", io_path("l")));
    io_assert_ok(open_private("l", false));
    io_assert_ok(symlink(io_path("l"), io_path("m")));
    io_assert_ok(open_private("m/e", false));
    io_assert_ok(chmod(io_path("c"), 0777));
    io_assert_error(open_private("m/e", false), SP_EINVAL, io_path("c "), NULL);
    io_assert_ok(chmod(io_path("c"), 0755));
    io_assert_ok(symlink("round", io_path("round")));
    io_assert_error(open_private("round", false), SP_EIO, "too many links", NULL);

    if (geteuid() != 0)
        return; /* the rest takes files of somebody else's */
    io_assert_ok(chmod(io_path("c/d"), 0775));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c/d"), "its group", NULL);
    io_assert_ok(chmod(io_path("c/d"), 0755));
    io_assert_ok(chown(io_path("c/d"), 65534, 0));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c/d"), "another user (65534)", NULL);
    io_assert_error(open_private("c/d/e", false), SP_EINVAL, io_path("c/d "), "another user", NULL);
    io_assert_ok(chown(io_path("c/d"), 0, 0));
    io_assert_ok(lchown(io_path("l"), 65534, 0));
    io_assert_error(open_private("m/e", false), SP_EINVAL, io_path("l "), "another user", NULL);
}

static void test_private_entries(void **state)
{
    const char *entry = io_path("c/e"), *victim = io_write_text("victim", "precious");
    struct stat st;
    int fd;

    (void)state;
    store("one");
    io_assert_ok(load("one"));
    io_assert_ok(stat(entry, &st));
    assert_int_equal(st.st_mode & 07777, 0600);

    io_assert_ok(unlink(entry));
    assert_int_equal(load(""), SP_ENOTFOUND);
    io_assert_ok(symlink("../victim", entry)); /* neither read through nor written through */
    io_assert_error(load("precious"), SP_EINVAL, entry, "is a link", NULL);
    store("two");
    io_assert_ok(load("two"));
    io_assert_file(victim, "precious");

    io_assert_ok(unlink(entry));
    io_assert_ok(mkfifo(entry, 0600)); /* does not block */
    io_assert_error(load(""), SP_EINVAL, entry, "regular file", NULL);
    fd = open(entry, O_RDONLY | O_NONBLOCK);
    store("three");
    assert_int_equal(read(fd, &st, 1), 0); /* nothing went into the pipe */
    close(fd);
    io_assert_ok(load("three"));

    io_assert_ok(chmod(entry, 0666));
    io_assert_error(load(""), SP_EINVAL, entry, "everybody", NULL);
    if (geteuid() == 0) {
        io_assert_ok(chmod(entry, 0644));
        io_assert_ok(chown(entry, 65534, 0));
        io_assert_error(load(""), SP_EINVAL, entry, "another user", NULL);
    }
    store("four");
    io_assert_ok(load("four"));
    io_assert_ok(unlink(entry));
    io_assert_ok(mkdir(entry, 0700));
    io_assert_error(load(""), SP_EINVAL, entry, "regular file", NULL);
}

/* A site's cache: root's, for users to read; and what another user, or the user, has in one's own. As a user, in a child. */
static int as_user(const char *path)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct sp_private folder;
        int rc = setgid(65534) == 0 && setuid(65534) == 0 ? sp_private_open(&folder, path, false) : -99, fd;

        if (rc == 0)
            rc = sp_private_entry(&fd, &folder, "e");
        _exit(-rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void test_private_site(void **state)
{
    const char *path = io_path("c");

    (void)state;
    if (geteuid() != 0)
        skip();
    io_assert_ok(chmod(io_path(""), 0755));
    if (as_user(io_path("")) == SP_EIO)
        skip(); /* the folder for temporary files is root's alone */
    store("one");
    io_assert_ok(chmod(path, 0755));
    io_assert_ok(chmod(io_path("c/e"), 0644));
    io_assert_ok(as_user(path));
    io_assert_ok(chmod(path, 0777));
    assert_int_equal(as_user(path), SP_EINVAL);
    io_assert_ok(chmod(path, 0755));
    io_assert_ok(chown(path, 65534, 65534));
    io_assert_ok(as_user(path));
    io_assert_ok(chown(path, 1, 1));
    assert_int_equal(as_user(path), SP_EINVAL);
    io_assert_ok(chown(path, 0, 0));
    io_assert_ok(chown(io_path("c/e"), 1, 1));
    assert_int_equal(as_user(path), SP_EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_private_folder), TEST(test_private_entries), TEST(test_private_site),
    };

    return cmocka_run_group_tests_name("private", tests, NULL, NULL);
}
