#include "tests/model/program.h"

#include "runtime/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT_MAX 8192
#define ARGUMENTS_MAX 32

static char folder[256], source[4096];
static char *texts[KEPT_MAX];
static json_t *documents[KEPT_MAX];
static size_t text_count, document_count;

static char *keep_text(char *text)
{
    assert_non_null(text);
    assert_true(text_count < KEPT_MAX);
    return texts[text_count++] = text;
}

static json_t *keep_document(json_t *document)
{
    assert_non_null(document);
    assert_true(document_count < KEPT_MAX);
    return documents[document_count++] = document;
}

int program_setup(void **state)
{
    const char *base = getenv("TMPDIR"), *srcdir = getenv("srcdir");

    (void)state;
    snprintf(folder, sizeof folder, "%s/speft-program-XXXXXX", base && base[0] ? base : "/tmp");
    return realpath(srcdir ? srcdir : ".", source) && mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int program_teardown(void **state)
{
    (void)state;
    while (text_count > 0)
        free(texts[--text_count]);
    while (document_count > 0)
        json_decref(documents[--document_count]);
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_in(const char *parent, const char *format, va_list args)
{
    char name[1024];

    vsnprintf(name, sizeof name, format, args);
    return keep_text(sp_fs_join(parent, name));
}

const char *program_path(const char *format, ...)
{
    const char *path;
    va_list args;

    va_start(args, format);
    path = path_in(folder, format, args);
    va_end(args);
    return path;
}

const char *program_source(const char *format, ...)
{
    const char *path;
    va_list args;

    va_start(args, format);
    path = path_in(source, format, args);
    va_end(args);
    return path;
}

/* In the child. */
static void start(char **argv, const char *out, const char *err)
{
    int null = open("/dev/null", O_RDONLY);
    int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (null >= 0 && out_fd >= 0 && err_fd >= 0 && dup2(null, 0) == 0 && dup2(out_fd, 1) == 1 && dup2(err_fd, 2) == 2)
        execv(argv[0], argv);
    _exit(127);
}

int program_run(const char *argument, ...)
{
    const char *out = program_path("out"), *err = program_path("err");
    char *argv[ARGUMENTS_MAX] = { keep_text(strdup("./speft-cl")) };
    size_t count = 1;
    va_list args;
    int status;
    pid_t pid;

    va_start(args, argument);
    for (const char *a = argument; a; a = va_arg(args, const char *)) {
        assert_true(count + 1 < ARGUMENTS_MAX);
        argv[count++] = keep_text(strdup(a));
    }
    va_end(args);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        start(argv, out, err);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *program_text(const char *name)
{
    char *text;
    size_t length;

    if (sp_fs_read(&text, &length, program_path("%s", name), (size_t)1 << 30) < 0)
        return "";
    return keep_text(text);
}

json_t *program_json(const char *path)
{
    json_error_t error;
    json_t *document = json_load_file(path, 0, &error);

    if (!document)
        fail_msg("%s: %s", path, error.text);
    return keep_document(document);
}

json_t *program_lines(const char *path)
{
    json_t *list = keep_document(json_array()), *document;
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;

    if (!file)
        fail_msg("%s is not there", path);
    while (getline(&line, &size, file) > 0) {
        document = json_loads(line, 0, NULL);
        if (!document)
            fail_msg("%s: not JSON: %s", path, line);
        json_array_append_new(list, document);
    }
    free(line);
    fclose(file);
    return list;
}

const char *program_write(const char *name, const json_t *document)
{
    const char *path = program_path("%s", name);

    assert_int_equal(json_dump_file(document, path, JSON_INDENT(1)), 0);
    return path;
}

double program_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_number(value))
        fail_msg("there is no number \"%s\"", key);
    return json_number_value(value);
}
