/*
 * What the files of a tokenizer say against each other (layer 4, text): one is followed, and the other's words are a
 * warning.
 */
#ifndef SP_TEXT_CONTRADICTIONS_H
#define SP_TEXT_CONTRADICTIONS_H

#include "runtime/text/tokenizer_config.h"

/* Warns of flags and tokens of the configuration that `definition`, a tokenizer.json or what was made of a vocab.txt,
 * does not follow, and of ids in it that contradict each other. `path` is the file's. */
int sp_contradictions_warn(const json_t *definition, const struct sp_tokenizer_config *config, const char *path);

#endif
