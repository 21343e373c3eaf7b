/*
 * The elements of a tensor on the device as fp32 on the host (layer 2), whatever their type there. Both wait for the
 * device. Threading: as the device.
 */
#ifndef SP_TENSOR_ELEMENTS_H
#define SP_TENSOR_ELEMENTS_H

#include "runtime/device/device.h"
#include "runtime/tensor/dtype.h"

/* The buffer's first `count` elements of a floating type; writing rounds to nearest. */
int sp_elements_read(float *out, struct sp_buffer *buffer, enum sp_dtype dtype, size_t count);
int sp_elements_write(struct sp_buffer *buffer, enum sp_dtype dtype, const float *values, size_t count);

#endif
