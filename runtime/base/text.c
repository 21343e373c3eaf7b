#include "runtime/base/text.h"

#include "runtime/base/error.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZERO_WIDTH_SPACE 0x200B
#define BYTE_ORDER_MARK 0xFEFF
#define NAME_MAX_LENGTH 63 /* longer names are not typing errors of ours */

size_t sp_text_distance(const char *a, const char *b)
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
        size_t distance = sp_text_distance(name, candidates[i]);

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

/* The first character of `text`, `left` bytes, at least one, and its length; false, U+FFFD and the bytes of the maximal
 * subpart where it is ill-formed (the Unicode standard, table 3-7 and section 3.9). */
static bool decode(uint32_t *c, size_t *bytes, const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    /* of the second byte: no overlong forms, no surrogates, nothing past U+10FFFF */
    unsigned char low = 0x80, high = 0xBF;
    size_t length = sp_text_utf8_length(*text);
    uint32_t point = s[0] & (0x7Fu >> length);

    *c = s[0];
    *bytes = 1;
    if (s[0] < 0x80)
        return true;
    *c = SP_TEXT_REPLACEMENT;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return false;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    for (; *bytes < length; ++*bytes) {
        if (*bytes >= left || s[*bytes] < low || s[*bytes] > high)
            return false;
        point = point << 6 | (s[*bytes] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    *c = point;
    return true;
}

size_t sp_text_decode(uint32_t *c, const char *text, size_t length)
{
    size_t bytes;

    decode(c, &bytes, text, length);
    return bytes;
}

void sp_text_number(char out[SP_TEXT_NUMBER], double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, SP_TEXT_NUMBER, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

size_t sp_text_mark(const char *text, size_t length)
{
    return length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

int sp_text_refuse_utf16(const char *path, const char *text, size_t length)
{
    if (length < 2 || (memcmp(text, "\xFF\xFE", 2) != 0 && memcmp(text, "\xFE\xFF", 2) != 0))
        return 0;
    return sp_error(SP_EFORMAT, "%s is of UTF-16, as some Windows programs write; save it as UTF-8", path);
}

size_t sp_text_utf8_prefix(const char *text, size_t length)
{
    size_t at = 0, bytes;
    uint32_t c;

    while (at < length && decode(&c, &bytes, text + at, length - at))
        at += bytes;
    return at;
}

bool sp_text_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Bytes of the blank that text[length] begins with, or ends with; 0 where it is none. */
static size_t blank_at(const char *text, size_t length, bool at_end)
{
    size_t bytes = 1;
    uint32_t c;

    if (!length)
        return 0;
    while (at_end && bytes < length && bytes < 4 && sp_text_goes_on(text[length - bytes]))
        bytes++;
    text += at_end ? length - bytes : 0;
    length = at_end ? bytes : length;
    decode(&c, &bytes, text, length);
    return sp_text_is_space(c) || c == ZERO_WIDTH_SPACE || c == BYTE_ORDER_MARK ? bytes : 0;
}

void sp_text_trim_ends(const char **text, size_t *length)
{
    for (size_t bytes; (bytes = blank_at(*text, *length, false)) > 0; *length -= bytes)
        *text += bytes;
    for (size_t bytes; (bytes = blank_at(*text, *length, true)) > 0;)
        *length -= bytes;
}

bool sp_text_is_blank(const char *text, size_t length)
{
    sp_text_trim_ends(&text, &length);
    return length == 0;
}

int sp_text_check_line_ends(const char *text, size_t length, const char *name)
{
    const char *end = length ? memchr(text, '\r', length) : NULL;

    if (!end || end + 1 == text + length || memchr(text, '\n', length))
        return 0;
    return sp_error(SP_EFORMAT,
                    "%s: its lines end in CR alone, as old Macs wrote them; LF or CRLF is expected: tr '\\r' '\\n' "
                    "<OLD >NEW",
                    name);
}

void sp_text_trim(char *text)
{
    const char *from = text;
    size_t length = strlen(text);

    sp_text_trim_ends(&from, &length);
    memmove(text, from, length);
    text[length] = '\0';
}

/* Whether a terminal shows the character, and nothing else happens. What joins letters of some scripts is shown. */
static bool is_shown(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        { 0x00, 0x1F },     { 0x7F, 0x9F },     /* C0, DEL, C1 */
        { 0x061C, 0x061C }, { 0x200E, 0x200F }, /* marks of direction */
        { 0x200B, 0x200B }, { 0x2060, 0x2064 }, /* of no width */
        /* separators of lines and paragraphs, overrides and isolates of direction */
        { 0x2028, 0x202E }, { 0x2065, 0x206F },
        { 0xFEFF, 0xFEFF }, { 0xFFF9, 0xFFFB }, { 0xFFFE, 0xFFFF }, { 0xE0000, 0xE00FF },
    };

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (point >= hidden[i].first && point <= hidden[i].last)
            return false;
    return true;
}

static size_t put_hex(char *out, char kind, uint32_t value, size_t digits)
{
    out[0] = '\\';
    out[1] = kind;
    for (size_t i = 0; i < digits; i++)
        out[2 + i] = "0123456789abcdef"[value >> 4 * (digits - 1 - i) & 0xF];
    return 2 + digits;
}

size_t sp_text_show(char out[SP_TEXT_SHOWN], size_t *taken, const char *text, size_t left)
{
    static const char letters[] = "btn\0fr"; /* of 8, 9, 10, 12, 13; a vertical tab has none in JSON */
    uint32_t point;
    size_t length;

    *taken = 1;
    if (!decode(&point, &length, text, left))
        return put_hex(out, 'x', (unsigned char)text[0], 2);
    *taken = length;
    if (is_shown(point)) {
        memcpy(out, text, length);
        return length;
    }
    if (point >= 8 && point <= 13 && letters[point - 8]) {
        out[0] = '\\';
        out[1] = letters[point - 8];
        return 2;
    }
    if (point < 0x10000)
        return put_hex(out, 'u', point, 4);
    length = put_hex(out, 'u', 0xD800 + ((point - 0x10000) >> 10), 4); /* a surrogate pair */
    return length + put_hex(out + length, 'u', 0xDC00 + ((point - 0x10000) & 0x3FF), 4);
}

size_t sp_text_show_message(char out[SP_TEXT_SHOWN], size_t *taken, const char *text, size_t left)
{
    if (left < 3 || memcmp(text, "\n  ", 3) != 0)
        return sp_text_show(out, taken, text, left);
    *taken = 1;
    out[0] = '\n';
    return 1;
}

int sp_text_escape(struct sp_buf *out, const char *text, size_t length)
{
    char shown[SP_TEXT_SHOWN];

    for (size_t at = 0, taken; at < length; at += taken) {
        size_t n = sp_text_show(shown, &taken, text + at, length - at);

        SP_TRY(sp_buf_append(out, shown, n));
    }
    return 0;
}

int sp_text_escape_name(struct sp_buf *out, const char *text)
{
    size_t length = strlen(text), from = 0;

    for (size_t at = 0, bytes; at < length; at += bytes) {
        uint32_t point;
        char shown[SP_TEXT_SHOWN];

        bytes = sp_text_decode(&point, text + at, length - at);
        if (point < 0x80 || !sp_text_is_space(point))
            continue;
        SP_TRY(sp_text_escape(out, text + from, at - from));
        SP_TRY(sp_buf_append(out, shown, put_hex(shown, 'u', point, 4)));
        from = at + bytes;
    }
    return sp_text_escape(out, text + from, length - from);
}
