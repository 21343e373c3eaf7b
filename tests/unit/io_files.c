#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[256];
static char *paths[4096];
static size_t path_count;

int io_setup(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(folder, sizeof folder, "%s/speft-io-XXXXXX", base && base[0] ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int io_teardown(void **state)
{
    (void)state;
    io_limit_files(0);
    while (path_count > 0)
        free(paths[--path_count]);
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *io_path(const char *name)
{
    char *path = sp_fs_join(folder, name);

    assert_non_null(path);
    assert_true(path_count < sizeof paths / sizeof *paths);
    paths[path_count++] = path;
    return path;
}

const char *io_write(const char *name, const void *data, size_t length)
{
    const char *path = io_path(name), *slash = strrchr(name, '/');
    char parent[512];
    FILE *file;

    if (slash) {
        snprintf(parent, sizeof parent, "%s/%.*s", folder, (int)(slash - name), name);
        assert_int_equal(sp_fs_mkdirs(parent), 0);
    }
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *io_write_text(const char *name, const char *text)
{
    return io_write(name, text, strlen(text));
}

const char *io_write_tensors(const char *name, const char *header, size_t data_length)
{
    uint64_t length = strlen(header);
    unsigned char *bytes = malloc(sizeof length + length + data_length);
    const char *path;

    assert_non_null(bytes);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, length);
    for (size_t i = 0; i < data_length; i++)
        bytes[sizeof length + length + i] = (unsigned char)i;
    path = io_write(name, bytes, sizeof length + length + data_length);
    free(bytes);
    return path;
}

size_t io_entries(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

void io_limit_files(size_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void io_assert_error(int rc, int code, ...)
{
    const char *part;
    va_list args;

    if (rc != code)
        fail_msg("returned %d, expected %d; the message is \"%s\"", rc, code, sp_error_message());
    va_start(args, code);
    while ((part = va_arg(args, const char *)) != NULL)
        if (!strstr(sp_error_message(), part))
            fail_msg("\"%s\" is not in the message \"%s\"", part, sp_error_message());
    va_end(args);
}

void io_assert_file(const char *path, const char *text)
{
    char *found;

    io_assert_ok(sp_fs_read(&found, NULL, path, 1000));
    assert_string_equal(found, text);
    free(found);
}
