/*
 * What stands around the texts' own tokens (layer 4, text): a template for a single text and one
 * for a pair, each a list of special tokens and texts with their token types; and the truncation
 * that leaves room for them. Ownership: the pieces are the template's. Threading: read-only once
 * loaded.
 */
#ifndef SP_TEXT_POST_PROCESSOR_H
#define SP_TEXT_POST_PROCESSOR_H

#include "runtime/text/stage.h"

#include <stdbool.h>

struct sp_template_piece {
    int text; /* 0 or 1: the first or second text; -1: the special token `id` */
    uint32_t id;
    uint8_t type;
};

struct sp_template {
    struct sp_template_piece *pieces;
    size_t count, specials; /* specials: how many of the pieces are special tokens */
};

/* Loads the section for one text and for a pair; a missing section gives the texts alone. */
int sp_templates_load(struct sp_template out[2], const json_t *section, const char *path);

/* Makes the templates of an id before each text and one behind it, SP_TOKEN_NONE for none. */
int sp_templates_make(struct sp_template out[2], uint32_t bos, uint32_t eos);

/* Whether the templates give the same. */
bool sp_templates_equal(const struct sp_template a[2], const struct sp_template b[2]);
void sp_template_free(struct sp_template *template);

/* Cuts the counts of two texts' tokens to `room` in all, the longer first, as the library's
 * strategy longest_first. */
void sp_truncate_longest_first(size_t counts[2], size_t room);

#endif
