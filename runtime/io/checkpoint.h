/*
 * A pretrained model (layer 4): a folder as Hugging Face lays it out, config.json, and model.safetensors or
 * model.safetensors.index.json with its shards; or a GGUF file, llama.cpp's, of which the same is made: the
 * configuration of its metadata, tensors under Hugging Face's names, which become fp32 where they are read. All files
 * are mapped. Everything handed out is borrowed from the open checkpoint. Threading: read-only once open, but for
 * sp_checkpoint_checksum, which caches: call that from one thread at a time.
 */
#ifndef SP_IO_CHECKPOINT_H
#define SP_IO_CHECKPOINT_H

#include "runtime/io/safetensors.h"

#include <jansson.h>
#include <stddef.h>

struct sp_checkpoint;

/* What a model's folder has beside the weights themselves and the tokenizer; ends in NULL. */
extern const char *const sp_checkpoint_files[];

/*
 * The folder or GGUF file that a user's name stands for, in a new string: `name_or_path` itself if it is one, else
 * <cache>/models/<name_or_path>, or that with ".gguf" behind it. SP_ENOTFOUND says where was looked and how to get a
 * model.
 */
int sp_checkpoint_resolve(char **dir, const char *name_or_path);

/* What says how the model at that path is made up, for messages: its config.json, or the GGUF file itself. In a new
 * string; NULL when out of memory. */
char *sp_checkpoint_config_path(const char *dir);

#define SP_CHECKPOINT_CONFIG_LIMIT ((size_t)1 << 20) /* bytes of config.json */

/* Opens the folder or file: config.json must be an object; every shard of an index must be there and hold exactly the
 * tensors that the index says; a GGUF must be of an architecture that is known, with no tensor that is not. */
int sp_checkpoint_open(struct sp_checkpoint **out, const char *dir);

/* The same, with a word about config.json before the weights are looked for: an error of `accept`'s is the result. */
typedef int sp_checkpoint_accept(const json_t *config, void *user);
int sp_checkpoint_open_if(struct sp_checkpoint **out, const char *dir, sp_checkpoint_accept *accept, void *user);
void sp_checkpoint_close(struct sp_checkpoint *checkpoint); /* NULL is fine */

const char *sp_checkpoint_dir(const struct sp_checkpoint *checkpoint);      /* or file */
const json_t *sp_checkpoint_config(const struct sp_checkpoint *checkpoint); /* config.json, or what is made of a GGUF */

/* What tokenizer.json and tokenizer_config.json would be, made of a GGUF for the caller; both NULL for a folder, which
 * may have these files. SP_ENOTFOUND: the GGUF has no tokenizer, or one of a kind that is not supported. */
int sp_checkpoint_tokenizer(json_t **definition, json_t **config, const struct sp_checkpoint *checkpoint);

/* What a trainer that wraps models has left before all names in the files, "module." or "_orig_mod.model."; "" for
 * nothing. The names below are without it. A decoder's own "model." is none. */
const char *sp_checkpoint_wrapper(const struct sp_checkpoint *checkpoint);

/* Tensors of all shards, sorted by name (strcmp). */
size_t sp_checkpoint_count(const struct sp_checkpoint *checkpoint);
const struct sp_tensor_info *sp_checkpoint_at(const struct sp_checkpoint *checkpoint, size_t i);

/* The tensor of that name, or NULL. */
const struct sp_tensor_info *sp_checkpoint_find(const struct sp_checkpoint *checkpoint,
                                                const char *name);

/* Gives all mappings' resident pages back, for use once the weights are on the device. */
void sp_checkpoint_forget(const struct sp_checkpoint *checkpoint);

/* SP_EIO when a file of the weights was written to since it was opened; what was read of them is then not known. */
int sp_checkpoint_check_unchanged(const struct sp_checkpoint *checkpoint);

/*
 * SHA-256, in hexadecimal, over every tensor's name, type, shape and bytes in the order of the names, all as they are
 * in the files: the same for the same weights however they are sharded, but not for a GGUF and a folder made of it.
 * Computed at the first call (0.1 to 0.5 s for 90 MB), kept, and borrowed. It is that of the weights as they were when
 * the checkpoint was opened: SP_EIO when a file was written to between that and the first call. The exact bytes hashed
 * are in doc/adapter-format.md.
 */
int sp_checkpoint_checksum(const char **out, struct sp_checkpoint *checkpoint);

#endif
