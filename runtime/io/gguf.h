/*
 * GGUF, llama.cpp's model files (layer 4): a reader over a mapped file, of versions 2 and 3 in little-endian order. The
 * file is metadata, keys with values, and tensors; what they mean for a model is gguf_model_priv.h's.
 *
 * The reader takes the file as hostile: every length, count, offset, shape, kind and name is checked when it is opened,
 * so that what it hands out lies inside the mapping. All that is handed out is borrowed from the open file. Threading:
 * an open file is read-only; any number of threads may use it.
 */
#ifndef SP_IO_GGUF_H
#define SP_IO_GGUF_H

#include "runtime/io/tensor.h"

#include <stdbool.h>
#include <stddef.h>

struct sp_gguf;

/* Whether the path is to be read as a GGUF: a file that begins as one, or is called so (and may be damaged). */
bool sp_gguf_is(const char *path);

/* Opens and checks a file. SP_ENOTFOUND: no such file; SP_EFORMAT, SP_ELIMIT: not one that can be read, and where and
 * why. One of several that a model was split into is refused. */
int sp_gguf_open(struct sp_gguf **out, const char *path);
void sp_gguf_close(struct sp_gguf *file); /* NULL is fine */

const char *sp_gguf_path(const struct sp_gguf *file);

/* ---- metadata ---- */

/* Not NUL-terminated, and maybe no UTF-8 unless it is a key. */
struct sp_gguf_text {
    const char *data;
    size_t length;
};

/* Keys in the order of the file. */
size_t sp_gguf_keys(const struct sp_gguf *file);
struct sp_gguf_text sp_gguf_key(const struct sp_gguf *file, size_t i);

bool sp_gguf_has(const struct sp_gguf *file, const char *key);

/* Stores the value of `key`, or leaves *out as it is when the key is missing; a value of another kind is SP_EFORMAT,
 * naming file, key and both kinds. An integer may be of any width. Of a number in fp32 the double is that of its
 * shortest decimal form, 1e-05, as a configuration has it. */
int sp_gguf_get_int(long long *out, const struct sp_gguf *file, const char *key);
int sp_gguf_get_double(double *out, const struct sp_gguf *file, const char *key);
int sp_gguf_get_bool(bool *out, const struct sp_gguf *file, const char *key);
int sp_gguf_get_text(struct sp_gguf_text *out, const struct sp_gguf *file, const char *key);

/* The elements of an array that are still to be read. */
struct sp_gguf_array {
    size_t count;
    const unsigned char *at; /* of the next; little-endian, unaligned */
};
int sp_gguf_get_texts(struct sp_gguf_array *out, const struct sp_gguf *file, const char *key);
int sp_gguf_get_ints(struct sp_gguf_array *out, const struct sp_gguf *file, const char *key);   /* of 32 bits */
int sp_gguf_get_floats(struct sp_gguf_array *out, const struct sp_gguf *file, const char *key); /* of 32 bits */

/* The next element of an array of that kind, whose count must not be 0. */
struct sp_gguf_text sp_gguf_next_text(struct sp_gguf_array *texts);
int sp_gguf_next_int(struct sp_gguf_array *ints);
float sp_gguf_next_float(struct sp_gguf_array *floats);

/* ---- tensors ---- */

/* Sorted by name (strcmp), all with a form; shapes are row-major, the other way round than in the file. */
size_t sp_gguf_count(const struct sp_gguf *file);
const struct sp_tensor_info *sp_gguf_at(const struct sp_gguf *file, size_t i);
const struct sp_tensor_info *sp_gguf_find(const struct sp_gguf *file, const char *name);

/* As sp_safetensors_forget and sp_safetensors_check_unchanged. */
void sp_gguf_forget(const struct sp_gguf *file);
int sp_gguf_check_unchanged(const struct sp_gguf *file);

#endif
