#include "runtime/base/temporary.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS_MAX = 8, DEPTH_MAX = 64 };

/* Those that are there, and whose they are: not a forked child's. */
static char *folders[FOLDERS_MAX];
static pid_t maker;

const char *sp_temporary_place(int at)
{
    const char *named = getenv("TMPDIR");
    const char *const places[] = { named && named[0] == '/' ? named : "/tmp", "/tmp", "/dev/shm" };

    return at < (int)(sizeof places / sizeof *places) ? places[at] : NULL;
}

static DIR *open_folder(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (!folder && fd >= 0)
        close(fd);
    return folder;
}

/* The entry with all that is in it, through no link. */
static void remove_tree(int at, const char *name, int depth)
{
    DIR *folder = unlinkat(at, name, 0) < 0 && errno != ENOENT && depth < DEPTH_MAX ? open_folder(at, name) : NULL;

    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(dirfd(folder), entry->d_name, depth + 1);
    closedir(folder);
    (void)unlinkat(at, name, AT_REMOVEDIR);
}

static void clear(const char *place, const char *purpose)
{
    DIR *folder = opendir(place);

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (sp_process_is_left(dirfd(folder), entry->d_name, purpose))
            remove_tree(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
}

void sp_temporary_end(void)
{
    for (int i = 0; i < FOLDERS_MAX && getpid() == maker; i++)
        sp_temporary_remove(folders[i]);
}

/* Notes a folder, so that it goes with the process. */
static int note(const char *path)
{
    int at = 0;

    while (at < FOLDERS_MAX && folders[at])
        at++;
    if (at == FOLDERS_MAX)
        return sp_error(SP_ELIMIT, "more than %d temporary folders at a time", FOLDERS_MAX);
    folders[at] = sp_strdup(path);
    if (!folders[at])
        return SP_ENOMEM;
    if (maker != getpid() && atexit(sp_temporary_end) != 0)
        return sp_error(SP_ENOMEM, "out of memory");
    maker = getpid();
    return 0;
}

int sp_temporary_make(char **out, const char *place, const char *purpose)
{
    char *beside = sp_fs_join(place, purpose);
    int rc = beside ? 0 : SP_ENOMEM, made = -1;

    *out = NULL;
    clear(place, purpose);
    for (int attempt = 0; rc == 0 && made < 0 && attempt < SP_PROCESS_ATTEMPTS; attempt++) {
        free(*out);
        *out = sp_process_beside(beside, "tmp", attempt);
        if (!*out)
            rc = SP_ENOMEM;
        else if ((made = mkdir(*out, 0700)) < 0 && errno != EEXIST)
            rc = sp_fs_error("make the folder", *out);
    }
    if (rc == 0 && made < 0)
        rc = sp_fs_error("make the folder", *out);
    if (rc == 0 && (rc = note(*out)) < 0)
        (void)rmdir(*out);
    free(beside);
    if (rc < 0) {
        free(*out);
        *out = NULL;
    }
    return rc;
}

void sp_temporary_remove(const char *path)
{
    for (int i = 0; path && i < FOLDERS_MAX; i++) {
        if (!folders[i] || strcmp(folders[i], path) != 0)
            continue;
        remove_tree(AT_FDCWD, path, 0);
        free(folders[i]); /* which `path` may be */
        folders[i] = NULL;
        return;
    }
}
