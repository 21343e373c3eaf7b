#include "runtime/text/charset.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/regex_table.h"
#include "runtime/text/unicode.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define RANGES_MAX ((size_t)1 << 20)
#define NAME_MAX 32

void sp_charset_free(struct sp_charset *set)
{
    free(set->ranges);
    memset(set, 0, sizeof *set);
}

/* The first range that ends at c or behind it. */
static size_t find(const struct sp_charset *set, uint32_t c)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool sp_charset_has(const struct sp_charset *set, uint32_t c)
{
    size_t i = find(set, c);

    return i < set->count && set->ranges[i].first <= c;
}

int sp_charset_add(struct sp_charset *set, uint32_t first, uint32_t last)
{
    size_t from = find(set, first ? first - 1 : 0), to = from;

    if (first > last)
        return 0;
    while (to < set->count && set->ranges[to].first <= (last < SP_CHARSET_LAST ? last + 1 : last)) {
        first = set->ranges[to].first < first ? set->ranges[to].first : first;
        last = set->ranges[to].last > last ? set->ranges[to].last : last;
        to++;
    }
    if (to == from) {
        SP_TRY(sp_grow(&set->ranges, set->count, &set->capacity, sizeof *set->ranges, RANGES_MAX, "ranges"));
        memmove(set->ranges + from + 1, set->ranges + from, (set->count - from) * sizeof *set->ranges);
        set->count++;
    } else {
        memmove(set->ranges + from + 1, set->ranges + to, (set->count - to) * sizeof *set->ranges);
        set->count -= to - from - 1;
    }
    set->ranges[from] = (struct sp_charset_range){ first, last };
    return 0;
}

int sp_charset_add_set(struct sp_charset *set, const struct sp_charset *other)
{
    for (size_t i = 0; i < other->count; i++)
        SP_TRY(sp_charset_add(set, other->ranges[i].first, other->ranges[i].last));
    return 0;
}

int sp_charset_complement(struct sp_charset *set)
{
    struct sp_charset out = { NULL, 0, 0 };
    uint32_t next = 0;
    int rc = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (set->ranges[i].first > next)
            SP_GO(sp_charset_add(&out, next, set->ranges[i].first - 1));
        next = set->ranges[i].last + 1;
    }
    if (next <= SP_CHARSET_LAST)
        SP_GO(sp_charset_add(&out, next, SP_CHARSET_LAST));
out:
    if (rc == 0) {
        sp_charset_free(set);
        *set = out;
    } else {
        sp_charset_free(&out);
    }
    return rc;
}

int sp_charset_intersect(struct sp_charset *set, const struct sp_charset *other)
{
    struct sp_charset rest = { NULL, 0, 0 };
    int rc = 0;

    SP_GO(sp_charset_add_set(&rest, other));
    SP_GO(sp_charset_complement(&rest));
    SP_GO(sp_charset_complement(set));
    SP_GO(sp_charset_add_set(set, &rest));
    rc = sp_charset_complement(set);
out:
    sp_charset_free(&rest);
    return rc;
}

/* ---- sets with a name ---- */

/* Categories that begin with one of the words of `base`, and then what of `odd` is not in them, without what is. */
static const struct named {
    const char *name, *base;
    const uint32_t *odd;
    size_t count;
} named[] = {
    { "alphabetic", "L Nl", sp_regex_alphabetic, COUNT(sp_regex_alphabetic) },
    { "alpha", "L Nl", sp_regex_alphabetic, COUNT(sp_regex_alphabetic) },
    { "word", "L M Nd Nl Pc", sp_regex_word, COUNT(sp_regex_word) },
    { ":wordalone", "L M Nd Nl Pc", sp_regex_word_alone, COUNT(sp_regex_word_alone) },
    { "space", "", sp_regex_space, COUNT(sp_regex_space) },
    { "whitespace", "", sp_regex_space, COUNT(sp_regex_space) },
    { "punct", "P", sp_regex_punct, COUNT(sp_regex_punct) },
    { "digit", "Nd", NULL, 0 },
    { "cntrl", "Cc", NULL, 0 },
    { "han", "", sp_regex_han, COUNT(sp_regex_han) },
    { "hiragana", "", sp_regex_hiragana, COUNT(sp_regex_hiragana) },
    { "katakana", "", sp_regex_katakana, COUNT(sp_regex_katakana) },
    { "hangul", "", sp_regex_hangul, COUNT(sp_regex_hangul) },
    { "letter", "L", NULL, 0 },
    { "mark", "M", NULL, 0 },
    { "number", "N", NULL, 0 },
    { "punctuation", "P", NULL, 0 },
    { "symbol", "S", NULL, 0 },
    { "separator", "Z", NULL, 0 },
    { "other", "C", NULL, 0 },
    /* what no pattern of a file can mean: the library's own sets, outside its regular expressions */
    { ":numeric", "N", sp_regex_numeric, COUNT(sp_regex_numeric) },
    { ":word", "L M Nd Nl Pc", sp_regex_plain_word, COUNT(sp_regex_plain_word) },
};

const char sp_charset_names[] = "the general categories (L, Lu, N, ...), Alphabetic, Word, Space, White_Space, Punct, "
                                "Digit, XDigit, Cntrl, Han, Hiragana, Katakana, Hangul, ASCII, Any";

/* Whether the category begins with one of the words of `base`. */
static bool is_based(const char *category, const char *base)
{
    for (const char *word = base; *word; word += strcspn(word, " "), word += strspn(word, " "))
        if (strncmp(word, category, strcspn(word, " ")) == 0)
            return true;
    return false;
}

static int add_categories(struct sp_charset *set, const char *base)
{
    for (size_t i = 0; i < COUNT(sp_regex_runs); i++) {
        uint32_t next = i + 1 < COUNT(sp_regex_runs) ? sp_regex_runs[i + 1] >> 5 : SP_CHARSET_LAST + 1;

        if (is_based(sp_regex_categories[sp_regex_runs[i] & 31], base))
            SP_TRY(sp_charset_add(set, sp_regex_runs[i] >> 5, next - 1));
    }
    return 0;
}

/* Adds the set: where a range of `odd` is in the categories it is none of it, and else part of it. */
static int add_named(struct sp_charset *set, const struct named *of)
{
    struct sp_charset all = { NULL, 0, 0 }, odd = { NULL, 0, 0 }, both = { NULL, 0, 0 };
    int rc = 0;

    SP_GO(add_categories(&all, of->base));
    for (size_t i = 0; i + 1 < of->count; i += 2)
        SP_GO(sp_charset_add(&odd, of->odd[i], of->odd[i + 1]));
    SP_GO(sp_charset_add_set(&both, &all));
    SP_GO(sp_charset_intersect(&both, &odd));
    SP_GO(sp_charset_complement(&both));
    SP_GO(sp_charset_add_set(&all, &odd));
    SP_GO(sp_charset_intersect(&all, &both));
    rc = sp_charset_add_set(set, &all);
out:
    sp_charset_free(&all);
    sp_charset_free(&odd);
    sp_charset_free(&both);
    return rc;
}

/* Punctuation of the library's BERT and Punctuation pre-tokenizers, which has nothing behind the two lowest planes. */
static int add_punctuation(struct sp_charset *set)
{
    static const struct sp_charset_range ascii[] = { { 0x21, 0x2F }, { 0x3A, 0x40 }, { 0x5B, 0x60 }, { 0x7B, 0x7E } };

    for (size_t i = 0; i < COUNT(ascii); i++)
        SP_TRY(sp_charset_add(set, ascii[i].first, ascii[i].last));
    for (uint32_t c = 0x80; c < 0x20000; c++)
        if (sp_unicode_class(c) == SP_CHAR_PUNCTUATION)
            SP_TRY(sp_charset_add(set, c, c));
    return 0;
}

int sp_charset_add_named(struct sp_charset *set, const char *name, size_t length)
{
    char plain[NAME_MAX + 1];
    size_t used = 0;

    for (size_t i = 0; i < length && used < NAME_MAX; i++)
        if (!strchr(" -_", name[i]))
            plain[used++] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    plain[used] = '\0';
    if (strcmp(plain, "any") == 0)
        return sp_charset_add(set, 0, SP_CHARSET_LAST);
    if (strcmp(plain, "ascii") == 0)
        return sp_charset_add(set, 0, 0x7F);
    if (strcmp(plain, ":punctuation") == 0)
        return add_punctuation(set);
    if (strcmp(plain, ":newline") == 0)
        return sp_charset_add(set, '\n', '\n');
    if (strcmp(plain, ":lineend") == 0) {
        SP_TRY(sp_charset_add(set, '\n', '\r'));
        SP_TRY(sp_charset_add(set, 0x85, 0x85));
        return sp_charset_add(set, 0x2028, 0x2029);
    }
    if (strcmp(plain, "xdigit") == 0) {
        SP_TRY(sp_charset_add(set, '0', '9'));
        SP_TRY(sp_charset_add(set, 'A', 'F'));
        return sp_charset_add(set, 'a', 'f');
    }
    for (size_t i = 0; i < COUNT(named); i++)
        if (strcmp(plain, named[i].name) == 0)
            return add_named(set, &named[i]);
    if (used == 0 || used > 2)
        return SP_ENOTFOUND;
    plain[0] = (char)(plain[0] - 'a' + 'A');
    for (size_t i = 0; i < COUNT(sp_regex_categories); i++)
        if (strncmp(sp_regex_categories[i], plain, used) == 0)
            return add_categories(set, plain);
    return SP_ENOTFOUND;
}

static const char *category_of(uint32_t c)
{
    size_t low = 0, high = COUNT(sp_regex_runs);

    while (low < high) { /* the first run behind c */
        size_t middle = low + (high - low) / 2;

        if (sp_regex_runs[middle] >> 5 > c)
            high = middle;
        else
            low = middle + 1;
    }
    return sp_regex_categories[sp_regex_runs[low - 1] & 31];
}

bool sp_charset_may_be_cased(uint32_t c)
{
    return c > 0x7F && is_based(category_of(c), "L M Nl So");
}

bool sp_charset_is_plain_word(uint32_t c)
{
    bool word = is_based(category_of(c), "L M Nd Nl Pc");

    for (size_t i = 0; i + 1 < COUNT(sp_regex_plain_word); i += 2)
        if (c >= sp_regex_plain_word[i] && c <= sp_regex_plain_word[i + 1])
            return !word;
    return word;
}
