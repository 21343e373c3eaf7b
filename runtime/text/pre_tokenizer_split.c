/* Cuts at the matches of the file's own pattern. */
#include "runtime/base/error.h"
#include "runtime/text/splitter.h"

/* {"pattern": {"Regex": "..."}} or {"pattern": {"String": "..."}} */
static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    const json_t *pattern = json_object_get(section, "pattern");
    const char *regex = NULL, *text = NULL;
    enum sp_behavior behavior = SP_SPLIT_ISOLATED;
    int invert = 0;

    (void)vocab;
    SP_TRY(sp_json_get_string(&regex, pattern, "Regex", path));
    SP_TRY(sp_json_get_string(&text, pattern, "String", path));
    SP_TRY(sp_behavior_load(&behavior, section, path));
    SP_TRY(sp_json_get_bool(&invert, section, "invert", path));
    if (!regex && !text)
        return sp_error(SP_EFORMAT,
                        "%s: a pre-tokenizer of type \"Split\" has no \"pattern\" with a \"Regex\" or a \"String\"",
                        path);
    return sp_splitter_make(state, regex ? regex : text, !regex, behavior, invert, path);
}

const struct sp_stage sp_stage_pre_tokenizer_split = {
    .slot = "pre_tokenizer",
    .type = "Split",
    .load = load,
    .free = sp_splitter_free,
    .split = sp_splitter_split,
};
