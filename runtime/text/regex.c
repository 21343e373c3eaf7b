#include "runtime/text/regex.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/regex_priv.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define BLOCK 256u
#define BLOCKS ((SP_CHARSET_LAST + 1) / BLOCK)
#define MATCH_LIMIT 10000000u /* steps from one place of a text; Oniguruma has the same */
#define HEAP_LIMIT 65536u     /* KiB */
#define PATTERN_MAX 65536

struct sp_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    uint16_t block_of[BLOCKS];
    uint8_t (*blocks)[BLOCK]; /* the class of each character */
    size_t count, capacity;   /* of blocks */
    char *pattern;            /* as it was given, for messages */
};

/* ---- classes ---- */

/* A class: the sets that its characters are in. */
struct class {
    uint8_t in[SP_REGEX_SETS];
};

struct classes {
    struct class list[256];
    size_t count;
};

/* The number of the class of characters that are in these sets. */
static int class_of(uint8_t *out, struct classes *classes, const struct class *class)
{
    size_t i = 0;

    while (i < classes->count && memcmp(&classes->list[i], class, sizeof *class) != 0)
        i++;
    if (i == 256)
        return SP_ELIMIT;
    if (i == classes->count)
        classes->list[classes->count++] = *class;
    *out = (uint8_t)i;
    return 0;
}

/* Keeps the block, or finds it among the others: most of them are alike. */
static int keep_block(struct sp_regex *regex, size_t at, const uint8_t block[BLOCK])
{
    size_t i = regex->count;

    while (i > 0 && memcmp(regex->blocks[i - 1], block, BLOCK) != 0)
        i--;
    if (i == 0) {
        SP_TRY(sp_grow(&regex->blocks, regex->count, &regex->capacity, BLOCK, BLOCKS, "blocks"));
        memcpy(regex->blocks[regex->count++], block, BLOCK);
        i = regex->count;
    }
    regex->block_of[at] = (uint16_t)(i - 1);
    return 0;
}

/* Finds the sets that c is in, moving on from the character before; returns the first one behind c for which that may
 * be different. */
static uint32_t sets_of(struct class *class, size_t at[SP_REGEX_SETS], const struct sp_regex_parts *parts, uint32_t c)
{
    uint32_t until = SP_CHARSET_LAST + 1;

    memset(class, 0, sizeof *class);
    for (size_t i = 0; i < parts->count; i++) {
        const struct sp_charset *set = &parts->sets[i];
        uint32_t change;

        while (at[i] < set->count && set->ranges[at[i]].last < c)
            at[i]++;
        if (at[i] == set->count)
            continue;
        class->in[i] = set->ranges[at[i]].first <= c;
        change = class->in[i] ? set->ranges[at[i]].last + 1 : set->ranges[at[i]].first;
        until = change < until ? change : until;
    }
    return until;
}

/* Finds the class of every character, going through all sets at once. */
static int classify(struct sp_regex *regex, const struct sp_regex_parts *parts, struct classes *classes)
{
    size_t at[SP_REGEX_SETS] = { 0 };
    uint8_t block[BLOCK], number = 0;

    for (uint32_t c = 0, until; c <= SP_CHARSET_LAST; c = until) {
        struct class class;

        until = sets_of(&class, at, parts, c);
        SP_TRY(class_of(&number, classes, &class));
        while (c < until) {
            uint32_t end = c - c % BLOCK + BLOCK, stop = end < until ? end : until;

            memset(block + c % BLOCK, number, stop - c);
            if (stop == end)
                SP_TRY(keep_block(regex, c / BLOCK, block));
            c = stop;
        }
    }
    return 0;
}

/* ---- compiling ---- */

/* Appends the classes that the set consists of. */
static int put_set(struct sp_buf *out, const struct classes *classes, size_t set)
{
    size_t found = 0;

    for (size_t i = 0; i < classes->count; i++) {
        if (classes->list[i].in[set])
            SP_TRY(sp_buf_printf(out, "%s\\x%02zx", found++ ? "" : "[", i));
    }
    return sp_buf_puts(out, found ? "]" : "(?:(?!))");
}

static int put_sets(struct sp_buf *out, const struct sp_regex_parts *parts, const struct classes *classes)
{
    const char *pattern = parts->pattern.data;

    for (size_t i = 0; i < parts->pattern.length; i++) {
        if (pattern[i] == SP_REGEX_MARK)
            SP_TRY(put_set(out, classes, (size_t)(unsigned char)pattern[++i] - 1));
        else
            SP_TRY(sp_buf_append(out, &pattern[i], 1));
    }
    return 0;
}

static int refuse(const char *pattern, const char *path, int code)
{
    PCRE2_UCHAR text[120] = "";

    pcre2_get_error_message(code, text, sizeof text);
    return sp_error(SP_EFORMAT, "%s: the pattern \"%.100s\" cannot be used: %s", path, pattern, (const char *)text);
}

static int compile(struct sp_regex *regex, const char *pattern, const char *translated, const char *path)
{
    PCRE2_SIZE where;
    int code;

    regex->code = pcre2_compile((PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED,
                                PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NO_AUTO_CAPTURE, &code, &where, NULL);
    if (!regex->code)
        return refuse(pattern, path, code);
    regex->limits = pcre2_match_context_create(NULL);
    regex->pattern = sp_strndup(pattern, strlen(pattern) < 100 ? strlen(pattern) : 100);
    if (!regex->limits || !regex->pattern)
        return sp_error(SP_ENOMEM, "out of memory");
    pcre2_set_match_limit(regex->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(regex->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(regex->limits, HEAP_LIMIT);
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* where there is no JIT, matching interprets */
    return 0;
}

int sp_regex_compile(struct sp_regex **out, const char *pattern, bool plain, const char *path)
{
    struct sp_regex *regex = sp_calloc(1, sizeof *regex);
    struct sp_regex_parts *parts = sp_calloc(1, sizeof *parts);
    struct classes *classes = sp_calloc(1, sizeof *classes);
    struct sp_buf translated = SP_BUF(64 * PATTERN_MAX);
    int rc = regex && parts && classes ? 0 : SP_ENOMEM;

    *out = NULL;
    SP_GO(rc);
    if (strlen(pattern) > PATTERN_MAX)
        SP_GO(sp_error(SP_ELIMIT, "%s: the pattern \"%.100s\" is longer than %d bytes", path, pattern, PATTERN_MAX));
    SP_GO(sp_regex_parse(parts, pattern, plain, path));
    rc = classify(regex, parts, classes);
    if (rc == SP_ELIMIT)
        sp_error(rc, "%s: the pattern \"%.100s\" tells more than 256 kinds of characters apart", path, pattern);
    SP_GO(rc);
    SP_GO(put_sets(&translated, parts, classes));
    SP_GO(compile(regex, pattern, translated.length ? translated.data : "", path));
    *out = regex;
    regex = NULL;
out:
    sp_buf_free(&translated);
    if (parts)
        sp_regex_parts_free(parts);
    free(parts);
    free(classes);
    sp_regex_free(regex);
    return rc;
}

void sp_regex_free(struct sp_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->limits);
    free(regex->blocks);
    free(regex->pattern);
    free(regex);
}

/* ---- matching ---- */

/* Translates the text into its characters' classes. */
static int translate(const struct sp_regex *regex, struct sp_buf *out, const char *text, size_t length)
{
    char block[1024];
    size_t used = 0;

    sp_buf_clear(out);
    for (size_t at = 0; at < length;) {
        uint32_t c = (unsigned char)text[at];

        at += c < 0x80 ? 1 : sp_text_decode(&c, text + at, length - at);
        block[used++] = (char)regex->blocks[regex->block_of[c / BLOCK]][c % BLOCK];
        if (used == sizeof block) {
            SP_TRY(sp_buf_append(out, block, used));
            used = 0;
        }
    }
    return sp_buf_append(out, block, used);
}

/* Moves from one character of the text to another further on, bytes beside characters. */
static size_t forward(const char *text, size_t byte, size_t characters)
{
    for (; characters; characters--)
        byte += sp_text_utf8_length(text[byte]);
    return byte;
}

/* A deep pattern does not fit the JIT's stack; the interpreter has a heap. */
static int match(const struct sp_regex *regex, const struct sp_buf *classes, size_t at, pcre2_match_data *data)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)classes->data;
    int code = pcre2_match(regex->code, subject, classes->length, at, 0, data, regex->limits);

    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
        code = pcre2_match(regex->code, subject, classes->length, at, PCRE2_NO_JIT, data, regex->limits);
    if (code >= 0 || code == PCRE2_ERROR_NOMATCH)
        return code >= 0;
    return sp_error(SP_ELIMIT, "the tokenizer's pattern \"%s\" takes more than %u steps on a text of %zu characters",
                    regex->pattern, MATCH_LIMIT, classes->length);
}

int sp_regex_find(const struct sp_regex *regex, struct sp_buf *memory, const char *text, size_t length,
                  int (*found)(void *context, size_t start, size_t stop), void *context)
{
    pcre2_match_data *data;
    size_t at = 0, byte = 0, behind = SIZE_MAX; /* characters and bytes so far; the end of the last match */
    int rc = 0;

    SP_TRY(translate(regex, memory, text, length));
    if (!memory->data) /* no text */
        return 0;
    data = pcre2_match_data_create(1, NULL);
    if (!data)
        return sp_error(SP_ENOMEM, "out of memory");
    for (size_t search = 0; search <= memory->length;) {
        const PCRE2_SIZE *places = pcre2_get_ovector_pointer(data);
        size_t start, stop;

        SP_GO(match(regex, memory, search, data));
        if (rc == 0)
            break;
        if (places[0] == places[1] && places[1] == behind) {
            search++;
            continue;
        }
        start = forward(text, byte, places[0] - at);
        stop = forward(text, start, places[1] - places[0]);
        at = search = behind = places[1];
        byte = stop;
        SP_GO(found(context, start, stop));
    }
    rc = 0;
out:
    pcre2_match_data_free(data);
    return rc;
}
