/*
 * Inside runtime/device only: the structs behind the handles, and how a driver is called. Every
 * OpenCL call that can fail or crash goes through SP_CL, which turns a status into an error value
 * and tells the crash guard (guard.h) what the driver is at:
 *
 *     SP_TRY(SP_CL(device, clFinish(device->queue)));
 *     SP_GO(SP_CL_NEW(device, mem, clCreateBuffer, device->context, flags, bytes, NULL));
 *
 * Threading: the record of the current call is per thread, that of the last launch is per process.
 */
#ifndef SP_DEVICE_DRIVER_H
#define SP_DEVICE_DRIVER_H

#define CL_TARGET_OPENCL_VERSION 300 /* declarations only: calls stay within 1.2 */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS

#include "runtime/base/error.h"
#include "runtime/device/device.h"

#include <CL/cl.h>
#include <CL/cl_ext.h>

struct sp_profile;

struct sp_device {
    struct sp_device_info info;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    bool recording, testing;
    int lanes; /* 0: the device's own */
    size_t memory, peak_memory;
    struct sp_profile *profile; /* NULL while profiling is off */
    void *attachment;           /* the kernel layer's table (program.h) */
    void (*detach)(void *attachment);
    char notice[512]; /* what the driver said through the context's callback; "" for nothing */
};

struct sp_buffer {
    struct sp_device *device;
    struct sp_buffer *root; /* NULL when it is one */
    cl_mem mem;
    size_t offset, size; /* offset in the root */
};

/* A device with its driver's handles, as the platforms give them. */
struct sp_device_handle {
    struct sp_device_info info;
    cl_platform_id platform;
    cl_device_id id;
};

/* As sp_device_list, with handles. */
int sp_device_handles(struct sp_device_handle **list, size_t *count);

/* Opens exactly this device. */
int sp_device_open_handle(struct sp_device **out, const struct sp_device_handle *handle);

/* Sets what drivers read from the environment when they are loaded (quirk.def), unless it is set.
 */
void sp_driver_environment(void);

/* What this thread asks of a driver, read by the crash guard's signal handler. */
struct sp_driver_call {
    const struct sp_device *device; /* NULL: not in a driver */
    const char *call;               /* "clFinish(device->queue)" */
    const char *activity, *subject; /* "building", "norm/layernorm.cl"; or NULL */
    cl_int status;
    bool ours; /* a thread of this program, not one that a driver made */
};
extern _Thread_local struct sp_driver_call sp_driver_call;

/* The kernel enqueued last, while it may still run. */
struct sp_driver_launch {
    const struct sp_device *device; /* NULL: none */
    const char *kernel;
};
extern struct sp_driver_launch sp_driver_launch;

static inline void sp_driver_enter(const struct sp_device *device, const char *call)
{
    sp_driver_call.call = call;
    sp_driver_call.ours = true;
    sp_driver_call.device = device;
}

/* 0, or sets the message for a failed status, with what the driver said about it. */
int sp_driver_leave(cl_int status);

/* What messages say besides the call, until it is set again; NULL, NULL clears. */
void sp_driver_activity(const char *activity, const char *subject);

/* "CL_INVALID_VALUE"; "an unknown OpenCL error". */
const char *sp_driver_status_name(cl_int status);

#define SP_CL(device, call) (sp_driver_enter((device), #call), sp_driver_leave(call))
#define SP_CL_NEW(device, out, function, ...)                                                      \
    (sp_driver_enter((device), #function), (out) = function(__VA_ARGS__, &sp_driver_call.status),  \
     sp_driver_leave(sp_driver_call.status))

/* Where a command puts its event: NULL while profiling is off. */
static inline cl_event *sp_profile_event(const struct sp_device *device, cl_event *event)
{
    return device->profile ? event : NULL;
}

/* Gives the profiler an event to own; nothing happens with NULL. */
int sp_profile_note(struct sp_device *device, const char *label, cl_event event);
void sp_profile_free(struct sp_device *device);

#endif
