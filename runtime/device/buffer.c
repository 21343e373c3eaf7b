/* Device memory: whole buffers, windows on them, and moving bytes. */
#include "runtime/device/driver.h"

#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MIB(bytes) ((double)(bytes) / (1 << 20))

static int check_size(const struct sp_device *device, size_t bytes)
{
    const struct sp_device_info *info = &device->info;

    if (bytes > info->max_allocation)
        return sp_error(
            SP_ELIMIT,
            "%s allows %.1f MiB in one allocation, and %.1f MiB are needed: use a smaller batch or "
            "model, or another device",
            info->name, MIB(info->max_allocation), MIB(bytes));
    if (device->memory > info->global_memory || bytes > info->global_memory - device->memory)
        return sp_error(
            SP_ELIMIT,
            "%s has %.1f MiB of memory, %.1f MiB are in use, and %.1f MiB more are needed: use a "
            "smaller batch or model, or another device",
            info->name, MIB(info->global_memory), MIB(device->memory), MIB(bytes));
    return 0;
}

int sp_buffer_create(struct sp_buffer **out, struct sp_device *device, size_t bytes)
{
    cl_mem_flags flags =
        CL_MEM_READ_WRITE | (device->info.unified_memory ? CL_MEM_ALLOC_HOST_PTR : 0);
    struct sp_buffer *buffer;
    int rc;

    bytes = bytes ? bytes : 4;
    SP_TRY(check_size(device, bytes));
    buffer = sp_calloc(1, sizeof *buffer);
    if (!buffer)
        return SP_ENOMEM;
    *buffer = (struct sp_buffer){ .device = device, .size = bytes };
    rc = SP_CL_NEW(device, buffer->mem, clCreateBuffer, device->context, flags, bytes, NULL);
    if (rc < 0) {
        free(buffer);
        return sp_error_context(rc, "while allocating %.1f MiB", MIB(bytes));
    }
    device->memory += bytes;
    if (device->memory > device->peak_memory && !device->testing)
        device->peak_memory = device->memory;
    *out = buffer;
    return 0;
}

int sp_buffer_create_zeros(struct sp_buffer **out, struct sp_device *device, size_t bytes)
{
    SP_TRY(sp_buffer_create(out, device, bytes));
    return sp_buffer_fill(*out, 0, 0, sp_buffer_size(*out));
}

int sp_buffer_view(struct sp_buffer **out, struct sp_buffer *parent, size_t offset, size_t bytes)
{
    struct sp_buffer *root = parent->root ? parent->root : parent, *view;
    cl_buffer_region region;
    int rc;

    bytes = bytes ? bytes : 4;
    if (offset % sp_buffer_alignment(parent->device) != 0)
        return sp_error(SP_EINVAL, "a view at offset %zu is not aligned to %zu bytes", offset,
                        sp_buffer_alignment(parent->device));
    if (offset > parent->size || bytes > parent->size - offset)
        return sp_error(SP_EINVAL, "a view of %zu bytes at %zu does not fit in %zu bytes", bytes,
                        offset, parent->size);
    view = sp_calloc(1, sizeof *view);
    if (!view)
        return SP_ENOMEM;
    *view = (struct sp_buffer){
        .device = parent->device, .root = root, .offset = parent->offset + offset, .size = bytes
    };
    region = (cl_buffer_region){ .origin = view->offset, .size = bytes };
    rc = SP_CL_NEW(parent->device, view->mem, clCreateSubBuffer, root->mem, CL_MEM_READ_WRITE,
                   CL_BUFFER_CREATE_TYPE_REGION, &region);
    if (rc < 0) {
        free(view);
        return rc;
    }
    *out = view;
    return 0;
}

size_t sp_buffer_alignment(const struct sp_device *device)
{
    return device->info.address_alignment;
}

void sp_buffer_free(struct sp_buffer *buffer)
{
    if (!buffer)
        return;
    clReleaseMemObject(buffer->mem);
    if (!buffer->root)
        buffer->device->memory -= buffer->size;
    free(buffer);
}

size_t sp_buffer_size(const struct sp_buffer *buffer)
{
    return buffer->size;
}

struct sp_device *sp_buffer_device(const struct sp_buffer *buffer)
{
    return buffer->device;
}

static int check_range(const struct sp_buffer *buffer, size_t offset, size_t bytes,
                       const char *doing)
{
    if (offset > buffer->size || bytes > buffer->size - offset)
        return sp_error(SP_EINVAL, "%s %zu bytes at %zu does not fit in a buffer of %zu bytes",
                        doing, bytes, offset, buffer->size);
    return 0;
}

int sp_buffer_write(struct sp_buffer *buffer, size_t offset, const void *data, size_t bytes)
{
    struct sp_device *device = buffer->device;
    cl_event event = NULL;

    SP_TRY(check_range(buffer, offset, bytes, "writing"));
    if (bytes == 0 || device->recording)
        return 0;
    SP_TRY(SP_CL(device, clEnqueueWriteBuffer(device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                              data, 0, NULL, sp_profile_event(device, &event))));
    return sp_profile_note(device, "buffer_write", event);
}

int sp_buffer_read(void *out, struct sp_buffer *buffer, size_t offset, size_t bytes)
{
    struct sp_device *device = buffer->device;
    cl_event event = NULL;

    SP_TRY(check_range(buffer, offset, bytes, "reading"));
    if (device->recording)
        memset(out, 0, bytes);
    if (bytes == 0 || device->recording)
        return 0;
    SP_TRY(SP_CL(device, clEnqueueReadBuffer(device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                             out, 0, NULL, sp_profile_event(device, &event))));
    return sp_profile_note(device, "buffer_read", event);
}

int sp_buffer_fill(struct sp_buffer *buffer, size_t offset, uint32_t word, size_t bytes)
{
    struct sp_device *device = buffer->device;
    cl_event event = NULL;

    SP_TRY(check_range(buffer, offset, bytes, "filling"));
    if (bytes % 4 != 0 || offset % 4 != 0)
        return sp_error(SP_EINVAL, "filling %zu bytes at %zu: both must be multiples of 4", bytes,
                        offset);
    if (bytes == 0 || device->recording)
        return 0;
    SP_TRY(SP_CL(device, clEnqueueFillBuffer(device->queue, buffer->mem, &word, sizeof word, offset,
                                             bytes, 0, NULL, sp_profile_event(device, &event))));
    return sp_profile_note(device, "buffer_fill", event);
}

int sp_buffer_copy(struct sp_buffer *out, size_t out_offset, struct sp_buffer *in, size_t in_offset,
                   size_t bytes)
{
    struct sp_device *device = out->device;
    cl_event event = NULL;

    SP_TRY(check_range(in, in_offset, bytes, "copying"));
    SP_TRY(check_range(out, out_offset, bytes, "copying"));
    if (bytes == 0 || device->recording)
        return 0;
    SP_TRY(
        SP_CL(device, clEnqueueCopyBuffer(device->queue, in->mem, out->mem, in_offset, out_offset,
                                          bytes, 0, NULL, sp_profile_event(device, &event))));
    return sp_profile_note(device, "buffer_copy", event);
}

int sp_buffer_map(void **out, struct sp_buffer *buffer, bool write)
{
    struct sp_device *device = buffer->device;

    SP_TRY(SP_CL_NEW(device, *out, clEnqueueMapBuffer, device->queue, buffer->mem, CL_TRUE,
                     write ? CL_MAP_READ | CL_MAP_WRITE : CL_MAP_READ, 0, buffer->size, 0, NULL,
                     NULL));
    return *out ? 0 : sp_error(SP_EDEVICE, "%s: clEnqueueMapBuffer gives no memory and no error", device->info.name);
}

int sp_buffer_unmap(struct sp_buffer *buffer, void *mapped)
{
    struct sp_device *device = buffer->device;

    return SP_CL(device,
                 clEnqueueUnmapMemObject(device->queue, buffer->mem, mapped, 0, NULL, NULL));
}
