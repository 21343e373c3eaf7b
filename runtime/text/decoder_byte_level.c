/*
 * Byte-level tokens: their characters stand for bytes, which are UTF-8 once put together; of a token with another
 * character its own bytes count. Bytes that are no UTF-8 become U+FFFD, and those that may yet become a character wait.
 */
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/text/byte_level.h"
#include "runtime/text/decoding.h"

#include <string.h>

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

static int add_bytes(struct sp_buf *out, const struct sp_part *token)
{
    size_t before = out->length;

    for (size_t at = 0; at < token->length;) {
        uint32_t c;
        int byte;
        char value;

        at += sp_text_decode(&c, token->text + at, token->length - at);
        byte = sp_byte_level_byte(c);
        if (byte < 0) {
            out->length = before;
            return sp_buf_append(out, token->text, token->length);
        }
        value = (char)byte;
        SP_TRY(sp_buf_append(out, &value, 1));
    }
    return 0;
}

/* Whether the ill-formed bytes, which nothing follows, are the beginning of a character. */
static bool may_go_on(const char *bytes)
{
    unsigned char lead = (unsigned char)bytes[0];

    return lead >= 0xC2 && lead <= 0xF4;
}

/* Takes what is certain of the bytes, all of them at the end. */
static int take_text(struct sp_buf *out, struct sp_buf *bytes, bool end)
{
    size_t at = 0;

    while (at < bytes->length) {
        const char *rest = bytes->data + at;
        size_t left = bytes->length - at, valid = sp_text_utf8_prefix(rest, left), part;
        uint32_t c;

        SP_TRY(sp_buf_append(out, rest, valid));
        at += valid;
        if (valid == left)
            break;
        part = sp_text_decode(&c, rest + valid, left - valid);
        if (!end && part == left - valid && may_go_on(rest + valid))
            break;
        SP_TRY(sp_buf_puts(out, "\xEF\xBF\xBD"));
        at += part;
    }
    memmove(bytes->data, bytes->data + at, bytes->length - at);
    bytes->length -= at;
    return 0;
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);
    struct sp_part token;
    bool whole = true;

    (void)state;
    if (part) {
        SP_TRY(sp_decoding_token(decoding, part, &token, &whole));
        if (!whole)
            return 0;
        SP_TRY(add_bytes(&memory->held, &token));
    }
    sp_buf_clear(&memory->made);
    if (memory->held.length)
        SP_TRY(take_text(&memory->made, &memory->held, !part));
    if (part && !memory->made.length)
        return 0;
    return sp_decoding_push(decoding, (struct sp_part){ memory->made.length ? memory->made.data : "",
                                                        memory->made.length, !memory->tokens++, !part });
}

const struct sp_stage sp_stage_decoder_byte_level = {
    .slot = "decoder",
    .type = "ByteLevel",
    .load = load,
    .free = release,
    .decode = decode,
};
