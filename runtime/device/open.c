/* Opening and closing a device, and what belongs to it as a whole. */
#include "runtime/device/driver.h"
#include "runtime/device/program.h"

#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Drivers report through this what no status says; it may come from any thread, so it is only
 * kept for the next error. */
static void CL_CALLBACK notice(const char *text, const void *private_info, size_t size, void *user)
{
    struct sp_device *device = user;

    (void)private_info;
    (void)size;
    if (text && device) /* Oclgrind 21.10 loses the pointer */
        snprintf(device->notice, sizeof device->notice, "%s", text);
}

int sp_device_open_handle(struct sp_device **out, const struct sp_device_handle *handle)
{
    struct sp_device *device = sp_calloc(1, sizeof *device);
    cl_context_properties properties[] = { CL_CONTEXT_PLATFORM,
                                           (cl_context_properties)handle->platform, 0 };
    int rc;

    if (!device)
        return SP_ENOMEM;
    device->info = handle->info;
    device->id = handle->id;
    SP_GO(SP_CL_NEW(device, device->context, clCreateContext, properties, 1, &device->id, notice,
                    device));
    SP_GO(SP_CL_NEW(device, device->queue, clCreateCommandQueue, device->context, device->id, 0));
    *out = device;
    return 0;
out:
    sp_device_close(device);
    return sp_error_context(rc, "while opening device %d (%s)", handle->info.index,
                            handle->info.platform);
}

/* A driver that cannot be used may be that of the device that was meant, so it is said with the error, or where a CPU
 * was taken. */
static int tell_faults(int rc, const struct sp_device_info *taken)
{
    struct sp_device_faults faults;
    char *message;

    if (rc == 0 && taken->type != SP_DEVICE_CPU)
        return 0;
    message = sp_strdup(rc < 0 ? sp_error_message() : "");
    if (!message || sp_device_faults(&faults) < 0) {
        free(message);
        return SP_ENOMEM;
    }
    if (rc < 0)
        sp_error(rc, "%s%s%s%s%s%s%s", message,
                 faults.broken[0] ? ". A driver cannot be loaded, and its devices are not seen: " : "", faults.broken,
                 faults.idle[0] ? ". A driver that shows no device: " : "", faults.idle, faults.access ? "; " : "",
                 faults.access ? faults.access : "");
    else if (faults.broken[0])
        sp_log(SP_LOG_INFO, "a driver cannot be loaded, and its devices are not seen: %s", faults.broken);
    if (rc == 0 && faults.denied)
        sp_log(SP_LOG_INFO, "a driver that shows no device: %s; %s", faults.idle, faults.access);
    sp_device_faults_release(&faults);
    free(message);
    return rc;
}

int sp_device_open(struct sp_device **out, const char *spec)
{
    struct sp_device_handle *handles;
    struct sp_device_info *infos = NULL;
    size_t count, chosen = 0;
    int rc;

    SP_TRY(sp_device_handles(&handles, &count));
    infos = sp_calloc(count, sizeof *infos);
    if (!infos) {
        free(handles);
        return SP_ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        infos[i] = handles[i].info;
    rc = sp_device_choose(&chosen, infos, count, spec);
    rc = tell_faults(rc, &infos[chosen]);
    if (rc == 0)
        rc = sp_device_open_handle(out, &handles[chosen]);
    free(infos);
    free(handles);
    return rc;
}

void sp_device_close(struct sp_device *device)
{
    if (!device)
        return;
    if (device->queue && SP_CL(device, clFinish(device->queue)) == 0)
        sp_driver_launch.device = NULL;
    if (device->detach)
        device->detach(device->attachment);
    sp_profile_free(device);
    if (device->queue)
        clReleaseCommandQueue(device->queue);
    if (device->context)
        clReleaseContext(device->context);
    free(device);
}

const struct sp_device_info *sp_device_info(const struct sp_device *device)
{
    return &device->info;
}

int sp_device_finish(struct sp_device *device)
{
    int rc;

    if (device->recording)
        return 0;
    rc = SP_CL(device, clFinish(device->queue));
    if (rc == 0)
        sp_driver_launch.device = NULL;
    return rc;
}

size_t sp_device_memory(const struct sp_device *device)
{
    return device->memory;
}

size_t sp_device_peak_memory(const struct sp_device *device)
{
    return device->peak_memory;
}

int sp_device_lanes(const struct sp_device *device)
{
    if (device->lanes)
        return device->lanes;
    return device->info.lanes ? 64 : 1;
}

void sp_device_set_lanes(struct sp_device *device, int lanes)
{
    device->lanes = lanes;
}

void sp_device_set_testing(struct sp_device *device, bool testing)
{
    device->testing = testing;
}

void sp_device_set_recording(struct sp_device *device, bool recording)
{
    device->recording = recording;
}

bool sp_device_recording(const struct sp_device *device)
{
    return device->recording;
}

void sp_device_attach(struct sp_device *device, void *attachment, void (*detach)(void *attachment))
{
    device->attachment = attachment;
    device->detach = detach;
}

void *sp_device_attachment(const struct sp_device *device)
{
    return device->attachment;
}
