/* Writes of a whole buffer that do not wait. */
#include "runtime/device/driver.h"

#include "runtime/base/mem.h"

#include <stdlib.h>

struct sp_upload {
    struct sp_buffer *buffer;
    unsigned turn;
    struct {
        void *host;
        cl_event written; /* NULL: nothing is on its way from here */
    } copy[2];
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

static int wait_for(struct sp_upload *upload, unsigned i)
{
    cl_event event = upload->copy[i].written;
    int rc;

    if (!event)
        return 0;
    rc = SP_CL(upload->buffer->device, clWaitForEvents(1, &event));
    clReleaseEvent(event);
    upload->copy[i].written = NULL;
    return rc;
}

void sp_upload_free(struct sp_upload *upload)
{
    for (unsigned i = 0; upload && i < 2; i++) {
        (void)wait_for(upload, i); /* the driver may still read from here */
        free(upload->copy[i].host);
    }
    free(upload);
}

int sp_upload_begin(void **out, struct sp_upload *upload)
{
    SP_TRY(wait_for(upload, upload->turn));
    *out = upload->copy[upload->turn].host;
    return 0;
}

int sp_upload_end(struct sp_upload *upload)
{
    struct sp_buffer *buffer = upload->buffer;
    struct sp_device *device = buffer->device;
    unsigned turn = upload->turn;
    cl_event event;

    if (device->recording)
        return 0;
    SP_TRY(SP_CL(device, clEnqueueWriteBuffer(device->queue, buffer->mem, CL_FALSE, 0, buffer->size,
                                              upload->copy[turn].host, 0, NULL, &event)));
    upload->copy[turn].written = event;
    upload->turn = !turn;
    if (!device->profile)
        return 0;
    clRetainEvent(event);
    return sp_profile_note(device, "buffer_write", event);
}
