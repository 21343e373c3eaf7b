/* runtime/base/child: this program started anew, fed, read, waited for, ended. */
#include "runtime/base/child.h"
#include "runtime/base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct sp_child_setup quiet = { .in = SP_CHILD_NOTHING, .out = SP_CHILD_SAME, .err = SP_CHILD_SAME };

static void start(struct sp_child *child, const char *what, struct sp_child_setup setup)
{
    setup.arguments = (const char *const[]){ "test_child", what, NULL };
    assert_int_equal(sp_child_start(child, &setup), 0);
}

static void test_end(void **state)
{
    struct sp_child child;
    char words[64];
    int status;

    (void)state;
    start(&child, "exit", quiet);
    assert_true(sp_child_wait(&child, -1, &status));
    sp_child_describe(words, sizeof words, status);
    assert_string_equal(words, "ended with exit status 3");
    start(&child, "crash", quiet);
    assert_true(sp_child_wait(&child, 60, &status));
    sp_child_describe(words, sizeof words, status);
    assert_string_equal(words, "was ended by signal 6");
    assert_int_equal(child.pid, 0);
}

static void test_time_limit(void **state)
{
    struct sp_child child;
    double began = sp_clock_now();
    char words[64];
    int status;

    (void)state;
    start(&child, "hang", quiet);
    assert_false(sp_child_wait(&child, 0.2, &status));
    assert_true(sp_clock_now() - began >= 0.2 && sp_clock_now() - began < 30);
    sp_child_signal(&child, SIGKILL);
    assert_true(sp_child_wait(&child, -1, &status));
    sp_child_describe(words, sizeof words, status);
    assert_string_equal(words, "was ended by signal 9");
}

/* A block of more than a socket holds at once, back and forth, and one that is too long. */
static void test_blocks(void **state)
{
    enum { SIZE = 3000000 };
    struct sp_child_setup setup = quiet;
    struct sp_child child;
    char *sent = calloc(1, SIZE);
    void *got;
    size_t length;
    int status;

    (void)state;
    assert_non_null(sent);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 7 % 251);
    setup.in = SP_CHILD_SOCKET;
    start(&child, "echo", setup);
    assert_true(sp_child_send_block(child.fd, sent, SIZE));
    assert_true(sp_child_receive_block(child.fd, &got, &length, SIZE));
    assert_int_equal(length, SIZE);
    assert_memory_equal(got, sent, SIZE);
    free(got);
    assert_true(sp_child_send_block(child.fd, "", 0));
    assert_true(sp_child_receive_block(child.fd, &got, &length, 0));
    assert_int_equal(length, 0);
    free(got);
    assert_true(sp_child_send_block(child.fd, sent, 11));
    assert_false(sp_child_receive_block(child.fd, &got, &length, 10));
    close(child.fd); /* which ends it */
    child.fd = -1;
    assert_true(sp_child_wait(&child, 60, &status));
    free(sent);
}

/* Whether a process is there. */
static bool alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static bool ends(pid_t pid)
{
    for (int i = 0; i < 1000 && alive(pid); i++)
        usleep(10000);
    return !alive(pid);
}

/* A child that has one of its own, which says its number; both end as told. */
static pid_t start_two(struct sp_child *child, bool group)
{
    struct sp_child_setup setup = quiet;
    pid_t second;

    setup.in = SP_CHILD_SOCKET;
    setup.group = group;
    start(child, "two", setup);
    assert_true(sp_child_receive(child->fd, &second, sizeof second));
    assert_true(alive(second));
    return second;
}

static void test_ends_with_parent(void **state)
{
    struct sp_child child;
    pid_t second = start_two(&child, false);
    int status;

    (void)state;
#ifndef __linux__
    skip();
#endif
    sp_child_signal(&child, SIGKILL);
    assert_true(sp_child_wait(&child, -1, &status));
    assert_true(ends(second));
}

static void test_group(void **state)
{
    struct sp_child child;
    pid_t second = start_two(&child, true);
    int status;

    (void)state;
    assert_int_equal(getpgid(child.pid), child.pid);
    assert_int_equal(getpgid(second), child.pid);
    assert_int_not_equal(getpgrp(), child.pid);
    sp_child_signal(&child, SIGTERM);
    assert_true(sp_child_wait(&child, 60, &status));
    assert_true(ends(second));
}

static void test_cannot_start(void **state)
{
    struct sp_child_setup setup = quiet;
    struct sp_child child;

    (void)state;
    setup.arguments = (const char *const[]){ "test_child", "exit", NULL };
    setup.in = 1000000; /* no descriptor */
    assert_true(sp_child_start(&child, &setup) < 0);
    assert_int_equal(child.pid, 0);
    assert_int_equal(child.fd, -1);
    sp_child_signal(&child, SIGKILL); /* of nobody */
}

static void be_child(const char *what)
{
    struct sp_child second;
    void *block;
    size_t length;

    if (getenv("SPEFT_CHILD_OF"))
        _exit(1);
    if (strcmp(what, "exit") == 0)
        _exit(3);
    if (strcmp(what, "crash") == 0)
        abort();
    while (strcmp(what, "echo") == 0 && sp_child_receive_block(STDIN_FILENO, &block, &length, (size_t)1 << 30) &&
           sp_child_send_block(STDIN_FILENO, block, length))
        free(block);
    if (strcmp(what, "echo") == 0)
        _exit(0);
    if (strcmp(what, "two") == 0) {
        start(&second, "hang", quiet);
        sp_child_send(STDIN_FILENO, &second.pid, sizeof second.pid);
    }
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),   cmocka_unit_test(test_time_limit),   cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_group), cmocka_unit_test(test_ends_with_parent), cmocka_unit_test(test_cannot_start),
    };

    sp_child_begin();
    if (argc > 1)
        be_child(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
