/*
 * Walks along a path from folder to folder by descriptor (layer 0): each folder is opened from the one before it, never
 * through a link; a link is opened itself, looked at, read, and walked along in turn. So what was looked at is what is
 * used, whoever moves things about meanwhile.
 *
 *     struct sp_walk walk = { .fd = -1, .look = look };
 *     rc = sp_walk(&walk, path);
 *     ...                        what is in the folder walk.fd
 *     sp_walk_end(&walk);
 *
 * Threading: a walk has one thread.
 */
#ifndef SP_BASE_WALK_H
#define SP_BASE_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

enum { SP_WALK_PATH = 4096, SP_WALK_NAME = 256 };

struct sp_walk {
    int fd;                /* of the folder so far, for openat and its kind; -1 at first */
    char at[SP_WALK_PATH]; /* its path, which has no link in it; "" is the working folder */
    int links;             /* that were passed */
    bool end_is_link;      /* sp_walk_to passed one at the end of the path */
    /* of the folders that are missing, which are made; 0: none are, and a link to nothing leads to none */
    mode_t make;
    const char *writing;   /* what messages call the path as a whole; NULL: they name the folder at hand */

    /* Called for each folder that was entered, and for each link that is to be passed, with walk->at as its path. An
     * error stops. */
    int (*look)(const struct sp_walk *walk, const struct stat *st);
};

/* To the folder `path`, from where the walk is. SP_ENOTFOUND: it is not there; SP_EIO; what `look` says. */
int sp_walk(struct sp_walk *walk, const char *path);

/* To the folder of what `path` leads to, through a link at its end, too; the name that this has there, "." where it is
 * the folder itself; and what it is, with st_mode 0 where nothing of the name is there. A link is given for one of
 * /proc's alone, to a pipe or a device, which may have no path. */
int sp_walk_to(struct sp_walk *walk, char name[SP_WALK_NAME], struct stat *st, const char *path);

void sp_walk_end(struct sp_walk *walk);

#endif
