/*
 * Programs and kernels (layer 1), for runtime/kernel alone. A program belongs to its device and
 * outlives its functions; both are freed before the device closes. Threading: as the device.
 */
#ifndef SP_DEVICE_PROGRAM_H
#define SP_DEVICE_PROGRAM_H

#include "runtime/device/device.h"

struct sp_program;
struct sp_function; /* one kernel of a program, with its arguments */

/* Builds OpenCL C. `name` stands for the source in messages. A failure is SP_EBUILD with the first
 * lines of the driver's log. */
int sp_program_build(struct sp_program **out, struct sp_device *device, const char *source,
                     const char *options, const char *name);

/* The same from what sp_program_binary gave; a driver that does not take it is an error. */
int sp_program_load(struct sp_program **out, struct sp_device *device, const void *binary,
                    size_t size, const char *options, const char *name);

/* The driver's binary, freed by the caller; SP_ENOTFOUND when the driver has none to give. */
int sp_program_binary(void **out, size_t *size, struct sp_program *program);
void sp_program_free(struct sp_program *program); /* NULL is fine */

int sp_function_create(struct sp_function **out, struct sp_program *program, const char *kernel);
void sp_function_free(struct sp_function *function); /* NULL is fine */

/* Sets argument `index` to a buffer (NULL: a null pointer), or to `size` bytes. */
int sp_function_set_buffer(struct sp_function *function, unsigned index,
                           const struct sp_buffer *buffer);
int sp_function_set_bytes(struct sp_function *function, unsigned index, const void *bytes,
                          size_t size);

/* Enqueues over `global` work-items in groups of `local`; `label` (a literal) names it in profiles.
 */
int sp_function_run(struct sp_function *function, const size_t global[3], const size_t local[3],
                    const char *label);

/* One slot for the layer above, freed by `detach` when the device closes. */
void sp_device_attach(struct sp_device *device, void *attachment, void (*detach)(void *attachment));
void *sp_device_attachment(const struct sp_device *device);

#endif
