#include "runtime/base/likely_name.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define RENAME "if that is the file, give it this name"
#define UNPACK "it is packed: unpack it"
#define LINK "it is a link to the file, and not the file itself: download that"

/* What may stand behind a name, the likeliest first. */
static const struct {
    const char *ending, *advice;
} endings[] = {
    { "", RENAME },      { ".txt", RENAME },  { ".bak", RENAME },  { "~", RENAME },    { ".orig", RENAME },
    { ".old", RENAME },  { ".save", RENAME }, { ".tmp", RENAME },  { ".1", RENAME },   { ".gz", UNPACK },
    { ".zip", UNPACK },  { ".bz2", UNPACK },  { ".xz", UNPACK },   { ".zst", UNPACK }, { ".7z", UNPACK },
    { ".url", LINK },    { ".webloc", LINK }, { ".lnk", LINK },    { ".gdoc", LINK },  { ".desktop", LINK },
    { ".icloud", "it was not downloaded from iCloud yet: open it in the Finder once" },
    { ".dvc", "it is a pointer of DVC's in place of the file: fetch that with `dvc pull`" },
};
enum { ENDINGS = sizeof endings / sizeof *endings };

/* How likely an entry is, the likeliest first: the places of `endings`, and then these. */
enum { COPY = ENDINGS, STEM, BEFORE, BELOW, NONE };

static bool same(const char *a, const char *b, size_t length)
{
    return strncasecmp(a, b, length) == 0;
}

/* "config (1).json", "config - Copy.json", "config copy.json": `length` bytes of the name are its stem. */
static bool is_copy(const char *entry, const char *name, size_t length)
{
    static const char *const middles[] = { " (", "(", " copy", " - copy", "-copy", "_copy" };
    size_t all = strlen(entry), end = strlen(name) - length;

    if (all <= length + end || !same(entry, name, length) || !same(entry + all - end, name + length, end))
        return false;
    for (size_t i = 0; i < sizeof middles / sizeof *middles; i++)
        if (same(entry + length, middles[i], strlen(middles[i])))
            return true;
    return false;
}

static int kind_of(const char *entry, const char *name)
{
    const char *dot = strrchr(name, '.'), *shown = entry + (entry[0] == '.'); /* iCloud hides what it has not */
    size_t length = strlen(name), stem = dot ? (size_t)(dot - name) : length, all = strlen(entry);

    for (int i = 0; i < ENDINGS; i++)
        if (same(shown, name, length) && strcasecmp(shown + length, endings[i].ending) == 0)
            return i;
    if (is_copy(entry, name, stem))
        return COPY;
    if (all == stem && same(entry, name, stem))
        return STEM;
    return all > length + 1 && strchr("-_.", entry[all - length - 1]) && same(entry + all - length, name, length)
               ? BEFORE
               : NONE;
}

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode); /* reading a pipe would wait */
}

/* What the folder's entry is for `name`; *relative, when it is something, is its name below the folder, to be freed. */
static int look_at(char **relative, const char *dir, const char *entry, const char *name, bool (*is)(const char *path))
{
    char *path = sp_fs_join(dir, entry), *inside = path ? sp_fs_join(path, name) : NULL;
    int kind = NONE;

    if (inside && sp_fs_is_dir(path)) {
        if (entry[0] != '.' && is_file(inside) && (!is || is(inside)))
            kind = BELOW;
    } else if (inside && is_file(path)) {
        kind = kind_of(entry, name);
        if (kind == BEFORE && is && !is(path))
            kind = NONE;
    }
    if (kind != NONE)
        *relative = kind == BELOW ? sp_fs_join(entry, name) : sp_strdup(entry);
    free(inside);
    free(path);
    return kind;
}

int sp_likely_name_refuse(const char *dir, const char *name, bool (*is)(const char *path))
{
    DIR *folder = opendir(dir);
    char *best = NULL;
    int least = NONE, rc = 0;

    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        char *relative = NULL;
        int kind = look_at(&relative, dir, entry->d_name, name, is);

        if (relative && (kind < least || (kind == least && strcmp(relative, best) < 0))) {
            char *other = best;

            best = relative;
            relative = other;
            least = kind;
        }
        free(relative);
    }
    if (folder)
        closedir(folder);
    if (best)
        rc = sp_error(SP_ENOTFOUND, "%s has no %s, but %s: %s", dir, name, best,
                      least < ENDINGS  ? endings[least].advice
                      : least == BELOW ? "if that is the file, move it one folder up"
                                       : RENAME);
    free(best);
    return rc;
}
