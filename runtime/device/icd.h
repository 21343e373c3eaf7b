/*
 * Drivers before the loader, as their .icd files name them (layer 1, inside runtime/device). Threading: one thread.
 */
#ifndef SP_DEVICE_ICD_H
#define SP_DEVICE_ICD_H

#include "runtime/device/driver.h"

#include <stdbool.h>

/* The library that the driver of sp_device_each_driver is, in a new string; "" where its .icd file names none. SP_EIO
 * where that cannot be read. */
int sp_icd_library(char **out, const char *path, bool is_library);

/* The way into a driver that has one, as the loader takes it: clGetExtensionFunctionAddress of the loaded library, and
 * what that or the library calls clIcdGetPlatformIDsKHR. The name of what it lacks, or NULL. */
typedef cl_int CL_API_CALL sp_icd_platforms(cl_uint count, cl_platform_id *platforms, cl_uint *found);
const char *sp_icd_entry(sp_icd_platforms **out, void *library);

/* Tries whether the drivers' libraries can be loaded, in a process of its own, where that was not done yet: one that
 * crashes or hangs then, or lacks a function that the loader calls, would end this process. Such drivers are kept from
 * the loader until the end. Between these two the first listing is made. SP_EINTR. */
int sp_trial_begin(void);
void sp_trial_end(void);

/* The user's own path of a driver whose .icd file the loader is shown in another folder. */
const char *sp_trial_driver(const char *path);

/* Why the driver is kept from the loader; NULL where it is not. */
const char *sp_trial_fault(const char *path);

#endif
