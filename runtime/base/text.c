#include "runtime/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LENGTH 63 /* longer names are not typing errors of ours */

static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1], la = strlen(a), lb = strlen(b);

    if (la > NAME_MAX_LENGTH || lb > NAME_MAX_LENGTH)
        return NAME_MAX_LENGTH;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

const char *sp_text_nearest(const char *name, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(name) / 3 + 2;

    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, candidates[i]);

        if (distance < least) {
            least = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

bool sp_text_int(const char *text, long long *out)
{
    char *end;

    if (!text[0] || strchr(" \t\n\v\f\r", text[0]))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

bool sp_text_double(const char *text, double *out)
{
    char *end;

    if (!text[0] || strspn(text, "+-0123456789.eE") != strlen(text)) /* neither hexadecimal, inf nor nan */
        return false;
    errno = 0;
    *out = strtod(text, &end);
    return *end == '\0' && end != text && isfinite(*out) && (errno == 0 || fabs(*out) < 1);
}

/* Bytes of the valid sequence at `s`, 0 when there is none. Table 3-7 of the Unicode standard. */
static size_t sequence(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t length;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (left < length)
        return 0;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

void sp_text_number(char out[SP_TEXT_NUMBER], double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, SP_TEXT_NUMBER, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

size_t sp_text_utf8_prefix(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;

    while (at < length) {
        size_t bytes = sequence(s + at, length - at);

        if (!bytes)
            break;
        at += bytes;
    }
    return at;
}
