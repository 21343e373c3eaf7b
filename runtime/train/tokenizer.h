/* A model's tokenizer, be it that of a folder's files or the one inside a GGUF (layer 5). */
#ifndef SP_TRAIN_TOKENIZER_H
#define SP_TRAIN_TOKENIZER_H

#include "runtime/base/hash.h"
#include "runtime/io/checkpoint.h"
#include "runtime/text/chat.h"
#include "runtime/text/tokenizer.h"

/* The tokenizer of the model at that path; `checkpoint` is the model, which may be NULL for a folder. SP_ENOTFOUND:
 * there is none, or it is of a kind that is not supported. The caller frees it. */
int sp_train_tokenizer_load(struct sp_tokenizer **out, const char *path, const struct sp_checkpoint *checkpoint);

/* The model's chat form, likewise; SP_ENOTFOUND: it has none. */
int sp_train_chat_load(struct sp_chat *out, const char *path, const struct sp_checkpoint *checkpoint);

/* Of the tokenizer's files in a model directory as they are now, or of what is made of a GGUF; of nothing where there
 * is none. SP_EIO when a file cannot be read. */
int sp_train_tokenizer_checksum(char hex[SP_HASH_HEX], const struct sp_checkpoint *checkpoint);

#endif
