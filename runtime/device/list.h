/*
 * The loader's platforms (layer 1, inside runtime/device). Threading: one listing at a time.
 */
#ifndef SP_DEVICE_LIST_H
#define SP_DEVICE_LIST_H

#include "runtime/device/driver.h"

enum { SP_PLATFORMS_MAX = 64 };

struct sp_platforms {
    cl_platform_id ids[SP_PLATFORMS_MAX];
    cl_uint count;
};

/* Asks the loader for its platforms. From then until the second the drivers may be asked, and are watched (listing.h,
 * guard.h). */
void sp_platforms_enter(struct sp_platforms *out);
void sp_platforms_leave(void);

/* Whether it has a device that can be used. */
bool sp_platform_has_device(cl_platform_id platform);

/* Its name, cut to the size. SP_ENOMEM. */
int sp_platform_name(char *out, size_t size, cl_platform_id platform);

#endif
