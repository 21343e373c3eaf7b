/*
 * Files that are written, replaced and locked, and folders that the program keeps for itself. The linker's --wrap puts the functions
 * below in front of the C library's, so that what reaches the disk, and in which order, is seen.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/lock.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/private.h"
#include "runtime/base/process.h"
#include "runtime/io/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

#define assert_ok(call) assert_int_equal((call), 0)

static const char *const files[] = { "f", NULL }; /* of a folder that is replaced */
static char calls[256];      /* since calls_begin: "fsync rename exchange" */
static bool refuse_exchange; /* as file systems do that cannot */
static char said[1024];      /* the last message of the log */

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

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    note("rename");
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
    if (refuse_exchange) {
        errno = EINVAL;
        return -1;
    }
    return __real_renameat2(at, from, to_at, to, flags);
}
#endif

static const char *remove_at_lock; /* as a holder does that lets go between another's open and lock */

int __real_fcntl(int fd, int command, void *argument);
int __wrap_fcntl(int fd, int command, void *argument);
int __wrap_fcntl(int fd, int command, void *argument)
{
    if (command == F_SETLK && remove_at_lock) {
        assert_ok(unlink(remove_at_lock));
        remove_at_lock = NULL;
    }
    return __real_fcntl(fd, command, argument);
}

static const char *other_boot; /* the file that tells of this boot */

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    return __real_fopen(other_boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? other_boot : path, mode);
}

static void take_log(enum sp_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    snprintf(said, sizeof said, "%s", text);
}

static void assert_file(const char *path, const char *text)
{
    char *found;

    assert_ok(sp_fs_read(&found, NULL, path, 1000));
    assert_string_equal(found, text);
    free(found);
}

/* ---- writing ---- */

static void test_write(void **state)
{
    const char *path = io_path("f");
    struct stat st;

    (void)state;
    umask(027);
    calls[0] = '\0';
    assert_ok(sp_fs_write(path, "one", 3));
    assert_string_equal(calls, "fsync rename"); /* on the disk before it has the name */
    assert_ok(stat(path, &st));
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_ok(sp_fs_write(path, "two", 3));
    assert_file(path, "two");
    assert_int_equal(io_entries(io_path("")), 1);
    umask(022);
}

/* A link keeps its place, and the file that it names is replaced. One to nothing is refused. */
static void test_links(void **state)
{
    const char *target = io_write_text("below/target", "old"), *link = io_path("link");
    struct stat st;

    (void)state;
    assert_ok(symlink("below/target", link));
    assert_ok(sp_fs_write(link, "new", 3));
    assert_ok(lstat(link, &st));
    assert_true(S_ISLNK(st.st_mode));
    assert_file(target, "new");
    assert_int_equal(io_entries(io_path("below")), 1);
    assert_ok(unlink(target));
    io_assert_error(sp_fs_write(link, "new", 3), SP_EIO, link, "a link to below/target, which is not there", NULL);
    io_assert_error(sp_fs_check_writable(link), SP_EIO, link, NULL);
    io_assert_error(sp_fs_mkdirs(link), SP_EIO, link, "link to nothing", NULL);
}

/* ---- folders that are replaced ---- */

static void stage(const char *dir, const char *text)
{
    struct sp_staging staging;
    char *path;

    assert_ok(sp_staging_open(&staging, dir, files));
    path = sp_fs_join(staging.path, "f");
    assert_ok(sp_fs_write(path, text, strlen(text)));
    calls[0] = '\0';
    assert_ok(sp_staging_commit(&staging));
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
    assert_string_equal(calls, "exchange rename"); /* one step, so that there is no moment without the folder; then `other` follows */
    refuse_exchange = true;
    stage(dir, "three");
    refuse_exchange = false;
    assert_string_equal(calls, "exchange rename rename rename rename");
    stage(dir, "two");
#endif
    assert_file(io_path("d/f"), "two");
    assert_file(io_path("d/other"), "kept");
    assert_int_equal(io_entries(io_path("")), 1);
}

/* What cannot be put in its place is not lost where it is lasting. */
static void test_staging_lasts(void **state)
{
    const char *file = io_write_text("file", ""), *path;
    struct sp_staging staging;

    (void)state;
    assert_ok(sp_staging_beside(&staging, io_path("file/below"), "-made"));
    free(staging.path);
    staging.path = strdup(io_path("made"));
    path = io_path("made/f");
    assert_ok(sp_fs_mkdirs(io_path("made")));
    io_write_text("made/f", "whole");
    io_assert_error(sp_staging_commit(&staging), SP_EIO, "what was written stays as ", io_path("made"), file, NULL);
    assert_file(path, "whole");
    assert_ok(sp_staging_beside(&staging, io_path("place"), "-made"));
    assert_ok(sp_fs_mkdirs(io_path("place-made")));
    io_write_text("place-made/f", "whole");
    assert_ok(sp_staging_commit(&staging));
    assert_file(io_path("place/f"), "whole");
    assert_false(sp_fs_exists(io_path("place-made")));
}

static void test_staging_refuses(void **state)
{
    const char *file = io_write_text("file", ""), *link = io_path("link");
    struct sp_staging staging;

    (void)state;
    assert_ok(symlink("nothing", link));
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

    assert_ok(pipe(told));
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
    assert_ok(chmod(io_path(""), 0755));
    io_write_text("a/d/f", "");
    assert_ok(chown(above, 65534, 65534));
    if (stage_as_user(io_path("a/new")) != 0)
        skip(); /* the folder for temporary files is root's alone */
    assert_int_equal(stage_as_user(dir), SP_EIO); /* root's, 755 */
    assert_ok(chmod(dir, 0777));
    assert_ok(stage_as_user(dir));
    assert_ok(chown(above, 0, 0));
    assert_ok(chmod(above, 01777));
    assert_int_equal(stage_as_user(dir), SP_EIO);
    assert_ok(chown(dir, 65534, 65534));
    assert_ok(stage_as_user(dir));
    assert_int_equal(io_entries(above), 1);
}

/* A folder of the earlier run in whose place a file is to go. */
static void test_staging_kinds(void **state)
{
    const char *dir = io_path("d"), *place = io_path("d/f");
    struct sp_staging staging;

    (void)state;
    io_write_text("d/f/notes", "");
    io_assert_error(sp_staging_open(&staging, dir, files), SP_EIO, place, "is a folder", "remove what is in the way", NULL);
    assert_int_equal(io_entries(io_path("")), 1);
    assert_ok(rename(place, io_path("elsewhere")));
    assert_ok(symlink("../elsewhere", place)); /* the link is replaced */
    stage(dir, "new");
    assert_file(place, "new");
    assert_true(sp_fs_exists(io_path("elsewhere/notes")));
}

/* What another user put into the folder, and this one can neither move nor replace. */
static void test_staging_entries(void **state)
{
    const char *dir = io_path("a/d");

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_ok(chmod(io_path(""), 0755));
    io_write_text("a/d/sub/g", "");
    io_write_text("theirs/g", "");
    assert_ok(chown(io_path("a"), 65534, 65534));
    if (stage_as_user(io_path("a/new")) != 0)
        skip(); /* the folder for temporary files is root's alone */
    assert_ok(chmod(dir, 0777));
    assert_int_equal(stage_as_user(dir), SP_EIO);
    assert_said(io_path("a/d/sub"), "cannot move");
    assert_said(dir, "remove what is in the way, or name another place");
    assert_int_equal(io_entries(io_path("a")), 1);
    assert_ok(chmod(io_path("a/d/sub"), 0777));
    assert_ok(stage_as_user(dir));
    assert_ok(symlink(io_path("theirs"), io_path("a/d/link")));
    assert_ok(stage_as_user(dir)); /* a link's target is not looked at */
    assert_ok(chmod(dir, 01777));
    assert_int_equal(stage_as_user(dir), SP_EIO);
    assert_said(dir, "its folder is sticky");
    assert_ok(chown(dir, 65534, 65534));
    assert_ok(stage_as_user(dir));
    assert_ok(chown(dir, 0, 0));
    assert_ok(chmod(dir, 0733));
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
        assert_ok(ioctl(fd, FS_IOC_SETFLAGS, &kept)); /* or it could not be removed */
    }
    close(fd);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], SP_EIO);
    if (!can)
        skip();
    assert_non_null(strstr(sp_error_message(), "immutable or append-only"));
}
#endif

/* ---- what a killed process leaves ---- */

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

        if (sp_fs_writer_open(&writer, io_path("f.json")) < 0 || sp_staging_open(&staging, io_path("adapter"), files) < 0)
            _exit(1);
        snprintf(part, sizeof part, "%s/part", staging.path);
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
    assert_ok(utimensat(AT_FDCWD, io_path(name), (const struct timespec[2]){ { .tv_sec = 1e9 }, { .tv_sec = 1e9 } }, 0));
}

static void clear(const char *base)
{
    int fd = open(io_path(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    sp_process_clear(fd, base);
    close(fd);
}

static void test_left(void **state)
{
#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char *const old[] = { KEY ".program.Zq8wE1", KEY ".program.backup", KEY ".program.3f9a1c", "weights.a1B2c3", "run.v1r2b3",
                                       "0f.program.Zq8wE1", "f.json.3f9a1c", "notes.1a2b3c" };
    enum { OLD = sizeof old / sizeof *old };
    char mark[SP_PROCESS_MARK], *path;
    struct sp_fs_writer mine;
    struct sp_staging staging;

    (void)state;
    leave_behind();
    assert_int_equal(io_entries(io_path("")), 2);
    assert_ok(sp_fs_writer_open(&mine, io_path("f.json"))); /* clears the dead one's */
    assert_int_equal(io_entries(io_path("")), 2);
    assert_ok(sp_fs_write(io_path("f.json"), "x", 1)); /* and leaves what is a living one's alone */
    assert_int_equal(io_entries(io_path("")), 3);
    fputs("mine", mine.file);
    assert_ok(sp_fs_writer_commit(&mine));
    assert_file(io_path("f.json"), "mine");

    assert_ok(sp_staging_open(&staging, io_path("adapter"), files));
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

/* A mapping knows of writing to its file under whatever name, and of none to one that came in its place. */
static void test_map_changed(void **state)
{
    struct sp_map map;

    (void)state;
    io_write_text("a", "one");
    assert_ok(sp_fs_map_fd(&map, open(io_path("a"), O_RDONLY | O_CLOEXEC), "standard input"));
    assert_ok(sp_fs_write(io_path("a"), "two", 3));
    assert_false(sp_fs_map_changed(&map));
    sp_fs_unmap(&map);
    assert_ok(sp_fs_map_fd(&map, open(io_path("a"), O_RDONLY | O_CLOEXEC), "standard input"));
    make_old("a");
    assert_true(sp_fs_map_changed(&map));
    sp_fs_unmap(&map);
    assert_ok(close(STDIN_FILENO)); /* and then the next file is number 0 */
    io_write_text("a", "three");
    assert_ok(sp_fs_map(&map, io_path("a")));
    make_old("a");
    assert_true(sp_fs_map_changed(&map));
    sp_fs_unmap(&map);
    assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO); /* it was closed, and once */
}

static void write_in(const char *folder, const char *name, const char *text)
{
    char *path = sp_fs_join(folder, name);

    io_write_text(path, text);
    free(path);
}

/* An old folder that was moved aside, with nothing in its place yet, then with; and a new one that had changed places with the old. */
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
    assert_file(io_path("lost/f"), "x");
    for (int i = 0; i < 2; i++) {
        path = left_name("lost", i ? "old" : "tmp", dead_process());
        write_in(path, "f", "y");
        write_in(path, i ? "notes" : "paper", "a person's");
        write_in(path, "g.tmp-99999999-1-00000001-0", "");
        clear("lost");
        assert_false(sp_fs_exists(io_path(path)));
    }
    assert_file(io_path("lost/f"), "x");
    assert_file(io_path("lost/notes"), "a person's");
    assert_file(io_path("lost/paper"), "a person's");
    assert_int_equal(io_entries(io_path("lost")), 3);
}

/* Of a machine of this one's name that was booted by itself, or of this one before: whether the process lives is not known, so that a
 * day must go by. */
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
        "adapter.tmp-99999999-1-00000001--1", "adapter.tmp-99999999-1-0000000A-0", "adapter.tmp-99999999-1-00000001-0-0",
        "adapter.tmp-99999999-1-00000001-0.txt", "adapter.tmp-99999999-1-00000001-00", "adapter.tmp-99999999--1-00000001-0",
        "adapter.tmp-99999999 1 00000001 0", "adapter.tmp-99999999-1-100000001-0-", "adapter.tmp-", ".tmp-99999999-1-00000001-0",
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
        assert_file(io_path(names[i]), "mine");
}

/* A name that is nearly as long as names may be. */
static void test_long_name(void **state)
{
    char name[251];

    (void)state;
    memset(name, 'n', 250);
    name[250] = '\0';
    assert_ok(sp_fs_write(io_path(name), "x", 1));
    assert_file(io_path(name), "x");
}

/* ---- private folders ---- */

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

    assert_ok(sp_private_open(&folder, io_path("c"), true));
    assert_ok(sp_private_writer_open(&writer, &folder, "e"));
    fputs(text, writer.file);
    assert_ok(sp_fs_writer_commit(&writer));
    sp_private_close(&folder);
}

static int load(const char *text)
{
    struct sp_private folder;
    char *found;
    int rc;

    assert_ok(sp_private_open(&folder, io_path("c"), false));
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
    assert_ok(open_private("c/d", true));
    umask(022);
    assert_ok(stat(io_path("c"), &st));
    assert_int_equal(st.st_mode & 07777, 0700);
    io_write_text("file", "");
    io_assert_error(open_private("file", true), SP_EIO, io_path("file"), "a file of that name is in the way", NULL);
    io_assert_error(open_private("file", false), SP_EIO, io_path("file"), "not a folder", NULL);
    io_assert_error(open_private("file/below", true), SP_EIO, io_path("file"), NULL);

    /* the folder itself, and one on the way */
    assert_ok(chmod(io_path("c/d"), 0777));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c/d"), "everybody", NULL);
    assert_ok(chmod(io_path("c/d"), 01777));
    io_assert_error(open_private("c/d", false), SP_EINVAL, "everybody", NULL);
    assert_ok(open_private("c/d/e", true)); /* in a sticky folder nobody else can replace it */
    assert_ok(chmod(io_path("c/d"), 0755));
    assert_ok(open_private("c/d", false));
    assert_ok(chmod(io_path("c"), 0777));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c "), "everybody", NULL);
    assert_ok(chmod(io_path("c"), 0755));

    /* links on the way are followed, and what they lead through is looked at, too */
    assert_ok(symlink("c/d", io_path("l")));
    assert_ok(open_private("l", false));
    assert_ok(symlink(io_path("l"), io_path("m")));
    assert_ok(open_private("m/e", false));
    assert_ok(chmod(io_path("c"), 0777));
    io_assert_error(open_private("m/e", false), SP_EINVAL, io_path("c "), NULL);
    assert_ok(chmod(io_path("c"), 0755));
    assert_ok(symlink("round", io_path("round")));
    io_assert_error(open_private("round", false), SP_EIO, "too many links", NULL);

    if (geteuid() != 0)
        return; /* the rest takes files of somebody else's */
    assert_ok(chmod(io_path("c/d"), 0775));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c/d"), "its group", NULL);
    assert_ok(chmod(io_path("c/d"), 0755));
    assert_ok(chown(io_path("c/d"), 65534, 0));
    io_assert_error(open_private("c/d", false), SP_EINVAL, io_path("c/d"), "another user (65534)", NULL);
    io_assert_error(open_private("c/d/e", false), SP_EINVAL, io_path("c/d "), "another user", NULL);
    assert_ok(chown(io_path("c/d"), 0, 0));
    assert_ok(lchown(io_path("l"), 65534, 0));
    io_assert_error(open_private("m/e", false), SP_EINVAL, io_path("l "), "another user", NULL);
}

static void test_private_entries(void **state)
{
    const char *entry = io_path("c/e"), *victim = io_write_text("victim", "precious");
    struct stat st;
    int fd;

    (void)state;
    store("one");
    assert_ok(load("one"));
    assert_ok(stat(entry, &st));
    assert_int_equal(st.st_mode & 07777, 0600);

    assert_ok(unlink(entry));
    assert_int_equal(load(""), SP_ENOTFOUND);
    assert_ok(symlink("../victim", entry)); /* neither read through nor written through */
    io_assert_error(load("precious"), SP_EINVAL, entry, "is a link", NULL);
    store("two");
    assert_ok(load("two"));
    assert_file(victim, "precious");

    assert_ok(unlink(entry));
    assert_ok(mkfifo(entry, 0600)); /* does not block */
    io_assert_error(load(""), SP_EINVAL, entry, "regular file", NULL);
    fd = open(entry, O_RDONLY | O_NONBLOCK);
    store("three");
    assert_int_equal(read(fd, &st, 1), 0); /* nothing went into the pipe */
    close(fd);
    assert_ok(load("three"));

    assert_ok(chmod(entry, 0666));
    io_assert_error(load(""), SP_EINVAL, entry, "everybody", NULL);
    if (geteuid() == 0) {
        assert_ok(chmod(entry, 0644));
        assert_ok(chown(entry, 65534, 0));
        io_assert_error(load(""), SP_EINVAL, entry, "another user", NULL);
    }
    store("four");
    assert_ok(load("four"));
    assert_ok(unlink(entry));
    assert_ok(mkdir(entry, 0700));
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
    assert_ok(chmod(io_path(""), 0755));
    if (as_user(io_path("")) == SP_EIO)
        skip(); /* the folder for temporary files is root's alone */
    store("one");
    assert_ok(chmod(path, 0755));
    assert_ok(chmod(io_path("c/e"), 0644));
    assert_ok(as_user(path));
    assert_ok(chmod(path, 0777));
    assert_int_equal(as_user(path), SP_EINVAL);
    assert_ok(chmod(path, 0755));
    assert_ok(chown(path, 65534, 65534));
    assert_ok(as_user(path));
    assert_ok(chown(path, 1, 1));
    assert_int_equal(as_user(path), SP_EINVAL);
    assert_ok(chown(path, 0, 0));
    assert_ok(chown(io_path("c/e"), 1, 1));
    assert_int_equal(as_user(path), SP_EINVAL);
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

/* ---- locks ---- */

/* A process that has the folder's lock until it is killed. */
static pid_t hold_lock(const char *dir)
{
    struct sp_lock lock;
    int ready[2];
    char byte;
    pid_t pid;

    assert_ok(pipe(ready));
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
        io_assert_error(sp_lock_take(&lock, dir, "train.lock", "train"), SP_EINVAL, "another speft-cl train", dir, process, host, NULL);
    sp_lock_release(&lock);
    assert_int_equal(io_entries(dir), 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_ok(sp_lock_take(&lock, dir, "train.lock", "train")); /* a dead one blocks nobody */
    sp_lock_release(&lock);
    assert_int_equal(io_entries(dir), 0);
    remove_at_lock = io_write_text("out/train.lock", "");
    assert_ok(sp_lock_take(&lock, dir, "train.lock", "train"));
    assert_int_equal(io_entries(dir), 1); /* a lock on a file that is gone locks nobody out: it is made anew */
    assert_ok(unlink(io_path("out/train.lock"))); /* by hand; then the lock is another run's */
    io_write_text("out/train.lock", "another's");
    sp_lock_release(&lock);
    assert_file(io_path("out/train.lock"), "another's");
    assert_ok(unlink(io_path("out/train.lock")));
    assert_ok(symlink("../elsewhere", io_path("out/train.lock")));
    io_assert_error(sp_lock_take(&lock, dir, "train.lock", "train"), SP_EIO, "train.lock is a link; remove it", NULL);
    assert_false(sp_fs_exists(io_path("elsewhere")));
}

/* What another user's run is told, whom the folder is open to. */
static void lock_as_user(char text[512], const char *dir)
{
    int told[2];
    pid_t pid;
    ssize_t length;

    assert_ok(pipe(told));
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
    assert_ok(chmod(io_path(""), 0755));
    assert_ok(mkdir(dir, 0777));
    assert_ok(chmod(dir, 0777));
    lock_as_user(text, dir);
    if (strcmp(text, "taken") != 0)
        skip(); /* the folder for temporary files is root's alone */
    pid = hold_lock(dir);
    assert_ok(chmod(path, 0644));
    snprintf(who, sizeof who, "(process %ld on host ", (long)pid);
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "another speft-cl train is running in"));
    assert_non_null(strstr(text, who));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "out/train.lock was left by a run of user 0 that is gone"));
    assert_non_null(strstr(text, who));
    assert_ok(chmod(path, 0600));
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "train.lock: Permission denied"));
    assert_ok(unlink(path));
    assert_ok(chmod(dir, 0755));
    lock_as_user(text, dir);
    assert_non_null(strstr(text, "train.lock: Permission denied"));
}

/* ---- a file that cannot grow ---- */

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
    assert_ok(sp_fs_writer_open(&writer, path));
    io_limit_files(ROOM);
    pieces[0] = sp_fs_writer_put(&writer, data, SIZE);
    pieces[1] = sp_fs_writer_put(&writer, "", 0); /* a caller that goes on all the same */
    rc = sp_fs_writer_commit(&writer);
    io_limit_files(0);
    assert_int_equal(pieces[0], SP_EIO);
    assert_int_equal(pieces[1], 0);
    io_assert_error(rc, SP_EIO, "cannot write", path, strerror(EFBIG), NULL);
    assert_ok(sp_fs_read(&text, NULL, path, 100));
    assert_string_equal(text, "as it was");
    free(text);
    free(data);
}

/* ---- maps ---- */

static void test_map_name(void **state)
{
    const char *path = io_write_text("text", "some text");
    struct sp_map map;
    const unsigned char *data;

    (void)state;
    assert_ok(sp_fs_map(&map, path));
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
        TEST(test_write),          TEST(test_links),           TEST(test_exchange),     TEST(test_staging_refuses),
        TEST(test_staging_of_another), TEST(test_staging_lasts),   TEST(test_staging_kinds),   TEST(test_staging_entries),
#ifdef FS_IOC_SETFLAGS
        TEST(test_staging_marked),
#endif
        TEST(test_left),           TEST(test_map_changed), TEST(test_left_aside),      TEST(test_left_boot),      TEST(test_not_left),
        TEST(test_long_name),       TEST(test_private_folder), TEST(test_private_entries),
        TEST(test_private_site),   TEST(test_log_once),        TEST(test_lock),         TEST(test_lock_of_another), TEST(test_map_name),
        TEST(test_full),
    };

    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
