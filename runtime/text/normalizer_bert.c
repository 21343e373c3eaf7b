/*
 * BERT's normalizer: drop control characters, make every white space a blank, put blanks around CJK
 * ideographs, strip accents (canonical decomposition without its non-spacing marks), lower case.
 * The library makes a pass over the text for each; every step but the canonical ordering of marks
 * works on one character, so one pass does here, with the marks between two starters waiting for
 * their order.
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/normal_form.h"
#include "runtime/text/stage.h"
#include "runtime/text/unicode.h"

#include <stdlib.h>
#include <string.h>

#define DROPPED 0xFF /* no ASCII character */
#define BLOCK 4096
#define CHARACTER_MAX 64 /* more bytes than one character can become */

struct bert {
    int clean_text, handle_chinese_chars, strip_accents, lowercase;
    unsigned char ascii[128]; /* what an ASCII character becomes */
};

/* The text on its way out, handed to the buffer a block at a time. */
struct sink {
    const struct bert *bert;
    struct sp_buf *out;
    struct sp_ids *marks; /* SP_MARK */
    size_t used;
    char block[BLOCK];
};

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct bert flags = { .clean_text = 1,
                          .handle_chinese_chars = 1,
                          .strip_accents = -1,
                          .lowercase = 1 },
                *bert;

    (void)vocab;
    SP_TRY(sp_json_get_bool(&flags.clean_text, section, "clean_text", path));
    SP_TRY(sp_json_get_bool(&flags.handle_chinese_chars, section, "handle_chinese_chars", path));
    SP_TRY(sp_json_get_bool(&flags.strip_accents, section, "strip_accents", path));
    SP_TRY(sp_json_get_bool(&flags.lowercase, section, "lowercase", path));
    if (flags.strip_accents < 0)
        flags.strip_accents = flags.lowercase;
    for (unsigned char c = 0; c < 128; c++) {
        flags.ascii[c] = c;
        if (flags.clean_text && (c < ' ' || c == 127))
            flags.ascii[c] = c == '\t' || c == '\n' || c == '\r' ? ' ' : DROPPED;
        if (flags.lowercase && c >= 'A' && c <= 'Z')
            flags.ascii[c] = (unsigned char)(c - 'A' + 'a');
    }
    *state = bert = sp_calloc(1, sizeof *bert);
    if (!bert)
        return SP_ENOMEM;
    *bert = flags;
    return 0;
}

static bool is_chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
           (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

static int flush_block(struct sink *sink)
{
    SP_TRY(sp_buf_append(sink->out, sink->block, sink->used));
    sink->used = 0;
    return 0;
}

static int emit(struct sink *sink, uint32_t c)
{
    uint32_t lowered[2] = { c };
    size_t count = 1;

    if (sink->bert->strip_accents && sp_unicode_class(c) == SP_CHAR_MARK)
        return 0;
    if (sink->used > BLOCK - CHARACTER_MAX)
        SP_TRY(flush_block(sink));
    if (sink->bert->lowercase)
        count = sp_unicode_lower(lowered, c);
    for (size_t i = 0; i < count; i++)
        sink->used += sp_unicode_encode(sink->block + sink->used, lowered[i]);
    return 0;
}

/* Emits the waiting marks in canonical order. */
static int flush_marks(struct sink *sink)
{
    struct sp_ids *marks = sink->marks;

    SP_TRY(sp_marks_sort(marks));
    for (size_t i = 0; i < marks->count; i++)
        SP_TRY(emit(sink, SP_MARK_CHARACTER(marks->data[i])));
    marks->count = 0;
    return 0;
}

static int push(struct sink *sink, uint32_t c)
{
    uint32_t parts[SP_UNICODE_DECOMPOSED_MAX];
    size_t count;

    if (!sink->bert->strip_accents)
        return emit(sink, c);
    count = sp_unicode_decompose(parts, c, false);
    for (size_t i = 0; i < count; i++) {
        unsigned combining = sp_unicode_combining(parts[i]);

        if (combining) {
            SP_TRY(sp_ids_add(sink->marks, SP_MARK(combining, parts[i])));
            continue;
        }
        if (sink->marks->count)
            SP_TRY(flush_marks(sink));
        SP_TRY(emit(sink, parts[i]));
    }
    return 0;
}

static int push_clean(struct sink *sink, uint32_t c)
{
    const struct bert *bert = sink->bert;

    if (bert->clean_text) {
        if (c == SP_TEXT_REPLACEMENT || sp_unicode_class(c) == SP_CHAR_CONTROL)
            return 0;
        if (sp_text_is_space(c))
            c = ' ';
    }
    if (!bert->handle_chinese_chars || !is_chinese(c))
        return push(sink, c);
    SP_TRY(push(sink, ' '));
    SP_TRY(push(sink, c));
    return push(sink, ' ');
}

/* Copies the ASCII characters that text begins with, as far as the block has room; returns how many
 * it took. */
static size_t push_ascii(struct sink *sink, const char *text, size_t length)
{
    size_t at, room = BLOCK - sink->used;

    for (at = 0; at < length && at < room && (unsigned char)text[at] < 0x80; at++) {
        unsigned char c = sink->bert->ascii[(unsigned char)text[at]];

        sink->block[sink->used] = (char)c;
        sink->used += c != DROPPED;
    }
    return at;
}

static int normalize(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text,
                     size_t length)
{
    struct sink sink; /* not initialised whole: the block is large */
    size_t at = 0;
    uint32_t c;

    sink.bert = state;
    sink.out = out;
    sink.marks = marks;
    sink.used = 0;
    marks->count = 0;
    while (at < length) {
        if ((unsigned char)text[at] < 0x80 &&
            sink.bert->ascii[(unsigned char)text[at]] != DROPPED && marks->count)
            SP_TRY(flush_marks(&sink));
        if ((unsigned char)text[at] >= 0x80) {
            at += sp_text_decode(&c, text + at, length - at);
            SP_TRY(push_clean(&sink, c));
        } else if (marks->count) { /* dropped: the marks on both sides meet */
            at++;
        } else {
            at += push_ascii(&sink, text + at, length - at);
        }
        if (sink.used > BLOCK - CHARACTER_MAX)
            SP_TRY(flush_block(&sink));
    }
    SP_TRY(flush_marks(&sink));
    return flush_block(&sink);
}

const struct sp_stage sp_stage_normalizer_bert = {
    .slot = "normalizer",
    .type = "BertNormalizer",
    .load = load,
    .free = free,
    .normalize = normalize,
};
