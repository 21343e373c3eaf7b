#include "runtime/io/staging.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_parent(const char *dir)
{
    size_t length = strlen(dir);
    char *parent;
    int rc;

    while (length > 1 && dir[length - 1] == '/')
        length--;
    while (length > 0 && dir[length - 1] != '/')
        length--;
    if (length == 0)
        return 0;
    parent = sp_strndup(dir, length);
    rc = parent ? sp_fs_mkdirs(parent) : SP_ENOMEM;
    free(parent);
    return rc;
}

/* A name beside `dir` that nothing has; with `make`, as a new folder. */
static int pick_beside(char **out, const char *dir, const char *tag, bool make)
{
    for (int attempt = 0; attempt < SP_PROCESS_ATTEMPTS; attempt++) {
        char *path = sp_process_beside(dir, tag, attempt);

        if (!path)
            return SP_ENOMEM;
        if (make ? mkdir(path, 0777) == 0 : !sp_fs_has_name(path)) {
            *out = path;
            return 0;
        }
        if (make && errno != EEXIST) {
            free(path);
            break;
        }
        free(path);
    }
    return sp_fs_error("make a folder beside", dir);
}

/* Whether an entry of the old folder, in which everything else can be moved, could move to the new one, or be replaced
 * by one of its `files`. */
static int check_entry(const char *path, const char *name, const char *const *files)
{
    struct stat st;

    SP_TRY(sp_fs_check_replaceable(path));
    while (*files && strcmp(*files, name) != 0)
        files++;
    if (*files)
        SP_TRY(sp_fs_check_protected(path));
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    if (*files)
        return sp_error(SP_EIO, "%s is a folder, and a file of that name is to be written", path);
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0 ? sp_fs_error("move", path) : 0; /* its ".." changes */
}

static int check_entries(const char *dir, const char *const *files)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;
    int rc = folder ? 0 : sp_fs_error("read", dir);

    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        char *path;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        path = sp_fs_join(dir, entry->d_name);
        rc = path ? check_entry(path, entry->d_name, files) : SP_ENOMEM;
        free(path);
    }
    if (folder)
        closedir(folder);
    return rc < 0 ? sp_error_context(rc,
                                     "the folder %s cannot be replaced with all that is in it; remove what is in the "
                                     "way, or name another place",
                                     dir)
                  : 0;
}

/* Whether the folder could take the place of what is there. */
static int check_place(const char *dir, const char *const *files)
{
    struct stat st;

    if (sp_fs_is_dir(dir)) {
        if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) < 0) /* what is in it could not be moved */
            return sp_fs_error("replace", dir);
        SP_TRY(sp_fs_check_replaceable(dir));
        return check_entries(dir, files);
    }
    if (lstat(dir, &st) == 0)
        return sp_error(SP_EIO, "cannot write the folder %s: a file of that name is in the way", dir);
    return 0;
}

int sp_staging_open(struct sp_staging *staging, const char *dir, const char *const *files)
{
    struct stat st;
    int rc;

    *staging = (struct sp_staging){ .dir = NULL };
    SP_GO(make_parent(dir));
    SP_GO(sp_fs_resolve(&staging->dir, dir));
    SP_GO(check_place(staging->dir, files));
    SP_GO(sp_process_clear_path(staging->dir));
    SP_GO(pick_beside(&staging->path, staging->dir, "tmp", true));
    if (lstat(staging->dir, &st) == 0) /* who could not look into the old folder cannot look into the new one */
        (void)chmod(staging->path, st.st_mode & 0777);
out:
    if (rc < 0)
        sp_staging_abandon(staging);
    return rc;
}

int sp_staging_beside(struct sp_staging *staging, const char *dir, const char *ending)
{
    *staging = (struct sp_staging){ .lasting = true };
    if (sp_fs_resolve(&staging->dir, dir) < 0) /* what is wrong with it is for the commit to say */
        staging->dir = sp_strdup(dir);
    SP_TRY(staging->dir ? 0 : SP_ENOMEM);
    staging->path = sp_asprintf("%s%s", staging->dir, ending);
    return staging->path ? 0 : SP_ENOMEM;
}

/* Removes the folder; what `heir` lacks moves there. */
static void dissolve(const char *path, const char *heir)
{
    if (sp_process_dissolve(AT_FDCWD, path, heir) < 0 && errno != ENOENT)
        sp_log(SP_LOG_WARNING, "cannot remove the folder %s: %s", path, strerror(errno));
}

/* Moves what is in the new folder into `dir`, in the place of what has its names there; then the new one is gone. */
static int move_into(const char *path, const char *dir)
{
    DIR *folder = opendir(path);
    int rc = folder ? 0 : sp_fs_error("read", path);

    for (struct dirent *entry; rc == 0 && (entry = readdir(folder));) {
        char *old = sp_fs_join(dir, entry->d_name);

        if (!old)
            rc = SP_ENOMEM;
        else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlink(old) < 0 &&
                 errno != ENOENT)
            rc = sp_fs_error("replace", old); /* all go before one comes, so that no time shows a mix */
        free(old);
    }
    if (folder)
        closedir(folder);
    if (rc == 0 && sp_process_dissolve(AT_FDCWD, path, dir) < 0)
        rc = sp_fs_error("move what was written to", dir);
    return rc;
}

/* Lets the two folders change places. Where the system cannot do that in one step there is a moment
 * without `dir`. A folder that lies in an image's layer, in a container, is not moved at all (EXDEV): it gets what is
 * new. */
static int exchange(const char *path, const char *dir)
{
    char *aside = NULL;
    int rc = 0;

#ifdef RENAME_EXCHANGE
    if (renameat2(AT_FDCWD, path, AT_FDCWD, dir, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno == EXDEV)
        return move_into(path, dir);
#endif
    SP_TRY(pick_beside(&aside, dir, "old", false));
    if (rename(dir, aside) < 0) {
        rc = sp_fs_error("replace", dir);
    } else if (rename(path, dir) < 0) {
        rc = sp_fs_error("replace", dir);
        (void)rename(aside, dir);
    } else if (rename(aside, path) < 0) {
        rc = sp_fs_error("rename", aside);
    }
    free(aside);
    return rc;
}

/* The file or folder `to` gets the rights of `from`, if that is of the same kind. */
static void keep_rights(const char *to, const char *from)
{
    int fd = open(to, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    struct stat now, old;

    if (fd >= 0 && fstat(fd, &now) == 0 && lstat(from, &old) == 0 && (now.st_mode & S_IFMT) == (old.st_mode & S_IFMT))
        sp_fs_keep_rights(fd, &old, from);
    if (fd >= 0)
        close(fd);
}

/* The new folder and what is in it get the rights of what they take the place of. */
static void keep_all_rights(const struct sp_staging *staging)
{
    DIR *folder = opendir(staging->path);

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char *to = sp_fs_join(staging->path, entry->d_name), *from = sp_fs_join(staging->dir, entry->d_name);

        if (to && from && strcmp(entry->d_name, "..") != 0) /* "." is the folder itself */
            keep_rights(to, from);
        free(to);
        free(from);
    }
    if (folder)
        closedir(folder);
}

int sp_staging_commit(struct sp_staging *staging)
{
    int rc = 0;

    if (!sp_fs_exists(staging->dir)) {
        if (rename(staging->path, staging->dir) < 0)
            rc = errno != EXDEV || mkdir(staging->dir, 0777) < 0 ? sp_fs_error("replace", staging->dir)
                                                                 : move_into(staging->path, staging->dir);
    } else {
        keep_all_rights(staging);
        rc = exchange(staging->path, staging->dir);
        if (rc == 0)
            dissolve(staging->path, staging->dir);
    }
    if (rc < 0 && staging->lasting)
        sp_error_context(rc, "what was written stays as %s", staging->path);
    if (rc == 0 || staging->lasting) {
        free(staging->path);
        staging->path = NULL;
    }
    sp_staging_abandon(staging);
    return rc;
}

void sp_staging_abandon(struct sp_staging *staging)
{
    if (staging->path)
        dissolve(staging->path, NULL);
    free(staging->path);
    free(staging->dir);
    *staging = (struct sp_staging){ .dir = NULL };
}
