/* Makes one token of all, for the decoders behind it. */
#include "runtime/text/decoding.h"

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    (void)vocab, (void)section, (void)path;
    *state = NULL;
    return 0;
}

static void release(void *state)
{
    (void)state;
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);

    (void)state;
    return sp_decoding_push(
        decoding, (struct sp_part){ part ? part->text : "", part ? part->length : 0, !memory->tokens++, !part });
}

const struct sp_stage sp_stage_decoder_fuse = {
    .slot = "decoder",
    .type = "Fuse",
    .load = load,
    .free = release,
    .decode = decode,
};
