/*
 * Mutated configurations: whatever the bytes are, reading ends in an error with a message that fits
 * its buffer, or in a configuration that is written and read back. Seeds are fixed, so a failure
 * repeats; SPEFT_FUZZ_ROUNDS asks for more rounds. Worth running under the address sanitizer.
 */
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/train/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20000
#define ROOM 2048

static const char seed_text[] =
    "# a run\nmodel_name_or_path: \"m\"\ntrain_file: 'a b'\nlearning_rate: 1e-5 # small\n"
    "seed: 42\nshuffle: no\nlr_scheduler_type: linear\nsparse:\n  method: static\n"
    "  density: 0.01\n  target_modules:\n    - query\n    - value\n  scope: tensor\n"
    "text_column: |\n  x\n  y\neval_steps: null\n";

static const char *const pieces[] = {
    "\n", "  ", "\t", ":", ": ", "- ", "[", "]", "{", "}", "&a", "*a", "!t ", "|\n", ">", "\"", "'",
    "#", "---\n", "...\n", "%YAML 1.1\n", "\\x", "~", "yes", "1e400", "-1", "0.5", "?", "<<", "null",
    "\xEF\xBB\xBF", "\xC3", "\xE2\x80\xA8", "\x1B", "sparse:", "seed: 1\n", "warmup_ratio: 1\n",
};

static uint64_t draws;

static size_t draw(size_t below)
{
    return (size_t)(sp_rng_u64(11, SP_RNG_SHUFFLE, 0, draws++) % below);
}

/* Removes a few bytes, then puts a piece, a byte or a part of the text in their place. */
static size_t mutate(char *text, size_t length)
{
    const char *piece = pieces[draw(sizeof pieces / sizeof pieces[0])];
    size_t at = draw(length + 1), gone = draw(3) ? 0 : draw(20), added = strlen(piece);
    char copy[32] = { (char)draw(256) };

    if (gone > length - at)
        gone = length - at;
    if (draw(3) == 0) {
        added = 1;
        piece = copy;
    } else if (draw(3) == 0) {
        size_t from = draw(length + 1);

        added = length - from < sizeof copy ? length - from : sizeof copy;
        memcpy(copy, text + from, added);
        piece = copy;
    }
    if (length - gone + added > ROOM)
        return length;
    memmove(text + at + added, text + at + gone, length - at - gone);
    memcpy(text + at, piece, added);
    return length - gone + added;
}

/* Reads the text into a configuration as sp_config_load does, without a file. */
static int read_text(struct sp_config *config, const char *text, size_t length)
{
    const struct sp_option_table *table = sp_config_options();
    const struct sp_source source = { "f.yaml", text, length };
    struct sp_option_given *given = calloc(sp_option_count(table), sizeof *given);
    struct sp_yaml_node root;
    int rc = sp_option_defaults(table, config);

    assert_non_null(given);
    assert_int_equal(rc, 0);
    rc = sp_yaml_parse(&root, &source);
    if (rc == 0) {
        rc = sp_option_read_yaml(table, config, given, &root, &source, SP_OPTION_FILE);
        sp_yaml_release(&root);
    }
    free(given);
    return rc;
}

static void check_written(const struct sp_config *config)
{
    struct sp_config again = { .source = NULL };
    struct sp_buf first = SP_BUF(1 << 20), second = SP_BUF(1 << 20);

    assert_int_equal(sp_config_write(config, &first), 0);
    if (read_text(&again, first.data, first.length) < 0)
        fail_msg("%s", sp_error_message());
    assert_int_equal(sp_config_write(&again, &second), 0);
    assert_string_equal(first.data, second.data);
    sp_buf_free(&first);
    sp_buf_free(&second);
    sp_config_release(&again);
}

static void test_files(void **state)
{
    const char *asked = getenv("SPEFT_FUZZ_ROUNDS");
    size_t rounds = asked ? (size_t)strtoul(asked, NULL, 10) : ROUNDS, accepted = 0, refused = 0;

    (void)state;
    for (size_t i = 0; i < rounds; i++) {
        struct sp_config config = { .source = NULL };
        char text[ROOM];
        size_t length = sizeof seed_text - 1, changes = 1 + draw(4);

        memcpy(text, seed_text, length);
        while (changes--)
            length = mutate(text, length);
        if (read_text(&config, text, length) == 0) {
            check_written(&config);
            accepted++;
        } else {
            assert_true(strncmp(sp_error_message(), "f.yaml:", 7) == 0);
            refused++;
        }
        sp_config_release(&config);
    }
    assert_true(accepted > rounds / 50 && refused > rounds / 50);
}

static void test_overrides(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        struct sp_config config;
        char text[ROOM] = "sparse.target_modules=[query, value]";
        const char *overrides[] = { text };
        size_t length = strlen(text), changes = 1 + draw(4);

        while (changes--)
            length = mutate(text, length);
        text[length < ROOM ? length : ROOM - 1] = '\0';
        if (sp_config_load(&config, NULL, overrides, 1) == 0) {
            check_written(&config);
            sp_config_release(&config);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_overrides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
