/*
 * Folders of files that the program keeps for itself (layer 0): compiled programs, scores. What lies there is believed,
 * and some of it is run, so that nobody else may have put it there. As ssh does with its keys, every folder on the way
 * must belong to the user or to root, and nobody else may be able to write to it, but for sticky folders such as /tmp
 * on the way; the same holds for links on the way and for each file. A site's cache, root's and read-only for its
 * users, is thereby as good as one's own. Entries are never reached through links, and only regular files are opened: a
 * pipe in an entry's place would block, a link would have its target written to. The user's own group of the user's
 * name, as many systems make one for each, counts as the user while it has no other member and is nobody else's first
 * group, as far as the system lists its users, and while no POSIX ACL says who else may write. In a user namespace
 * without root, where root's folders look like any stranger's, those on the way count as root's.
 *
 *     struct sp_private folder;
 *     if (sp_private_open(&folder, path, false) == 0) { sp_private_read(&data, &length, &folder, name, limit); ... }
 *     sp_private_close(&folder);
 *
 * Nothing that is looked at by name is used by name again: all goes through the open folder. (PoCL can only be given a
 * name; nobody else can change what that leads to.) Threading: a folder has one thread.
 */
#ifndef SP_BASE_PRIVATE_H
#define SP_BASE_PRIVATE_H

#include "runtime/base/fs.h"

#include <stdbool.h>

struct sp_private {
    int fd; /* for openat and its kind; -1 when it is not open */
    char *path;
};

/* Opens the folder; `make` makes what is missing of it, for the user alone. SP_ENOTFOUND: it is not there. SP_EINVAL:
 * it is not to be trusted, and the message names what is wrong on which folder. SP_EIO: anything else. */
int sp_private_open(struct sp_private *out, const char *path, bool make);
void sp_private_close(struct sp_private *folder); /* after a failed open, too */

/* Opens an entry for reading; *fd is the caller's. SP_ENOTFOUND: none of the name. SP_EINVAL: one that is not to be
 * trusted. */
int sp_private_entry(int *fd, const struct sp_private *folder, const char *name);

/* Whether 16 MiB are free on the folder's disk: the compiled programs of one run, or some dozen of PoCL's kernels. */
bool sp_private_has_room(const struct sp_private *folder);

/* A whole entry, as sp_fs_read. */
int sp_private_read(char **out, size_t *length, const struct sp_private *folder, const char *name, size_t limit);

/* Replaces an entry, whatever it was. */
int sp_private_writer_open(struct sp_fs_writer *writer, const struct sp_private *folder, const char *name);

#endif
