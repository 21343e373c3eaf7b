/*
 * Devices, their queue and their memory (layer 1). Only this folder calls OpenCL; nothing above runtime/op sees it.
 *
 * A device is opened once and owns a context and one in-order queue. Buffers belong to their device and are freed
 * before it is closed. Commands run in the order in which they are enqueued; reads wait for their data, writes copy the
 * host bytes before they return, uploads and downloads do not wait. Threading: one thread at a time per
 * device.
 */
#ifndef SP_DEVICE_DEVICE_H
#define SP_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_device;
struct sp_buffer;

enum sp_device_type { SP_DEVICE_CPU, SP_DEVICE_GPU, SP_DEVICE_OTHER };

/* A plain descriptor without handles: it can be saved, compared and made up by tests. Sizes in bytes. */
struct sp_device_info {
    int index; /* position in sp_device_list's order */
    enum sp_device_type type;
    char platform[128], name[128], vendor[128];
    char driver[128], version[128]; /* CL_DRIVER_VERSION, CL_DEVICE_VERSION */
    char platform_version[256];
    uint32_t vendor_id;
    uint32_t compute_units, clock_mhz, address_alignment;
    uint32_t vector_floats; /* that a vector register holds, by the driver; 0: unknown */
    size_t max_work_group;
    uint64_t global_memory, max_allocation, local_memory;
    bool unified_memory;
    /* the work-items of a group run in lanes of one vector: GPUs. On CPUs a work-item has the vector unit to itself */
    bool lanes;
    bool probed; /* the three below are known: a small kernel was built, run and its result checked */
    bool fp16, fp64, subgroups;
};

/* Every device of every platform once, in the loader's order, in a new array. No driver at all is SP_ENOTFOUND with a
 * message that says which packages bring one. */
int sp_device_list(struct sp_device_info **list, size_t *count);

#define SP_DEVICE_LIBRARIES "OCL_ICD_FILENAMES" /* names libraries of drivers, parted by colons */

/* Calls `visit` for each driver that the loader loads, until one fails, and returns what that did: an .icd file, or a
 * library that the environment names without one. No driver is called. */
typedef int sp_device_driver_visit(const char *path, bool is_library, void *user);
int sp_device_each_driver(sp_device_driver_visit *visit, void *user);

/* SP_EIO for an .icd file that is a pipe: the loader's first call would not return. */
int sp_device_check_pipes(void);

/* What is wrong with the drivers that are installed, each named by its .icd file with the reason, parted by ", ". */
struct sp_device_faults {
    /* those that cannot be used: the file cannot be read, the library not be loaded, or it is no driver. "" for none */
    char *broken;
    char *idle;   /* those that show no device. "" for none */
    /* how it stands with the device files of GPUs, and what to do; NULL where no idle driver could be one of a GPU */
    char *access;
    bool denied;  /* there are such files, and this user cannot open them */
};

/* After a listing, when the libraries that can be loaded are. Release it where this succeeds. */
int sp_device_faults(struct sp_device_faults *out);
void sp_device_faults_release(struct sp_device_faults *faults);

/* Fills the tested features by building and running kernels. A device that fails to open is an error naming it. */
int sp_device_probe(struct sp_device_info *info);

/* Position in `list` that `spec` chooses: NULL or "auto" (first GPU, else first of the list), an index, "cpu", "gpu",
 * "vendor:intel", or a part of the device's or platform's name without regard to case. A spec that matches nothing is
 * SP_ENOTFOUND and lists what there is. */
int sp_device_choose(size_t *out, const struct sp_device_info *list, size_t count, const char *spec);

int sp_device_open(struct sp_device **out, const char *spec);
void sp_device_close(struct sp_device *device); /* NULL is fine */
const struct sp_device_info *sp_device_info(const struct sp_device *device);

/* How many work-items of a group share a row in the kernels of runtime/op/geometry.h: 1, or where they run in lanes 64.
 * Tests set others (1 or a multiple of 32); 0 restores the device's own. */
int sp_device_lanes(const struct sp_device *device);
void sp_device_set_lanes(struct sp_device *device, int lanes);

/* Waits for every command; reports what failed since the last wait. */
int sp_device_finish(struct sp_device *device);

/* The self-test is at work: what it allocates for itself does not count in the peak, and a driver's error gives no
 * advice about the size of the work, which is not at fault. */
void sp_device_set_testing(struct sp_device *device, bool testing);

/* Device memory: bytes of all buffers now and at most so far (views are not counted). */
size_t sp_device_memory(const struct sp_device *device);
size_t sp_device_peak_memory(const struct sp_device *device);

/* Uninitialised memory; larger than the device allows is SP_ELIMIT with both sizes. A size of 0 makes 4 bytes. */
int sp_buffer_create(struct sp_buffer **out, struct sp_device *device, size_t bytes);
int sp_buffer_create_zeros(struct sp_buffer **out, struct sp_device *device, size_t bytes); /* bytes: a multiple of 4 */

/* A window on `parent`, which must outlive it (views of views are views of the root). `offset` must be a multiple of
 * sp_buffer_alignment(device). */
int sp_buffer_view(struct sp_buffer **out, struct sp_buffer *parent, size_t offset, size_t bytes);
size_t sp_buffer_alignment(const struct sp_device *device); /* at least 64 */
void sp_buffer_free(struct sp_buffer *buffer); /* NULL is fine */
size_t sp_buffer_size(const struct sp_buffer *buffer);
struct sp_device *sp_buffer_device(const struct sp_buffer *buffer);

int sp_buffer_write(struct sp_buffer *buffer, size_t offset, const void *data, size_t bytes);
int sp_buffer_read(void *out, struct sp_buffer *buffer, size_t offset, size_t bytes);
int sp_buffer_fill(struct sp_buffer *buffer, size_t offset, uint32_t word, size_t bytes); /* bytes: a multiple of 4 */
int sp_buffer_copy(struct sp_buffer *out, size_t out_offset, struct sp_buffer *in, size_t in_offset, size_t bytes);

/* Writes of a whole buffer that do not wait: two copies on the host take turns, one being filled while the other is on
 * its way. */
struct sp_upload;
int sp_upload_create(struct sp_upload **out, struct sp_buffer *buffer); /* the buffer must outlive it */
void sp_upload_free(struct sp_upload *upload);                          /* NULL is fine */

/* The copy whose turn it is, of the buffer's size, with what it held last; it waits only where that is still being
 * written. */
int sp_upload_begin(void **out, struct sp_upload *upload);
int sp_upload_end(struct sp_upload *upload); /* enqueues the write of the copy that was begun */

/* Reads that do not wait, of what buffers hold when all that was enqueued before is done: two copies on the host take
 * turns, one being looked at or on its way while the other is. */
struct sp_download;
struct sp_download_part {
    struct sp_buffer *buffer;
    size_t bytes; /* of its beginning */
};
/* `size`: of a copy. The device must outlive it. */
int sp_download_create(struct sp_download **out, struct sp_device *device, size_t size);
void sp_download_free(struct sp_download *download); /* NULL is fine */

/* Enqueues the reads of the parts, end to end into one copy. At most two copies are on their way. */
int sp_download_begin(struct sp_download *download, const struct sp_download_part *parts, size_t count);

/* Waits for the older copy that is on its way, and for nothing that was enqueued behind it. *out stays until the next
 * but one begins. */
int sp_download_end(const void **out, struct sp_download *download);

/* Host access in place (zero-copy on CPUs); unmap before the device uses it. */
int sp_buffer_map(void **out, struct sp_buffer *buffer, bool write);
int sp_buffer_unmap(struct sp_buffer *buffer, void *mapped);

/* In recording, kernel launches only note which program they need (runtime/kernel/launch.h) and buffer commands do
 * nothing (a read gives zeros, a mapping is real): a walk over a plan in recording lists exactly what must be built and
 * tuned. */
void sp_device_set_recording(struct sp_device *device, bool recording);
bool sp_device_recording(const struct sp_device *device);

/* Device time by label from events; turning it on after opening is allowed. Off, it costs nothing. */
struct sp_profile_entry {
    const char *label; /* borrowed from the device */
    uint64_t count, nanoseconds;
};
int sp_device_set_profiling(struct sp_device *device, bool on);
/* Totals since profiling was turned on or last taken, largest first, in a new array; waits for the queue. */
int sp_device_take_profile(struct sp_device *device, struct sp_profile_entry **out, size_t *count);

#endif
