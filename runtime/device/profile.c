/* Device time by label, from events. */
#include "runtime/device/driver.h"

#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PENDING 512 /* events kept before they are collected */
#define LABELS_MAX 4096

struct sp_profile {
    struct {
        cl_event event;
        const char *label;
    } pending[PENDING];
    size_t pending_count;
    struct sp_profile_entry *entries;
    size_t count, capacity;
};

void sp_profile_free(struct sp_device *device)
{
    struct sp_profile *profile = device->profile;

    if (!profile)
        return;
    for (size_t i = 0; i < profile->pending_count; i++)
        clReleaseEvent(profile->pending[i].event);
    free(profile->entries);
    free(profile);
    device->profile = NULL;
}

static int add(struct sp_profile *profile, const char *label, uint64_t nanoseconds)
{
    size_t i = 0;

    while (i < profile->count && profile->entries[i].label != label &&
           strcmp(profile->entries[i].label, label) != 0)
        i++;
    if (i == profile->count) {
        SP_TRY(sp_grow(&profile->entries, profile->count, &profile->capacity,
                       sizeof *profile->entries, LABELS_MAX, "profile labels"));
        profile->entries[profile->count++] = (struct sp_profile_entry){ .label = label };
    }
    profile->entries[i].count++;
    profile->entries[i].nanoseconds += nanoseconds;
    return 0;
}

/* Waits for the pending events and adds up their times. */
static int collect(struct sp_device *device)
{
    struct sp_profile *profile = device->profile;
    int rc = profile->pending_count ? SP_CL(device, clFinish(device->queue)) : 0;

    for (size_t i = 0; i < profile->pending_count; i++) {
        cl_ulong start = 0, end = 0;
        cl_event event = profile->pending[i].event;

        if (rc == 0)
            rc = SP_CL(device, clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START,
                                                       sizeof start, &start, NULL));
        if (rc == 0)
            rc = SP_CL(device, clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end,
                                                       &end, NULL));
        if (rc == 0)
            rc = add(profile, profile->pending[i].label, end > start ? end - start : 0);
        clReleaseEvent(event);
    }
    profile->pending_count = 0;
    return rc;
}

int sp_profile_note(struct sp_device *device, const char *label, cl_event event)
{
    struct sp_profile *profile = device->profile;

    if (!event)
        return 0;
    profile->pending[profile->pending_count].event = event;
    profile->pending[profile->pending_count++].label = label;
    return profile->pending_count == PENDING ? collect(device) : 0;
}

int sp_device_set_profiling(struct sp_device *device, bool on)
{
    cl_command_queue queue = NULL;
    struct sp_profile *profile = NULL;
    int rc;

    if (on == (device->profile != NULL))
        return 0;
    if (on)
        profile = sp_calloc(1, sizeof *profile);
    if (on && !profile)
        return SP_ENOMEM;
    rc = SP_CL(device, clFinish(device->queue));
    if (rc == 0)
        rc = SP_CL_NEW(device, queue, clCreateCommandQueue, device->context, device->id,
                       on ? CL_QUEUE_PROFILING_ENABLE : 0);
    if (rc < 0) {
        free(profile);
        return rc;
    }
    sp_profile_free(device);
    device->profile = profile;
    clReleaseCommandQueue(device->queue);
    device->queue = queue;
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct sp_profile_entry *x = a, *y = b;

    return x->nanoseconds < y->nanoseconds   ? 1
           : x->nanoseconds > y->nanoseconds ? -1
                                             : strcmp(x->label, y->label);
}

int sp_device_take_profile(struct sp_device *device, struct sp_profile_entry **out, size_t *count)
{
    struct sp_profile *profile = device->profile;

    if (!profile)
        return sp_error(SP_EINVAL, "the profile is asked for, but profiling is off");
    SP_TRY(collect(device));
    if (!profile->entries && !(profile->entries = sp_calloc(1, sizeof *profile->entries)))
        return SP_ENOMEM;
    qsort(profile->entries, profile->count, sizeof *profile->entries, by_time);
    *out = profile->entries;
    *count = profile->count;
    profile->entries = NULL;
    profile->count = profile->capacity = 0;
    return 0;
}
