/*
 * Model directories from before tokenizer.json (layer 4, text): vocab.txt, with
 * tokenizer_config.json and special_tokens_map.json where they are, put into the form of a
 * tokenizer.json, as BERT's tokenizer does it.
 */
#ifndef SP_TEXT_VOCAB_TXT_H
#define SP_TEXT_VOCAB_TXT_H

#include "runtime/base/json.h"
#include "runtime/text/tokenizer.h"

/* The names of the special tokens: tokenizer_config.json's, else special_tokens_map.json's, else
 * BERT's own. The strings are borrowed from *config and *map, which the caller releases; either is
 * NULL where there is no such file. */
int sp_special_names(const char *names[SP_TOKEN_SPECIALS], json_t **config, json_t **map,
                     const char *model_dir);

/* What the directory's tokenizer.json would hold. `vocab_path` is its vocab.txt. */
int sp_vocab_txt_load(json_t **out, const char *model_dir, const char *vocab_path);

#endif
