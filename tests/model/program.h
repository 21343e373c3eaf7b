/*
 * The program as a user runs it, from a test in C: a scratch folder, speft-cl in a process of its own with its output
 * in files, and what it wrote as JSON. Tests run from the top of the build tree.
 */
#ifndef SP_TESTS_PROGRAM_H
#define SP_TESTS_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

/* Fixtures: the scratch folder is made, and removed with all that is in it. */
int program_setup(void **state);
int program_teardown(void **state);

/* A path in the scratch folder, and one in the source tree; both live until the teardown. printf's format. */
const char *program_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *program_source(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs ./speft-cl with the arguments, of which the last is NULL; its output goes to the files "out" and "err" of the
 * scratch folder. Returns the exit status; -1 when a signal ended it. */
int program_run(const char *argument, ...) __attribute__((sentinel));

/* The same, failing the test unless the exit status is 0. */
#define program_do(...)                                                                                                \
    do {                                                                                                               \
        if (program_run(__VA_ARGS__) != 0)                                                                             \
            fail_msg("speft-cl failed: %s", program_text("err"));                                                      \
    } while (0)

/* A file of the scratch folder as text, and as JSON documents: the whole, or an array of its lines. They live until the
 * teardown. */
const char *program_text(const char *name);
json_t *program_json(const char *path);
json_t *program_lines(const char *path);

/* Writes a JSON document to a file of the scratch folder; returns its path. JSON is YAML, so that it may be a
 * configuration. */
const char *program_write(const char *name, const json_t *document);

/* The number at `key` of an object; a missing one fails the test. */
double program_number(const json_t *object, const char *key);

#endif
