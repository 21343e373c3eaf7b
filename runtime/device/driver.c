#include "runtime/device/driver.h"

#include "runtime/device/pocl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Thread_local struct sp_driver_call sp_driver_call;
struct sp_driver_launch sp_driver_launch;

const char *sp_driver_status_name(cl_int status)
{
    switch (status) {
#define SP_STATUS(name)                                                                            \
    case name:                                                                                     \
        return #name;
#include "runtime/device/status.def"
#undef SP_STATUS
    default:
        return "an unknown OpenCL error";
    }
}

/* PoCL asks hwloc for cores and memory, and aborts where hwloc finds no /sys to read them from (a bare chroot or
 * container). */
static void describe_machine(void)
{
#ifdef __linux__
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    char text[96];

    if (access("/sys/devices/system/cpu", F_OK) == 0 || getenv("HWLOC_XMLFILE") || cores < 1 || pages < 1)
        return;
    snprintf(text, sizeof text, "pack:1 [numa(memory=%lld)] core:%ld pu:1", (long long)pages * page, cores);
    setenv("HWLOC_SYNTHETIC", text, 0);
#endif
}

void sp_driver_environment(void)
{
    describe_machine();
    sp_pocl_environment();
#define SP_ENVIRONMENT(name, value, why) setenv(name, value, 0);
#include "runtime/device/quirk.def"
}

void sp_driver_activity(const char *activity, const char *subject)
{
    sp_driver_call.activity = activity;
    sp_driver_call.subject = subject;
}

/* What a person can do about it, or "". */
static const char *advice(cl_int status)
{
    switch (status) {
    case CL_OUT_OF_HOST_MEMORY:
    case CL_OUT_OF_RESOURCES:
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
        return "; the device is out of memory: try a smaller batch or another device";
    case CL_DEVICE_NOT_AVAILABLE:
        return "; another program may hold the device, or its driver is broken: try another device";
    default:
        return "";
    }
}

int sp_driver_leave(cl_int status)
{
    struct sp_driver_call *call = &sp_driver_call;
    const struct sp_device *device = call->device;
    bool memory = status == CL_MEM_OBJECT_ALLOCATION_FAILURE || status == CL_OUT_OF_HOST_MEMORY;

    call->device = NULL;
    if (status == CL_SUCCESS)
        return 0;
    return sp_error(memory ? SP_ELIMIT : SP_EDEVICE, "%s: %.*s failed%s%s%s%s with %s (%d)%s%s%s",
                    device->info.name, (int)strcspn(call->call, "("), call->call,
                    call->activity ? " while " : "", call->activity ? call->activity : "",
                    call->subject ? " " : "", call->subject ? call->subject : "",
                    sp_driver_status_name(status), (int)status, device->testing ? "" : advice(status),
                    device->notice[0] ? "; the driver said: " : "", device->notice);
}
