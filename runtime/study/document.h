/*
 * A report in two forms at once (layer 6): Markdown, and one HTML file that needs no other. Text is given plain; each
 * form escapes it. The first failure is kept in `rc` and ends all writing, so that only sp_document_save need be asked.
 *
 *     struct sp_document d;
 *     sp_document_open(&d, "Title");
 *     sp_document_text(&d, "%d runs", n);
 *     sp_document_table(&d); sp_document_cell(&d, "a"); sp_document_row(&d); ... sp_document_table_end(&d);
 *     rc = sp_document_save(&d, "report.md", "report.html");
 *     sp_document_close(&d);
 */
#ifndef SP_STUDY_DOCUMENT_H
#define SP_STUDY_DOCUMENT_H

#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct sp_document {
    struct sp_buf markdown, html;
    size_t cells, rows; /* of the open table */
    int rc;
};

void sp_document_open(struct sp_document *document, const char *title);
void sp_document_close(struct sp_document *document);

void sp_document_heading(struct sp_document *document, const char *text);
void sp_document_text(struct sp_document *document, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sp_document_item(struct sp_document *document, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A table of cells; its first row is the header. */
void sp_document_table(struct sp_document *document);
void sp_document_cell(struct sp_document *document, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sp_document_number(struct sp_document *document, int digits, double value); /* NaN is "-" */
void sp_document_row(struct sp_document *document);
/* opens one with that row; NULL ends them */
void sp_document_header(struct sp_document *document, const char *const *names);
void sp_document_table_end(struct sp_document *document);

/* A picture; Markdown has none. */
void sp_document_figure(struct sp_document *document, const char *svg);

/* Ends both forms: their text may be used. */
int sp_document_end(struct sp_document *document);

/* Ends and writes the forms whose path is not NULL. */
int sp_document_save(struct sp_document *document, const char *markdown, const char *html);

/* Characters of `text` as it is shown, and the text itself, filled with blanks to `width`: before it, or, where that is
 * negative, after it. */
size_t sp_document_width(const char *text);
int sp_document_pad(struct sp_buf *out, const char *text, int width);

/* Appends `text` with what XML and HTML must not see escaped, and what nobody would see shown. */
int sp_document_escape(struct sp_buf *out, const char *text);

#endif
