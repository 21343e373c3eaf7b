/* Locks on folders; with --wrap, as in test_files.c. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/lock.h"
#include "runtime/base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *remove_at_lock; /* as a holder does that lets go between another's open and lock */

int __real_fcntl(int fd, int command, void *argument);
int __wrap_fcntl(int fd, int command, void *argument);
int __wrap_fcntl(int fd, int command, void *argument)
{
    if (command == F_SETLK && remove_at_lock) {
        io_assert_ok(unlink(remove_at_lock));
        remove_at_lock = NULL;
    }
    return __real_fcntl(fd, command, argument);
}

/* A process that has the folder's lock until it is killed. */
static pid_t hold_lock(const char *dir)
{
    struct sp_lock lock;
    int ready[2];
    char byte;
    pid_t pid;

    io_assert_ok(pipe(ready));
    pid = fork();
    if (pid == 0) {
        if (sp_lock_take(&lock, dir, "train.lock", "train") == 0 && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void test_lock(void **state)
{
    char host[SP_PROCESS_HOST], process[64];
    const char *dir = io_path("out");
    struct sp_lock lock;
    int status;
    pid_t pid;

    (void)state;
    pid = hold_lock(dir);
    sp_process_host(host);
    snprintf(process, sizeof process, "process %ld ", (long)pid);
    for (int i = 0; i < 2; i++)
        io_assert_error(sp_lock_take(&lock, dir, "train.lock", "train"), SP_EINVAL, "another speft-cl train", dir,
                        process, host, NULL);
    sp_lock_release(&lock);
    assert_int_equal(io_entries(dir), 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    io_assert_ok(sp_lock_take(&lock, dir, "train.lock", "train")); /* a dead one blocks nobody */
    sp_lock_release(&lock);
    assert_int_equal(io_entries(dir), 0);
    remove_at_lock = io_write_text("out/train.lock", "");
    io_assert_ok(sp_lock_take(&lock, dir, "train.lock", "train"));
    assert_int_equal(io_entries(dir), 1); /* a lock on a file that is gone locks nobody out: it is made anew */
    io_assert_ok(unlink(io_path("out/train.lock"))); /* by hand; then the lock is another run's */
    io_write_text("out/train.lock", "another's");
    sp_lock_release(&lock);
    io_assert_file(io_path("out/train.lock"), "another's");
    io_assert_ok(unlink(io_path("out/train.lock")));
    io_assert_ok(symlink("../elsewhere", io_path("out/train.lock")));
    io_assert_error(sp_lock_take(&lock, dir, "train.lock", "train"), SP_EIO, "train.lock is a link; remove it", NULL);
    assert_false(sp_fs_exists(io_path("elsewhere")));
}

/* What another user's run is told, whom the folder is open to. */
static void lock_as_user(char text[512], const char *dir)
{
    int told[2];
    pid_t pid;
    ssize_t length;

    io_assert_ok(pipe(told));
    pid = fork();
    if (pid == 0) {
        struct sp_lock lock;
        bool taken = setgid(65534) == 0 && setuid(65534) == 0 && sp_lock_take(&lock, dir, "train.lock", "train") == 0;

        dprintf(told[1], "%s", taken ? "taken" : sp_error_message());
        sp_lock_release(&lock);
        _exit(0);
    }
    close(told[1]);
    length = read(told[0], text, 511);
    text[length > 0 ? length : 0] = '\0';
    close(told[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_lock_of_another(void **state)
{
    const char *dir = io_path("out"), *path = io_path("out/train.lock");
    char text[512], who[64];
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        skip();
    io_assert_ok(chmod(io_path(""), 0755));
    io_assert_ok(mkdir(dir, 0777));
    io_assert_ok(chmod(dir, 0777));
    lock_as_user(text, dir);
    if (strcmp(text, "taken") != 0)
        skip(); /* the folder for temporary files is root's alone */
    pid = hold_lock(dir);
    io_assert_ok(chmod(path, 0644));
    snprintf(who, sizeof who, "(process %ld on host ", (long)pid);
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "another speft-cl train is running in"));
    assert_non_null(strstr(text, who));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "out/train.lock was left by a run of user 0 that is gone"));
    assert_non_null(strstr(text, who));
    io_assert_ok(chmod(path, 0600));
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "train.lock: Permission denied"));
    io_assert_ok(unlink(path));
    io_assert_ok(chmod(dir, 0755));
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "train.lock: Permission denied"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lock), TEST(test_lock_of_another),
    };

    return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
