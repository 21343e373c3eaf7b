/*
 * Model directories of byte-level BPE from before tokenizer.json (layer 4, text): vocab.json, merges.txt and what the
 * folder says beside them, put into the form of a tokenizer.json, as transformers does it for GPT-2's class, which OPT
 * has too, and RoBERTa's.
 */
#ifndef SP_TEXT_VOCAB_JSON_H
#define SP_TEXT_VOCAB_JSON_H

#include "runtime/text/tokenizer_config.h"

/* What the folder's tokenizer.json would hold. `path` is its vocab.json, beside which merges.txt is. Gives each of
 * config's tokens its "id". */
int sp_vocab_json_load(json_t **out, const struct sp_tokenizer_config *config, const char *model_dir, const char *path);

#endif
