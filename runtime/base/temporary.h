/*
 * Folders for the life of one process (layer 0), where temporary files lie: for the user alone, under a name that says
 * whose it is (process.h). They go, with all that is in them, when the process ends by exit; what a killed one left
 * goes when one for the same purpose is made there again. Ownership: paths are the caller's. Threading: one thread.
 */
#ifndef SP_BASE_TEMPORARY_H
#define SP_BASE_TEMPORARY_H

/* Where temporary files may lie, best first: $TMPDIR where that is a path from / on, /tmp, /dev/shm; NULL from `at` = 3
 * on. */
const char *sp_temporary_place(int at);

/* Makes a folder for `purpose` ("speft-cl-pocl") in `place`, in *out. SP_EIO with the reason where that cannot be. */
int sp_temporary_make(char **out, const char *place, const char *purpose);

/* Removes such a folder and all that is in it; nothing for NULL. */
void sp_temporary_remove(const char *path);

/* Removes all that are still there, as exit does, for a process that ends in another way. */
void sp_temporary_end(void);

#endif
