#include "frontends/cli/terminal.h"

#include "runtime/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 16384 /* a line holds a few paths at most */

typedef size_t shower(char out[SP_TEXT_SHOWN], size_t *taken, const char *text, size_t left);

/* Escapes into `out`, as much as fits. */
static size_t escape(char *out, size_t size, const char *text, size_t length, shower *show)
{
    char shown[SP_TEXT_SHOWN];
    size_t used = 0;

    for (size_t taken; length > 0; text += taken, length -= taken) {
        size_t n = show(shown, &taken, text, length);

        if (used + n > size)
            break;
        memcpy(out + used, shown, n);
        used += n;
    }
    return used;
}

size_t sp_terminal_escape(char *out, size_t size, const char *text, size_t length)
{
    return escape(out, size, text, length, sp_text_show);
}

void sp_terminal_say(const char *before, const char *text, size_t sentence)
{
    char out[2 * LINE_SIZE];
    size_t length = sp_terminal_escape(out, sizeof out, text, sentence);

    length += escape(out + length, sizeof out - length, text + sentence, strlen(text) - sentence, sp_text_show_message);
    fprintf(stderr, "%s%.*s\n", before, (int)length, out);
}

void sp_terminal_text(const char *text, size_t length)
{
    while (length) {
        const char *newline = memchr(text, '\n', length);
        size_t line = newline ? (size_t)(newline - text) : length, part;
        char out[LINE_SIZE];

        part = line < LINE_SIZE / SP_TEXT_SHOWN ? line : LINE_SIZE / SP_TEXT_SHOWN;
        fwrite(out, 1, escape(out, sizeof out, text, part, sp_text_show), stdout);
        if (part == line && newline)
            putchar('\n');
        part += part == line && newline;
        text += part;
        length -= part;
    }
}

void sp_terminal_print(const char *format, ...)
{
    char line[LINE_SIZE], out[2 * LINE_SIZE];
    size_t length;
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    length = escape(out, sizeof out, line, strlen(line), sp_text_show);
    printf("%.*s\n", (int)length, out);
}
