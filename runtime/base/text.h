/* Small text helpers (layer 0): nearest names for messages, number parsing that refuses what does not fit, UTF-8. */
#ifndef SP_BASE_TEXT_H
#define SP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The candidate nearest to `name` by edit distance, or NULL when none is near enough to be what was meant. */
const char *sp_text_nearest(const char *name, const char *const *candidates, size_t count);

/* The whole of `text` as a number; false when it is not one or does not fit. Doubles must be finite. */
bool sp_text_int(const char *text, long long *out);
bool sp_text_double(const char *text, double *out);

#define SP_TEXT_NUMBER 32 /* room for any double */

/* The shortest decimal number that reads back as `value`, "1e-05" or "0.1". */
void sp_text_number(char out[SP_TEXT_NUMBER], double value);

/* Length of the longest valid UTF-8 prefix (no surrogates, no overlong forms, at most U+10FFFF). */
size_t sp_text_utf8_prefix(const char *text, size_t length);

#endif
