#include "runtime/text/byte_level.h"

#include "runtime/base/error.h"
#include "runtime/text/unicode.h"

#include <stdbool.h>

static bool is_visible(uint32_t byte)
{
    return (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
}

/* The bytes that are not visible, in order: 00 to 20, 7F to A0, and the soft hyphen. */
static uint32_t character_of(unsigned char byte)
{
    if (is_visible(byte))
        return byte;
    return 0x100u + (byte <= 0x20 ? byte : byte <= 0xA0 ? byte - 0x7Fu + 0x21 : 0x43u);
}

int sp_byte_level_append(struct sp_buf *out, const char *bytes, size_t length)
{
    char block[512];
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        used += sp_unicode_encode(block + used, character_of((unsigned char)bytes[i]));
        if (used > sizeof block - 4) {
            SP_TRY(sp_buf_append(out, block, used));
            used = 0;
        }
    }
    return sp_buf_append(out, block, used);
}

int sp_byte_level_byte(uint32_t c)
{
    if (c < 0x100)
        return is_visible(c) ? (int)c : -1;
    if (c > 0x143)
        return -1;
    c -= 0x100;
    return (int)(c <= 0x20 ? c : c < 0x43 ? c - 0x21 + 0x7F : 0xAD);
}
