#include "runtime/device/pocl.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/private.h"
#include "runtime/base/process.h"
#include "runtime/base/temporary.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define VARIABLE "POCL_CACHE_DIR"
/* Where PoCL has its files when there is no home: one folder for all users, whose first comer has it. */
#define SHARED "/tmp/pocl/kcache"
#define TRIAL (64u << 10)

static char notice[1024]; /* what the user is told about the folder */

bool sp_pocl_is(const char *platform)
{
    return strcmp(platform, "Portable Computing Language") == 0;
}

/* The folder that the user named; NULL for none, as which an empty name counts: PoCL aborts on it. */
static const char *named(void)
{
    const char *set = getenv(VARIABLE);

    return set && set[0] ? set : NULL;
}

/* Where PoCL 3 to 6 keep their files without POCL_CACHE_DIR, in a new string. */
static char *default_folder(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (xdg && xdg[0])
        return sp_asprintf("%s/pocl/kcache", xdg);
    return home ? sp_asprintf("%s/.cache/pocl/kcache", home) : sp_strdup(SHARED);
}

/* Whether PoCL can compile through the open folder: files can be written, seen by doing it, as a quota or a read-only
 * disk is seen in no other way, and loaded as code. */
static int try_folder(const struct sp_private *folder)
{
    static const char block[TRIAL];
    struct sp_fs_writer writer;
#ifdef ST_NOEXEC
    struct statvfs disk;
#endif
    int rc = 0;

    SP_TRY(sp_private_writer_open(&writer, folder, "speft-cl"));
    if (fwrite(block, 1, sizeof block, writer.file) != sizeof block || fflush(writer.file) != 0)
        rc = sp_fs_error("write", folder->path);
    sp_fs_writer_abandon(&writer);
    if (rc == 0 && !sp_private_has_room(folder))
        return sp_error(SP_EIO, "%s: the disk is full", folder->path);
#ifdef ST_NOEXEC
    if (rc == 0 && fstatvfs(folder->fd, &disk) == 0 && disk.f_flag & ST_NOEXEC)
        return sp_error(SP_EIO, "%s is mounted noexec", folder->path);
#endif
    return rc;
}

/* Whether PoCL could use the folder, which is made. */
static int check_ours(const char *path)
{
    struct sp_private folder;
    int rc = sp_private_open(&folder, path, true);

    if (rc == 0)
        rc = try_folder(&folder);
    sp_private_close(&folder);
    return rc;
}

/* Whether the folder `missing` could be made in the open one, seen by making another. */
static int try_making(const struct sp_private *folder, const char *missing)
{
    char *trial = sp_process_beside("speft-cl", "tmp", 0);
    int rc = trial ? 0 : SP_ENOMEM;

    if (trial && mkdirat(folder->fd, trial, 0700) < 0)
        rc = sp_fs_error("make the folder", missing);
    else if (trial)
        unlinkat(folder->fd, trial, AT_REMOVEDIR);
    free(trial);
    return rc;
}

/* From a folder's path to that of the one above it; false at the top. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');

    while (slash && slash > path && slash[-1] == '/')
        slash--;
    if (strcmp(path, slash ? "/" : ".") == 0)
        return false;
    if (slash)
        slash[slash == path] = '\0';
    else
        snprintf(path, 2, ".");
    return true;
}

/* Whether PoCL could use its own folder, or make it in the lowest above it that is there. It is not made here, as there
 * may be no PoCL, but where that one is sticky, as /tmp is: others could come first. The shared one is nobody's to
 * take. */
static int check_default(const char *path)
{
    struct sp_private folder;
    char *above = sp_strdup(path), *missing = NULL;
    struct stat st;
    int rc = above ? sp_private_open(&folder, above, false) : SP_ENOMEM;

    while (rc == SP_ENOTFOUND && lstat(above, &st) < 0) {
        free(missing);
        missing = sp_strdup(above);
        if (!missing || !go_up(above))
            break;
        sp_private_close(&folder);
        rc = sp_private_open(&folder, above, false);
    }
    if (rc == SP_EINVAL && missing) {
        if (strcmp(path, SHARED) != 0)
            rc = check_ours(path);
        if (rc < 0)
            sp_error_context(rc, "cannot make the folder %s", missing);
    } else if (rc == 0) {
        rc = missing ? try_making(&folder, missing) : 0;
        if (rc == 0)
            rc = try_folder(&folder);
    }
    if (above)
        sp_private_close(&folder);
    free(above);
    free(missing);
    return rc;
}

/* What the user named may be anybody's. */
static int check_named(const char *path)
{
    struct sp_private folder = { .fd = -1, .path = sp_strdup(path) };
    int rc = folder.path ? sp_fs_mkdirs(path) : SP_ENOMEM;

    if (rc == 0 && (folder.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        rc = sp_fs_error("open", path);
    if (rc == 0)
        rc = try_folder(&folder);
    sp_private_close(&folder);
    return rc;
}

/* Whether PoCL could use the folder that it has as things are: the user's, or its own. */
static int check_usual(void)
{
    const char *set = named();
    char *path = set ? NULL : default_folder();
    int rc = set ? check_named(set) : path ? check_default(path) : SP_ENOMEM;

    free(path);
    return rc;
}

/* Whether PoCL could use a folder of ours, NULL for none; where not, *path is NULL. */
static bool is_good(char **path)
{
    if (*path && check_ours(*path) == 0)
        return true;
    free(*path);
    *path = NULL;
    return false;
}

/* A folder of ours for it, in a new string: that of the cache, or this user's where temporary files lie, or, as others
 * may have come first, a new one there for this run; NULL for none. */
static char *find_folder(bool *once)
{
    const char *place;
    char *path = sp_fs_cache_dir("pocl");

    *once = false;
    if (is_good(&path))
        return path;
    for (int i = 0; (place = sp_temporary_place(i)); i++) {
        path = sp_asprintf("%s/speft-cl-%lu/pocl", place, (unsigned long)geteuid());
        if (is_good(&path))
            return path;
    }
    *once = true;
    for (int i = 0; (place = sp_temporary_place(i)); i++) {
        char *made = NULL;

        if (sp_temporary_make(&made, place, "speft-cl-pocl") == 0 && check_ours(made) == 0)
            return made;
        sp_temporary_remove(made);
        free(made);
    }
    return NULL;
}

void sp_pocl_environment(void)
{
    static bool done;
    char *path, why[512];
    bool once;

    if (done)
        return;
    done = true;
    if (named()) {
        sp_pocl_trouble(notice, sizeof notice);
        return;
    }
    unsetenv(VARIABLE);
    if (check_usual() == 0)
        return;
    snprintf(why, sizeof why, "%s", sp_error_message());
    path = find_folder(&once);
    if (path) {
        setenv(VARIABLE, path, 1);
        snprintf(notice, sizeof notice, "PoCL's own folder is of no use (%s): its compiled kernels are in %s%s", why,
                 path, once ? ", for this run alone; name a folder of yours with " VARIABLE : "");
    }
    free(path);
}

void sp_pocl_tell(void)
{
    if (notice[0])
        sp_log_once(SP_LOG_INFO, "%s", notice);
}

void sp_pocl_trouble(char *out, size_t size)
{
    out[0] = '\0';
    if (check_usual() < 0)
        snprintf(out, size,
                 "PoCL needs a folder that it can write to and load code from: %s. Give it one with " VARIABLE,
                 sp_error_message());
}
