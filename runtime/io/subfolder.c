/* Where a model or an adapter lies when the folder that was named is none: in a cache's snapshots/HASH, in
 * checkpoint-500, in 0_Transformer. */
#include "runtime/io/foreign_priv.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 3 /* models--NAME/snapshots/HASH below a cache */
#define ENTRIES_MAX 20000
#define SHOWN 4

struct search {
    bool (*is)(const char *dir);
    char *found[SHOWN]; /* the first by name */
    size_t count, entries;
};

static bool is_model(const char *dir)
{
    return sp_foreign_has(dir, "config.json") &&
           (sp_foreign_has(dir, "model.safetensors") || sp_foreign_has(dir, "model.safetensors.index.json") ||
            sp_foreign_has(dir, "pytorch_model.bin"));
}

/* Keeps the path, which becomes the search's, among the first by name. */
static void keep(struct search *search, char *path)
{
    size_t last = search->count++;

    if (last >= SHOWN) {
        last = SHOWN - 1;
        if (strcmp(path, search->found[last]) > 0) {
            free(path);
            return;
        }
        free(search->found[last]);
    }
    for (; last > 0 && strcmp(path, search->found[last - 1]) < 0; last--)
        search->found[last] = search->found[last - 1];
    search->found[last] = path;
}

static void walk(struct search *search, const char *dir, int depth)
{
    DIR *folder = opendir(dir);
    const struct dirent *entry;

    while (folder && (entry = readdir(folder)) != NULL && search->entries++ < ENTRIES_MAX) {
        char *path = entry->d_name[0] == '.' ? NULL : sp_fs_join(dir, entry->d_name);

        if (path && search->is(path)) {
            keep(search, path);
            continue;
        }
        if (path && depth > 1 && sp_fs_is_dir(path))
            walk(search, path, depth - 1);
        free(path);
    }
    if (folder)
        closedir(folder);
}

int sp_foreign_below(struct sp_foreign_found *out, const char *dir, bool (*is)(const char *dir))
{
    struct search search = { .is = is };
    struct sp_buf list = SP_BUF(3000);
    int rc = sp_buf_puts(&list, "");

    walk(&search, dir, DEPTH);
    for (size_t i = 0; i < search.count && i < SHOWN; i++)
        (void)sp_buf_printf(&list, "%s%s", i ? ", " : "", search.found[i]);
    if (search.count > SHOWN)
        (void)sp_buf_printf(&list, " and %zu more", search.count - SHOWN);
    *out = (struct sp_foreign_found){ search.count, search.found[0], list.data };
    for (size_t i = 1; i < search.count && i < SHOWN; i++)
        free(search.found[i]);
    return rc;
}

void sp_foreign_found_release(struct sp_foreign_found *found)
{
    free(found->first);
    free(found->list);
}

int sp_foreign_subfolders(const char *dir, const char *lacks)
{
    struct sp_foreign_found found;
    int rc = sp_foreign_below(&found, dir, is_model);

    if (rc == 0 && found.count)
        rc = sp_error(SP_ENOTFOUND, "%s %s, but below it %s: %s. Give %s instead", dir, lacks,
                      found.count == 1 ? "lies a model" : "lie models", found.list,
                      found.count == 1 ? "that folder" : "one of them");
    sp_foreign_found_release(&found);
    return rc;
}
