/* Element types of tensors (layer 2), and their conversion to fp32 on the host. Stateless; safe
 * from any thread. */
#ifndef SP_TENSOR_DTYPE_H
#define SP_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

enum sp_dtype {
#define SP_DTYPE(name, bytes, floating) SP_##name,
#include "runtime/tensor/dtype.def"
#undef SP_DTYPE
    SP_DTYPE_COUNT
};

/* "F32" and the like, as safetensors spells them. */
const char *sp_dtype_name(enum sp_dtype dtype);

/* The type called `name` in *out; false when there is none. */
bool sp_dtype_find(enum sp_dtype *out, const char *name);

size_t sp_dtype_size(enum sp_dtype dtype); /* bytes of an element */
bool sp_dtype_is_float(enum sp_dtype dtype);

/* Bytes of `count` numbers in fp32, in which gradients and optimizers' states are kept whatever the type of a model's
 * own. */
static inline size_t sp_f32_bytes(size_t count)
{
    return count * sizeof(float);
}

/* Converts `count` little-endian elements of a floating type to fp32, rounding F64 to nearest. `in`
 * may be unaligned. */
void sp_dtype_to_f32(float *out, enum sp_dtype dtype, const void *in, size_t count);

/* The other way, each rounded to the nearest of the type, ties to even; `out` may be unaligned. What is too large
 * becomes infinite, and NaN stays NaN. */
void sp_dtype_from_f32(void *out, enum sp_dtype dtype, const float *in, size_t count);

#endif
