/* Standard input as a mapped file: pipes and files, from where they stand, up to a limit. */
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/stream.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A pipe that holds the text and is at its end. */
static int filled(const char *text)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    return ends[0];
}

static void expect(int fd, size_t limit, const char *text)
{
    struct sp_map map;

    assert_int_equal(sp_stream_map(&map, fd, "input", limit), 0);
    assert_int_equal(map.size, strlen(text));
    sp_fs_map_forget(&map); /* gives nothing back that could not be had again */
    assert_memory_equal(map.data ? (const char *)map.data : "", text, map.size);
    sp_fs_unmap(&map);
    close(fd);
}

static void test_pipe(void **state)
{
    struct sp_map map;
    int fd;

    (void)state;
    expect(filled("a\nb\n"), 4, "a\nb\n");
    expect(filled(""), 4, "");
    fd = filled("abcde");
    assert_int_equal(sp_stream_map(&map, fd, "input", 4), SP_ELIMIT);
    assert_non_null(strstr(sp_error_message(), "input holds more than the limit"));
    close(fd);
    assert_true(sp_stream_map(&map, fd, "input", 4) < 0); /* closed */
    assert_non_null(strstr(sp_error_message(), "cannot read input"));
}

static void test_file(void **state)
{
    char path[] = "/tmp/speft-stream-XXXXXX", one;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abcde", 5), 5);
    lseek(fd, 0, SEEK_SET);
    expect(dup(fd), 2, "abcde"); /* a file needs no memory, so that no limit holds */
    assert_int_equal(read(fd, &one, 1), 1);
    expect(fd, 10, "bcde");
    fd = open(path, O_RDWR | O_TRUNC);
    expect(fd, 10, "");
    unlink(path);
}

static void test_interrupt(void **state)
{
    struct sp_map map;
    int fd = filled("a");

    (void)state;
    sp_interrupt();
    assert_int_equal(sp_stream_map(&map, fd, "input", 4), SP_EINTR);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_interrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
