/*
 * One at a time in a folder (layer 0): a lock that the system gives up with the process, so that a dead one blocks
 * nobody who could write its file; another user is told that it is dead. The file says who holds it, and is removed
 * with the lock. Threading: one thread for each; a process does not lock itself out.
 */
#ifndef SP_BASE_LOCK_H
#define SP_BASE_LOCK_H

struct sp_lock {
    int fd; /* -1: none */
    char *path;
};

/* Takes the file `name` in `folder`, which is made. SP_EINVAL when another process has it: "another speft-cl WHAT is
 * running in FOLDER (process 17 on host h): ..."; SP_EIO when it cannot be had, as where another user's was left, which
 * is said. Where the file system knows no locks there is a warning, and it goes on without. */
int sp_lock_take(struct sp_lock *lock, const char *folder, const char *name, const char *what);
void sp_lock_release(struct sp_lock *lock); /* after a failed take, and twice, too */

#endif
