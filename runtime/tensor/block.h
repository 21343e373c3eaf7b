/*
 * ggml's (llama.cpp's) types of tensors (layer 2): numbers lie in blocks, quantised ones with the scales that they
 * share, and the last dimension is whole blocks. fp32 is made of them exactly as ggml's reference does it: every
 * product here fits into fp32, so that no order of operations changes a bit. Stateless; safe from any thread.
 */
#ifndef SP_TENSOR_BLOCK_H
#define SP_TENSOR_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#define SP_BLOCK_ELEMENTS 256 /* most in one block */

struct sp_block_type {
    const char *name; /* ggml's, "Q4_K" */
    uint32_t id;      /* its number in files */
    size_t elements, bytes; /* of one block */
    /* `in` may be unaligned; NULL: not read */
    void (*to_f32)(float *out, const unsigned char *in, size_t blocks);
};

/* The type of that number, or NULL; of some nothing but the name is known. */
const struct sp_block_type *sp_block_type_find(uint32_t id);

/* The names of those that are read: "F32, F16, ...". */
#define SP_BLOCK_TYPES_TEXT 256
const char *sp_block_types(char out[SP_BLOCK_TYPES_TEXT]);

#endif
