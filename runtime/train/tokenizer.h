/* A model's tokenizer, be it that of a folder's files or the one inside a GGUF (layer 5). */
#ifndef SP_TRAIN_TOKENIZER_H
#define SP_TRAIN_TOKENIZER_H

#include "runtime/base/hash.h"
#include "runtime/io/checkpoint.h"
#include "runtime/text/chat.h"
#include "runtime/text/tokenizer.h"

struct sp_run;

/* The tokenizer of the model at that path; `checkpoint` is the model, which may be NULL for a folder. SP_ENOTFOUND:
 * there is none, or it is of a kind that is not supported. The caller frees it. */
int sp_train_tokenizer_load(struct sp_tokenizer **out, const char *path, const struct sp_checkpoint *checkpoint);

/* The model's chat form, likewise; SP_ENOTFOUND: it has none. */
int sp_train_chat_load(struct sp_chat *out, const char *path, const struct sp_checkpoint *checkpoint);

/* The tokens at which a text that the opened run's model writes is over: those that generation_config.json says
 * ("eos_token_id", a number or a list), else config.json, else the tokenizer; none is an empty list. *out is the
 * caller's to free. */
int sp_train_end_tokens(uint32_t **out, size_t *count, const struct sp_run *run);

/* The one that a text to learn ends in: the tokenizer's, as trainers take it, else the first that config.json says;
 * SP_TOKEN_NONE: neither says one that the model has. */
uint32_t sp_train_end_token(const struct sp_run *run);

/* Of the tokenizer's files in a model directory as they are now, or of what is made of a GGUF; of nothing where there
 * is none. SP_EIO when a file cannot be read. */
int sp_train_tokenizer_checksum(char hex[SP_HASH_HEX], const struct sp_checkpoint *checkpoint);

#endif
