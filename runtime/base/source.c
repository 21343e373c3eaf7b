#include "runtime/base/source.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WINDOW 96 /* characters of a line that are shown */
#define SENTENCE 1024
#define LEAD 64   /* of them before the caret, when the line is longer */

const char *sp_source_line(const struct sp_source *source, size_t number, size_t *length)
{
    const char *at = source->text, *end = source->text + source->length, *stop;

    for (size_t line = 1; line < number && at < end; line++) {
        stop = memchr(at, '\n', (size_t)(end - at));
        at = stop ? stop + 1 : end;
    }
    stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    *length = (size_t)((stop ? stop : end) - at);
    return at;
}

/* Writes the part of the line around the column, one character for each, and the caret. */
static int draw(struct sp_buf *out, const char *line, size_t length, size_t column)
{
    size_t first = column > WINDOW ? column - LEAD : 1, at = 0;
    char shown[SP_TEXT_SHOWN];

    SP_TRY(sp_buf_puts(out, "\n    "));
    for (size_t taken; length > 0 && at + 1 < first + WINDOW; line += taken, length -= taken) {
        size_t size = sp_text_show(shown, &taken, line, length);

        if (++at >= first)
            /* the caret's column counts */
            SP_TRY(size == taken ? sp_buf_append(out, shown, size) : sp_buf_puts(out, " "));
    }
    return sp_buf_printf(out, "\n    %*s^", (int)(column - first), "");
}

int sp_source_error(int code, const struct sp_source *source, struct sp_place place,
                    const char *format, ...)
{
    struct sp_buf excerpt = SP_BUF(4 * WINDOW + 256), sentence = SP_BUF(SENTENCE * SP_TEXT_SHOWN);
    char text[SENTENCE];
    const char *line;
    size_t length;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (sp_text_escape(&sentence, text, strlen(text)) < 0)
        sp_buf_clear(&sentence);
    line = sp_source_line(source, place.line, &length);
    if (length > 0 && draw(&excerpt, line, length, place.column ? place.column : 1) < 0)
        sp_buf_clear(&excerpt); /* the sentence matters more */
    if (source->name[0] == '-' && source->name[1] == '-')
        sp_error(code, "%s: %s", source->name, sentence.data ? sentence.data : "");
    else
        sp_error(code, "%s:%zu:%zu: %s", source->name, place.line, place.column, sentence.data ? sentence.data : "");
    sp_error_lines(code, excerpt.data ? excerpt.data : "");
    sp_buf_free(&sentence);
    sp_buf_free(&excerpt);
    return code;
}
