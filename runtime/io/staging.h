/*
 * Replacing a folder as a whole (layer 4): files are written to a new folder beside the one meant,
 * which then takes its place, so that a reader sees the old contents or the new ones. Other files
 * that lie in the old folder move to the new one.
 * A folder that the system does not move, in a layer of a container's image, gets the new files in place of its own.
 */
#ifndef SP_IO_STAGING_H
#define SP_IO_STAGING_H

#include <stdbool.h>

struct sp_staging {
    char *dir;  /* the folder to replace */
    char *path; /* the new one, to write into; NULL once committed or abandoned */
    bool lasting; /* where it cannot be put in the place it stays, under the name that it has */
};

/* Makes the parents of `dir` and an empty folder beside it, for `files` (the last is NULL), and clears away what
 * processes that are gone left there. SP_EIO where the folder could not come to be: a file, a link to nothing or a
 * mount point is in its place, or something in it can be neither moved to the new one nor replaced, as far as that can
 * be seen, or is write-protected and to be replaced. */
int sp_staging_open(struct sp_staging *staging, const char *dir, const char *const *files);

/* The same with a folder that is there, or that the caller writes, under the name of `dir` and `ending`: it lies beside
 * what `dir` leads to, and is lasting. SP_ENOMEM only. */
int sp_staging_beside(struct sp_staging *staging, const char *dir, const char *ending);

/* Puts the new folder in the place of the old; on failure the old one stays and the new one is
 * removed, unless it is lasting. */
int sp_staging_commit(struct sp_staging *staging);

/* Removes the new folder, with the files in it. Safe after commit, and on a zeroed struct. */
void sp_staging_abandon(struct sp_staging *staging);

#endif
