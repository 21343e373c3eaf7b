/* Writes and reads that do not wait: two copies on the host take turns. */
#include "runtime/device/driver.h"

#include "runtime/base/mem.h"

#include <stdlib.h>

/* One of two copies on the host. */
struct copy {
    void *host;
    cl_mem pinned;  /* of a download: whose memory it is */
    cl_event event; /* of the last command from or to it; NULL: nothing is on its way */
};

static int wait_for(struct sp_device *device, struct copy *copy)
{
    cl_event event = copy->event;
    int rc;

    if (!event)
        return 0;
    rc = SP_CL(device, clWaitForEvents(1, &event));
    clReleaseEvent(event);
    copy->event = NULL;
    return rc;
}

/* A command was enqueued after all others of the copy's; the event is taken. */
static int note(struct sp_device *device, struct copy *copy, const char *label, cl_event event)
{
    if (copy->event)
        clReleaseEvent(copy->event);
    copy->event = event;
    if (!device->profile)
        return 0;
    clRetainEvent(event);
    return sp_profile_note(device, label, event);
}

/* ---- writes ------------------------------------------------------------------------------------------------------ */

struct sp_upload {
    struct sp_buffer *buffer;
    unsigned turn;
    struct copy copy[2];
};

int sp_upload_create(struct sp_upload **out, struct sp_buffer *buffer)
{
    struct sp_upload *upload = sp_calloc(1, sizeof *upload);

    if (!upload)
        return SP_ENOMEM;
    upload->buffer = buffer;
    for (int i = 0; i < 2; i++)
        upload->copy[i].host = sp_calloc(1, buffer->size);
    if (!upload->copy[0].host || !upload->copy[1].host) {
        sp_upload_free(upload);
        return SP_ENOMEM;
    }
    *out = upload;
    return 0;
}

void sp_upload_free(struct sp_upload *upload)
{
    for (unsigned i = 0; upload && i < 2; i++) {
        (void)wait_for(upload->buffer->device, &upload->copy[i]); /* the driver may still read from here */
        free(upload->copy[i].host);
    }
    free(upload);
}

int sp_upload_begin(void **out, struct sp_upload *upload)
{
    SP_TRY(wait_for(upload->buffer->device, &upload->copy[upload->turn]));
    *out = upload->copy[upload->turn].host;
    return 0;
}

int sp_upload_end(struct sp_upload *upload)
{
    struct sp_buffer *buffer = upload->buffer;
    struct sp_device *device = buffer->device;
    struct copy *copy = &upload->copy[upload->turn];
    cl_event event;

    if (device->recording)
        return 0;
    SP_TRY(SP_CL(device, clEnqueueWriteBuffer(device->queue, buffer->mem, CL_FALSE, 0, buffer->size, copy->host, 0,
                                              NULL, &event)));
    upload->turn = !upload->turn;
    return note(device, copy, "buffer_write", event);
}

/* ---- reads ------------------------------------------------------------------------------------------------------- */

struct sp_download {
    struct sp_device *device;
    size_t size;
    unsigned begun, ended; /* how many */
    struct copy copy[2];
};

/* Some drivers read into other memory than this, which the device can reach by itself, only while the caller waits. */
static int pin(struct copy *copy, struct sp_device *device, size_t size)
{
    SP_TRY(SP_CL_NEW(device, copy->pinned, clCreateBuffer, device->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR,
                     size, NULL));
    SP_TRY(SP_CL_NEW(device, copy->host, clEnqueueMapBuffer, device->queue, copy->pinned, CL_TRUE,
                     CL_MAP_READ | CL_MAP_WRITE, 0, size, 0, NULL, NULL));
    if (!copy->host)
        return sp_error(SP_EDEVICE, "%s: clEnqueueMapBuffer gives no memory and no error", device->info.name);
    return 0;
}

int sp_download_create(struct sp_download **out, struct sp_device *device, size_t size)
{
    struct sp_download *download = sp_calloc(1, sizeof *download);
    int rc = download ? 0 : SP_ENOMEM;

    SP_TRY(rc);
    *download = (struct sp_download){ .device = device, .size = size };
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = pin(&download->copy[i], device, size);
    if (rc < 0) {
        sp_download_free(download);
        return rc;
    }
    *out = download;
    return 0;
}

void sp_download_free(struct sp_download *download)
{
    for (unsigned i = 0; download && i < 2; i++) {
        struct copy *copy = &download->copy[i];

        (void)wait_for(download->device, copy); /* the driver may still write to here */
        if (copy->host)
            (void)SP_CL(download->device, clEnqueueUnmapMemObject(download->device->queue, copy->pinned, copy->host, 0,
                                                                  NULL, NULL));
        if (copy->pinned)
            clReleaseMemObject(copy->pinned);
    }
    free(download);
}

int sp_download_begin(struct sp_download *download, const struct sp_download_part *parts, size_t count)
{
    struct sp_device *device = download->device;
    struct copy *copy = &download->copy[download->begun % 2];
    char *host = copy->host;

    if (device->recording)
        return 0;
    if (download->begun - download->ended == 2)
        return sp_error(SP_EINVAL, "two downloads are on their way already");
    for (size_t i = 0; i < count; i++) {
        cl_event event;
        size_t bytes = parts[i].bytes;

        if (bytes > download->size - (size_t)(host - (char *)copy->host) || bytes > parts[i].buffer->size)
            return sp_error(SP_EINVAL, "%zu bytes are too many for a download", bytes);
        SP_TRY(SP_CL(device, clEnqueueReadBuffer(device->queue, parts[i].buffer->mem, CL_FALSE, 0, bytes, host, 0, NULL,
                                                 &event)));
        SP_TRY(note(device, copy, "buffer_read", event));
        host += bytes;
    }
    download->begun++;
    return 0;
}

int sp_download_end(const void **out, struct sp_download *download)
{
    struct copy *copy = &download->copy[download->ended % 2];

    if (download->begun == download->ended)
        return sp_error(SP_EINVAL, "no download is on its way");
    SP_TRY(wait_for(download->device, copy));
    *out = copy->host;
    download->ended++;
    return 0;
}
