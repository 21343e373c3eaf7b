/*
 * Small text helpers (layer 0): nearest names for messages, number parsing that refuses what does not fit, UTF-8, and
 * what of a text that came from elsewhere may be shown.
 */
#ifndef SP_BASE_TEXT_H
#define SP_BASE_TEXT_H

#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The edit distance of two names; large when one of them is too long for a name. */
size_t sp_text_distance(const char *a, const char *b);

/* The candidate nearest to `name` by edit distance, or NULL when none is near enough to be what was meant. */
const char *sp_text_nearest(const char *name, const char *const *candidates, size_t count);

/* The whole of `text` as a number; false when it is not one or does not fit. Doubles must be finite. */
bool sp_text_int(const char *text, long long *out);
bool sp_text_double(const char *text, double *out);

#define SP_TEXT_NUMBER 32 /* room for any double */

/* The shortest decimal number that reads back as `value`, "1e-05" or "0.1". */
void sp_text_number(char out[SP_TEXT_NUMBER], double value);

/* Whether a byte of UTF-8 goes on with a character, and begins none. */
static inline bool sp_text_goes_on(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* The bytes of a character of well-formed UTF-8, by its first one. */
static inline size_t sp_text_utf8_length(char first)
{
    unsigned char lead = (unsigned char)first;

    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

bool sp_text_is_space(uint32_t point); /* Unicode's White_Space */

/* Takes blanks from both ends of the text: white space, no-break spaces among it, and what has no width. */
void sp_text_trim_ends(const char **text, size_t *length);
void sp_text_trim(char *text); /* in place */
bool sp_text_is_blank(const char *text, size_t length); /* there is nothing else */

/* The bytes of a UTF-8 byte order mark, which Windows' editors put before a text: 3, or 0 where it begins with none. */
size_t sp_text_mark(const char *text, size_t length);

/* SP_EFORMAT where the text of the file `path` begins with a byte order mark of UTF-16, else 0. */
int sp_text_refuse_utf16(const char *path, const char *text, size_t length);

/* Refuses (SP_EFORMAT) the beginning of what `name` holds where its lines end in CR alone, as old Macs wrote them: all
 * of it would be one line. */
int sp_text_check_line_ends(const char *text, size_t length, const char *name);

#define SP_TEXT_REPLACEMENT 0xFFFDu

/* Decodes the first character of text[length], length > 0, and returns its bytes. An ill-formed start gives U+FFFD and
 * the bytes of its maximal subpart (Unicode, section 3.9), at least 1. */
size_t sp_text_decode(uint32_t *c, const char *text, size_t length);

/* Length of the longest valid UTF-8 prefix (no surrogates, no overlong forms, at most U+10FFFF). */
size_t sp_text_utf8_prefix(const char *text, size_t length);

#define SP_TEXT_SHOWN 12 /* bytes that one character becomes at most */

/*
 * A name, a label or a path may hold what moves a terminal's cursor, turns its text around or is not seen at all.
 * Writes what may be shown of the first character of `text` (`left` bytes, at least one) to `out`, without a NUL, and
 * returns its length; *taken is the character's. Control, format and line-separating characters become \n, \t, \r or
 * \u001b as in JSON, a byte that is no UTF-8 \x9b. The character is shown as it is exactly when both lengths are the
 * same. Async-signal-safe.
 */
size_t sp_text_show(char out[SP_TEXT_SHOWN], size_t *taken, const char *text, size_t left);

/* As sp_text_show, for the lines behind a message (sp_error_lines): a newline before two blanks stays, any other begins
 * no line. */
size_t sp_text_show_message(char out[SP_TEXT_SHOWN], size_t *taken, const char *text, size_t left);

/* Appends `text` as it may be shown. */
int sp_text_escape(struct sp_buf *out, const char *text, size_t length);

/* As sp_text_escape, with every blank escaped but the plain one: where names stand side by side, different ones look
 * different. */
int sp_text_escape_name(struct sp_buf *out, const char *text);

#endif
