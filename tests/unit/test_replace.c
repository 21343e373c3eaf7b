/*
 * Files and folders that take the place of others: they are no more open than those were, and nobody else chooses the place.
 */
#include "tests/unit/device_support.h"
#include "tests/unit/io_files.h"

#include "runtime/base/fs.h"
#include "runtime/io/staging.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_file(const char *path, const char *text)
{
    char *found;

    assert_ok(sp_fs_read(&found, NULL, path, 100));
    assert_string_equal(found, text);
    free(found);
}

/* Who could not read the old file, or look into the old folder, still cannot. */
static void test_modes(void **state)
{
    static const char *const names[] = { "f", NULL };
    struct sp_staging staging;
    struct stat st;

    (void)state;
    io_write_text("secret", "old");
    assert_ok(chmod(io_path("secret"), 0600));
    assert_ok(sp_fs_write(io_path("secret"), "new", 3));
    assert_ok(stat(io_path("secret"), &st));
    assert_int_equal(st.st_mode & 0777, 0600);
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
    assert_file(io_path("mine"), "new");
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
    io_assert_error(sp_fs_write(io_path("all/adapter/file"), "bad", 3), SP_EIO, io_path("all/adapter"), "another user", NULL);
    io_assert_error(sp_fs_open_in_place(&file, link), SP_EIO, link, "another user", NULL);
    assert_int_equal(io_entries(io_path("adapter")), 0);
    assert_file(io_path("mine"), "new");
    assert_ok(chmod(io_path("all"), 0755)); /* not where others can */
    assert_ok(sp_fs_write(link, "own", 3));
    assert_file(io_path("mine"), "own");
    assert_int_equal(io_entries(io_path("")), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_modes),
        TEST(test_planted_links),
    };

    return cmocka_run_group_tests_name("replace", tests, NULL, NULL);
}
