/* Words, and what is neither word nor white space. */
#include "runtime/text/splitter.h"

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    (void)vocab, (void)section;
    return sp_splitter_make(state, "\\p{:word}+|[^\\p{:word}\\s]+", false, SP_SPLIT_REMOVED, true, path);
}

const struct sp_stage sp_stage_pre_tokenizer_whitespace = {
    .slot = "pre_tokenizer",
    .type = "Whitespace",
    .load = load,
    .free = sp_splitter_free,
    .split = sp_splitter_split,
};
