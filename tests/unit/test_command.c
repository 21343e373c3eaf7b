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

const struct sp_flag sp_flags_common[] = { { "quiet", NULL, "", NULL }, SP_FLAG_END };

static const struct sp_flag flags[] = { { "output", "FILE", "", NULL }, SP_FLAG_SET, SP_FLAG_END };
static const struct sp_command train = { .name = "train", .flags = flags }, tune = { .name = "tune" },
                               show = { .name = "cache show" }, merge = { .name = "cache merge", .flags = flags },
                               run_of_tune = { .name = "tune run", .flags = flags };
static const struct sp_command *const list[] = { &train, &show, &merge, &tune, &run_of_tune, NULL };

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
    check_completed(path, "cache merge --", "--output --set --quiet");
    check_completed(path, "cache show --", "--quiet");
    check_completed(path, "tune --", "--quiet");
    check_completed(path, "tune run --", "--output --set --quiet");
    check_completed(path, "train x.yaml --set learning", "learning_rate=");
    check_completed(path, "train --output \"\"", "");
    remove(path);
    sp_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_completion) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
