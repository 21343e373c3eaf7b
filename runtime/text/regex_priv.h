/*
 * Between the two halves of regex.h: the parser makes of a pattern the sets of characters in it, and the same pattern
 * in PCRE2's syntax with a mark in the place of each set.
 */
#ifndef SP_TEXT_REGEX_PRIV_H
#define SP_TEXT_REGEX_PRIV_H

#include "runtime/base/buf.h"
#include "runtime/text/charset.h"

#define SP_REGEX_MARK '\001' /* in the parsed pattern, before the number of a set: one byte, none of which is 0 */
#define SP_REGEX_SETS 200    /* at most */

struct sp_regex_parts {
    struct sp_charset sets[SP_REGEX_SETS];
    size_t count;
    struct sp_buf pattern;
};

/* To be freed after a failure too. */
int sp_regex_parse(struct sp_regex_parts *out, const char *pattern, bool plain, const char *path);
void sp_regex_parts_free(struct sp_regex_parts *parts);

#endif
