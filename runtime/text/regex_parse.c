/*
 * Oniguruma's regular expressions in Ruby's syntax, rewritten for PCRE2. Every character and class of a pattern becomes
 * a set with a mark in its place; what is left is syntax that both have in common: groups, alternatives, repeats, and
 * what looks around. Ruby's ^ and $ are those of lines, (?i) in the midst of a group holds for the rest of it with all
 * its alternatives, and {2,3}+ is a repeated repeat.
 */
#include "runtime/text/regex_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 100
#define REPEATS_MAX 10 /* of one thing */
#define OUTPUT_MAX ((size_t)1 << 20)

struct parser {
    struct sp_regex_parts *out;
    const char *pattern, *at, *path;
    int depth;
    bool any_case, dot_all; /* (?i), (?m) */
    uint32_t last;          /* the letter before, be it in another group, where case counts for nothing; 0 for none */
};

static int refuse(const struct parser *p, const char *what)
{
    return sp_error(SP_EFORMAT, "%s: the pattern \"%.100s\" has %s at byte %zu, which is not supported", p->path,
                    p->pattern, what, (size_t)(p->at - p->pattern) + 1);
}

static int put(struct parser *p, const char *text)
{
    return sp_buf_puts(&p->out->pattern, text);
}

/* Puts a mark for the set, and takes the set over. */
static int put_set(struct parser *p, struct sp_charset *set)
{
    struct sp_regex_parts *out = p->out;
    char mark[2] = { SP_REGEX_MARK, 0 };
    size_t i = 0;

    while (i < out->count && (out->sets[i].count != set->count ||
                              memcmp(out->sets[i].ranges, set->ranges, set->count * sizeof *set->ranges) != 0))
        i++;
    if (i == SP_REGEX_SETS)
        return refuse(p, "too many different characters and classes");
    if (i == out->count) {
        out->sets[out->count++] = *set;
        memset(set, 0, sizeof *set);
    }
    mark[1] = (char)(i + 1);
    return sp_buf_append(&out->pattern, mark, sizeof mark);
}

/* Adds the character, and in any case those that differ from it in case; beyond ASCII which those are is not known. */
static int add_character(struct parser *p, struct sp_charset *set, uint32_t c)
{
    uint32_t lower = c | 0x20;

    SP_TRY(sp_charset_add(set, c, c));
    if (!p->any_case)
        return 0;
    if (sp_charset_may_be_cased(c))
        return refuse(p, "a letter beyond ASCII whose case does not count");
    if (c > 0x7F || lower < 'a' || lower > 'z')
        return 0;
    SP_TRY(sp_charset_add(set, c ^ 0x20, c ^ 0x20));
    if (lower == 'k')
        return sp_charset_add(set, 0x212A, 0x212A); /* the sign for Kelvin */
    return lower == 's' ? sp_charset_add(set, 0x17F, 0x17F) : 0; /* the long s */
}

static int put_character(struct parser *p, uint32_t c)
{
    static const char *const joined[] = { "ss", "ff", "fi", "fl", "st" }; /* one character may stand for both */
    struct sp_charset set = { NULL, 0, 0 };
    uint32_t lower = p->any_case && c < 0x80 ? c | 0x20 : 0;
    int rc = add_character(p, &set, c);

    for (size_t i = 0; i < sizeof joined / sizeof *joined && rc == 0; i++)
        if (p->last == (unsigned char)joined[i][0] && lower == (unsigned char)joined[i][1])
            rc = refuse(p, "letters that one character may stand for when case does not count");
    p->last = lower;
    if (rc == 0)
        rc = put_set(p, &set);
    sp_charset_free(&set);
    return rc;
}

/* ---- escapes ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A character by its number, \x41, \x{1F600} or \u00E9, behind the backslash. */
static int numbered_character(struct parser *p, int32_t *c)
{
    bool braces = p->at[0] == 'x' && p->at[1] == '{', two = p->at[0] == 'x' && !braces;
    const char *digit = p->at + (braces ? 2 : 1);
    int most = braces ? 8 : two ? 2 : 4, count = 0;
    uint32_t value = 0;

    for (; count < most && hex(digit[count]) >= 0; count++)
        value = value * 16 + (uint32_t)hex(digit[count]);
    if (count == 0 || (!braces && count < most) || (braces && digit[count] != '}') || value > SP_CHARSET_LAST ||
        (value >= 0xD800 && value < 0xE000) || (two && value > 0x7F)) /* of two digits, it would be a byte */
        return refuse(p, "a number that is no character's");
    p->at = digit + count + braces;
    *c = (int32_t)value;
    return 0;
}

/* The one character that an escape stands for, behind the backslash; -1 where it stands for something else. */
static int escaped_character(struct parser *p, int32_t *c)
{
    static const char letters[] = "tnrfvae", values[] = "\t\n\r\f\v\a\033";
    const char *letter = *p->at ? strchr(letters, *p->at) : NULL;
    uint32_t value;

    *c = -1;
    if (!*p->at)
        return refuse(p, "a backslash at its end");
    if (letter) {
        *c = values[letter - letters];
        p->at++;
        return 0;
    }
    if (*p->at == 'x' || *p->at == 'u')
        return numbered_character(p, c);
    if (hex(*p->at | 0x20) >= 0 || ((*p->at | 0x20) >= 'a' && (*p->at | 0x20) <= 'z'))
        return 0;
    p->at += sp_text_decode(&value, p->at, strlen(p->at));
    *c = (int32_t)value;
    return 0;
}

static int unknown_set(const struct parser *p, const char *name, size_t length)
{
    return sp_error(SP_EFORMAT,
                    "%s: the pattern \"%.100s\" names the set of characters \"%.*s\", which is not known; known are %s",
                    p->path, p->pattern, (int)(length < 40 ? length : 40), name, sp_charset_names);
}

/* Adds a named set, or all characters but its. */
static int add_named(struct parser *p, struct sp_charset *set, const char *name, size_t length, bool inverted)
{
    struct sp_charset named = { NULL, 0, 0 };
    int rc = sp_charset_add_named(&named, name, length);

    if (rc == SP_ENOTFOUND)
        rc = unknown_set(p, name, length);
    if (rc == 0 && inverted)
        rc = sp_charset_complement(&named);
    if (rc == 0)
        rc = sp_charset_add_set(set, &named);
    sp_charset_free(&named);
    return rc;
}

/* The class that an escape stands for, behind the backslash: \d, \w, \s, \h and \p{name}, inverted as capitals and
 * by \p{^name}. Outside brackets, `alone`, Oniguruma's \w has some signs of Latin-1 more. */
static int escaped_class(struct parser *p, struct sp_charset *set, bool alone)
{
    static const struct {
        char letter;
        const char *name;
    } classes[] = { { 'd', "digit" }, { 'w', "word" }, { 's', "space" }, { 'h', "xdigit" } };
    char letter = *p->at | 0x20;
    bool inverted = *p->at < 'a';
    const char *name = p->at + 2, *end;

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        const char *plain = alone && letter == 'w' ? ":word_alone" : classes[i].name;

        if (letter == classes[i].letter) {
            p->at++;
            return add_named(p, set, plain, strlen(plain), inverted);
        }
    }
    end = letter == 'p' && p->at[1] == '{' ? strchr(name, '}') : NULL;
    if (!end)
        return refuse(p, "an escape");
    if (*name == '^') {
        inverted = !inverted;
        name++;
    }
    p->at = end + 1;
    return add_named(p, set, name, (size_t)(end - name), inverted);
}

/* ---- classes in brackets ---- */

static int parse_class(struct parser *p, struct sp_charset *set);

/* [:alpha:], [:^alpha:]; false where the bracket is the beginning of a class. */
static int parse_posix(struct parser *p, struct sp_charset *set, bool *taken)
{
    const char *name = p->at + 2, *end = p->at[1] == ':' ? strstr(name, ":]") : NULL;
    bool inverted;

    *taken = end && end - name < 20;
    if (!*taken)
        return 0;
    inverted = *name == '^';
    name += inverted;
    p->at = end + 2;
    return add_named(p, set, name, (size_t)(end - name), inverted);
}

/* One character of a class, or -1 where something else begins, which is then added. */
static int parse_member(struct parser *p, struct sp_charset *set, int32_t *c)
{
    uint32_t value;
    bool taken;

    *c = -1;
    if (*p->at == '[') {
        SP_TRY(parse_posix(p, set, &taken));
        return taken ? 0 : parse_class(p, set);
    }
    if (*p->at == '\\' && p->at[1] == 'b') { /* in a class, a backspace */
        p->at += 2;
        *c = '\b';
        return 0;
    }
    if (*p->at == '\\') {
        p->at++;
        SP_TRY(escaped_character(p, c));
        return *c < 0 ? escaped_class(p, set, false) : 0;
    }
    p->at += sp_text_decode(&value, p->at, strlen(p->at));
    *c = (int32_t)value;
    return 0;
}

/* A member, or a range of characters. */
static int parse_item(struct parser *p, struct sp_charset *set)
{
    int32_t first, last;

    SP_TRY(parse_member(p, set, &first));
    if (first >= 0 && p->at[0] == '-' && p->at[1] != ']' && p->at[1]) {
        p->at++;
        SP_TRY(parse_member(p, set, &last));
        if (last < first)
            return refuse(p, "a range that ends before it begins, or in no character,");
        if (!p->any_case)
            return sp_charset_add(set, (uint32_t)first, (uint32_t)last);
        for (int32_t c = first; c <= last; c++)
            SP_TRY(add_character(p, set, (uint32_t)c));
        return 0;
    }
    return first >= 0 ? add_character(p, set, (uint32_t)first) : 0;
}

/* What stands between "[" or "&&" and "&&" or "]". */
static int parse_items(struct parser *p, struct sp_charset *set)
{
    bool none = true; /* a "]" that closes nothing is a character */

    while (*p->at && (*p->at != ']' || (none && strchr(p->at + 1, ']'))) && strncmp(p->at, "&&", 2) != 0) {
        SP_TRY(parse_item(p, set));
        none = false;
    }
    return !*p->at ? refuse(p, "a \"[\" that is not closed") : none ? refuse(p, "an empty class") : 0;
}

/* [...] with ranges, classes in it, and && between what must both hold; adds what it matches. */
static int parse_class(struct parser *p, struct sp_charset *set)
{
    struct sp_charset all = { NULL, 0, 0 }, part = { NULL, 0, 0 };
    bool inverted;
    int rc = 0;

    if (++p->depth > DEPTH_MAX)
        return refuse(p, "classes too deep in each other");
    inverted = *++p->at == '^';
    p->at += inverted;
    SP_GO(parse_items(p, &all));
    while (*p->at == '&') {
        p->at += 2;
        sp_charset_free(&part);
        SP_GO(parse_items(p, &part));
        SP_GO(sp_charset_intersect(&all, &part));
    }
    p->at++;
    p->depth--;
    /* case goes by single characters here: a class of many has members whose partners are not known */
    for (size_t i = 0; p->any_case && i < all.count; i++)
        if (all.ranges[i].last > 0x7F && all.ranges[i].last != 0x212A && all.ranges[i].last != 0x17F)
            SP_GO(refuse(p, "a class with characters beyond ASCII where case does not count"));
    if (inverted)
        SP_GO(sp_charset_complement(&all));
    rc = sp_charset_add_set(set, &all);
out:
    sp_charset_free(&all);
    sp_charset_free(&part);
    return rc;
}

/* ---- the rest ---- */

static int parse_alternatives(struct parser *p);

/* A set in the place of something that matches one of its characters. */
static int put_named(struct parser *p, const char *name, bool inverted)
{
    struct sp_charset set = { NULL, 0, 0 };
    int rc = add_named(p, &set, name, strlen(name), inverted);

    if (rc == 0)
        rc = put_set(p, &set);
    sp_charset_free(&set);
    return rc;
}

static int put_range(struct parser *p, uint32_t first, uint32_t last)
{
    struct sp_charset set = { NULL, 0, 0 };
    int rc = sp_charset_add(&set, first, last);

    if (rc == 0)
        rc = put_set(p, &set);
    sp_charset_free(&set);
    return rc;
}

/* Syntax with sets: each '$' of a form is a newline, each 'r' a carriage return, each 'n' any end of a line, each 'w' a
 * character of words. */
static int put_form(struct parser *p, const char *form)
{
    for (; *form; form++) {
        if (*form == '$')
            SP_TRY(put_range(p, '\n', '\n'));
        else if (*form == 'r')
            SP_TRY(put_range(p, '\r', '\r'));
        else if (*form == 'n')
            SP_TRY(put_named(p, ":line_end", false));
        else if (*form == 'w')
            SP_TRY(put_named(p, ":word_alone", false));
        else
            SP_TRY(sp_buf_append(&p->out->pattern, form, 1));
    }
    return 0;
}

static const char *anchor(char letter)
{
    switch (letter) {
    case 'A':
        return "\\A";
    case 'z':
        return "\\z";
    case 'Z':
        return "(?=$?\\z)";
    case 'b':
        return "(?:(?<=w)(?!w)|(?<!w)(?=w))";
    case 'B':
        return "(?:(?<=w)(?=w)|(?<!w)(?!w))";
    case 'R':
        return "(?>r$|n)";
    default:
        return NULL;
    }
}

static int parse_escape(struct parser *p)
{
    struct sp_charset set = { NULL, 0, 0 };
    const char *form = anchor(*++p->at);
    int32_t c;
    int rc;

    if (form) {
        p->at++;
        p->last = 0;
        return put_form(p, form);
    }
    SP_TRY(escaped_character(p, &c));
    if (c >= 0)
        return put_character(p, (uint32_t)c);
    p->last = 0;
    rc = escaped_class(p, &set, true);
    if (rc == 0)
        rc = put_set(p, &set);
    sp_charset_free(&set);
    return rc;
}

static int parse_bracket(struct parser *p)
{
    struct sp_charset set = { NULL, 0, 0 };
    int rc = parse_class(p, &set);

    if (rc == 0)
        rc = put_set(p, &set);
    sp_charset_free(&set);
    return rc;
}

/* What stands in a group up to its ")", with the options that hold in it. */
static int parse_group_rest(struct parser *p, const char *open)
{
    bool any_case = p->any_case, dot_all = p->dot_all;

    SP_TRY(put(p, open));
    SP_TRY(parse_alternatives(p));
    p->any_case = any_case;
    p->dot_all = dot_all;
    return put(p, ")");
}

/* Options, (?i-m) or (?i:...), behind the "(?". The first holds for the rest of the group around it. */
static int parse_options(struct parser *p)
{
    bool on = true, any_case = p->any_case, dot_all = p->dot_all, rest;

    for (; *p->at != ')' && *p->at != ':'; p->at++) {
        if (*p->at == '-')
            on = false;
        else if (*p->at == 'i')
            p->any_case = on;
        else if (*p->at == 'm')
            p->dot_all = on;
        else if (*p->at != 'x' || on)
            return refuse(p, "an option or a kind of group");
    }
    rest = *p->at++ == ')';
    SP_TRY(put(p, "(?:"));
    SP_TRY(parse_alternatives(p));
    p->any_case = any_case;
    p->dot_all = dot_all;
    if (!rest && *p->at++ != ')')
        return refuse(p, "a \"(\" that is not closed");
    return put(p, ")");
}

static int parse_group(struct parser *p)
{
    static const char *const kinds[] = { "(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!" };
    const char *open = NULL;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !open; i++)
        open = strncmp(p->at, kinds[i], strlen(kinds[i])) == 0 ? kinds[i] : NULL;
    if (open) {
        p->at += strlen(open);
    } else if (p->at[1] != '?') { /* what a group matches is not asked for */
        p->at++;
        open = "(?:";
    } else if (strncmp(p->at, "(?<", 3) == 0 && strchr(p->at, '>')) { /* nor is its name */
        p->at = strchr(p->at, '>') + 1;
        open = "(?:";
    } else {
        p->at += 2;
        return parse_options(p);
    }
    SP_TRY(parse_group_rest(p, open));
    return *p->at++ == ')' ? 0 : refuse(p, "a \"(\" that is not closed");
}

static int parse_atom(struct parser *p)
{
    static const char special[] = "*+?";
    uint32_t c;

    if (*p->at == '(')
        return parse_group(p);
    if (*p->at == '[')
        return parse_bracket(p);
    if (*p->at == '\\')
        return parse_escape(p);
    if (strchr(special, *p->at))
        return refuse(p, "a repeat of nothing");
    p->at += sp_text_decode(&c, p->at, strlen(p->at));
    if (c == '^')
        return put_form(p, "(?:\\A|(?<=$)(?!\\z))");
    if (c == '$')
        return put_form(p, "(?:\\z|(?=$))");
    if (c == '.' && p->dot_all)
        return put_named(p, "any", false);
    if (c == '.')
        return put_named(p, ":newline", true);
    return put_character(p, c);
}

/* An interval at `at`, {2}, {2,}, {2,3} or {,3}, rewritten with both numbers: its length, 0 where the brace is a plain
 * character. */
static size_t interval(const char *at, char out[32], bool *is_one)
{
    static const char digits[] = "0123456789";
    size_t low = strspn(at + 1, digits), comma = at[1 + low] == ',', high = strspn(at + 1 + low + comma, digits),
           length = low + comma + high + 2;

    *is_one = !comma;
    if (at[length - 1] != '}' || low + high == 0 || low + high > 12)
        return 0;
    snprintf(out, 32, "{%.*s%.*s", (int)(low ? low : 1), low ? at + 1 : "0", (int)(comma + high + 1), at + 1 + low);
    return length;
}

/* The repeats behind what begins at byte `start` of the output, which is one mark, group or anchor: PCRE2 repeats one
 * set without memory for each time, but not a group. */
static int parse_repeats(struct parser *p, size_t start)
{
    struct sp_buf *out = &p->out->pattern;
    char repeat[36];
    bool is_one = false, lazy;

    for (int count = 0;; count++) {
        size_t length = *p->at == '{' ? interval(p->at, repeat, &is_one) : strchr("*+?", *p->at) && *p->at;

        if (!length)
            return 0;
        if (*p->at != '{') {
            bool more = p->at[1] == '?' || p->at[1] == '+'; /* lazy, possessive */

            length += more;
            snprintf(repeat, sizeof repeat, "%.*s", (int)length, p->at);
        }
        lazy = *p->at == '{' && p->at[length] == '?' && !is_one;
        p->last = *p->at == '{' ? p->last : 0; /* {1} is none */
        p->at += length + lazy;
        if (count == REPEATS_MAX)
            return refuse(p, "too many repeats of repeats");
        if (count) {
            SP_TRY(put(p, "(?:)")); /* makes room; the text moves behind it */
            memmove(out->data + start + 3, out->data + start, out->length - 4 - start);
            memcpy(out->data + start, "(?:", 3);
        }
        SP_TRY(put(p, repeat));
        SP_TRY(put(p, lazy ? "?" : ""));
    }
}

static int parse_alternatives(struct parser *p)
{
    if (++p->depth > DEPTH_MAX)
        return refuse(p, "groups too deep in each other");
    while (*p->at && *p->at != ')') {
        size_t start = p->out->pattern.length;

        if (*p->at == '|') {
            p->at++;
            p->last = 0;
            SP_TRY(put(p, "|"));
            continue;
        }
        if (strncmp(p->at, "(?#", 3) == 0 && strchr(p->at, ')')) {
            p->at = strchr(p->at, ')') + 1;
            continue;
        }
        if (strchr("[.^$", *p->at))
            p->last = 0;
        SP_TRY(parse_atom(p));
        SP_TRY(parse_repeats(p, start));
    }
    p->depth--;
    return 0;
}

int sp_regex_parse(struct sp_regex_parts *out, const char *pattern, bool plain, const char *path)
{
    struct parser p = { out, pattern, pattern, path, 0, false, false, 0 };

    memset(out, 0, sizeof *out);
    out->pattern.limit = OUTPUT_MAX;
    if (sp_text_utf8_prefix(pattern, strlen(pattern)) < strlen(pattern))
        return refuse(&p, "bytes that are no UTF-8");
    while (plain && *p.at) {
        uint32_t c;

        p.at += sp_text_decode(&c, p.at, strlen(p.at));
        SP_TRY(put_character(&p, c));
    }
    if (!plain)
        SP_TRY(parse_alternatives(&p));
    return *p.at ? refuse(&p, "a \")\" without its \"(\"") : 0;
}

void sp_regex_parts_free(struct sp_regex_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        sp_charset_free(&parts->sets[i]);
    sp_buf_free(&parts->pattern);
}
