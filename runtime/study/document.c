#include "runtime/study/document.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t)64 << 20)
#define TEXT_MAX 4096

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right;"
    "font-variant-numeric:tabular-nums}td:first-child,th:first-child{text-align:left}th{border-bottom:2px solid #888}"
    "svg{max-width:100%;height:auto}";

/* The next character as it is shown, for which *taken bytes stand in `text`. */
static const char *next(char shown[SP_TEXT_SHOWN + 1], size_t *taken, const char *text)
{
    shown[sp_text_show_message(shown, taken, text, strlen(text))] = '\0';
    return shown;
}

int sp_document_escape(struct sp_buf *out, const char *text)
{
    char shown[SP_TEXT_SHOWN + 1];

    for (size_t taken; *text; text += taken) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;

        next(shown, &taken, text);
        SP_TRY(sp_buf_puts(out, entity ? entity : shown));
    }
    return 0;
}

/* A backslash goes before what Markdown would read. */
static int escape_markdown(struct sp_buf *out, const char *text)
{
    char shown[SP_TEXT_SHOWN + 1];

    for (size_t taken; *text; text += taken) {
        next(shown, &taken, text);
        SP_TRY(sp_buf_printf(out, "%s%s", strchr("\\|*`<", shown[0]) ? "\\" : "", shown));
    }
    return 0;
}

size_t sp_document_width(const char *text)
{
    char shown[SP_TEXT_SHOWN + 1];
    size_t width = 0;

    for (size_t taken; *text; text += taken) {
        next(shown, &taken, text);
        width += taken == strlen(shown) ? 1 : strlen(shown);
    }
    return width;
}

int sp_document_pad(struct sp_buf *out, const char *text, int width)
{
    int blanks = abs(width) - (int)sp_document_width(text);

    if (width > 0 && blanks > 0)
        SP_TRY(sp_buf_printf(out, "%*s", blanks, ""));
    SP_TRY(sp_text_escape(out, text, strlen(text)));
    return width < 0 && blanks > 0 ? sp_buf_printf(out, "%*s", blanks, "") : 0;
}

/* The text between what goes before and after it in each form. */
static int write_both(struct sp_document *d, const char *markdown, const char *open, const char *text,
                      const char *after, const char *close)
{
    SP_TRY(sp_buf_puts(&d->markdown, markdown));
    SP_TRY(escape_markdown(&d->markdown, text));
    SP_TRY(sp_buf_puts(&d->markdown, after));
    SP_TRY(sp_buf_puts(&d->html, open));
    SP_TRY(sp_document_escape(&d->html, text));
    return sp_buf_puts(&d->html, close);
}

void sp_document_open(struct sp_document *d, const char *title)
{
    *d = (struct sp_document){ .markdown = SP_BUF(LIMIT), .html = SP_BUF(LIMIT) };
    d->rc = sp_buf_puts(&d->html, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    if (d->rc == 0)
        d->rc = sp_document_escape(&d->html, title);
    if (d->rc == 0)
        d->rc = sp_buf_printf(&d->html, "</title>\n<style>%s</style></head><body>\n", style);
    if (d->rc == 0)
        d->rc = write_both(d, "# ", "<h1>", title, "\n", "</h1>\n");
}

void sp_document_close(struct sp_document *d)
{
    sp_buf_free(&d->markdown);
    sp_buf_free(&d->html);
}

void sp_document_heading(struct sp_document *d, const char *text)
{
    if (d->rc == 0)
        d->rc = write_both(d, "\n## ", "<h2>", text, "\n", "</h2>\n");
}

/* A line of its own in both documents. */
__attribute__((format(printf, 5, 0))) static void write_line(struct sp_document *d, const char *markdown,
                                                             const char *html, const char *html_end, const char *format,
                                                             va_list args)
{
    char text[TEXT_MAX];

    vsnprintf(text, sizeof text, format, args);
    if (d->rc == 0)
        d->rc = write_both(d, markdown, html, text, "\n", html_end);
}

void sp_document_text(struct sp_document *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(d, "\n", "<p>", "</p>\n", format, args);
    va_end(args);
}

void sp_document_item(struct sp_document *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(d, "- ", "<li>", "</li>\n", format, args);
    va_end(args);
}

void sp_document_table(struct sp_document *d)
{
    d->cells = d->rows = 0;
    if (d->rc == 0)
        d->rc = sp_buf_puts(&d->markdown, "\n");
    if (d->rc == 0)
        d->rc = sp_buf_puts(&d->html, "<table>\n");
}

void sp_document_cell(struct sp_document *d, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (d->rc == 0)
        d->rc = write_both(d, d->cells ? " " : "| ", d->cells ? "" : "<tr>", "", "", "");
    if (d->rc == 0)
        d->rc = write_both(d, "", d->rows ? "<td>" : "<th>", text, " |", d->rows ? "</td>" : "</th>");
    d->cells++;
}

void sp_document_number(struct sp_document *d, int digits, double value)
{
    if (isnan(value))
        sp_document_cell(d, "-");
    else
        sp_document_cell(d, "%.*f", digits, value);
}

void sp_document_row(struct sp_document *d)
{
    for (size_t i = 0; d->rc == 0 && i < (d->rows ? 0 : d->cells + 1); i++)
        d->rc = sp_buf_puts(&d->markdown, i == 0 ? "\n|" : i == 1 ? "---|" : "--:|");
    if (d->rc == 0)
        d->rc = sp_buf_puts(&d->markdown, "\n");
    if (d->rc == 0)
        d->rc = sp_buf_puts(&d->html, "</tr>\n");
    d->rows++;
    d->cells = 0;
}

void sp_document_header(struct sp_document *d, const char *const *names)
{
    sp_document_table(d);
    for (; *names; names++)
        sp_document_cell(d, "%s", *names);
    sp_document_row(d);
}

void sp_document_table_end(struct sp_document *d)
{
    if (d->rc == 0)
        d->rc = sp_buf_puts(&d->html, "</table>\n");
}

void sp_document_figure(struct sp_document *d, const char *svg)
{
    if (d->rc == 0)
        d->rc = sp_buf_printf(&d->html, "<p>%s</p>\n", svg);
}

int sp_document_end(struct sp_document *d)
{
    SP_TRY(d->rc);
    return sp_buf_puts(&d->html, "</body></html>\n");
}

int sp_document_save(struct sp_document *d, const char *markdown, const char *html)
{
    SP_TRY(sp_document_end(d));
    if (markdown)
        SP_TRY(sp_fs_write(markdown, d->markdown.data, d->markdown.length));
    return html ? sp_fs_write(html, d->html.data, d->html.length) : 0;
}
