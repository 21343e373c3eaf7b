#include "runtime/base/walk.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#ifdef O_PATH
enum { FOLDER = O_PATH, LINK = AT_EMPTY_PATH };
#else
enum { FOLDER = O_RDONLY, LINK = 0 }; /* folders on the way must be readable */
#endif
#define LINKS_MAX 40

static int fail(const struct sp_walk *w)
{
    return w->writing ? sp_fs_error("write", w->writing)
                      : sp_fs_error(w->make ? "make the folder" : "open", w->at[0] ? w->at : "the working folder");
}

static int look_at(const struct sp_walk *w, int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 ? sp_fs_error("read", w->at) : w->look(w, &st);
}

static int append(struct sp_walk *w, const char *name)
{
    size_t used = strlen(w->at);
    int length = snprintf(w->at + used, sizeof w->at - used, "%s%s", used && w->at[used - 1] != '/' ? "/" : "", name);

    if ((size_t)length < sizeof w->at - used)
        return 0;
    errno = ENAMETOOLONG;
    return fail(w);
}

static int enter(struct sp_walk *w, int fd, const char *name)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = fd;
    SP_TRY(append(w, name));
    return look_at(w, fd);
}

static int refuse_file(const struct sp_walk *w)
{
    errno = ENOTDIR;
    if (w->writing)
        return fail(w);
    return w->make ? sp_error(SP_EIO, "cannot make the folder %s: a file of that name is in the way", w->at)
                   : sp_error(SP_EIO, "%s is not a folder", w->at);
}

/* The link `name` itself, which then is *rest from the descriptor; where none can be had, by its name in the folder. */
static int open_link(const struct sp_walk *w, const char *name, const char **rest)
{
#ifdef O_PATH
    *rest = "";
    return openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
#else
    *rest = name;
    return fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
#endif
}

/* What the link `name` in the folder at hand says. */
static int read_link(struct sp_walk *w, const char *name, char target[SP_WALK_PATH])
{
    size_t used = strlen(w->at);
    ssize_t length = 0;
    const char *rest;
    struct stat st;
    int fd, rc;

    SP_TRY(append(w, name));
    fd = open_link(w, name, &rest);
    if (fd < 0 || fstatat(fd, rest, &st, LINK | AT_SYMLINK_NOFOLLOW) < 0)
        rc = fail(w);
    else if (!S_ISLNK(st.st_mode))
        rc = refuse_file(w);
    else if ((length = readlinkat(fd, rest, target, SP_WALK_PATH - 1)) < 0)
        rc = fail(w);
    else
        rc = w->look(w, &st);
    if (fd >= 0)
        close(fd);
    SP_TRY(rc);
    if (++w->links > LINKS_MAX)
        return sp_error(SP_EIO, "%s: too many links", w->at);
    w->at[used] = '\0'; /* the target is named from where the link lies */
    target[length] = '\0';
    return 0;
}

static int pass_link(struct sp_walk *w, const char *name)
{
    char *link = sp_fs_join(w->at, name), target[SP_WALK_PATH];
    mode_t make = w->make;
    int rc = link ? read_link(w, name, target) : SP_ENOMEM;

    if (rc == 0) {
        w->make = 0;
        rc = sp_walk(w, target);
        w->make = make;
        if (rc == SP_ENOTFOUND && make)
            rc = sp_error(SP_EIO, "cannot make the folder %s: a link to nothing of that name is in the way", link);
    }
    free(link);
    return rc;
}

static int step(struct sp_walk *w, const char *name)
{
    enum { FLAGS = FOLDER | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(w->fd, name, FLAGS), reason;

    if (fd < 0 && errno == ENOENT && w->make && (mkdirat(w->fd, name, w->make) == 0 || errno == EEXIST))
        fd = openat(w->fd, name, FLAGS);
    reason = errno;
    if (fd < 0 && (reason == ENOTDIR || reason == ELOOP))
        return pass_link(w, name);
    SP_TRY(fd < 0 ? append(w, name) : enter(w, fd, name));
    errno = reason;
    return fd < 0 ? fail(w) : 0;
}

static int start(struct sp_walk *w, const char *folder)
{
    int fd = open(folder, FOLDER | O_DIRECTORY | O_CLOEXEC);

    w->at[0] = '\0';
    return fd < 0 ? fail(w) : enter(w, fd, folder[0] == '/' ? folder : "");
}

int sp_walk(struct sp_walk *w, const char *path)
{
    char name[SP_WALK_NAME];

    if (path[0] == '/' || w->fd < 0)
        SP_TRY(start(w, path[0] == '/' ? "/" : "."));
    for (const char *p = path; *p;) {
        size_t length = strcspn(p, "/");

        if (length >= sizeof name)
            return sp_error(SP_EIO, "%s: a name in it is too long", path);
        memcpy(name, p, length);
        name[length] = '\0';
        if (length > 0 && strcmp(name, ".") != 0)
            SP_TRY(step(w, name));
        p += length + (p[length] == '/');
    }
    return 0;
}

/* Whether a link is one of the system's to an open pipe or device, whose text may be no path. */
static bool is_handle(const struct sp_walk *w, const char *name)
{
#ifdef __linux__
    struct statfs fs;
    struct stat st;

    return fstatfs(w->fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && fstatat(w->fd, name, &st, 0) == 0 &&
           !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
#else
    (void)w;
    (void)name;
    return false;
#endif
}

int sp_walk_to(struct sp_walk *w, char name[SP_WALK_NAME], struct stat *st, const char *path)
{
    char rest[SP_WALK_PATH];

    if ((size_t)snprintf(rest, sizeof rest, "%s", path) >= sizeof rest) {
        errno = ENAMETOOLONG;
        return fail(w);
    }
    for (;;) {
        size_t length = strlen(rest);
        char *last;

        while (length > 1 && rest[length - 1] == '/')
            rest[--length] = '\0';
        last = strrchr(rest, '/') ? strrchr(rest, '/') + 1 : rest;
        if (strcmp(last, "..") == 0 || !*last)
            last = rest + length; /* a folder, all of it */
        if ((size_t)snprintf(name, SP_WALK_NAME, "%s", *last ? last : ".") >= SP_WALK_NAME) {
            errno = ENAMETOOLONG;
            return fail(w);
        }
        *last = '\0';
        SP_TRY(sp_walk(w, rest));
        if (fstatat(w->fd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
            *st = (struct stat){ 0 };
        if (!S_ISLNK(st->st_mode) || is_handle(w, name))
            return 0;
        SP_TRY(read_link(w, name, rest));
        w->end_is_link = true;
    }
}

void sp_walk_end(struct sp_walk *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}
