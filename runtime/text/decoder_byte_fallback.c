/*
 * Tokens that stand for a byte each, <0xE4>: those that stand together are the text that they are in UTF-8, and where
 * they are none each is U+FFFD. What they are is known when another token follows.
 */
#include "runtime/base/error.h"
#include "runtime/base/text.h"
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

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that a token stands for, or -1. */
static int byte_of(const struct sp_part *token)
{
    const char *text = token->text;

    if (token->length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || digit(text[3]) < 0 ||
        digit(text[4]) < 0)
        return -1;
    return digit(text[3]) * 16 + digit(text[4]);
}

static int push_bytes(struct sp_decoding *decoding, struct sp_decoder_memory *memory)
{
    const struct sp_buf *held = &memory->held;

    if (!held->length)
        return 0;
    sp_buf_clear(&memory->made);
    if (sp_text_utf8_prefix(held->data, held->length) == held->length)
        SP_TRY(sp_buf_append(&memory->made, held->data, held->length));
    else
        for (size_t i = 0; i < held->length; i++)
            SP_TRY(sp_buf_puts(&memory->made, "\xEF\xBF\xBD"));
    sp_buf_clear(&memory->held);
    return sp_decoding_push(decoding, (struct sp_part){ memory->made.data, memory->made.length, true, true });
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);
    struct sp_part token;
    bool whole;
    int byte;

    (void)state;
    if (!part)
        return push_bytes(decoding, memory);
    SP_TRY(sp_decoding_token(decoding, part, &token, &whole));
    if (!whole)
        return 0;
    byte = byte_of(&token);
    if (byte >= 0)
        return sp_buf_append(&memory->held, &(char){ (char)byte }, 1);
    SP_TRY(push_bytes(decoding, memory));
    return sp_decoding_push(decoding, token);
}

const struct sp_stage sp_stage_decoder_byte_fallback = {
    .slot = "decoder",
    .type = "ByteFallback",
    .load = load,
    .free = release,
    .decode = decode,
};
