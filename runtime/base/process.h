/*
 * Who left a file (layer 0). What is made beside its place carries its maker in its name, so that what a killed process
 * left can be told from what a living one is at:
 *
 *     adapter.tmp-4711-88123-5d41402a-0     process 4711, begun 88123 ticks after the machine, on the host 5d41402a
 *
 * Threading: any.
 */
#ifndef SP_BASE_PROCESS_H
#define SP_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SP_PROCESS_MARK = 64,
    SP_PROCESS_HOST = 256,
    SP_PROCESS_ATTEMPTS = 1000, /* names that are tried before giving up, from 0 on */
};

/* This process's part of such a name: PID, start and host, parted by '-'. */
void sp_process_mark(char mark[SP_PROCESS_MARK]);

/* The host's name; "an unknown host" where it has none. */
void sp_process_host(char host[SP_PROCESS_HOST]);

/* The name beside `path` (a folder and a name, or a name) that this process tries `attempt`-th for `purpose`, "tmp" or
 * "old", in a new string; NULL when out of memory. */
char *sp_process_beside(const char *path, const char *purpose, int attempt);

/* Removes what processes that are gone left in the open folder `folder` beside `base`, or, with NULL, for a folder of
 * compiled programs or scores, beside anything: files, and folders of files, of this user, whose names end in exactly
 * such a mark. Of another host, whose processes are not known here, what is a day old; so it is with what this host's
 * left before it was booted anew. Of the names that earlier versions gave, those that can be nothing else. What was
 * only moved aside from `base` goes back where nothing came in its place, and a folder's files that the folder `base`
 * lacks move there; without such a folder, one stays that holds other names than `base` up to its first point and what
 * follows. Faults are no matter. */
void sp_process_clear(int folder, const char *base);

/* The same beside `path`, a folder and a name, or a name. Fails with SP_ENOMEM only. */
int sp_process_clear_path(const char *path);

/* Whether the entry `name` of that folder is this user's, and one that a process that is gone made beside `base`; NULL:
 * beside anything. */
bool sp_process_is_left(int folder, const char *name, const char *base);

/* Removes the folder `name`, not through a link, in the open folder `at` (AT_FDCWD: paths) with the files in it. What
 * the folder `heir` lacks moves there, but for what a process left half-written; with NULL, or where there is no such
 * folder, nothing does. 0, or -1 with errno where it stays, with what could not be moved or removed. */
int sp_process_dissolve(int at, const char *name, const char *heir);

#endif
