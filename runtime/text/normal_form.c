/*
 * One pass: each character's decomposition; marks wait, sorted, until the next starter. For a composed form the starter
 * before them waits too, and takes in what it makes one character with and no mark between blocks.
 */
#include "runtime/text/normal_form.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/unicode.h"

#include <stdlib.h>
#include <string.h>

#define NO_STARTER UINT32_MAX

struct form {
    struct sp_buf *out;
    struct sp_ids *marks;
    bool compatibility, composed;
    uint32_t starter; /* the last one, where the form is composed and it is not written yet */
};

int sp_marks_sort(struct sp_ids *marks)
{
    size_t places[257] = { 0 }, ordered = 1;
    uint32_t *sorted;

    while (ordered < marks->count && SP_MARK_CLASS(marks->data[ordered - 1]) <= SP_MARK_CLASS(marks->data[ordered]))
        ordered++;
    if (ordered >= marks->count)
        return 0;
    sorted = sp_calloc(marks->count, sizeof *sorted);
    if (!sorted)
        return SP_ENOMEM;
    for (size_t i = 0; i < marks->count; i++)
        places[SP_MARK_CLASS(marks->data[i]) + 1]++;
    for (size_t i = 1; i < 257; i++)
        places[i] += places[i - 1];
    for (size_t i = 0; i < marks->count; i++)
        sorted[places[SP_MARK_CLASS(marks->data[i])]++] = marks->data[i];
    memcpy(marks->data, sorted, marks->count * sizeof *sorted);
    free(sorted);
    return 0;
}

static int write(struct form *form, uint32_t c)
{
    char bytes[4];

    return sp_buf_append(form->out, bytes, sp_unicode_encode(bytes, c));
}

/* Lets the starter take in what marks it can; a mark is blocked by one of its class that stays. */
static void compose_marks(struct form *form)
{
    struct sp_ids *marks = form->marks;
    uint32_t last = 0;
    size_t kept = 0;

    for (size_t i = 0; i < marks->count; i++) {
        uint32_t mark = marks->data[i], c = 0;

        if (SP_MARK_CLASS(mark) > last)
            c = sp_unicode_compose(form->starter, SP_MARK_CHARACTER(mark));
        if (c) {
            form->starter = c;
        } else {
            last = SP_MARK_CLASS(mark);
            marks->data[kept++] = mark;
        }
    }
    marks->count = kept;
}

static int write_marks(struct form *form)
{
    for (size_t i = 0; i < form->marks->count; i++)
        SP_TRY(write(form, SP_MARK_CHARACTER(form->marks->data[i])));
    form->marks->count = 0;
    return 0;
}

/* A starter follows, or the text's end (NO_STARTER). */
static int start(struct form *form, uint32_t c)
{
    SP_TRY(sp_marks_sort(form->marks));
    if (form->starter != NO_STARTER) {
        uint32_t both;

        compose_marks(form);
        both = !form->marks->count && c != NO_STARTER ? sp_unicode_compose(form->starter, c) : 0;
        if (both) {
            form->starter = both;
            return 0;
        }
        SP_TRY(write(form, form->starter));
    }
    SP_TRY(write_marks(form));
    form->starter = c;
    if (form->composed || c == NO_STARTER)
        return 0;
    form->starter = NO_STARTER;
    return write(form, c);
}

static int push(struct form *form, uint32_t c)
{
    uint32_t parts[SP_UNICODE_DECOMPOSED_MAX];
    size_t count = sp_unicode_decompose(parts, c, form->compatibility);

    for (size_t i = 0; i < count; i++) {
        unsigned combining = sp_unicode_combining(parts[i]);

        if (combining)
            SP_TRY(sp_ids_add(form->marks, SP_MARK(combining, parts[i])));
        else
            SP_TRY(start(form, parts[i]));
    }
    return 0;
}

/* How many bytes from here on are surely the same in the form: of NFC, characters below U+0300 (a byte below 0xCC is of
 * one) that another such follows; else ASCII. */
static size_t same(const struct form *form, const char *text, size_t length)
{
    unsigned char above = form->composed && !form->compatibility ? 0xCC : 0x80;
    size_t at = 0;

    while (at < length && (unsigned char)text[at] < above)
        at++;
    if (form->composed && at) /* the last one may be composed with what comes */
        do
            at--;
        while (at && sp_text_goes_on(text[at]));
    return at;
}

int sp_normal_form(struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length, bool compatibility,
                   bool composed)
{
    struct form form = { out, marks, compatibility, composed, NO_STARTER };
    size_t at = 0;
    uint32_t c;

    marks->count = 0;
    while (at < length) {
        size_t run = same(&form, text + at, length - at);

        if (run) {
            SP_TRY(start(&form, NO_STARTER));
            SP_TRY(sp_buf_append(out, text + at, run));
            at += run;
        }
        if (at < length) {
            at += sp_text_decode(&c, text + at, length - at);
            SP_TRY(push(&form, c));
        }
    }
    return start(&form, NO_STARTER);
}
