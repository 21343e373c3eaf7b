/* A site's cache of compiled programs: root's, read by all of its users, each of whom keeps what it lacks for
 * himself. */
#include "tests/unit/io_files.h"

#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cache.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char of_site[SP_HASH_HEX] = "a000000000000000000000000000000000000000000000000000000000000001";
static const char of_user[SP_HASH_HEX] = "b000000000000000000000000000000000000000000000000000000000000002";

static char said[1024];

static void take_log(enum sp_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    strncat(said, text, sizeof said - strlen(said) - 1);
}

static bool has(const char *key)
{
    size_t size;
    void *data;
    bool hit = sp_cache_load(&data, &size, key);

    if (hit)
        free(data);
    return hit;
}

/* What a user finds and can keep. */
static int use_site(void)
{
    said[0] = '\0';
    sp_log_set_sink(take_log, NULL);
    if (!has(of_site))
        return 1;
    if (has(of_user))
        return 2;
    if (!sp_cache_keeps())
        return 3;
    sp_cache_store(of_user, "program", 7);
    sp_cache_prune();
    if (!has(of_user) || !has(of_site))
        return 4;
    return said[0] ? 5 : 0;
}

/* What is there and cannot be read. */
static int use_closed(void)
{
    said[0] = '\0';
    sp_log_set_sink(take_log, NULL);
    if (has(of_site))
        return 1;
    return strstr(said, "a compiled program is not used: cannot open") && strstr(said, "Permission denied") ? 0 : 2;
}

static void assert_as_user(int (*use)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(setgid(65534) == 0 && setuid(65534) == 0 ? use() : 9);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_site(void **state)
{
    const char *programs = io_path("site/programs"), *home = io_path("home");
    char *entry;
    mode_t mask = umask(022);

    (void)state;
    if (geteuid() != 0)
        skip(); /* whose site is it? */
    assert_int_equal(sp_fs_mkdirs(programs), 0); /* as `install -d -m 755` */
    assert_int_equal(mkdir(home, 0755), 0);
    assert_int_equal(chown(home, 65534, 65534), 0);
    assert_int_equal(chmod(io_path(""), 0755), 0);
    setenv("SPEFT_CACHE_DIR", io_path("site"), 1);
    setenv("HOME", home, 1);
    unsetenv("XDG_CACHE_HOME");
    sp_cache_store(of_site, "program", 7);
    assert_true(has(of_site));
    assert_as_user(use_site);
    assert_int_equal(io_entries(programs), 1);
    assert_int_equal(io_entries(io_path("home/.cache/speft-cl/programs")), 1);
    assert_false(has(of_user)); /* root has a home of its own, and what is root's is not from here */
    entry = sp_asprintf("%s/%s.program", programs, of_site);
    assert_int_equal(chmod(entry, 0600), 0);
    free(entry);
    assert_as_user(use_closed);
    umask(mask);
}

static size_t count_of(const char *text)
{
    size_t count = 0;

    for (const char *at = said; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* What is wrong with all entries is said of one, be they programs or verdicts; something else that is wrong is said,
 * too. */
static void test_said_once(void **state)
{
    const char *folder = io_path("cache/programs");
    char *entries[2] = { sp_asprintf("%s/%s.program", folder, of_site), sp_asprintf("%s/%s.program", folder, of_user) };

    (void)state;
    setenv("SPEFT_CACHE_DIR", io_path("cache"), 1);
    assert_int_equal(chmod(io_path(""), 0755), 0);
    sp_cache_store(of_site, "program", 7);
    sp_cache_store(of_user, "program", 7);
    assert_int_equal(chmod(entries[0], 0666), 0);
    assert_int_equal(chmod(entries[1], 0666), 0);
    said[0] = '\0';
    sp_log_set_sink(take_log, NULL);
    assert_false(has(of_site));
    assert_false(has(of_user));
    assert_int_equal(count_of("a compiled program is not used: "), 1);
    assert_int_equal(count_of("can be written by everybody"), 1);
    assert_int_equal(unlink(entries[1]), 0);
    assert_int_equal(symlink(entries[0], entries[1]), 0);
    assert_false(has(of_user));
    assert_int_equal(count_of("a compiled program is not used: "), 2);
    assert_int_equal(count_of("is a link"), 1);
    free(entries[0]);
    free(entries[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_said_once), TEST(test_site) };

    return cmocka_run_group_tests_name("site_cache", tests, NULL, NULL);
}
