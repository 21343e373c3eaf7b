/*
 * Files (layer 0): mapped reading, atomic writing, folders. A file is written beside its place and renamed over it, so
 * a reader sees the old or the new contents, never a part. Messages name the path and the system's reason.
 */
#ifndef SP_BASE_FS_H
#define SP_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

struct sp_map {
    const unsigned char *data; /* read-only; NULL for an empty file */
    size_t size;
    struct stat file; /* as it was when it was mapped */
    int fd;           /* of the mapped file, open while it is */
    void *owned;      /* stream.h: the bytes are in this memory, freed with the map; otherwise NULL */
};

/* Maps a regular file read-only; an open one, which is closed, under the name of `path`. */
int sp_fs_map(struct sp_map *out, const char *path);
int sp_fs_map_fd(struct sp_map *out, int fd, const char *path);
void sp_fs_unmap(struct sp_map *map);

/* Gives the mapping's resident pages back; they are read again when touched. */
void sp_fs_map_forget(const struct sp_map *map);

/* Whether the open file, if it is a regular one, was written to since. */
bool sp_fs_changed(int fd, const struct stat *then);

/* Whether the mapped file was written to since: the mapping then shows other bytes. Not when another file was renamed
 * over it: the mapping keeps the old one. */
bool sp_fs_map_changed(const struct sp_map *map);

/* SP_EIO where it was: what was read of the model's file `path` is then not known for sure. */
int sp_fs_map_check_unchanged(const struct sp_map *map, const char *path);

/* The name of the mapped file that the address lies in, or NULL: what a bus error is about, as a file that became
 * shorter has no bytes for the end of its mapping. For signal handlers, too. */
const char *sp_fs_map_name(const void *address);

/* SP_EFORMAT where the bytes begin as a page in HTML or XML, or are one line such as "Entry not found": what a site
 * sends, and was saved, in place of a file. Else 0. */
int sp_fs_refuse_page(const char *path, const char *text, size_t size);

/* The whole file as a NUL-terminated string the caller frees; more than `limit` bytes is SP_ELIMIT. A pipe is read to
 * its end. A Git LFS pointer, a page in HTML, a site's answer and an archive are refused as such: no file that is read
 * so is one. */
int sp_fs_read(char **out, size_t *length, const char *path, size_t limit);
/* an open one, which is closed */
int sp_fs_read_fd(char **out, size_t *length, int fd, const char *path, size_t limit);

/* What is written is reached from folder to folder, through links that the user may follow: SP_EIO where `path`, or a
 * folder on the way, is a link that another user left in a folder where all can, /tmp. Here as in all that follows. The
 * path without links, in a new string, of what need not be there, in a folder that must be: nobody who could not write
 * to that folder can lead it elsewhere later. */
int sp_fs_resolve(char **out, const char *path);

/* Gives the new file or folder the rights that the old one has: owner and group as far as this user may, mode, ACL.
 * Where some cannot be had, it is less open than the old one, not more. `path` is the old one's, and not followed. */
void sp_fs_keep_rights(int fd, const struct stat *old, const char *path);

/* Replaces `path` by the bytes given: temporary file in the same folder, fsync, rename. It keeps the old file's
 * rights. */
int sp_fs_write(const char *path, const void *data, size_t length);

/* The same in pieces: open a temporary file for `path`, put bytes or write to *file, then commit or abandon. Commit
 * closes, syncs, renames, and on failure removes the temporary file; it fails when anything before it has, for the
 * reason that put saw. A link is followed, and one to nothing refused; a device or a pipe is written to as it is. What
 * processes that are gone left beside `path` is removed. */
struct sp_fs_writer {
    FILE *file;
    char *path; /* for messages */
    int folder; /* that the names below are in */
    char *name, *temporary;
    bool replaces; /* a file, whose rights the new one gets */
    int reason; /* the errno of the first put that failed; 0: none did */
};
int sp_fs_writer_open(struct sp_fs_writer *writer, const char *path);

/* The same for `name` in the open folder `folder`, which messages call `path`: who else can read the
 * folder's list of names can read the file, and whatever has the name, a link too, is replaced. */
int sp_fs_writer_open_at(struct sp_fs_writer *writer, int folder, const char *path, const char *name);
int sp_fs_writer_put(struct sp_fs_writer *writer, const void *data, size_t length);
int sp_fs_writer_commit(struct sp_fs_writer *writer);
void sp_fs_writer_abandon(struct sp_fs_writer *writer); /* safe after commit */

/* Opens the file itself, empty, made where it is missing: for lines that are to be seen as they come. A pipe that
 * nobody reads is refused, not waited for. */
int sp_fs_open_in_place(FILE **out, const char *path);

/* SP_EIO where `path` itself is a regular file that this user may not write to: a rename could replace it, which is not
 * what its owner wants. All that opens a writer for a path looks at that. */
int sp_fs_check_protected(const char *path);

/* Whether a file could be written at `path`, before work whose result is to go there. Devices are taken at their word;
 * a pipe needs a reader, and is held open for it from then on. The second: whether the file itself could be written. */
int sp_fs_check_writable(const char *path);
int sp_fs_check_in_place(const char *path);

/* Whether what is at `path`, a link itself too, could be replaced or moved by a rename, as far as that can be seen: not
 * on a read-only file system, marked as immutable or append-only, a mount point, or another user's in a sticky
 * folder. */
int sp_fs_check_replaceable(const char *path);

/* "cannot DOING PATH: " and the system's reason, or the missing target of a link; SP_ENOTFOUND, SP_ENOMEM or SP_EIO. */
int sp_fs_error(const char *doing, const char *path);

/* SP_EIO, naming the folder, where one on the way to `path` may not be looked into, so that nobody can say whether that
 * is there; else 0. */
int sp_fs_check_way(const char *path);

int sp_fs_mkdirs(const char *path); /* as mkdir -p */
bool sp_fs_exists(const char *path);

/* Whether a path holds what a shell would have replaced, "~/" in front or the $NAME of none that exists, or is an
 * address on the net: *why is then what to say behind the path. */
bool sp_fs_is_unexpanded(char *why, size_t size, const char *path);

/* Whether anything has that name, be it a link to nothing: opening that then says what is missing. For files that may
 * be absent, which a link without its target is not. */
bool sp_fs_has_name(const char *path);
bool sp_fs_is_dir(const char *path);
bool sp_fs_same(const char *a, const char *b); /* one file by two names; false when one is not there */

/* "a/b" in a new string; NULL when out of memory. An absolute `name` is returned as it is. */
char *sp_fs_join(const char *folder, const char *name);

/* The user's cache folder for `name` ($XDG_CACHE_HOME or ~/.cache, then /speft-cl/name), in a new string; NULL when the
 * user has no home. $SPEFT_CACHE_DIR replaces the part before /name. The folder is not made. */
char *sp_fs_cache_dir(const char *name);
char *sp_fs_home_cache_dir(const char *name); /* the same without $SPEFT_CACHE_DIR */

#endif
