/* Numbers stand alone, or each of their digits. */
#include "runtime/base/error.h"
#include "runtime/text/splitter.h"

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    int each = 0;

    (void)vocab;
    SP_TRY(sp_json_get_bool(&each, section, "individual_digits", path));
    return sp_splitter_make(state, "\\p{:numeric}", false, each ? SP_SPLIT_ISOLATED : SP_SPLIT_CONTIGUOUS, false, path);
}

const struct sp_stage sp_stage_pre_tokenizer_digits = {
    .slot = "pre_tokenizer",
    .type = "Digits",
    .load = load,
    .free = sp_splitter_free,
    .split = sp_splitter_split,
};
