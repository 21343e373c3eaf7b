#include "runtime/base/fs.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 1000 /* names tried before giving up */
#define LINKS_MAX 40

static const struct sp_fs_writer none = { .file = NULL };

int sp_fs_write(const char *path, const void *data, size_t length)
{
    struct sp_fs_writer writer;

    SP_TRY(sp_fs_writer_open(&writer, path));
    (void)sp_fs_writer_put(&writer, data, length); /* commit fails with it */
    return sp_fs_writer_commit(&writer);
}

/* A link in a folder where all can leave one, as in /tmp, is followed where it is the user's or the folder's owner's: a kernel's rule
 * (fs.protected_symlinks) for programs that open a file through it. */
static int check_link(const char *link, const struct stat *st)
{
    const char *slash = strrchr(link, '/');
    char *folder = slash ? sp_strndup(link, (size_t)(slash - link) + 1) : sp_strdup(".");
    struct stat above;
    int rc = folder ? 0 : SP_ENOMEM;

    if (rc == 0 && stat(folder, &above) < 0)
        rc = sp_fs_error("write", link);
    else if (rc == 0 && above.st_mode & S_ISVTX && above.st_mode & S_IWOTH && st->st_uid != geteuid() && st->st_uid != above.st_uid)
        rc = sp_error(SP_EIO, "cannot write %s: it is a link that another user (%lu) has put there, in a folder that everybody can write "
                      "to; remove it, or name another place", link, (unsigned long)st->st_uid);
    free(folder);
    return rc;
}

/* What the link at `*path` leads to, in its place. */
static int pass_link(char **path)
{
    const char *slash = strrchr(*path, '/');
    char target[4096], *next;
    ssize_t length = readlink(*path, target, sizeof target - 1);

    if (length < 0)
        return sp_fs_error("read", *path);
    target[length] = '\0';
    next = target[0] == '/' || !slash ? sp_strdup(target) : sp_asprintf("%.*s%s", (int)(slash - *path + 1), *path, target);
    free(*path);
    *path = next;
    return next ? 0 : SP_ENOMEM;
}

/* The first `length` bytes of `path`, and where they lead as a link. */
static int check_chain(const char *path, size_t length)
{
    char *at = sp_strndup(path, length);
    struct stat st;
    int rc = at ? 0 : SP_ENOMEM;

    for (int links = 0; rc == 0 && links < LINKS_MAX && lstat(at, &st) == 0 && S_ISLNK(st.st_mode); links++) {
        rc = check_link(at, &st);
        if (rc == 0)
            rc = pass_link(&at);
    }
    free(at);
    return rc;
}

int sp_fs_check_links(const char *path)
{
    int rc = 0;

    for (size_t i = 1; rc == 0 && path[0] && path[i - 1]; i++) /* each folder on the way, and what is named itself */
        if ((path[i] == '/' || path[i] == '\0') && path[i - 1] != '/')
            rc = check_chain(path, i);
    return rc;
}

/* The file that a name stands for: a link's target is replaced, not the link. */
static int follow(char **out, const char *path)
{
    char target[4096];
    ssize_t length;

    SP_TRY(sp_fs_check_links(path));
    *out = realpath(path, NULL);
    if (*out)
        return 0;
    length = readlink(path, target, sizeof target - 1);
    if (length >= 0) {
        target[length] = '\0';
        return sp_error(SP_EIO, "cannot write %s: it is a link to %s, which is not there", path, target);
    }
    *out = sp_strdup(path); /* nothing lies there yet */
    return *out ? 0 : SP_ENOMEM;
}

/* For writing, without waiting for a pipe's reader. */
static int open_at_once(int *fd, const char *path)
{
    struct stat st;

    SP_TRY(sp_fs_check_links(path));
    *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0666);
    if (*fd < 0 && errno == ENXIO && stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
        return sp_error(SP_EIO, "cannot write %s: it is a pipe that nobody reads; start its reader first, or remove it", path);
    return *fd < 0 ? sp_fs_error("write", path) : 0;
}

int sp_fs_open_in_place(FILE **out, const char *path)
{
    int fd;

    *out = NULL;
    SP_TRY(open_at_once(&fd, path));
    if (fcntl(fd, F_SETFL, 0) == 0) /* a reader that is slow is waited for */
        *out = fdopen(fd, "wb");
    if (*out)
        return 0;
    close(fd);
    return sp_fs_error("write", path);
}

/* A new file beside writer->name. */
static int open_temporary(struct sp_fs_writer *writer, mode_t mode)
{
    int fd = -1;

    for (int attempt = 0; fd < 0 && attempt < ATTEMPTS; attempt++) {
        free(writer->temporary);
        writer->temporary = sp_process_beside(writer->name, "tmp", attempt);
        if (!writer->temporary)
            return SP_ENOMEM;
        fd = openat(writer->folder, writer->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd >= 0)
        writer->file = fdopen(fd, "w+b");
    if (writer->file)
        return 0;
    if (fd >= 0) {
        close(fd);
        unlinkat(writer->folder, writer->temporary, 0);
    }
    free(writer->temporary); /* it is not this writer's to remove */
    writer->temporary = NULL;
    return sp_fs_error("write", writer->path);
}

/* Whoever could not read the old file cannot read the new one. Where that has another group, the group's rights were not this group's. */
static void keep_mode(int fd, const struct stat *old)
{
    struct stat st;

    if (fstat(fd, &st) == 0)
        (void)fchmod(fd, old->st_mode & (st.st_gid == old->st_gid ? 0777 : 0707));
}

int sp_fs_writer_open(struct sp_fs_writer *writer, const char *path)
{
    struct stat st;
    int rc;

    *writer = (struct sp_fs_writer){ .folder = AT_FDCWD };
    SP_GO(follow(&writer->path, path));
    if (stat(writer->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        SP_GO(sp_fs_open_in_place(&writer->file, writer->path)); /* a device or a pipe is written to, never replaced */
    } else {
        bool there = stat(writer->path, &st) == 0;

        writer->name = sp_strdup(writer->path);
        SP_GO(writer->name ? open_temporary(writer, there ? 0600 : 0666) : SP_ENOMEM);
        if (there)
            keep_mode(fileno(writer->file), &st);
        SP_GO(sp_process_clear_path(writer->path));
    }
out:
    if (rc < 0)
        sp_fs_writer_abandon(writer);
    return rc;
}

int sp_fs_writer_open_at(struct sp_fs_writer *writer, int folder, const char *path, const char *name)
{
    struct stat st;
    mode_t mode;
    int rc;

    *writer = (struct sp_fs_writer){ .folder = folder, .path = sp_fs_join(path, name), .name = sp_strdup(name) };
    mode = fstat(folder, &st) == 0 ? st.st_mode & 0044 : 0; /* a site's folder is for all of its users */
    rc = writer->path && writer->name ? open_temporary(writer, 0600 | mode) : SP_ENOMEM;
    if (rc < 0)
        sp_fs_writer_abandon(writer);
    return rc;
}

/* What statx tells of `path` itself, be it a link: a mount point, or marks that hold root, too. */
static const char *obstacle(const char *path)
{
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx st;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &st) < 0)
        return NULL;
    if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return "something is mounted there; name a folder in it instead";
    if (st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
        return "it is marked as immutable or append-only; `chattr -i -a` takes that off";
#else
    (void)path;
#endif
    return NULL;
}

/* In a sticky folder one's own things alone can be renamed, or all of them by the folder's owner and by root. */
static bool is_stuck(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? sp_strndup(path, (size_t)(slash - path) + 1) : sp_strdup(".");
    struct stat own, above;
    bool stuck = folder && geteuid() != 0 && lstat(path, &own) == 0 && stat(folder, &above) == 0 && above.st_mode & S_ISVTX &&
                 own.st_uid != geteuid() && above.st_uid != geteuid();

    free(folder);
    return stuck;
}

int sp_fs_check_replaceable(const char *path)
{
    const char *why = obstacle(path);

    if (why)
        return sp_error(SP_EIO, "cannot replace %s: %s", path, why);
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) < 0 && (errno == EROFS || errno == EPERM))
        return sp_fs_error("replace", path);
    if (is_stuck(path))
        return sp_error(SP_EIO, "cannot replace %s: it belongs to another user, and its folder is sticky", path);
    return 0;
}

int sp_fs_check_writable(const char *path)
{
    struct sp_fs_writer writer;
    struct stat st;
    int fd, rc = 0;

    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
        return open_at_once(&fd, path); /* and stays open: the reader would take the last writer's close for the end */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return 0;
    SP_TRY(sp_fs_writer_open(&writer, path));
    if (writer.name && sp_fs_has_name(writer.name))
        rc = sp_fs_check_replaceable(writer.name);
    sp_fs_writer_abandon(&writer);
    return rc;
}

int sp_fs_writer_put(struct sp_fs_writer *writer, const void *data, size_t length)
{
    if (length == 0 || fwrite(data, 1, length, writer->file) == length)
        return 0;
    writer->reason = writer->reason ? writer->reason : errno; /* a short write is no error of the flush that comes later */
    return sp_fs_error("write", writer->path);
}

int sp_fs_writer_commit(struct sp_fs_writer *writer)
{
    int rc = 0;

    errno = 0;
    if (fflush(writer->file) != 0 || ferror(writer->file) || (writer->temporary && fsync(fileno(writer->file)) != 0)) {
        errno = writer->reason ? writer->reason : errno ? errno : EIO;
        rc = sp_fs_error("write", writer->path);
    }
    if (fclose(writer->file) != 0 && rc == 0)
        rc = sp_fs_error("write", writer->path);
    writer->file = NULL;
    if (rc == 0 && writer->temporary) {
        if (renameat(writer->folder, writer->temporary, writer->folder, writer->name) < 0) {
            rc = sp_fs_error("replace", writer->path);
        } else {
            free(writer->temporary);
            writer->temporary = NULL;
        }
    }
    sp_fs_writer_abandon(writer);
    return rc;
}

void sp_fs_writer_abandon(struct sp_fs_writer *writer)
{
    if (writer->file)
        fclose(writer->file);
    if (writer->temporary)
        unlinkat(writer->folder, writer->temporary, 0);
    free(writer->temporary);
    free(writer->name);
    free(writer->path);
    *writer = none;
}
