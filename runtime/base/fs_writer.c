#include "runtime/base/fs.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/process.h"
#include "runtime/base/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct sp_fs_writer none = { .file = NULL };

int sp_fs_write(const char *path, const void *data, size_t length)
{
    struct sp_fs_writer writer;

    SP_TRY(sp_fs_writer_open(&writer, path));
    (void)sp_fs_writer_put(&writer, data, length); /* commit fails with it */
    return sp_fs_writer_commit(&writer);
}

/* A link in a folder where all can leave one, as in /tmp, is followed where it is the user's or the folder's owner's: a
 * kernel's rule (fs.protected_symlinks) for programs that open a file through it. */
static int look(const struct sp_walk *walk, const struct stat *st)
{
    struct stat above;

    if (!S_ISLNK(st->st_mode) || st->st_uid == geteuid())
        return 0;
    if (fstat(walk->fd, &above) < 0)
        return sp_fs_error("write", walk->at);
    if (!(above.st_mode & S_ISVTX) || !(above.st_mode & S_IWOTH) || st->st_uid == above.st_uid)
        return 0;
    return sp_error(SP_EIO,
                    "cannot write %s: it is a link that another user (%lu) has put there, in a folder that everybody "
                    "can write to; remove it, or name another place",
                    walk->at, (unsigned long)st->st_uid);
}

int sp_fs_mkdirs(const char *path)
{
    struct sp_walk walk = { .fd = -1, .make = 0777, .look = look };
    int rc = sp_walk(&walk, path);

    sp_walk_end(&walk);
    return rc;
}

int sp_fs_resolve(char **out, const char *path)
{
    struct sp_walk walk = { .fd = -1, .look = look, .writing = path };
    char name[SP_WALK_NAME];
    struct stat st;
    int rc;

    *out = NULL;
    SP_GO(sp_walk_to(&walk, name, &st, path));
    if (walk.end_is_link && st.st_mode == 0)
        SP_GO(sp_error(SP_EIO, "cannot write the folder %s: a link to nothing of that name is in the way", path));
    *out = strcmp(name, ".") == 0 ? realpath(walk.at[0] ? walk.at : ".", NULL) : sp_fs_join(walk.at, name);
    rc = *out ? 0 : SP_ENOMEM;
out:
    sp_walk_end(&walk);
    return rc;
}
/* Lets the writer be for the file that `path` leads to, a link's target rather than the link, and tells what is there;
 * st_mode 0: nothing. */
static int reach(struct sp_fs_writer *writer, struct stat *st, const char *path)
{
    struct sp_walk walk = { .fd = -1, .look = look, .writing = path };
    char name[SP_WALK_NAME], target[SP_WALK_PATH];
    ssize_t length;
    int rc = sp_walk_to(&walk, name, st, path);

    *writer = none;
    if (rc == 0 && st->st_mode == 0 && walk.end_is_link) {
        length = readlink(path, target, sizeof target);
        rc = sp_error(SP_EIO, "cannot write %s: it is a link to %.*s, which is not there", path,
                      length < 0 ? 0 : (int)length, target);
    } else if (rc == 0 && st->st_mode == 0 && path[0] && path[strlen(path) - 1] == '/') {
        errno = EISDIR;
        rc = sp_fs_error("write", path);
    }
    if (rc == 0) {
        writer->name = sp_strdup(name);
        writer->path = sp_fs_join(walk.at, name);
        rc = writer->name && writer->path ? 0 : SP_ENOMEM;
    }
    if (writer->name)
        writer->folder = walk.fd;
    else
        sp_walk_end(&walk);
    return rc;
}

/* The file itself, without waiting for a pipe's reader. One of the system's links to an open pipe or device is left
 * over by the walk. */
static int open_at_once(int *fd, const struct sp_fs_writer *writer, const struct stat *st)
{
    int flags = S_ISLNK(st->st_mode) ? 0 : O_CREAT | O_NOFOLLOW;

    *fd = openat(writer->folder, writer->name, O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC | flags, 0666);
    if (*fd < 0 && errno == ENXIO && S_ISFIFO(st->st_mode))
        return sp_error(SP_EIO, "cannot write %s: it is a pipe that nobody reads; start its reader first, or remove it",
                        writer->path);
    return *fd < 0 ? sp_fs_error("write", writer->path) : 0;
}

static int open_itself(FILE **out, const struct sp_fs_writer *writer, const struct stat *st)
{
    int fd;

    SP_TRY(open_at_once(&fd, writer, st));
    if (fcntl(fd, F_SETFL, 0) == 0) /* a reader that is slow is waited for */
        *out = fdopen(fd, "wb");
    if (*out)
        return 0;
    close(fd);
    return sp_fs_error("write", writer->path);
}

int sp_fs_open_in_place(FILE **out, const char *path)
{
    struct sp_fs_writer writer;
    struct stat st;
    int rc;

    *out = NULL;
    rc = reach(&writer, &st, path);
    if (rc == 0)
        rc = open_itself(out, &writer, &st);
    sp_fs_writer_abandon(&writer);
    return rc;
}

/* A new file beside writer->name. */
static int open_temporary(struct sp_fs_writer *writer, mode_t mode)
{
    int fd = -1;

    for (int attempt = 0; fd < 0 && attempt < SP_PROCESS_ATTEMPTS; attempt++) {
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
    if (writer->replaces && errno == EACCES)
        return sp_error(SP_EIO, "cannot write %s: the new file that is to take its place cannot be made beside it: %s",
                        writer->path, strerror(errno));
    return sp_fs_error("write", writer->path);
}

int sp_fs_check_protected(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ||
        errno != EACCES)
        return 0;
    return sp_error(SP_EIO,
                    "cannot replace %s: it is write-protected (mode %03o, of user %lu); move it where it is to stay, "
                    "or name another place",
                    path, (unsigned)st.st_mode & 0777, (unsigned long)st.st_uid);
}

/* A regular file is replaced by a new one, which is nobody else's until it has that one's rights; a device or a pipe is
 * written to as it is. */
static int open_reached(struct sp_fs_writer *writer, const struct stat *st)
{
    writer->replaces = st->st_mode != 0;
    if (writer->replaces && !S_ISREG(st->st_mode))
        return open_itself(&writer->file, writer, st);
    SP_TRY(sp_fs_check_protected(writer->path));
    SP_TRY(open_temporary(writer, writer->replaces ? 0600 : 0666));
    sp_process_clear(writer->folder, writer->name);
    return 0;
}

int sp_fs_writer_open(struct sp_fs_writer *writer, const char *path)
{
    struct stat st;
    int rc = reach(writer, &st, path);

    if (rc == 0)
        rc = open_reached(writer, &st);
    if (rc < 0)
        sp_fs_writer_abandon(writer);
    return rc;
}

int sp_fs_writer_open_at(struct sp_fs_writer *writer, int folder, const char *path, const char *name)
{
    struct stat st;
    mode_t mode;
    int rc;

    *writer = (struct sp_fs_writer){ .folder = fcntl(folder, F_DUPFD_CLOEXEC, 0), .name = sp_strdup(name) };
    writer->path = writer->folder >= 0 ? sp_fs_join(path, name) : NULL;
    mode = fstat(folder, &st) == 0 ? st.st_mode & 0044 : 0; /* a site's folder is for all of its users */
    rc = writer->folder < 0             ? sp_fs_error("write", path)
         : writer->path && writer->name ? open_temporary(writer, 0600 | mode)
                                        : SP_ENOMEM;
    if (rc < 0)
        sp_fs_writer_abandon(writer);
    return rc;
}

/* What statx tells of `path` itself, be it a link: a mount point, or marks that hold root, too. */
static const char *obstacle(const char *path)
{
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx st;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) < 0)
        return NULL;
    if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return S_ISDIR(st.stx_mode)
                   ? "something is mounted there; name a folder in it instead"
                   : "the file is mounted by itself, so that no new one can take its place; mount its folder instead";
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
    bool stuck = folder && geteuid() != 0 && lstat(path, &own) == 0 && stat(folder, &above) == 0 &&
                 above.st_mode & S_ISVTX && own.st_uid != geteuid() && above.st_uid != geteuid();

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

static int check_place(const char *path, bool in_place)
{
    struct sp_fs_writer writer;
    struct stat st;
    int fd, rc = reach(&writer, &st, path);

    if (rc == 0 && S_ISFIFO(st.st_mode)) {
        /* and stays open: the reader would take the last writer's close for the end */
        rc = open_at_once(&fd, &writer, &st);
    } else if (rc == 0 && (st.st_mode == 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
        bool itself = in_place && S_ISREG(st.st_mode);

        if (itself && faccessat(writer.folder, writer.name, W_OK, AT_EACCESS) < 0)
            rc = sp_fs_error("write", writer.path);
        if (!itself)
            rc = open_reached(&writer, &st);
        if (rc == 0 && st.st_mode != 0 && !itself)
            rc = sp_fs_check_replaceable(writer.path);
    }
    sp_fs_writer_abandon(&writer);
    return rc;
}

int sp_fs_check_writable(const char *path)
{
    return check_place(path, false);
}

int sp_fs_check_in_place(const char *path)
{
    return check_place(path, true);
}

int sp_fs_writer_put(struct sp_fs_writer *writer, const void *data, size_t length)
{
    if (length == 0 || fwrite(data, 1, length, writer->file) == length)
        return 0;
    /* a short write is no error of the flush that comes later */
    writer->reason = writer->reason ? writer->reason : errno;
    return sp_fs_error("write", writer->path);
}

int sp_fs_writer_commit(struct sp_fs_writer *writer)
{
    struct stat old;
    int rc = 0;

    if (writer->temporary && writer->replaces &&
        fstatat(writer->folder, writer->name, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode))
        sp_fs_keep_rights(fileno(writer->file), &old, writer->path);
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
    if (writer->name && writer->folder >= 0)
        close(writer->folder);
    free(writer->temporary);
    free(writer->name);
    free(writer->path);
    *writer = none;
}
