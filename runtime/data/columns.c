/* What is said of a file's columns, and how much they look like texts. */
#include "runtime/data/chooser.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"

#include <stdlib.h>
#include <string.h>

#define NAME_SHOWN 44 /* bytes of a name or an example in it */

static const char *kind_name(const struct sp_sample_column *column)
{
    switch (sp_sample_kind(column)) {
    case SP_KIND_EMPTY:
        return "empty";
    case SP_KIND_INTEGER:
        return "whole numbers";
    case SP_KIND_NUMBER:
        return "numbers";
    case SP_KIND_OTHER:
        return "arrays or objects";
    case SP_KIND_CONSTANT:
        return "the same in every row";
    case SP_KIND_CLASS:
        return "few values that return";
    case SP_KIND_WORD:
        return "words or codes";
    case SP_KIND_TEXT:
        return "text";
    }
    return "";
}

int sp_chooser_quote(struct sp_buf *out, const char *text)
{
    SP_TRY(sp_buf_puts(out, "\""));
    SP_TRY(sp_text_escape(out, text, sp_text_utf8_prefix(text, strnlen(text, NAME_SHOWN))));
    return sp_buf_puts(out, "\"");
}

static int describe_column(struct sp_buf *out, const struct sp_chooser *c, size_t i)
{
    const struct sp_sample_column *column = &c->sample->columns[i];

    SP_TRY(sp_buf_printf(out, "\n    %zu", i + 1));
    if (sp_chooser_has_names(c)) {
        SP_TRY(sp_buf_puts(out, " "));
        SP_TRY(sp_chooser_quote(out, sp_reader_column_name(c->reader, i)));
    }
    SP_TRY(sp_buf_printf(out, "%s: %s", i == c->out->label ? ", the label" : "", kind_name(column)));
    if (!column->example)
        return 0;
    SP_TRY(sp_buf_puts(out, ", such as "));
    return sp_chooser_quote(out, column->example);
}

int sp_chooser_refuse(const struct sp_chooser *c, const char *why)
{
    struct sp_buf list = SP_BUF((size_t)1 << 16);
    size_t count = sp_reader_column_count(c->reader);
    int rc = 0;

    for (size_t i = 0; i < count && i < SP_READER_LISTED && rc == 0; i++)
        rc = describe_column(&list, c, i);
    if (rc == 0 && count > SP_READER_LISTED)
        rc = sp_buf_printf(&list, "\n    and %zu more", count - SP_READER_LISTED);
    if (rc == 0)
        rc = sp_error_lines(sp_error(SP_ECONFIG, "%s: %s. Its columns are:", sp_reader_path(c->reader), why),
                            list.data ? list.data : "");
    sp_buf_free(&list);
    return rc;
}

int sp_chooser_say(struct sp_buf *out, const struct sp_chooser *c, size_t column)
{
    const char *name = sp_chooser_has_names(c) ? sp_reader_column_name(c->reader, column) : NULL;

    return sp_data_column_say(out, sp_reader_is_jsonl(c->reader) ? 0 : column + 1, name); /* keys have no number */
}

enum sp_looks sp_chooser_looks(const struct sp_chooser *c, size_t i)
{
    const struct sp_sample_column *column = &c->sample->columns[i];
    bool texts = 2 * column->texts >= column->filled && column->filled > 0;

    if (i == c->out->label || sp_header_holds_classes(column, c->options))
        return SP_LOOKS_NO_TEXT;
    switch (sp_sample_kind(column)) {
    case SP_KIND_CONSTANT:
        return texts ? SP_LOOKS_REPEATED : SP_LOOKS_NO_TEXT;
    case SP_KIND_CLASS:
        return texts ? SP_LOOKS_FEW_TEXTS : SP_LOOKS_WORDS;
    case SP_KIND_WORD:
        return SP_LOOKS_WORDS;
    case SP_KIND_TEXT:
        return SP_LOOKS_TEXTS;
    default:
        return SP_LOOKS_NO_TEXT;
    }
}

int sp_layout_remark(struct sp_layout *layout, const char *text)
{
    char *longer = layout->instead ? sp_asprintf("%s; %s", layout->instead, text) : sp_strdup(text);

    if (!longer)
        return SP_ENOMEM;
    free(layout->instead);
    layout->instead = longer;
    return 0;
}
