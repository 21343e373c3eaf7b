#include "runtime/kernel/source.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/sources.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_MAX (4 << 20) /* bytes of one assembled source */
#define INCLUDES_MAX 64
#define PATH_SIZE 256

struct assembly {
    struct sp_buf text;
    char seen[INCLUDES_MAX][PATH_SIZE];
    size_t seen_count;
};

/* The text of one file: *owned is what to free, NULL for an embedded one. */
static int load(const char **text, char **owned, const char *path)
{
    const char *folder = getenv("SPEFT_KERNEL_DIR");

    *owned = NULL;
    if (folder && folder[0]) {
        char *full = sp_fs_join(folder, path);
        int rc = 0;

        if (!full)
            return SP_ENOMEM;
        if (sp_fs_exists(full)) {
            rc = sp_fs_read(owned, NULL, full, SOURCE_MAX);
            *text = *owned;
        }
        free(full);
        if (rc < 0 || *owned)
            return rc;
    }
    for (size_t i = 0; i < sp_cl_source_count; i++) {
        if (strcmp(sp_cl_sources[i].path, path) == 0) {
            *text = sp_cl_sources[i].text;
            return 0;
        }
    }
    return sp_error(SP_ENOTFOUND, "there is no kernel file %s", path);
}

/* Stores the name in `#include "name"`; false when the line is not one. */
static bool include_of(char name[PATH_SIZE], const char *line, size_t length)
{
    const char *end = line + length, *close;

    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    if (line == end || *line++ != '#')
        return false;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    if (end - line < 7 || strncmp(line, "include", 7) != 0)
        return false;
    line += 7;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    if (line == end || *line++ != '"')
        return false;
    close = memchr(line, '"', (size_t)(end - line));
    if (!close || close - line >= PATH_SIZE)
        return false;
    memcpy(name, line, (size_t)(close - line));
    name[close - line] = '\0';
    return true;
}

static int add_file(struct assembly *assembly, const char *path)
{
    char name[PATH_SIZE], *owned;
    const char *text = NULL;
    size_t line = 1;
    int rc = 0;

    for (size_t i = 0; i < assembly->seen_count; i++)
        if (strcmp(assembly->seen[i], path) == 0)
            return sp_buf_puts(&assembly->text, "\n");
    if (assembly->seen_count == INCLUDES_MAX || strlen(path) >= PATH_SIZE)
        return sp_error(SP_ELIMIT, "%s: more than %d kernel files in one program", path,
                        INCLUDES_MAX);
    memcpy(assembly->seen[assembly->seen_count++], path, strlen(path) + 1);
    SP_TRY(load(&text, &owned, path));
    rc = sp_buf_printf(&assembly->text, "#line 1 \"%s\"\n", path);
    for (const char *next; rc == 0 && *text; text = next, line++) {
        size_t length = strcspn(text, "\n");

        next = text + length + (text[length] == '\n');
        if (!include_of(name, text, length)) {
            SP_GO(sp_buf_append(&assembly->text, text, length));
            SP_GO(sp_buf_puts(&assembly->text, "\n"));
            continue;
        }
        rc = add_file(assembly, name);
        if (rc < 0)
            rc = sp_error_context(rc, "%s:%zu", path, line);
        else
            rc = sp_buf_printf(&assembly->text, "#line %zu \"%s\"\n", line + 1, path);
    }
out:
    free(owned);
    return rc;
}

int sp_source_assemble(char **out, const char *path)
{
    struct assembly *assembly = sp_calloc(1, sizeof *assembly);
    int rc;

    if (!assembly)
        return SP_ENOMEM;
    assembly->text.limit = SOURCE_MAX;
    rc = add_file(assembly, path);
    if (rc == 0)
        *out = assembly->text.data;
    else
        sp_buf_free(&assembly->text);
    free(assembly);
    return rc;
}
