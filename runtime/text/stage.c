#include "runtime/text/stage.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/tokenizer.h"

#include <string.h>

static const struct sp_stage *const stages[] = {
#define SP_STAGE(name) &sp_stage_##name,
#include "runtime/text/stage.def"
#undef SP_STAGE
};

#define STAGES (sizeof stages / sizeof stages[0])

int sp_ids_add(struct sp_ids *ids, uint32_t id)
{
    SP_TRY(sp_grow(&ids->data, ids->count, &ids->capacity, sizeof *ids->data,
                   4 * SP_TOKENIZER_TEXT_MAX, "tokens"));
    ids->data[ids->count++] = id;
    return 0;
}

static int unsupported(const char *slot, const char *type, const char *path)
{
    struct sp_buf list = SP_BUF(1000);
    int rc = 0;

    for (size_t i = 0; i < STAGES && rc == 0; i++)
        if (strcmp(stages[i]->slot, slot) == 0)
            rc = sp_buf_printf(&list, "%s%s", list.length ? ", " : "", stages[i]->type);
    if (rc == 0)
        rc = sp_error(
            SP_ENOTFOUND,
            "%s: the tokenizer's \"%s\" is of type \"%s\", which is not supported; supported: %s",
            path, slot, type, list.data);
    sp_buf_free(&list);
    return rc;
}

/* Old files leave the model's type out; it shows by its keys. */
static const char *implied_type(const json_t *section)
{
    if (json_object_get(section, "max_input_chars_per_word"))
        return "WordPiece";
    if (json_object_get(section, "merges"))
        return "BPE";
    return json_is_array(json_object_get(section, "vocab")) ? "Unigram" : "(none)";
}

int sp_stage_load(const struct sp_stage **out, void **state, struct sp_vocab *vocab,
                  const char *slot, const json_t *section, const char *path)
{
    const char *type = implied_type(section);

    if (!sp_json_is_object(section))
        return sp_error(SP_EFORMAT, "%s: \"%s\" is missing or not an object", path, slot);
    SP_TRY(sp_json_get_string(&type, section, "type", path));
    for (size_t i = 0; i < STAGES; i++) {
        if (strcmp(stages[i]->slot, slot) == 0 && strcmp(stages[i]->type, type) == 0) {
            SP_TRY(stages[i]->load(state, vocab, section, path));
            *out = stages[i];
            return 0;
        }
    }
    return unsupported(slot, type, path);
}
