/* GGUF files for tests: metadata and tensors are put together in memory, then written to the scratch folder. */
#ifndef SP_TESTS_GGUF_FILES_H
#define SP_TESTS_GGUF_FILES_H

#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gguf_file {
    struct sp_buf keys, entries, data;
    uint64_t key_count, tensor_count;
    uint32_t version;
    size_t alignment; /* 32; another goes with the key */
};

enum { GGUF_F32 = 0, GGUF_F16 = 1, GGUF_Q4_1 = 3, GGUF_Q8_0 = 8, GGUF_BF16 = 30 }; /* types of tensors */

/* Begins one of version 3, of that architecture (NULL: none is said). */
void gguf_begin(struct gguf_file *file, const char *architecture);

void gguf_int(struct gguf_file *file, const char *key, uint32_t value);
void gguf_float(struct gguf_file *file, const char *key, float value);
void gguf_bool(struct gguf_file *file, const char *key, bool value);
void gguf_text(struct gguf_file *file, const char *key, const char *value);
void gguf_texts(struct gguf_file *file, const char *key, const char *const *values, size_t count);
void gguf_ints(struct gguf_file *file, const char *key, const int32_t *values, size_t count);
void gguf_floats(struct gguf_file *file, const char *key, const float *values, size_t count);

/* A key of any kind, with the bytes of its value. */
void gguf_raw(struct gguf_file *file, const char *key, uint32_t kind, const void *value, size_t bytes);

/* A tensor with its dimensions in PyTorch's order (columns: 0 for a vector). */
void gguf_tensor(struct gguf_file *file, const char *name, uint32_t type, uint64_t rows, uint64_t columns,
                 const void *data, size_t bytes);

/* The same of fp32, 0, step, 2 step, ... */
void gguf_ramp(struct gguf_file *file, const char *name, uint64_t rows, uint64_t columns, float step);

/* The file's bytes, and what they are written to: a path as io_path gives it. Both end the file. */
void gguf_bytes(struct sp_buf *out, struct gguf_file *file);
const char *gguf_end(struct gguf_file *file, const char *name);

#endif
