/* A BPE's merges, as tokenizer.json has them (layer 4, private to this folder): a GGUF's own, or made of the scores
 * that SentencePiece's vocabularies have in place of merges. */
#ifndef SP_IO_GGUF_MERGES_PRIV_H
#define SP_IO_GGUF_MERGES_PRIV_H

#include "runtime/io/gguf.h"

#include <jansson.h>

/* The file's merges under that key, each two tokens with a space between. */
int sp_gguf_merges(json_t **out, const struct sp_gguf *file, const char *key);

/*
 * Every way to put a token together of two others, the token with the highest score first, as transformers' converters
 * make merges; that gives what SentencePiece gives, which merges by score, as long as scores differ. No merges make
 * tokens that are not words (by `types`, where there are such). `vocab` is token: id, `tokens` by id; `path` is for
 * messages.
 */
int sp_gguf_merges_of_scores(json_t **out, const json_t *vocab, const json_t *tokens, struct sp_gguf_array scores,
                             struct sp_gguf_array types, const char *path);

#endif
