/* Takes a character from the beginning and the end of each token, up to so many times. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/decoding.h"

#include <stdlib.h>
#include <string.h>

struct strip {
    char *content;
    size_t length; /* of it */
    long long start, stop;
};

static void release(void *state)
{
    struct strip *strip = state;

    if (strip)
        free(strip->content);
    free(strip);
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct strip *strip = sp_calloc(1, sizeof *strip);
    const char *content = NULL;
    int rc = strip ? 0 : SP_ENOMEM;
    uint32_t c;

    (void)vocab;
    *state = NULL;
    SP_GO(rc);
    SP_GO(sp_json_get_string(&content, section, "content", path));
    SP_GO(sp_json_get_int(&strip->start, section, "start", path));
    SP_GO(sp_json_get_int(&strip->stop, section, "stop", path));
    if (!content || !content[0] || sp_text_decode(&c, content, strlen(content)) != strlen(content) ||
        strip->start < 0 || strip->stop < 0)
        SP_GO(sp_error(SP_EFORMAT,
                       "%s: a decoder of type \"Strip\" has no \"content\" of one character, or a negative \"start\" "
                       "or \"stop\"",
                       path));
    strip->content = sp_strdup(content);
    strip->length = strlen(content);
    rc = strip->content ? 0 : SP_ENOMEM;
    *state = strip;
out:
    if (rc < 0) {
        release(strip);
        *state = NULL;
    }
    return rc;
}

/* The memory's count is how many may yet be taken from the beginning of the token at hand. */
static void strip_start(const struct strip *strip, struct sp_decoder_memory *memory, struct sp_part *part)
{
    if (part->begins)
        memory->tokens = (size_t)strip->start;
    while (memory->tokens && part->length >= strip->length && memcmp(part->text, strip->content, strip->length) == 0) {
        part->text += strip->length;
        part->length -= strip->length;
        memory->tokens--;
    }
    if (part->length)
        memory->tokens = 0;
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);
    const struct strip *strip = state;
    struct sp_part token;
    bool whole = true;

    if (!part)
        return 0;
    token = *part;
    if (strip->stop)
        SP_TRY(sp_decoding_token(decoding, part, &token, &whole));
    if (!whole)
        return 0;
    strip_start(strip, memory, &token);
    for (long long i = 0; i < strip->stop && token.length >= strip->length &&
                          memcmp(token.text + token.length - strip->length, strip->content, strip->length) == 0;
         i++)
        token.length -= strip->length;
    return sp_decoding_push(decoding, token);
}

const struct sp_stage sp_stage_decoder_strip = {
    .slot = "decoder",
    .type = "Strip",
    .load = load,
    .free = release,
    .decode = decode,
};
