#include "runtime/device/native.h"

#include "runtime/device/driver.h"

void *sp_native_buffer(struct sp_buffer *buffer)
{
    return buffer->mem;
}

void *sp_native_begin(struct sp_device *device, const char *label)
{
    sp_driver_activity("running", label);
    sp_driver_enter(device, label);
    sp_driver_launch = (struct sp_driver_launch){ device, label };
    return device->queue;
}

int sp_native_end(struct sp_device *device, void *event)
{
    const char *label = sp_driver_call.subject;

    sp_driver_leave(CL_SUCCESS);
    sp_driver_activity(NULL, NULL);
    return sp_profile_note(device, label, event);
}

bool sp_native_profiling(const struct sp_device *device)
{
    return device->profile != NULL;
}
