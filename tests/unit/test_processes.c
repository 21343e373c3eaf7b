/* What processes that are gone left beside a place, and what only looks like it. */
#include "tests/unit/io_files.h"

#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/process.h"
#include "runtime/io/staging.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const files[] = { "f", NULL }; /* of a folder that is replaced */

static const char *other_boot; /* the file that tells of this boot */

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    return __real_fopen(other_boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? other_boot : path, mode);
}

/* A process that is gone, and its number. */
static pid_t dead_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

/* Kills a child that has opened a writer and a staging folder. */
static void leave_behind(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct sp_fs_writer writer;
        struct sp_staging staging;
        char part[512];

        if (sp_fs_writer_open(&writer, io_path("f.json")) < 0 ||
            sp_staging_open(&staging, io_path("adapter"), files) < 0)
            _exit(1);
        snprintf(part, sizeof part, "%s/adapter.part", staging.path);
        fclose(fopen(part, "w"));
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* How a process of this number and host would have named what it made beside `base`; until the next call. */
static const char *left_name(const char *base, const char *purpose, pid_t pid)
{
    static char name[256];
    char mark[SP_PROCESS_MARK];

    sp_process_mark(mark);
    snprintf(name, sizeof name, "%s.%s-%ld%s-0", base, purpose, (long)pid, strchr(mark, '-'));
    return name;
}

static void make_old(const char *name)
{
    io_assert_ok(utimensat(AT_FDCWD, io_path(name), (const struct timespec[2]){ { .tv_sec = 1e9 },
        { .tv_sec = 1e9 } }, 0));
}

static void clear(const char *base)
{
    int fd = open(io_path(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    sp_process_clear(fd, base);
    close(fd);
}

/* What an heir lacks is not known where it cannot be looked into. */
static void test_dissolve(void **state)
{
    (void)state;
    io_write_text("d/notes", "mine");
    io_write_text("heir", "");
    assert_int_equal(sp_process_dissolve(AT_FDCWD, io_path("d"), io_path("heir")), -1);
    io_assert_file(io_path("d/notes"), "mine");
    io_assert_ok(unlink(io_path("heir")));
    io_write_text("heir/f", "");
    io_assert_ok(sp_process_dissolve(AT_FDCWD, io_path("d"), io_path("heir")));
    io_assert_file(io_path("heir/notes"), "mine");
}

static void test_left(void **state)
{
#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char *const old[] = { KEY ".program.Zq8wE1", KEY ".program.backup", KEY ".program.3f9a1c",
                                       "weights.a1B2c3",      "run.v1r2b3",          "0f.program.Zq8wE1",
                                       "f.json.3f9a1c",       "notes.1a2b3c" };
    enum { OLD = sizeof old / sizeof *old };
    char mark[SP_PROCESS_MARK], *path;
    struct sp_fs_writer mine;
    struct sp_staging staging;

    (void)state;
    leave_behind();
    assert_int_equal(io_entries(io_path("")), 2);
    io_assert_ok(sp_fs_writer_open(&mine, io_path("f.json"))); /* clears the dead one's */
    assert_int_equal(io_entries(io_path("")), 2);
    io_assert_ok(sp_fs_write(io_path("f.json"), "x", 1)); /* and leaves what is a living one's alone */
    assert_int_equal(io_entries(io_path("")), 3);
    fputs("mine", mine.file);
    io_assert_ok(sp_fs_writer_commit(&mine));
    io_assert_file(io_path("f.json"), "mine");

    io_assert_ok(sp_staging_open(&staging, io_path("adapter"), files));
    assert_int_equal(io_entries(io_path("")), 2);
    sp_staging_abandon(&staging);
    assert_int_equal(io_entries(io_path("")), 1);

    /* a dead one's; another process of this number; another host's, young and old; and this process's own */
    sp_process_mark(mark);
    io_write_text(left_name("adapter", "tmp", dead_process()), "");
    path = sp_asprintf("adapter.tmp-%ld-1%s-3", (long)getpid(), strchr(mark, '-') + 1);
    io_write_text(path, "");
    free(path);
    path = sp_asprintf("adapter.tmp-%ld-17-00000001-3", (long)getpid());
    io_write_text(path, "");
    free(path);
    path = sp_asprintf("adapter.tmp-%ld-18-00000001-3", (long)getpid());
    io_write_text(path, "");
    make_old(path);
    free(path);
    path = sp_asprintf("adapter.tmp-%s-3", mark);
    io_write_text(path, "");
    assert_int_equal(io_entries(io_path("")), 6);
    for (size_t i = 0; i < OLD; i++) {
        io_write_text(old[i], ""); /* the first is an earlier version's, the others a user's */
        make_old(old[i]);
    }
    clear("f.json");
    clear("notes");
    assert_int_equal(io_entries(io_path("")), 6 + OLD);
    clear("adapter");
    assert_int_equal(io_entries(io_path("")), 3 + OLD);
    clear(NULL);
    assert_int_equal(io_entries(io_path("")), 2 + OLD);
    for (size_t i = 0; i < OLD; i++)
        assert_true(sp_fs_exists(io_path(old[i])) == (i > 0));
    assert_true(sp_fs_exists(io_path(path)));
    free(path);
}

static void write_in(const char *folder, const char *name, const char *text)
{
    char *path = sp_fs_join(folder, name);

    io_write_text(path, text);
    free(path);
}

/* What a person had put into a folder whose place is empty now can move nowhere, and stays. */
static void test_left_alone(void **state)
{
    const char *path = left_name("lost.new", "tmp", dead_process());

    (void)state;
    write_in(path, "lost.json", "x");
    clear("lost.new");
    assert_false(sp_fs_exists(io_path(path)));
    write_in(path, "lost.json", "x");
    write_in(path, "notes", "a person's");
    clear("lost.new");
    assert_int_equal(io_entries(io_path(path)), 2);
}

/* An old folder that was moved aside, with nothing in its place yet, then with; and a new one that had changed places
 * with the old. */
static void test_left_aside(void **state)
{
    const char *path = left_name("lost", "old", dead_process());

    (void)state;
    write_in(path, "f", "x");
    clear(NULL); /* whose it is is not known */
    assert_false(sp_fs_exists(io_path("lost")));
    assert_false(sp_fs_exists(io_path(path)));
    write_in(path, "f", "x");
    clear("other");
    assert_true(sp_fs_exists(io_path(path)));
    clear("lost");
    io_assert_file(io_path("lost/f"), "x");
    for (int i = 0; i < 2; i++) {
        path = left_name("lost", i ? "old" : "tmp", dead_process());
        write_in(path, "f", "y");
        write_in(path, i ? "notes" : "paper", "a person's");
        write_in(path, "g.tmp-99999999-1-00000001-0", "");
        clear("lost");
        assert_false(sp_fs_exists(io_path(path)));
    }
    io_assert_file(io_path("lost/f"), "x");
    io_assert_file(io_path("lost/notes"), "a person's");
    io_assert_file(io_path("lost/paper"), "a person's");
    assert_int_equal(io_entries(io_path("lost")), 3);
}

/* Of a machine of this one's name that was booted by itself, or of this one before: whether the process lives is not
 * known, so that a day must go by. */
static void test_left_boot(void **state)
{
    const char *path;

    (void)state;
    other_boot = io_write_text("boot", "0a1b2c3d-0000-4000-8000-000000000000\n");
    path = left_name("adapter", "tmp", dead_process());
    other_boot = NULL;
    io_write_text(path, "");
    clear("adapter");
    assert_true(sp_fs_exists(io_path(path)));
    make_old(path);
    clear("adapter");
    assert_false(sp_fs_exists(io_path(path)));
}

/* What only looks like ours is its user's, however old it is. */
static void test_not_left(void **state)
{
    static const char *const names[] = {
        "adapter.tmp-keep",          "adapter.tmp-",                    "adapter.tmp-99999999-1",
        "adapter.old-90210-2",       "adapter.tmp-20230101-120000",     "adapter.tmp-99999999-1-1-0",
        "adapter.tmp-0-1-00000001-0", "adapter.tmp-09999999-1-00000001-0", "adapter.tmp-99999999-1-00000001-",
        "adapter.tmp-99999999-1-00000001--1", "adapter.tmp-99999999-1-0000000A-0",
        "adapter.tmp-99999999-1-00000001-0-0",
        "adapter.tmp-99999999-1-00000001-0.txt", "adapter.tmp-99999999-1-00000001-00",
        "adapter.tmp-99999999--1-00000001-0",
        "adapter.tmp-99999999 1 00000001 0", "adapter.tmp-99999999-1-100000001-0-", "adapter.tmp-",
        ".tmp-99999999-1-00000001-0",
        "2.adapter.tmp-99999999-1-00000001-0", "thesis.old-99999999-1-00000001-0",
    };
    size_t count = sizeof names / sizeof *names;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        io_write_text(names[i], "mine");
        make_old(names[i]);
    }
    clear("adapter");
    for (size_t i = 0; i < count; i++)
        io_assert_file(io_path(names[i]), "mine");
}

/* A name that is nearly as long as names may be. */
static void test_long_name(void **state)
{
    char name[251];

    (void)state;
    memset(name, 'n', 250);
    name[250] = '\0';
    io_assert_ok(sp_fs_write(io_path(name), "x", 1));
    io_assert_file(io_path(name), "x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dissolve), TEST(test_left), TEST(test_left_alone), TEST(test_left_aside), TEST(test_left_boot),
        TEST(test_not_left), TEST(test_long_name),
    };

    return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
