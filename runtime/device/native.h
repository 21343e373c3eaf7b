/*
 * The driver's own handles (layer 1), for runtime/op's use of CLBlast and nothing else. Borrowed:
 * they live as long as what they come from, and the queue only until profiling is switched.
 *
 *     void *event = NULL, *queue = sp_native_begin(device, "clblast_sgemm");
 *     status = CLBlastSgemm(..., queue, sp_native_profiling(device) ? &event : NULL);
 *     SP_TRY(sp_native_end(device, event));
 */
#ifndef SP_DEVICE_NATIVE_H
#define SP_DEVICE_NATIVE_H

#include "runtime/device/device.h"

void *
sp_native_buffer(struct sp_buffer *buffer); /* cl_mem; of a view a sub-buffer: its offset is 0 */

/* Around the foreign calls: gives the cl_command_queue and tells the crash guard who is at work.
 * `label`, a literal, names them in profiles; the event (a cl_event, or NULL) goes to the profile.
 */
void *sp_native_begin(struct sp_device *device, const char *label);
int sp_native_end(struct sp_device *device, void *event);
bool sp_native_profiling(const struct sp_device *device);

#endif
