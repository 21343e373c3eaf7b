/* Files that are written and mapped. The linker's --wrap puts the functions below in front of the C library's, so that
 * what reaches the disk, and in which order, is seen. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/likely_name.h"
#include "runtime/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char calls[256]; /* since it was emptied: "fsync rename exchange" */
static char said[1024]; /* the last message of the log */

static void note(const char *call)
{
    size_t used = strlen(calls);

    snprintf(calls + used, sizeof calls - used, "%s%s", used ? " " : "", call);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    note("fsync");
    return __real_fsync(fd);
}

int __real_renameat(int at, const char *from, int to_at, const char *to);
int __wrap_renameat(int at, const char *from, int to_at, const char *to);
int __wrap_renameat(int at, const char *from, int to_at, const char *to)
{
    note("rename");
    return __real_renameat(at, from, to_at, to);
}

static void take_log(enum sp_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    snprintf(said, sizeof said, "%s", text);
}

static void make_old(const char *name)
{
    io_assert_ok(utimensat(AT_FDCWD, io_path(name), (const struct timespec[2]){ { .tv_sec = 1e9 },
        { .tv_sec = 1e9 } }, 0));
}

static void test_write(void **state)
{
    const char *path = io_path("f");
    struct stat st;

    (void)state;
    umask(027);
    calls[0] = '\0';
    io_assert_ok(sp_fs_write(path, "one", 3));
    assert_string_equal(calls, "fsync rename"); /* on the disk before it has the name */
    io_assert_ok(stat(path, &st));
    assert_int_equal(st.st_mode & 0777, 0640);
    io_assert_ok(sp_fs_write(path, "two", 3));
    io_assert_file(path, "two");
    assert_int_equal(io_entries(io_path("")), 1);
    umask(022);
}

static bool never(const char *path)
{
    fail_msg("%s was looked into", path);
    return false;
}

/* A pipe is no file that might be meant, and reading it would wait. */
static void test_likely_pipe(void **state)
{
    (void)state;
    io_assert_ok(mkdir(io_path("x"), 0777));
    io_assert_ok(mkfifo(io_path("x/config.json"), 0666));
    io_assert_ok(mkfifo(io_path("bert_config.json"), 0666));
    io_assert_ok(sp_likely_name_refuse(io_path(""), "config.json", never));
}

#ifdef __linux__
/* The system's link to an open pipe is written to, whatever its text says. */
static void test_handles(void **state)
{
    char path[32], text[4] = "";
    int ends[2];

    (void)state;
    io_assert_ok(pipe(ends));
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    io_assert_ok(sp_fs_check_writable(path));
    io_assert_ok(sp_fs_write(path, "new", 3));
    assert_int_equal(read(ends[0], text, 3), 3);
    assert_string_equal(text, "new");
    close(ends[0]);
    close(ends[1]);
}
#endif

/* A link keeps its place, and the file that it names is replaced. One to nothing is refused. */
static void test_links(void **state)
{
    const char *target = io_write_text("below/target", "old"), *link = io_path("link");
    struct stat st;

    (void)state;
    io_assert_ok(symlink("below/target", link));
    io_assert_ok(sp_fs_write(link, "new", 3));
    io_assert_ok(lstat(link, &st));
    assert_true(S_ISLNK(st.st_mode));
    io_assert_file(target, "new");
    assert_int_equal(io_entries(io_path("below")), 1);
    io_assert_ok(unlink(target));
    io_assert_error(sp_fs_write(link, "new", 3), SP_EIO, link, "a link to below/target, which is not there", NULL);
    io_assert_error(sp_fs_check_writable(link), SP_EIO, link, NULL);
    io_assert_error(sp_fs_mkdirs(link), SP_EIO, link, "link to nothing", NULL);
}

/* A mapping knows of writing to its file under whatever name, and of none to one that came in its place. */
static void test_map_changed(void **state)
{
    struct sp_map map;

    (void)state;
    io_write_text("a", "one");
    io_assert_ok(sp_fs_map_fd(&map, open(io_path("a"), O_RDONLY | O_CLOEXEC), "standard input"));
    io_assert_ok(sp_fs_write(io_path("a"), "two", 3));
    assert_false(sp_fs_map_changed(&map));
    sp_fs_unmap(&map);
    io_assert_ok(sp_fs_map_fd(&map, open(io_path("a"), O_RDONLY | O_CLOEXEC), "standard input"));
    make_old("a");
    assert_true(sp_fs_map_changed(&map));
    sp_fs_unmap(&map);
    io_assert_ok(close(STDIN_FILENO)); /* and then the next file is number 0 */
    io_write_text("a", "three");
    io_assert_ok(sp_fs_map(&map, io_path("a")));
    make_old("a");
    assert_true(sp_fs_map_changed(&map));
    sp_fs_unmap(&map);
    assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO); /* it was closed, and once */
}

static void test_log_once(void **state)
{
    (void)state;
    sp_log_set_sink(take_log, NULL);
    sp_log_once(SP_LOG_WARNING, "text %d", 1);
    assert_string_equal(said, "text 1");
    sp_log_once(SP_LOG_WARNING, "text %d", 2);
    assert_string_equal(said, "text 2");
    sp_log_once(SP_LOG_WARNING, "text %d", 1);
    assert_string_equal(said, "text 2");
    sp_log_set_sink(NULL, NULL);
}

/* The reason is that of the write that failed, not of the flush that comes after it and has nothing left to do. */
static void test_full(void **state)
{
    enum { ROOM = 65536, SIZE = 3 * ROOM };
    char *data = calloc(SIZE, 1);
    const char *path = io_write_text("full", "as it was");
    struct sp_fs_writer writer;
    int pieces[2], rc;
    char *text;

    (void)state;
    assert_non_null(data);
    io_limit_files(ROOM);
    rc = sp_fs_write(path, data, SIZE);
    io_limit_files(0);
    io_assert_error(rc, SP_EIO, "cannot write", path, strerror(EFBIG), NULL);
    io_assert_ok(sp_fs_writer_open(&writer, path));
    io_limit_files(ROOM);
    pieces[0] = sp_fs_writer_put(&writer, data, SIZE);
    pieces[1] = sp_fs_writer_put(&writer, "", 0); /* a caller that goes on all the same */
    rc = sp_fs_writer_commit(&writer);
    io_limit_files(0);
    assert_int_equal(pieces[0], SP_EIO);
    assert_int_equal(pieces[1], 0);
    io_assert_error(rc, SP_EIO, "cannot write", path, strerror(EFBIG), NULL);
    io_assert_ok(sp_fs_read(&text, NULL, path, 100));
    assert_string_equal(text, "as it was");
    free(text);
    free(data);
}

static void test_map_name(void **state)
{
    const char *path = io_write_text("text", "some text");
    struct sp_map map;
    const unsigned char *data;

    (void)state;
    io_assert_ok(sp_fs_map(&map, path));
    data = map.data;
    assert_string_equal(sp_fs_map_name(data), path);
    assert_string_equal(sp_fs_map_name(data + map.size - 1), path);
    assert_null(sp_fs_map_name(data - 1));
    assert_null(sp_fs_map_name(data + map.size));
    sp_fs_unmap(&map);
    assert_null(sp_fs_map_name(data));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write),   TEST(test_links),    TEST(test_map_changed), TEST(test_log_once),
        TEST(test_full),    TEST(test_map_name), TEST(test_likely_pipe),
#ifdef __linux__
        TEST(test_handles),
#endif
    };

    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
