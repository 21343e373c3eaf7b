/*
 * Files and folders that take the place of others: they are no more open than those were, and nobody else chooses the
 * place.
 */
#include "tests/unit/device_support.h"
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

/* Another user who waits for the moment between a look at a name and its use: a link to `bait` comes to be where a name
 * that ends in
 * "/new" was found to be free, or was to be made. */
static const char *bait;
static int planted;

static void plant(int folder, const char *name)
{
    const char *slash = strrchr(name, '/');
    int saved = errno;

    if (bait && strcmp(slash ? slash + 1 : name, "new") == 0 && symlinkat(bait, folder, name) == 0 &&
        fchownat(folder, name, 65534, 65534, AT_SYMLINK_NOFOLLOW) == 0)
        planted++;
    errno = saved;
}

int __real_lstat(const char *path, struct stat *st);
int __real_fstatat(int folder, const char *path, struct stat *st, int flags);
int __real_mkdir(const char *path, mode_t mode);
int __real_mkdirat(int folder, const char *path, mode_t mode);
int __wrap_lstat(const char *path, struct stat *st);
int __wrap_fstatat(int folder, const char *path, struct stat *st, int flags);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdirat(int folder, const char *path, mode_t mode);

int __wrap_lstat(const char *path, struct stat *st)
{
    int rc = __real_lstat(path, st);

    if (rc < 0)
        plant(AT_FDCWD, path);
    return rc;
}

int __wrap_fstatat(int folder, const char *path, struct stat *st, int flags)
{
    int rc = __real_fstatat(folder, path, st, flags);

    if (rc < 0)
        plant(folder, path);
    return rc;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    plant(AT_FDCWD, path);
    return __real_mkdir(path, mode);
}

int __wrap_mkdirat(int folder, const char *path, mode_t mode)
{
    plant(folder, path);
    return __real_mkdirat(folder, path, mode);
}

static bool no_chown; /* as in a user namespace that knows one group alone */

int __real_fchown(int fd, uid_t user, gid_t group);
int __wrap_fchown(int fd, uid_t user, gid_t group);
int __wrap_fchown(int fd, uid_t user, gid_t group)
{
    errno = EINVAL;
    return no_chown ? -1 : __real_fchown(fd, user, group);
}

/* Who could not read the old file, or look into the old folder, still cannot. */
static void test_modes(void **state)
{
    static const char *const names[] = { "f", NULL };
    struct sp_fs_writer writer;
    struct sp_staging staging;
    struct stat st;

    (void)state;
    io_write_text("secret", "old");
    assert_ok(chmod(io_path("secret"), 0600));
    assert_ok(sp_fs_write(io_path("secret"), "new", 3));
    assert_ok(stat(io_path("secret"), &st));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(sp_fs_writer_open(&writer, io_path("secret")));
    assert_ok(fstat(fileno(writer.file), &st)); /* nor meanwhile */
    assert_int_equal(st.st_mode & 0777, 0600);
    sp_fs_writer_abandon(&writer);
    assert_ok(chmod(io_path("secret"), 0664));
    assert_ok(sp_fs_write(io_path("secret"), "new", 3));
    assert_ok(stat(io_path("secret"), &st));
    assert_int_equal(st.st_mode & 0777, 0664);
    assert_ok(mkdir(io_path("closed"), 0700));
    assert_ok(sp_staging_open(&staging, io_path("closed"), names));
    assert_ok(stat(staging.path, &st));
    assert_int_equal(st.st_mode & 0777, 0700);
    sp_staging_abandon(&staging);
}

/* What is written by a user who is not root, in a child; 0: it was, 1: it is known beforehand that it cannot be. */
static const char *expected = "write-protected";

static int write_as_user(const char *path)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        bool is = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
        bool said = is && sp_fs_check_writable(path) < 0 && strstr(sp_error_message(), expected);
        bool written = is && sp_fs_write(path, "new", 3) == 0;

        _exit(said != written ? said : 99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A file that its owner may not write to stays, though its folder could be written. */
static void test_write_protected(void **state)
{
    const char *file = io_path("all/file"), *link = io_path("all/link");

    (void)state;
    io_write_text("all/file", "old");
    assert_ok(chmod(io_path(""), 0755));
    assert_ok(chmod(io_path("all"), 0777));
    assert_ok(symlink("file", link));
    if (geteuid() == 0)
        assert_ok(chown(file, 65534, 65534));
    assert_ok(chmod(file, 0644));
    if (write_as_user(file) != 0)
        skip(); /* the folder for temporary files is root's alone */
    io_assert_file(file, "new");
    io_write_text("all/file", "old");
    assert_ok(chmod(file, 0444));
    assert_int_equal(write_as_user(file), 1);
    assert_int_equal(write_as_user(link), 1);
    if (geteuid() == 0) { /* his own file in a folder that is not */
        assert_ok(chmod(file, 0644));
        assert_ok(chmod(io_path("all"), 0755));
        expected = "the new file that is to take its place cannot be made beside it";
        assert_int_equal(write_as_user(file), 1);
        expected = "write-protected";
    }
    io_assert_file(file, "old");
    assert_int_equal(io_entries(io_path("all")), 2);
}

/* A link that another user left where all can leave one is not followed, be it by way of one's own. */
static void test_planted_links(void **state)
{
    static const char *const names[] = { "f", NULL };
    const char *link = io_path("all/link");
    struct sp_staging staging;
    FILE *file;

    (void)state;
    io_write_text("mine", "old");
    assert_ok(mkdir(io_path("all"), 0777));
    assert_ok(chmod(io_path("all"), 01777));
    assert_ok(symlink("../mine", link));
    assert_ok(symlink("all/link", io_path("first")));
    assert_ok(sp_fs_write(link, "new", 3)); /* one's own */
    io_assert_file(io_path("mine"), "new");
    if (geteuid() != 0)
        skip(); /* only root can give it away */
    assert_ok(lchown(link, 65534, 65534));
    io_assert_error(sp_fs_write(link, "bad", 3), SP_EIO, link, "a link that another user (65534) has put there", NULL);
    io_assert_error(sp_fs_write(io_path("first"), "bad", 3), SP_EIO, link, "another user", NULL);
    io_assert_error(sp_fs_check_writable(link), SP_EIO, link, "another user", NULL);
    assert_ok(mkdir(io_path("adapter"), 0777));
    assert_ok(symlink("../adapter", io_path("all/adapter")));
    assert_ok(lchown(io_path("all/adapter"), 65534, 65534));
    io_assert_error(sp_staging_open(&staging, io_path("all/adapter/"), names), SP_EIO, "another user", NULL);
    io_assert_error(sp_fs_mkdirs(io_path("all/adapter/below")), SP_EIO, "another user", NULL);
    io_assert_error(sp_fs_write(io_path("all/adapter/file"), "bad", 3), SP_EIO, io_path("all/adapter"), "another user",
                    NULL);
    io_assert_error(sp_fs_open_in_place(&file, link), SP_EIO, link, "another user", NULL);
    assert_int_equal(io_entries(io_path("adapter")), 0);
    io_assert_file(io_path("mine"), "new");
    assert_ok(chmod(io_path("all"), 0755)); /* not where others can */
    assert_ok(sp_fs_write(link, "own", 3));
    io_assert_file(io_path("mine"), "own");
    assert_int_equal(io_entries(io_path("")), 4);
}

/* A link that comes between the look and the use. */
static void test_planted_meanwhile(void **state)
{
    static const char *const names[] = { "f", NULL };
    struct sp_staging staging;
    const char *new = io_path("all/new"), *below = io_path("all/new/below");
    struct stat st;
    FILE *file;
    int rc;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can make another's link */
    io_write_text("mine", "old");
    assert_ok(mkdir(io_path("folder"), 0777));
    assert_ok(mkdir(io_path("all"), 0777));
    assert_ok(chmod(io_path("all"), 01777));
    bait = "../mine";
    assert_ok(sp_fs_write(new, "new", 3));
    bait = NULL;
    assert_int_equal(planted, 1);
    assert_ok(lstat(new, &st));
    assert_true(S_ISREG(st.st_mode)); /* in the link's place */
    io_assert_file(new, "new");
    assert_ok(unlink(new));
    bait = "../mine";
    assert_int_equal(sp_fs_open_in_place(&file, new), SP_EIO);
    assert_null(file);
    bait = NULL;
    assert_int_equal(planted, 2);
    io_assert_file(io_path("mine"), "old");
    assert_ok(unlink(new));
    bait = "../folder";
    io_assert_error(sp_fs_mkdirs(below), SP_EIO, "another user", NULL);
    assert_ok(unlink(new));
    rc = sp_staging_open(&staging, new, names);
    bait = NULL;
    assert_int_equal(planted, 4);
    if (rc == 0) {
        assert_ok(sp_staging_commit(&staging));
        assert_ok(lstat(io_path("folder"), &st)); /* neither moved nor written to */
    }
    assert_int_equal(io_entries(io_path("folder")), 0);
}

/* Owner, group and mode of a file that is replaced stay, and so do a folder's and those of what is in it. */
static void test_rights(void **state)
{
    static const char *const names[] = { "f", NULL };
    const char *file = io_path("file"), *folder = io_path("folder"), *inner = io_path("folder/f");
    struct sp_staging staging;
    char *path;
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    io_write_text("file", "old");
    assert_ok(chown(file, 65534, 12345));
    assert_ok(chmod(file, 0640));
    assert_ok(sp_fs_write(file, "new", 3));
    io_assert_file(file, "new");
    assert_ok(stat(file, &st));
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_gid, 12345);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_ok(mkdir(folder, 0777));
    assert_ok(chown(folder, 65534, 12345));
    assert_ok(chmod(folder, 02750));
    io_write_text("folder/f", "old");
    assert_ok(chmod(inner, 0600));
    assert_ok(sp_staging_open(&staging, folder, names));
    path = sp_fs_join(staging.path, "f");
    assert_ok(sp_fs_write(path, "new", 3));
    free(path);
    assert_ok(sp_staging_commit(&staging));
    io_assert_file(inner, "new");
    assert_ok(stat(folder, &st));
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_gid, 12345);
    assert_int_equal(st.st_mode & 07777, 02750);
    assert_ok(stat(inner, &st));
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* Where the old file's group cannot be given, the new one's may what all others may; where it has that already, nothing
 * is taken. */
static void test_groups(void **state)
{
    const char *file = io_path("all/file");
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    io_write_text("all/file", "old");
    assert_ok(chmod(io_path(""), 0755));
    assert_ok(chmod(io_path("all"), 0777));
    assert_ok(chown(file, 65534, 12345));
    assert_ok(chmod(file, 0674));
    if (write_as_user(file) != 0)
        skip(); /* the folder for temporary files is root's alone */
    assert_ok(stat(file, &st));
    assert_int_equal(st.st_gid, 65534);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_ok(chown(io_path("all"), 0, 12345));
    assert_ok(chmod(io_path("all"), 02775));
    assert_ok(chown(file, 0, 12345));
    assert_ok(chmod(file, 0664));
    no_chown = true;
    assert_ok(sp_fs_write(file, "new", 3));
    no_chown = false;
    assert_ok(stat(file, &st));
    assert_int_equal(st.st_gid, 12345);
    assert_int_equal(st.st_mode & 07777, 0664);
}

#ifdef __linux__
/* As the system writes a list: version 2, then tag, rights and number of user::rw-, user:12345:rw-, group::---,
 * mask::rw-, other::---. */
static const struct {
    uint32_t version;
    struct {
        uint16_t tag, rights;
        uint32_t number;
    } entries[5];
} list = { 2, { { 1, 6, UINT32_MAX }, { 2, 6, 12345 }, { 4, 0, UINT32_MAX }, { 16, 6, UINT32_MAX }, { 32, 0,
    UINT32_MAX } } };

/* A list of who may read stays, and a folder's for new files gives nobody a right to what nobody else could read. */
static void test_lists(void **state)
{
    const char *file = io_path("file");
    char found[sizeof list];
    struct stat st;

    (void)state;
    io_write_text("file", "old");
    if (setxattr(file, "system.posix_acl_access", &list, sizeof list, 0) < 0)
        skip(); /* the disk has none */
    assert_ok(sp_fs_write(file, "new", 3));
    io_assert_file(file, "new");
    assert_int_equal(getxattr(file, "system.posix_acl_access", found, sizeof found), (int)sizeof list);
    assert_memory_equal(found, &list, sizeof list);
    assert_ok(stat(file, &st));
    assert_int_equal(st.st_mode & 0777, 0660); /* the mask's */
    assert_ok(removexattr(file, "system.posix_acl_access"));
    assert_ok(chmod(file, 0640));
    assert_ok(setxattr(io_path(""), "system.posix_acl_default", &list, sizeof list, 0));
    assert_ok(sp_fs_write(file, "new", 3));
    assert_int_equal(getxattr(file, "system.posix_acl_access", found, sizeof found), -1);
    assert_ok(stat(file, &st));
    assert_int_equal(st.st_mode & 0777, 0640);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_modes), TEST(test_write_protected),
        TEST(test_planted_links), TEST(test_planted_meanwhile),
        TEST(test_rights), TEST(test_groups),
#ifdef __linux__
        TEST(test_lists),
#endif
    };

    return cmocka_run_group_tests_name("replace", tests, NULL, NULL);
}
