/*
 * Pre-tokenizers that cut a text at the matches of a pattern (layer 4, for runtime/text): what their kinds have in
 * common. Ownership: a splitter is its stage's state. Threading: read-only once loaded.
 */
#ifndef SP_TEXT_SPLITTER_H
#define SP_TEXT_SPLITTER_H

#include "runtime/text/regex.h"
#include "runtime/text/stage.h"

/* What becomes of the matches, by the library's names. */
enum sp_behavior {
    SP_SPLIT_REMOVED,
    SP_SPLIT_ISOLATED,
    SP_SPLIT_MERGED_WITH_PREVIOUS,
    SP_SPLIT_MERGED_WITH_NEXT,
    SP_SPLIT_CONTIGUOUS
};

struct sp_splitter {
    struct sp_regex *regex;
    enum sp_behavior behavior;
    bool invert; /* what lies between the matches is cut out, not they */
};

/* Reads a behavior, "Isolated", or leaves *out as it is where the section has none. */
int sp_behavior_load(enum sp_behavior *out, const json_t *section, const char *path);

/* Makes a stage's state of a pattern; sp_splitter_free is what frees it. */
int sp_splitter_make(void **state, const char *pattern, bool plain, enum sp_behavior behavior, bool invert,
                     const char *path);
void sp_splitter_free(void *state);

/* Pushes the parts of the piece. */
int sp_splitter_split(const void *state, struct sp_flow *flow, struct sp_piece piece);

#endif
