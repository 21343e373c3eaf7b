/*
 * Sets of characters (layer 4, for runtime/text): sorted ranges, and the sets that have a name in regular expressions,
 * as the engine of the `tokenizers` library has them, whatever Unicode a library here is of.
 * Ownership: the ranges are the set's. Start from zero; sp_charset_free releases.
 */
#ifndef SP_TEXT_CHARSET_H
#define SP_TEXT_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_CHARSET_LAST 0x10FFFFu

struct sp_charset_range {
    uint32_t first, last;
};

struct sp_charset {
    struct sp_charset_range *ranges; /* in order, none touching the next */
    size_t count, capacity;
};

void sp_charset_free(struct sp_charset *set);

/* Adds the characters from first to last, or those of another set. */
int sp_charset_add(struct sp_charset *set, uint32_t first, uint32_t last);
int sp_charset_add_set(struct sp_charset *set, const struct sp_charset *other);

/* Adds the set of that name, as in \p{name}: a general category, or one of sp_charset_names; lower and upper case,
 * blanks, '-' and '_' make no difference. SP_ENOTFOUND without a message: there is none. */
int sp_charset_add_named(struct sp_charset *set, const char *name, size_t length);
extern const char sp_charset_names[]; /* for messages */

int sp_charset_complement(struct sp_charset *set);
int sp_charset_intersect(struct sp_charset *set, const struct sp_charset *other);
bool sp_charset_has(const struct sp_charset *set, uint32_t c);

/* Whether two letters that differ in case only may be these: a character beyond ASCII that may have such a partner. */
bool sp_charset_may_be_cased(uint32_t c);

/* \w beside added tokens, for which the library has another engine. */
bool sp_charset_is_plain_word(uint32_t c);

#endif
