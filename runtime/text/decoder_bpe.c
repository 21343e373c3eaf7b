/* The mark of a word's end becomes a blank, and nothing in the last token, which is known when no other comes. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/decoding.h"

#include <stdlib.h>

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    const char *suffix = "</w>";

    (void)vocab;
    SP_TRY(sp_json_get_string(&suffix, section, "suffix", path));
    if (!suffix[0])
        return sp_error(SP_EFORMAT, "%s: \"suffix\" of the decoder is empty", path);
    *state = sp_strdup(suffix);
    return *state ? 0 : SP_ENOMEM;
}

/* Pushes the token that waits. */
static int push_held(const char *suffix, struct sp_decoding *decoding, struct sp_decoder_memory *memory, bool last)
{
    if (!memory->tokens)
        return 0;
    sp_buf_clear(&memory->made);
    SP_TRY(sp_decoding_replace(&memory->made, memory->held.length ? memory->held.data : "", memory->held.length, suffix,
                               last ? "" : " "));
    return sp_decoding_push(decoding, (struct sp_part){ memory->made.length ? memory->made.data : "",
                                                        memory->made.length, true, true });
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);
    struct sp_part token;
    bool whole = true;

    if (part)
        SP_TRY(sp_decoding_token(decoding, part, &token, &whole));
    if (!whole)
        return 0;
    SP_TRY(push_held(state, decoding, memory, !part));
    sp_buf_clear(&memory->held);
    if (!part)
        return 0;
    memory->tokens++;
    return sp_buf_append(&memory->held, token.text, token.length);
}

const struct sp_stage sp_stage_decoder_bpe = {
    .slot = "decoder",
    .type = "BPEDecoder",
    .load = load,
    .free = free,
    .decode = decode,
};
