#include "runtime/base/fs.h"

#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <errno.h>
#include <sys/xattr.h>
#endif

enum { ACL_MAX = 65536 }; /* the system's limit for the value of an attribute */

/* The list `name` of the old one for the new one, which may have got one from its folder; whether all of it is as it
 * was. */
static bool keep_acl(int fd, const char *path, const char *name)
{
#ifdef __linux__
    char *list = malloc(ACL_MAX);
    ssize_t length = list ? lgetxattr(path, name, list, ACL_MAX) : -1;
    bool has = length >= 0, none = list && length < 0 && (errno == ENODATA || errno == ENOTSUP);
    bool kept = has ? fsetxattr(fd, name, list, (size_t)length, 0) == 0 : none;

    if (none && fremovexattr(fd, name) < 0)
        kept = errno == ENODATA || errno == ENOTSUP;
    free(list);
    return kept;
#else
    (void)fd;
    (void)path;
    (void)name;
    return true;
#endif
}

static mode_t group_as_others(mode_t mode)
{
    return (mode & ~(mode_t)0070) | (mode & 07) << 3;
}

void sp_fs_keep_rights(int fd, const struct stat *old, const char *path)
{
    mode_t mode = old->st_mode & (S_ISDIR(old->st_mode) ? 07777 : 0777);
    struct stat st;
    /* by the folder's setgid, be it one that cannot be given */
    bool same = fstat(fd, &st) == 0 && st.st_gid == old->st_gid;

    if (fchown(fd, old->st_uid, old->st_gid) < 0 && fchown(fd, (uid_t)-1, old->st_gid) < 0 && !same)
        mode = group_as_others(mode) & ~(mode_t)S_ISGID; /* the group's rights were not this group's */
    if (S_ISDIR(old->st_mode))
        (void)keep_acl(fd, path, "system.posix_acl_default");
    if (fchmod(fd, mode) == 0 && !keep_acl(fd, path, "system.posix_acl_access") && fstat(fd, &st) == 0)
        /* what the group's bits show of a list are not the group's rights */
        (void)fchmod(fd, group_as_others(st.st_mode & 07777));
}
