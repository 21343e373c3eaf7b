/*
 * PoCL's folder (layer 1, inside runtime/device). PoCL compiles through files in a cache folder, by default in the
 * user's home. Where that cannot be written it shows no device, where its disk is full or mounted noexec it aborts, as
 * it does when POCL_CACHE_DIR is empty; without a home it believes /tmp/pocl, whoever made it. It is then given a
 * folder of ours. Threading: before threads start.
 */
#ifndef SP_DEVICE_POCL_H
#define SP_DEVICE_POCL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the name is that of PoCL's platform. */
bool sp_pocl_is(const char *platform);

/* Sets POCL_CACHE_DIR, unless the user did, where PoCL's own folder is of no use and another is. Before the first
 * OpenCL call. */
void sp_pocl_environment(void);

/* Says once where PoCL's files are kept now and why, when that was changed; for when its platform is there. */
void sp_pocl_tell(void);

/* What is wrong with PoCL's folder and what to do; "" when it can be written. */
void sp_pocl_trouble(char *out, size_t size);

#endif
