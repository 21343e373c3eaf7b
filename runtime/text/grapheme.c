#include "runtime/text/grapheme.h"

#include "runtime/base/text.h"
#include "runtime/text/grapheme_table.h"

#include <stdbool.h>

enum conjunct { NO_CONJUNCT, BEGUN, LINKED }; /* a consonant; and a linker behind it */

/* What counts of the characters so far. */
struct cluster {
    enum grapheme_class last;
    enum conjunct conjunct;
    bool pictograph; /* one with nothing behind it but Extend, and a ZWJ as the last */
    bool odd;        /* the last is a regional indicator, and has none before it that is its own */
};

static enum grapheme_class class_of(uint32_t c)
{
    size_t low = 0, high = sizeof grapheme_ranges / sizeof *grapheme_ranges;

    if (c >= 0xAC00 && c < 0xD7A4)
        return (c - 0xAC00) % 28 ? HANGUL_LVT : HANGUL_LV;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c > grapheme_ranges[middle].last)
            low = middle + 1;
        else if (c < grapheme_ranges[middle].first)
            high = middle;
        else
            return grapheme_ranges[middle].value;
    }
    return OTHER;
}

static bool joins_hangul(enum grapheme_class last, enum grapheme_class next)
{
    switch (last) {
    case HANGUL_L:
        return next == HANGUL_L || next == HANGUL_V || next == HANGUL_LV || next == HANGUL_LVT;
    case HANGUL_V:
    case HANGUL_LV:
        return next == HANGUL_V || next == HANGUL_T;
    case HANGUL_T:
    case HANGUL_LVT:
        return next == HANGUL_T;
    default:
        return false;
    }
}

/* Rules GB3 to GB13. */
static bool joins(const struct cluster *cluster, enum grapheme_class next)
{
    enum grapheme_class last = cluster->last;

    if (last == CR && next == LF)
        return true;
    if (last == CONTROL || last == CR || last == LF || next == CONTROL || next == CR || next == LF)
        return false;
    switch (next) {
    case EXTEND:
    case EXTEND_ONLY:
    case LINKER:
    case ZWJ:
    case SPACING:
        return true;
    case CONSONANT:
        return last == PREPEND || cluster->conjunct == LINKED;
    case PICTOGRAPH:
        return last == PREPEND || (last == ZWJ && cluster->pictograph);
    case REGIONAL:
        return last == PREPEND || cluster->odd;
    default:
        return last == PREPEND || joins_hangul(last, next);
    }
}

static void add(struct cluster *cluster, enum grapheme_class next)
{
    bool extends = next == EXTEND || next == EXTEND_ONLY || next == LINKER || next == ZWJ;

    cluster->pictograph = next == PICTOGRAPH || (cluster->pictograph && cluster->last != ZWJ && extends);
    cluster->odd = next == REGIONAL && !cluster->odd;
    if (next == CONSONANT)
        cluster->conjunct = BEGUN;
    else if (next == LINKER && cluster->conjunct != NO_CONJUNCT)
        cluster->conjunct = LINKED;
    else if (next != EXTEND && next != ZWJ)
        cluster->conjunct = NO_CONJUNCT;
    cluster->last = next;
}

size_t sp_grapheme(const char *text, size_t length)
{
    struct cluster cluster = { OTHER, NO_CONJUNCT, false, false };
    size_t at = 0, bytes;
    uint32_t c;

    for (; at < length; at += bytes) {
        enum grapheme_class next;

        bytes = sp_text_decode(&c, text + at, length - at);
        next = class_of(c);
        if (at && !joins(&cluster, next))
            break;
        add(&cluster, next);
    }
    return at;
}
