/*
 * Tables that are drawn with characters, as Markdown, psql, mysql and sqlcmd do: their bars would part them into
 * columns, and the rule below their header would be a row, and its class one of the labels. A rule stands below a line
 * that has words, and bars as it has, or above one; ":-|" below "text" is somebody's text, and what stands in quotes is
 * one, too.
 */
#include "runtime/data/layout.h"

#include "runtime/base/error.h"
#include "runtime/data/reader_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE 4096
#define LINES 3 /* that are looked at for a rule: the second, or the first and the third */

/* Copies the next line of the text, without its end and blanks around it; one that is longer than LINE is empty. */
static void take_line(char out[LINE], const char **text, size_t *left)
{
    const char *end = *left ? memchr(*text, '\n', *left) : NULL;
    size_t length = end ? (size_t)(end - *text) + 1 : *left, from = 0, to = length < LINE ? length : 0;

    while (to && strchr(" \r\n", (*text)[to - 1]))
        to--;
    while (from < to && (*text)[from] == ' ')
        from++;
    snprintf(out, LINE, "%.*s", (int)(to - from), *text + from);
    *text += length;
    *left -= length;
}

static bool has_words(const char *line)
{
    for (const char *at = line; *at; at++)
        if (isalnum((unsigned char)*at) || (unsigned char)*at >= 0x80)
            return true;
    return false;
}

/* Whether a line is |---|:-:|, |-|-|, ---|---, +----+----+; no row of words for no value. */
static bool is_rule(const char *line)
{
    size_t length = strlen(line);
    bool first, last;

    if (length < 3 || line[strspn(line, "|+-=: ")] || !strpbrk(line, "-=") || !strpbrk(line, "|+"))
        return false;
    first = strchr("|+", line[0]) != NULL;
    last = strchr("|+", line[length - 1]) != NULL;
    return first == last && ((first && line[0] == '|') || strstr(line, "---") || strstr(line, "===") ||
                             strstr(line, ":-") || strstr(line, "-:"));
}

/* Whether a line is ----,-----: dashes alone in every field, and in one of them more than words for no value have. */
static bool is_rule_of_dashes(const char *line)
{
    const char delimiter = line[strcspn(line, ",;\t")];
    bool dash = false;

    for (const char *at = line; *at; at++) {
        if (*at == delimiter && (!dash || !at[1]))
            return false;
        if (*at != delimiter && *at != '-' && *at != ' ')
            return false;
        dash = *at == '-' || (dash && *at != delimiter);
    }
    return delimiter && strstr(line, "---");
}

static int refuse(const struct sp_reader *reader, size_t line, bool dashes)
{
    if (dashes)
        return sp_error(SP_EFORMAT,
                        "%s:%zu: a rule of dashes, as sqlcmd draws it below the names of columns; remove it: sed %zud "
                        "<OLD >NEW",
                        sp_reader_path(reader), line, line);
    return sp_error(SP_EFORMAT,
                    "%s:%zu: a rule, as Markdown and terminals draw it below the header of a table; csv or tsv is "
                    "expected: sed '/^[-+|:= ]*$/d; s/^ *| *//; s/ *| *$//' <OLD >NEW",
                    sp_reader_path(reader), line);
}

int sp_drawn_check(const struct sp_reader *reader)
{
    const char *text = (const char *)reader->map.data + reader->start;
    size_t left = reader->map.size - reader->start;
    char lines[LINES + 1][LINE];
    bool quoted = false;

    if (!reader->format->delimiter)
        return 0;
    for (size_t i = 0; i <= LINES; i++)
        take_line(lines[i], &text, &left);
    for (size_t i = 0; i < LINES && !quoted; i++) {
        const char *names = lines[i ? i - 1 : 1];
        bool drawn = is_rule(lines[i]) && strchr(names, '|'), dashes = i > 0 && is_rule_of_dashes(lines[i]);

        if (has_words(names) && (drawn || dashes))
            return refuse(reader, reader->start_line + i, dashes);
        for (const char *at = lines[i]; *at; at++)
            quoted ^= *at == '"';
    }
    return 0;
}
