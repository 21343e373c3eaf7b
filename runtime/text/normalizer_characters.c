/*
 * The normalizers that change each character by itself: Lowercase, StripAccents (which takes out marks, and decomposes
 * nothing) and Nmt, SentencePiece's clean-up for translation.
 */
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"
#include "runtime/text/unicode.h"

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

static size_t without_accent(uint32_t out[2], uint32_t c)
{
    out[0] = c;
    return !sp_unicode_is_accent(c);
}

static size_t clean(uint32_t out[2], uint32_t c)
{
    bool is_tab = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D;
    bool is_blank = c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                    c == 0xFEFF || c == 0xFFFD;

    out[0] = is_tab || is_blank ? ' ' : c;
    return is_tab || !((c > 0 && c < 0x20) || c == 0x7F || c == 0x8F || c == 0x9F);
}

static int each(struct sp_buf *out, const char *text, size_t length, size_t (*change)(uint32_t out[2], uint32_t c))
{
    size_t used = 0;
    char block[1024];

    for (size_t at = 0; at < length;) {
        uint32_t c, changed[2];
        size_t count;

        at += sp_text_decode(&c, text + at, length - at);
        count = change(changed, c);
        for (size_t i = 0; i < count; i++)
            used += sp_unicode_encode(block + used, changed[i]);
        if (used > sizeof block - 8) {
            SP_TRY(sp_buf_append(out, block, used));
            used = 0;
        }
    }
    return sp_buf_append(out, block, used);
}

static int lowercase(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)state, (void)marks;
    return each(out, text, length, sp_unicode_lower);
}

static int nmt(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)state, (void)marks;
    return each(out, text, length, clean);
}

static int strip_accents(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)state, (void)marks;
    return each(out, text, length, without_accent);
}

#define NORMALIZER(name, function)                                                                                     \
    {                                                                                                                  \
        .slot = "normalizer", .type = name, .load = load, .free = release, .normalize = function                       \
    }

const struct sp_stage sp_stage_normalizer_lowercase = NORMALIZER("Lowercase", lowercase);
const struct sp_stage sp_stage_normalizer_nmt = NORMALIZER("Nmt", nmt);
const struct sp_stage sp_stage_normalizer_strip_accents = NORMALIZER("StripAccents", strip_accents);
