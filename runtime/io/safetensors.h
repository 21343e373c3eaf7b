/*
 * safetensors files (layer 4): a reader over a mapped file, and an atomic writer.
 *
 * The reader takes the file as hostile: every length, offset, shape and name is checked when it is
 * opened, so that what it hands out lies inside the mapping. Names, paths and data are borrowed
 * from the open file and die with it. Threading: an open file is read-only; any number of threads
 * may use it.
 */
#ifndef SP_IO_SAFETENSORS_H
#define SP_IO_SAFETENSORS_H

#include "runtime/base/fs.h"
#include "runtime/io/tensor.h"

#include <stddef.h>

struct sp_safetensors;

/* Opens and checks a file. SP_ENOTFOUND: no such file; SP_EFORMAT, SP_ELIMIT: not one that can be
 * read, and why. */
int sp_safetensors_open(struct sp_safetensors **out, const char *path);
int sp_safetensors_open_fd(struct sp_safetensors **out, int fd, const char *path); /* an open file, which is closed */
void sp_safetensors_close(struct sp_safetensors *file); /* NULL is fine */

/* Tensors in the order of their data in the file. */
size_t sp_safetensors_count(const struct sp_safetensors *file);
const struct sp_tensor_info *sp_safetensors_at(const struct sp_safetensors *file, size_t i);

/* The tensor of that name, or NULL. */
const struct sp_tensor_info *sp_safetensors_find(const struct sp_safetensors *file,
                                                 const char *name);

/* A string of the header's __metadata__, or NULL. */
const char *sp_safetensors_metadata(const struct sp_safetensors *file, const char *key);

/* Gives the mapping's resident pages back to the system; they are read again when touched. */
void sp_safetensors_forget(const struct sp_safetensors *file);

/* SP_EIO when the file was written to since it was opened, so that it is not known what was read of it. One that was
 * renamed over it is no matter. */
int sp_safetensors_check_unchanged(const struct sp_safetensors *file);

/*
 * Writes the tensors to `path`, replacing it only when everything is on disk; on failure nothing is
 * left. Only name, dtype, rank, shape and data are read; count and bytes follow from them. The data
 * goes from the caller's memory to the file without a copy. Names must be unique and free of
 * control characters. __metadata__ is {"format": "pt"}, which transformers expects.
 */
int sp_safetensors_write(const char *path, const struct sp_tensor_info *tensors, size_t count);

/* The same with strings of __metadata__ beside "format"; `entries` of them, key and value by turns. */
int sp_safetensors_write_metadata(const char *path, const struct sp_tensor_info *tensors, size_t count,
                                  const char *const (*metadata)[2], size_t entries);

/*
 * The same in pieces, for what is made tensor by tensor: open writes the header for tensors whose data
 * will come in their order through sp_safetensors_put, and commit refuses a file that is not whole.
 * The data pointers are not read. Tensors of larger elements must come first, for the sake of readers'
 * alignment.
 */
struct sp_safetensors_writer {
    struct sp_fs_writer writer;
    size_t missing; /* bytes still to come */
};
int sp_safetensors_writer_open(struct sp_safetensors_writer *out, const char *path,
                               const struct sp_tensor_info *tensors, size_t count);
/* The same into an open file, which the writer takes, after failures too. */
int sp_safetensors_writer_begin(struct sp_safetensors_writer *out, struct sp_fs_writer *file,
                                const struct sp_tensor_info *tensors, size_t count);
int sp_safetensors_put(struct sp_safetensors_writer *writer, const void *data, size_t bytes);
int sp_safetensors_writer_commit(struct sp_safetensors_writer *writer);
void sp_safetensors_writer_abandon(struct sp_safetensors_writer *writer); /* safe after commit, and on a zeroed one */

#endif
