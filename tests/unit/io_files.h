/*
 * Files for the tests of runtime/io: a scratch folder for each test, safetensors files from a
 * header's text, and assertions on errors. Paths that sp_path gives live until the scratch folder
 * is removed.
 */
#ifndef SP_TESTS_IO_FILES_H
#define SP_TESTS_IO_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* cmocka setup and teardown: makes a fresh scratch folder; removes it with all that is in it. */
int io_setup(void **state);
int io_teardown(void **state);

/* The path of `name` in the scratch folder; "" is the folder itself. */
const char *io_path(const char *name);

/* Writes a file (and its folder) in the scratch folder; returns its path. */
const char *io_write(const char *name, const void *data, size_t length);
const char *io_write_text(const char *name, const char *text);

/* Writes a safetensors file: the header's length, the header, then `data_length` bytes 0, 1, 2,
 * ... */
const char *io_write_tensors(const char *name, const char *header, size_t data_length);

/* How many entries a folder has. */
size_t io_entries(const char *path);

/* Limits the size of files that may be written, which is how a full disk looks to a program; 0
 * lifts the limit. */
void io_limit_files(size_t bytes);

/* Fails unless rc is `code` and the message holds every one of the texts, of which the last is
 * NULL. */
void io_assert_error(int rc, int code, ...);

#define io_assert_ok(call) assert_int_equal((call), 0)

/* Fails unless the file holds exactly this text. */
void io_assert_file(const char *path, const char *text);

#endif
