/* SentencePiece's mark for a blank becomes one, and is left out of the first token where one was put there. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/decoding.h"

#include <stdlib.h>
#include <string.h>

struct metaspace {
    char *replacement;
    bool drops_first;
};

static void release(void *state)
{
    struct metaspace *metaspace = state;

    if (metaspace)
        free(metaspace->replacement);
    free(metaspace);
}

/* "prepend_scheme": "always", "first" or "never"; older files have "add_prefix_space". */
static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct metaspace *metaspace = sp_calloc(1, sizeof *metaspace);
    const char *replacement = "\xE2\x96\x81", *scheme = NULL;
    int adds = 1, rc = metaspace ? 0 : SP_ENOMEM;

    (void)vocab;
    *state = NULL;
    SP_GO(rc);
    SP_GO(sp_json_get_string(&replacement, section, "replacement", path));
    SP_GO(sp_json_get_string(&scheme, section, "prepend_scheme", path));
    SP_GO(sp_json_get_bool(&adds, section, "add_prefix_space", path));
    if (!replacement[0])
        SP_GO(sp_error(SP_EFORMAT, "%s: \"replacement\" of the decoder is empty", path));
    metaspace->drops_first = scheme ? strcmp(scheme, "never") != 0 : adds;
    metaspace->replacement = sp_strdup(replacement);
    rc = metaspace->replacement ? 0 : SP_ENOMEM;
    SP_GO(rc);
    *state = metaspace;
out:
    if (rc < 0)
        release(metaspace);
    return rc;
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);
    const struct metaspace *metaspace = state;

    if (!part)
        return 0;
    memory->tokens += part->begins;
    sp_buf_clear(&memory->made);
    SP_TRY(sp_decoding_replace(&memory->made, part->text, part->length, metaspace->replacement,
                               memory->tokens == 1 && metaspace->drops_first ? "" : " "));
    return sp_decoding_push(decoding, (struct sp_part){ memory->made.length ? memory->made.data : "",
                                                        memory->made.length, part->begins, part->ends });
}

const struct sp_stage sp_stage_decoder_metaspace = {
    .slot = "decoder",
    .type = "Metaspace",
    .load = load,
    .free = release,
    .decode = decode,
};
