/* Folders that the program keeps for itself: nothing that another user could have put there is believed. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/private.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#ifdef __linux__
/* user::rwx, user:12345:rwx, group::rwx, mask::rwx, other::r-x, as the system writes them */
static const struct {
    uint32_t version;
    struct {
        uint16_t tag, rights;
        uint32_t number;
    } entries[5];
} acl = { 2, { { 1, 7, UINT32_MAX }, { 2, 7, 12345 }, { 4, 7, UINT32_MAX }, { 16, 7, UINT32_MAX }, { 32, 5,
    UINT32_MAX } } };
#endif

/* A system on which user 65534 has a group of his own, and on which the group is also `with` other users. */
static enum { REAL, ALONE, MEMBER, FIRST } with;
static int listed; /* of the users, how many were told */

struct passwd *__real_getpwuid(uid_t number);
struct group *__real_getgrgid(gid_t number);
struct passwd *__real_getpwent(void);
struct passwd *__wrap_getpwuid(uid_t number);
struct group *__wrap_getgrgid(gid_t number);
struct passwd *__wrap_getpwent(void);

static char alice_name[] = "alice", bob_name[] = "bob";
static struct passwd alice = { .pw_name = alice_name, .pw_uid = 65534, .pw_gid = 65534 };

struct passwd *__wrap_getpwuid(uid_t number)
{
    return with == REAL ? __real_getpwuid(number) : number == 65534 ? &alice : NULL;
}

struct group *__wrap_getgrgid(gid_t number)
{
    static char *members[] = { bob_name, NULL };
    static struct group group = { .gr_name = alice_name, .gr_gid = 65534 };

    group.gr_mem = with == MEMBER ? members : members + 1;
    return with == REAL ? __real_getgrgid(number) : number == 65534 ? &group : NULL;
}

struct passwd *__wrap_getpwent(void)
{
    static struct passwd bob = { .pw_name = bob_name, .pw_uid = 12345 };

    if (with == REAL)
        return __real_getpwent();
    bob.pw_gid = with == FIRST ? 65534 : 12345;
    listed++;
    return listed == 1 ? &alice : listed == 2 ? &bob : NULL;
}

void __wrap_setpwent(void);
void __wrap_setpwent(void)
{
    listed = 0;
}

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

/* A site's cache: root's, for users to read; and what another user, or the user, has in one's own. As a user, in a
 * child. */
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

/* The user's own group, while nobody else can be in it and no list says who else may write. */
static void test_private_group(void **state)
{
    const char *path = io_path("c"), *entry = io_path("c/e");

    (void)state;
    if (geteuid() != 0)
        skip();
    io_assert_ok(chmod(io_path(""), 0755));
    if (as_user(io_path("")) == SP_EIO)
        skip(); /* the folder for temporary files is root's alone */
    store("one");
    io_assert_ok(chown(path, 65534, 65534));
    io_assert_ok(chown(entry, 65534, 65534));
    io_assert_ok(chmod(path, 0775));
    io_assert_ok(chmod(entry, 0664));
    assert_int_equal(as_user(path), SP_EINVAL);
    with = ALONE;
    io_assert_ok(as_user(path));
    with = MEMBER;
    assert_int_equal(as_user(path), SP_EINVAL);
    with = FIRST;
    assert_int_equal(as_user(path), SP_EINVAL);
    with = ALONE;
#ifdef __linux__
    for (int i = 0; i < 2; i++) {
        const char *which = i ? entry : path;

        if (setxattr(which, "system.posix_acl_access", &acl, sizeof acl, 0) < 0)
            skip(); /* the disk has none */
        assert_int_equal(as_user(path), SP_EINVAL);
        io_assert_ok(chmod(which, i ? 0644 : 0755)); /* takes the right from all whom it names */
        io_assert_ok(as_user(path));
    }
#endif
}

static int reset_group(void **state)
{
    with = REAL;
    return io_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, reset_group)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_private_folder), TEST(test_private_entries), TEST(test_private_site), TEST(test_private_group),
    };

    return cmocka_run_group_tests_name("private", tests, NULL, NULL);
}
