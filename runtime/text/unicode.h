/*
 * Characters as the `tokenizers` library sees them (layer 4, text). utf8proc answers for most;
 * where the library's own tables are of another Unicode version (categories of 8.0, and of marks
 * also of 9.0, combining classes, decompositions and compositions of 9.0, lower case of 17.0), the
 * generated unicode_table.h answers, so results do not depend on utf8proc's version (14.0 or
 * later). Threading: pure functions.
 */
#ifndef SP_TEXT_UNICODE_H
#define SP_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_UNICODE_DECOMPOSED_MAX 18 /* characters of the longest decomposition */

enum sp_char_class {
    SP_CHAR_OTHER,
    SP_CHAR_CONTROL,    /* Cc, Cf, Co */
    SP_CHAR_MARK,       /* Mn in Unicode 8.0 */
    SP_CHAR_PUNCTUATION /* P* */
};

enum sp_char_class sp_unicode_class(uint32_t c);

/* Canonical combining class, 0 for a starter. */
unsigned sp_unicode_combining(uint32_t c);

/* Whether the category was M* in Unicode 9.0: what the normalizer StripAccents takes out. */
bool sp_unicode_is_accent(uint32_t c);

/* The full canonical decomposition, or the compatibility one, not reordered; returns its length. */
size_t sp_unicode_decompose(uint32_t out[SP_UNICODE_DECOMPOSED_MAX], uint32_t c, bool compatibility);

/* The character that the two make together in a composed normal form, or 0. */
uint32_t sp_unicode_compose(uint32_t first, uint32_t second);

/* Lower case without regard to context or language; returns its length. */
size_t sp_unicode_lower(uint32_t out[2], uint32_t c);

/* Encodes; returns 1 to 4. */
size_t sp_unicode_encode(char out[4], uint32_t c);

#endif
