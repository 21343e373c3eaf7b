#include "runtime/base/lock.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 400 };

/* " (process 17 on host h)", as the holder wrote, or what the system knows of it. */
static void holder(char *out, size_t size, int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char text[TEXT_MAX];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (char *p = text; *p; p++)
        *p = *p >= ' ' && *p < 127 ? *p : '?'; /* it goes to a terminal */
    if (text[0])
        snprintf(out, size, " (%s)", text);
    else if (fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK && whole.l_pid > 0)
        snprintf(out, size, " (process %ld)", (long)whole.l_pid);
    else
        out[0] = '\0';
}

static int refuse_held(int fd, const char *folder, const char *what)
{
    char who[TEXT_MAX + 4];

    holder(who, sizeof who, fd);
    return sp_error(SP_EINVAL, "another speft-cl %s is running in %s%s: wait for its end, or give another --output-dir",
                    what, folder, who);
}

/* Another user's lock, which may be read but not taken: `errno` says why it could not be opened for that. */
static int refuse_foreign(const struct sp_lock *lock, const char *folder, const char *what)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = errno == EACCES ? open(lock->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1, rc;
    char who[TEXT_MAX + 4];
    struct stat st;

    if (fd < 0) {
        if (errno == ENOENT)
            errno = EACCES; /* there is none, and none can be made */
        return sp_fs_error("open", lock->path);
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        rc = sp_error(SP_EIO, "%s is not a regular file; remove it", lock->path);
    } else if (fcntl(fd, F_GETLK, &whole) < 0 || whole.l_type != F_UNLCK) {
        rc = refuse_held(fd, folder, what);
    } else {
        holder(who, sizeof who, fd);
        rc = sp_error(SP_EIO,
                      "%s was left by a run of user %lu that is gone%s: remove it, or have that user remove it, or "
                      "give another --output-dir",
                      lock->path, (unsigned long)st.st_uid, who);
    }
    close(fd);
    return rc;
}

static void sign(int fd)
{
    char text[TEXT_MAX], host[SP_PROCESS_HOST];
    ssize_t written = ftruncate(fd, 0);

    sp_process_host(host);
    snprintf(text, sizeof text, "process %ld on host %s\n", (long)getpid(), host);
    written = pwrite(fd, text, strlen(text), 0);
    (void)written; /* a full disk: the lock holds without a name */
}

static bool is_there(int fd, const char *path)
{
    struct stat mine, now;

    return fstat(fd, &mine) == 0 && lstat(path, &now) == 0 && mine.st_dev == now.st_dev && mine.st_ino == now.st_ino;
}

/* Opens and locks the file; 1 when it was removed meanwhile, by who held it. */
static int attempt(struct sp_lock *lock, const char *folder, const char *what)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct stat st;

    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (lock->fd < 0 && errno == ELOOP)
        return sp_error(SP_EIO, "%s is a link; remove it: a lock is a file of its own", lock->path);
    if (lock->fd < 0)
        return refuse_foreign(lock, folder, what);
    if (fstat(lock->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return sp_error(SP_EIO, "%s is not a regular file; remove it", lock->path);
    if (fcntl(lock->fd, F_SETLK, &whole) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return refuse_held(lock->fd, folder, what);
        sp_log(SP_LOG_WARNING, "%s cannot be locked (%s): do not start another speft-cl %s in %s meanwhile", lock->path,
               strerror(errno), what, folder);
        return 0;
    }
    return is_there(lock->fd, lock->path) ? 0 : 1;
}

int sp_lock_take(struct sp_lock *lock, const char *folder, const char *name, const char *what)
{
    int rc;

    *lock = (struct sp_lock){ .fd = -1, .path = sp_fs_join(folder, name) };
    rc = lock->path ? sp_fs_mkdirs(folder) : SP_ENOMEM;
    while (rc >= 0 && (rc = attempt(lock, folder, what)) == 1)
        close(lock->fd);
    if (rc == 0) {
        sign(lock->fd);
        return 0;
    }
    if (lock->fd >= 0) /* another's: the file stays */
        close(lock->fd);
    free(lock->path);
    *lock = (struct sp_lock){ .fd = -1 };
    return rc;
}

void sp_lock_release(struct sp_lock *lock)
{
    if (lock->fd >= 0) {
        if (is_there(lock->fd, lock->path)) /* else somebody removed it by hand, and this may be another run's */
            (void)unlink(lock->path); /* while it is held: who opens it now finds that it is gone, and makes another */
        close(lock->fd);
    }
    free(lock->path);
    *lock = (struct sp_lock){ .fd = -1 };
}
