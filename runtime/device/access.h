/*
 * What keeps drivers from GPUs (layer 1, inside runtime/device): the kernel's device files, through which they reach
 * their hardware, and whether this user can open them. Threading: one thread.
 */
#ifndef SP_DEVICE_ACCESS_H
#define SP_DEVICE_ACCESS_H

#include <stdbool.h>

#define SP_ACCESS_FOLDER "/dev"

/* One sentence on the device files in `folder` and what to do, in a new string; `*denied`: some are there that this
 * user cannot open. */
int sp_device_access(char **out, bool *denied, const char *folder);

#endif
