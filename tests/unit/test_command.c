/* How the words of a command line name a command, and what bash completes, on a list with subcommands. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sp_flag flags[] = { { "output", "FILE", "", NULL }, SP_FLAG_SET, SP_FLAG_END };
static const struct sp_command train = { .name = "train", .flags = flags, .usage = "FILE", .summary = "teach" },
                               tune = { .name = "tune", .usage = "[FILE]", .summary = "measure" },
                               show = { .name = "cache show", .usage = "", .summary = "list the cache" },
                               merge = { .name = "cache merge", .flags = flags, .usage = "", .summary = "add" },
                               run_of_tune = { .name = "tune run", .flags = flags, .usage = "", .summary = "go" };
const struct sp_command *const sp_commands[] = { &train, &show, &merge, &tune, &run_of_tune, NULL };
static const struct sp_command *const *const list = sp_commands;

/* The command that the words, parted by blanks, begin with, and how many of them name it. */
static const struct sp_command *find(const char *line, size_t *used)
{
    static char text[256];
    char *words[8], *rest = text;
    size_t count = 0;

    snprintf(text, sizeof text, "%s", line);
    for (char *word; (word = strsep(&rest, " "));)
        words[count++] = word;
    return sp_command_find(used, list, words, count);
}

static void check_found(const char *line, const struct sp_command *expected, size_t words)
{
    size_t used;

    assert_ptr_equal(find(line, &used), expected);
    assert_int_equal(used, words);
}

static void check_refused(const char *line, const char *said)
{
    size_t used;

    assert_null(find(line, &used));
    if (!strstr(sp_error_message(), said))
        fail_msg("'%s' is not in: %s", said, sp_error_message());
}

static void test_find(void **state)
{
    (void)state;
    check_found("train", &train, 1);
    check_found("train show", &train, 1);
    check_found("cache show", &show, 2);
    check_found("cache merge show", &merge, 2);
    check_found("tune run x", &run_of_tune, 2);
    check_found("tune x", &tune, 1); /* which is a command itself */
    check_refused("cache", "what should cache do? It has: show, merge (see speft-cl cache --help)");
    check_refused("cache shwo", "there is no command cache shwo; did you mean show? (see speft-cl cache --help)");
    check_refused("cach show", "there is no command cach; did you mean cache? (see speft-cl --help)");
    check_refused("show", "there is no command show");
}

/* What the help of the words, parted by blanks, prints. */
static void read_help(char *out, size_t size, char *words)
{
    char path[] = "/tmp/speft-help-XXXXXX", *list_of_words[4];
    int file = mkstemp(path), screen = dup(STDOUT_FILENO);
    size_t count = 0;
    ssize_t length;

    for (char *word; (word = strsep(&words, " "));)
        list_of_words[count++] = word;
    fflush(stdout);
    assert_true(file >= 0 && screen >= 0 && dup2(file, STDOUT_FILENO) >= 0);
    assert_int_equal(sp_help_of(list_of_words, count), 0);
    fflush(stdout);
    assert_true(dup2(screen, STDOUT_FILENO) >= 0);
    length = pread(file, out, size - 1, 0);
    assert_true(length >= 0);
    out[length] = '\0';
    close(file);
    close(screen);
    unlink(path);
}

/* A group's help has its subcommands and no other; that of one which is a command itself begins with that. */
static void test_group_help(void **state)
{
    char text[16384], cache[] = "cache", own[] = "tune", both[] = "cache show", none[] = "cash";
    char *word = none;

    (void)state;
    read_help(text, sizeof text, cache);
    assert_true(strstr(text, "usage: speft-cl cache COMMAND ...\n") == text);
    assert_non_null(strstr(text, "\n  cache show   list the cache\n  cache merge  add\n"));
    assert_null(strstr(text, "train"));
    assert_null(strstr(text, "tune"));
    read_help(text, sizeof text, own);
    assert_true(strstr(text, "usage: speft-cl tune [FILE]\n\nmeasure\n") == text);
    assert_non_null(strstr(text, "\n  tune run     go\n"));
    assert_null(strstr(text, "cache"));
    read_help(text, sizeof text, both);
    assert_true(strstr(text, "usage: speft-cl cache show") == text);
    assert_int_equal(sp_help_of(&word, 1), SP_ECONFIG);
}

/* What bash makes of the words, of which the last is not whole. */
static void check_completed(const char *script, const char *words, const char *expected)
{
    char command[16384], line[256];
    FILE *pipe;

    snprintf(command, sizeof command,
             "bash -c '. \"$0\"; COMP_WORDS=(speft-cl %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _speft_cl "
             "2>/dev/null; echo \"${COMPREPLY[*]}\"' %s",
             words, script);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    pclose(pipe);
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, expected);
}

static void test_completion(void **state)
{
    char path[] = "/tmp/speft-completion-XXXXXX";
    struct sp_buf text = SP_BUF(1 << 20);
    FILE *file = fdopen(mkstemp(path), "w");

    (void)state;
    assert_int_equal(sp_completion_write(&text, list), 0);
    assert_non_null(file);
    fputs(text.data, file);
    fclose(file);
    check_completed(path, "\"\"", "train cache tune");
    check_completed(path, "t", "train tune");
    check_completed(path, "cache \"\"", "show merge");
    check_completed(path, "help ca", "cache");
    check_completed(path, "cache merge --", "--output --set --quiet --help");
    check_completed(path, "cache show --", "--quiet --help");
    check_completed(path, "tune --", "--quiet --help");
    check_completed(path, "tune run --", "--output --set --quiet --help");
    check_completed(path, "train x.yaml --set learning", "learning_rate=");
    check_completed(path, "train --output \"\"", "");
    remove(path);
    sp_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_group_help),
                                        cmocka_unit_test(test_completion) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
