/*
 * Model directories from before tokenizer.json (layer 4, text): vocab.txt and what the folder says beside it, put into
 * the form of a tokenizer.json, as BERT's tokenizer does it.
 */
#ifndef SP_TEXT_VOCAB_TXT_H
#define SP_TEXT_VOCAB_TXT_H

#include "runtime/text/tokenizer_config.h"

/* What the folder's tokenizer.json would hold. `path` is its vocab.txt. Gives each of config's tokens its "id". */
int sp_vocab_txt_load(json_t **out, const struct sp_tokenizer_config *config, const char *path);

/* Puts config's tokens into `list` as the "added_tokens" of a tokenizer.json, each with its "id": the one of the
 * vocabulary, which has `count` tokens and is the file `path` (`lines`: one a line), else the one that a file gives,
 * else the next free one. */
int sp_vocab_list_tokens(json_t *list, const struct sp_tokenizer_config *config, const json_t *vocab, size_t count,
                         bool lines, const char *path);

/* Warns where the vocabulary of the tokenizer.json `definition`, whose path is `path`, is another than the vocab.txt's
 * beside it, which is then not used. A vocab.txt that cannot be read is no matter. */
void sp_vocab_txt_compare(const json_t *definition, const char *path, const char *vocab_path);

#endif
