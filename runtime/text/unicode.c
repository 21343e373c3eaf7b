#include "runtime/text/unicode.h"

#include "runtime/text/unicode_table.h"

#include <utf8proc.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The range of a sorted table that holds c, or NULL. */
static const struct sp_unicode_range *find(const struct sp_unicode_range *table, size_t count,
                                           uint32_t c)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c > table[middle].last)
            low = middle + 1;
        else if (c < table[middle].first)
            high = middle;
        else
            return &table[middle];
    }
    return NULL;
}

enum sp_char_class sp_unicode_class(uint32_t c)
{
    const struct sp_unicode_range *range = find(sp_unicode_classes, COUNT(sp_unicode_classes), c);

    if (range)
        return (enum sp_char_class)range->value;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
        return SP_CHAR_CONTROL;
    case UTF8PROC_CATEGORY_MN:
        return SP_CHAR_MARK;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return SP_CHAR_PUNCTUATION;
    default:
        return SP_CHAR_OTHER;
    }
}

unsigned sp_unicode_combining(uint32_t c)
{
    if (c < 0x300 || find(sp_unicode_inert, COUNT(sp_unicode_inert), c))
        return 0;
    return (unsigned)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

bool sp_unicode_is_accent(uint32_t c)
{
    const struct sp_unicode_range *range;

    if (c < 0x300)
        return false;
    range = find(sp_unicode_accents, COUNT(sp_unicode_accents), c);
    if (range)
        return range->value;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return true;
    default:
        return false;
    }
}

size_t sp_unicode_decompose(uint32_t out[SP_UNICODE_DECOMPOSED_MAX], uint32_t c, bool compatibility)
{
    utf8proc_int32_t parts[SP_UNICODE_DECOMPOSED_MAX];
    utf8proc_ssize_t count = 0;
    int boundary_class = 0;

    if (c >= 0x80 && !find(sp_unicode_inert, COUNT(sp_unicode_inert), c))
        count = utf8proc_decompose_char((utf8proc_int32_t)c, parts, SP_UNICODE_DECOMPOSED_MAX,
                                        compatibility ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE,
                                        &boundary_class);
    if (count < 1 || count > SP_UNICODE_DECOMPOSED_MAX) {
        out[0] = c;
        return 1;
    }
    for (utf8proc_ssize_t i = 0; i < count; i++)
        out[i] = (uint32_t)parts[i];
    return (size_t)count;
}

uint32_t sp_unicode_compose(uint32_t first, uint32_t second)
{
    utf8proc_int32_t pair[2] = { (utf8proc_int32_t)first, (utf8proc_int32_t)second };
    uint32_t c;

    /* none below is the second of any; the last is where the Hangul trailing consonants are counted from, and no such
     * consonant, though utf8proc takes it in */
    if (second < 0x300 || second == 0x11A7)
        return 0;
    if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1)
        return 0;
    c = (uint32_t)pair[0];
    return find(sp_unicode_inert, COUNT(sp_unicode_inert), c) ? 0 : c;
}

size_t sp_unicode_lower(uint32_t out[2], uint32_t c)
{
    const struct sp_unicode_range *range = find(sp_unicode_lowered, COUNT(sp_unicode_lowered), c);

    if (c == 0x130) { /* the one character whose lower case is two: i and a dot above */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = range ? (uint32_t)((int32_t)c + range->value)
                   : (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return 1;
}

size_t sp_unicode_encode(char out[4], uint32_t c)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}
