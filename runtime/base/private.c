#include "runtime/base/private.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#define ROOM (16u << 20)

/* Whether the group is another user's first one, which the group's list of members does not tell. */
static bool is_first_of_another(gid_t group)
{
    const struct passwd *user;
    bool is = false;

    setpwent();
    while (!is && (user = getpwent()) != NULL)
        is = user->pw_gid == group && user->pw_uid != geteuid();
    endpwent();
    return is;
}

/* Whether the group is the user's own: the one that files get, of the user's name, with no other member. */
static bool is_own_group(gid_t group)
{
    const struct passwd *user = geteuid() != 0 ? getpwuid(geteuid()) : NULL;
    char *name = user && user->pw_gid == group ? sp_strdup(user->pw_name) : NULL;
    const struct group *found = name ? getgrgid(group) : NULL;
    bool own = found && strcmp(found->gr_name, name) == 0;

    for (char **member = found ? found->gr_mem : NULL; own && *member; member++)
        own = strcmp(*member, name) == 0;
    free(name);
    return own && !is_first_of_another(group);
}

/* Whether an ACL says who else may write, so that what looks like the group's rights is their limit; so it counts where
 * nobody can tell. */
static bool has_acl(int fd)
{
#ifdef __linux__
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* the walk's folders are open for no more than this */
    return getxattr(path, "system.posix_acl_access", NULL, 0) >= 0 || (errno != ENODATA && errno != ENOTSUP);
#else
    (void)fd;
    return false;
#endif
}

/* The number that stands for every user that this user namespace does not map, where root is one of those, and / is
 * root's; 0 elsewhere, as in a container whose / is the user's that it calls root. */
static uid_t unmapped_root(void)
{
    FILE *map = fopen("/proc/self/uid_map", "re"), *overflow = fopen("/proc/sys/kernel/overflowuid", "re");
    char line[128], *outside;
    bool found = map && overflow;
    uid_t number = 0;
    struct stat top;

    while (found && fgets(line, sizeof line, map)) { /* the first number inside, the same outside, how many */
        (void)strtoul(line, &outside, 10);
        found = strtoul(outside, NULL, 10) != 0;
    }
    if (found && fgets(line, sizeof line, overflow))
        number = (uid_t)strtoul(line, NULL, 10);
    if (stat("/", &top) < 0 || top.st_uid != number)
        number = 0;
    if (map)
        fclose(map);
    if (overflow)
        fclose(overflow);
    return number;
}

/* In such a namespace root cannot be told from a stranger: who is not mapped counts as root on the way, where / is, and
 * nowhere else. */
static bool is_trusted(uid_t owner, bool on_the_way)
{
    return owner == 0 || owner == geteuid() || (on_the_way && owner == unmapped_root());
}

/* What speaks against trusting an open file or folder, or a link, in `why`; false for nothing. */
static bool is_foreign(char why[128], int fd, const struct stat *st, bool on_the_way)
{
    bool sticky = on_the_way && S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX;

    why[0] = '\0';
    if (!is_trusted(st->st_uid, on_the_way))
        snprintf(why, 128, "belongs to another user (%lu); it must be yours or root's", (unsigned long)st->st_uid);
    else if (S_ISLNK(st->st_mode)) /* a link's mode means nothing */
        return false;
    else if (!sticky && st->st_mode & S_ISVTX && st->st_mode & S_IWOTH)
        snprintf(why, 128,
                 "can be written by everybody, as folders for temporary files are; a folder of yours in it would do");
    else if (!sticky && st->st_mode & S_IWOTH)
        snprintf(why, 128, "can be written by everybody; its owner can mend that with `chmod o-w`");
    else if (!sticky && st->st_mode & S_IWGRP && has_acl(fd))
        snprintf(why, 128,
                 "can be written by its group or by whom its ACL names; its owner can mend that with `chmod g-w`");
    else if (!sticky && st->st_mode & S_IWGRP && !is_own_group(st->st_gid))
        snprintf(why, 128, "can be written by its group; its owner can mend that with `chmod g-w`");
    return why[0];
}

static int look_at(const struct sp_walk *walk, const struct stat *st, bool on_the_way)
{
    char why[128];

    return is_foreign(why, walk->fd, st, on_the_way) ? sp_error(SP_EINVAL, "%s %s", walk->at, why) : 0;
}

static int look(const struct sp_walk *walk, const struct stat *st)
{
    return look_at(walk, st, true);
}

/* An absolute path, so that the folders above the working folder are looked at, too. */
static char *absolute(const char *path)
{
    char folder[4096];

    return path[0] == '/' ? sp_strdup(path) : getcwd(folder, sizeof folder) ? sp_fs_join(folder, path) : NULL;
}

int sp_private_open(struct sp_private *out, const char *path, bool make)
{
    struct sp_walk walk = { .fd = -1, .make = make ? 0700 : 0, .look = look };
    struct stat st;
    int rc;

    *out = (struct sp_private){ .fd = -1, .path = absolute(path) };
    rc = out->path ? sp_walk(&walk, out->path) : sp_error(SP_EIO, "%s: the working folder has no name", path);
    if (rc == 0)
        rc = fstat(walk.fd, &st) < 0 ? sp_fs_error("read", walk.at) : look_at(&walk, &st, false);
    if (rc < 0)
        sp_walk_end(&walk);
    out->fd = walk.fd;
    return rc;
}

void sp_private_close(struct sp_private *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
    free(folder->path);
    *folder = (struct sp_private){ .fd = -1, .path = NULL };
}

static int check_entry(int fd, const struct sp_private *folder, const char *name)
{
    char why[128];
    struct stat st;

    if (fstat(fd, &st) < 0)
        return sp_error(SP_EIO, "cannot read %s/%s: %s", folder->path, name, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return sp_error(SP_EINVAL, "%s/%s is not a regular file", folder->path, name);
    return is_foreign(why, fd, &st, false) ? sp_error(SP_EINVAL, "%s/%s %s", folder->path, name, why) : 0;
}

int sp_private_entry(int *fd, const struct sp_private *folder, const char *name)
{
    int rc;

    *fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* a pipe opens at once */
    if (*fd < 0 && errno == ELOOP)
        return sp_error(SP_EINVAL, "%s/%s is a link", folder->path, name);
    if (*fd < 0)
        return sp_error(errno == ENOENT ? SP_ENOTFOUND : SP_EIO, "cannot open %s/%s: %s", folder->path, name,
                        strerror(errno));
    rc = check_entry(*fd, folder, name);
    if (rc < 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

bool sp_private_has_room(const struct sp_private *folder)
{
    struct statvfs disk;

    return fstatvfs(folder->fd, &disk) < 0 || (double)disk.f_bavail * (double)disk.f_frsize >= ROOM;
}

int sp_private_read(char **out, size_t *length, const struct sp_private *folder, const char *name, size_t limit)
{
    char *path = sp_fs_join(folder->path, name); /* for messages */
    int fd, rc = path ? sp_private_entry(&fd, folder, name) : SP_ENOMEM;

    if (rc == 0)
        rc = sp_fs_read_fd(out, length, fd, path, limit);
    free(path);
    return rc;
}

int sp_private_writer_open(struct sp_fs_writer *writer, const struct sp_private *folder, const char *name)
{
    return sp_fs_writer_open_at(writer, folder->fd, folder->path, name);
}
