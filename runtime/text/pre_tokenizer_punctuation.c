/* Cuts at punctuation. */
#include "runtime/base/error.h"
#include "runtime/text/splitter.h"

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    enum sp_behavior behavior = SP_SPLIT_ISOLATED;

    (void)vocab;
    SP_TRY(sp_behavior_load(&behavior, section, path));
    return sp_splitter_make(state, "\\p{:punctuation}", false, behavior, false, path);
}

const struct sp_stage sp_stage_pre_tokenizer_punctuation = {
    .slot = "pre_tokenizer",
    .type = "Punctuation",
    .load = load,
    .free = sp_splitter_free,
    .split = sp_splitter_split,
};
