/*
 * A tensor of a model's files (layer 4): where it lies, what its elements are, and its numbers as fp32. Everything is
 * borrowed from the open file. Stateless.
 */
#ifndef SP_IO_TENSOR_H
#define SP_IO_TENSOR_H

#include "runtime/tensor/block.h"
#include "runtime/tensor/dtype.h"

#include <stdbool.h>
#include <stddef.h>

#define SP_TENSOR_RANK 8  /* most dimensions of a tensor */
#define SP_SHAPE_TEXT 200 /* room for a shape as text */

/* How the numbers of a GGUF's tensor are made of what lies in the file. */
struct sp_tensor_form {
    const struct sp_block_type *type; /* of the data's blocks */
    /* Not 0: the rows are those of so many heads, of each of which the file has the two halves by turns, for rotary
     * embeddings that turn neighbours: 0, n/2, 1, n/2 + 1, ... */
    size_t heads;
    float added; /* what the file's numbers have on top */
};

struct sp_tensor_info {
    const char *name;
    const char *file; /* path of the file it lies in, for messages; unused by the writer */
    enum sp_dtype dtype;               /* with a form: F32 */
    const struct sp_tensor_form *form; /* NULL: the data is elements of dtype */
    size_t rank;                       /* 0: a scalar */
    size_t shape[SP_TENSOR_RANK];      /* row-major */
    const void *data;                  /* little-endian, possibly unaligned */
    size_t count;                      /* elements */
    size_t bytes;                      /* of the data */
};

/* What the data is in the file, "F32" or "Q4_1". */
const char *sp_tensor_type_name(const struct sp_tensor_info *tensor);

/* That and the shape as text, "F32 [384, 1536]"; returns `out`. */
const char *sp_tensor_describe(char out[SP_SHAPE_TEXT], const struct sp_tensor_info *tensor);

/* True when the tensor has exactly this shape. */
bool sp_tensor_has_shape(const struct sp_tensor_info *tensor, size_t rank, const size_t *shape);

/* Reads elements [first, first + count) as fp32 from F32, F16, BF16, F64 or what a form says. Another dtype, or a range
 * outside the tensor, is an error naming file and tensor. */
int sp_tensor_read_f32(float *out, const struct sp_tensor_info *tensor, size_t first, size_t count);

/* Whether a tensor's name is fit to print in a message: not empty, no control characters. */
bool sp_tensor_name_ok(const char *name);

#endif
