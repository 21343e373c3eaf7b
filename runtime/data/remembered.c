/*
 * The columns that training used, looked for in another file. Where both files name their columns, they go by names.
 * Where this one names none, they go by numbers, but only if it has as many columns (or all but the label's, where no
 * labels are needed) and holds there what training's held: classes of the head or nothing for the label, and for a text
 * no numbers and no such classes; without labels that say so, no other column may look more like a text. Else the rules
 * of chooser.c decide, which is said.
 */
#include "runtime/data/chooser.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/data/shape.h"

#include <stdlib.h>
#include <string.h>

/* ---- where they are ---------------------------------------------------------------------------------------------- */

/* The only column of that name in any case of letters. */
static size_t find_alike(const struct sp_chooser *c, const char *name)
{
    size_t found = SP_COLUMN_NONE;

    for (size_t i = 0; i < c->sample->count; i++) {
        if (!sp_header_is(sp_reader_column_name(c->reader, i), name))
            continue;
        if (found != SP_COLUMN_NONE)
            return SP_COLUMN_NONE;
        found = i;
    }
    return found;
}

static size_t find_name(const struct sp_chooser *c, const struct sp_data_column *wanted)
{
    size_t columns = c->sample->count, found = SP_COLUMN_NONE;

    if (wanted->number <= columns && strcmp(sp_reader_column_name(c->reader, wanted->number - 1), wanted->name) == 0)
        return wanted->number - 1; /* it may be one of two of that name */
    for (size_t i = 0; i < columns; i++) {
        if (strcmp(sp_reader_column_name(c->reader, i), wanted->name) != 0)
            continue;
        if (found != SP_COLUMN_NONE)
            return SP_COLUMN_NONE; /* which of the two is not known */
        found = i;
    }
    return found == SP_COLUMN_NONE ? find_alike(c, wanted->name) : found;
}

/* By number, where the label may be left out, whatever stands there. */
static size_t find_number(const struct sp_chooser *c, const struct sp_data_column *wanted)
{
    const struct sp_data_layout *r = c->options->remembered;
    size_t columns = c->sample->count, number = wanted->number;

    if (!number || columns == r->columns)
        return number - 1;
    if (!c->options->no_labels || !r->label.number || columns + 1 != r->columns || number == r->label.number)
        return SP_COLUMN_NONE;
    return number - 1 - (number > r->label.number);
}

/* Whether a column may be the text that training's was. With labels in their place the file is laid out as training's
 * was. */
static bool may_be_text(const struct sp_chooser *c, const struct sp_data_column *wanted, bool labels)
{
    size_t column = find_number(c, wanted);
    enum sp_looks looks;

    if (column == SP_COLUMN_NONE)
        return !wanted->number;
    if (c->sample->count == 1)
        return true;
    if (labels)
        return sp_sample_kind(&c->sample->columns[column]) > SP_KIND_OTHER;
    looks = sp_chooser_looks(c, column);
    for (size_t i = 0; i < c->sample->count; i++)
        if (looks == SP_LOOKS_NO_TEXT || sp_chooser_looks(c, i) > looks)
            return false;
    return true;
}

/* Whether the columns of this file, which names none, hold what those of training held. */
static bool is_laid_out_alike(const struct sp_chooser *c)
{
    const struct sp_data_layout *r = c->options->remembered;
    size_t label = find_number(c, &r->label);
    bool labels = label != SP_COLUMN_NONE && c->sample->columns[label].filled > 0;

    if (!r->delimiter || (label != SP_COLUMN_NONE && !sp_header_may_be_label(&c->sample->columns[label], c->options)))
        return false;
    return may_be_text(c, &r->text, labels) && may_be_text(c, &r->pair, labels);
}

size_t sp_remembered_find(const struct sp_chooser *c, const struct sp_data_column *wanted)
{
    if (!wanted->number)
        return SP_COLUMN_NONE;
    if (wanted->name && sp_chooser_has_names(c))
        return find_name(c, wanted);
    return sp_chooser_has_names(c) || !is_laid_out_alike(c) ? SP_COLUMN_NONE : find_number(c, wanted);
}

static bool unname(const char **option, const struct sp_data_column *column)
{
    if (!*option || !column->name || !sp_header_is(*option, column->name))
        return false;
    *option = NULL;
    return true;
}

bool sp_remembered_unname(struct sp_dataset_options *out, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *r = options->remembered;
    bool text, pair, label;

    *out = *options;
    if (!r)
        return false;
    text = unname(&out->text_column, &r->text);
    pair = unname(&out->text_pair_column, &r->pair);
    label = unname(&out->label_column, &r->label);
    return text || pair || label;
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

/* Column "review", or column 2 where training had no names. */
static int say_wanted(struct sp_buf *out, const struct sp_data_column *column)
{
    return sp_data_column_say(out, column->name ? 0 : column->number, column->name);
}

/* The two texts of training, of which the file has one. */
static int half_a_pair(const struct sp_chooser *c, const struct sp_data_column *there)
{
    const struct sp_data_layout *r = c->options->remembered;
    const struct sp_text_pair *pair = sp_shape_pair(c->options->shape);
    const char *first = pair->options[0], *second = pair->options[1];
    bool own = pair != sp_shape_pair(NULL);
    struct sp_buf why = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc = 0;

    SP_GO(sp_buf_puts(&why, "training used two texts, "));
    SP_GO(say_wanted(&why, &r->text));
    SP_GO(sp_buf_puts(&why, " and "));
    SP_GO(say_wanted(&why, &r->pair));
    SP_GO(sp_buf_puts(&why, ", and this file has "));
    SP_GO(there ? say_wanted(&why, there) : sp_buf_puts(&why, "no pair"));
    if (!there && c->sample->count == 1)
        SP_GO(sp_buf_puts(&why, ": it is one column; add the second text, or set text_column to go without"));
    else if (there && !own)
        SP_GO(sp_buf_printf(&why, " alone; set %s, and %s if there is a second text", first, second));
    else
        SP_GO(sp_buf_printf(&why, "%s; set %s and %s%s", there ? " alone" : "", first, second,
                            own ? ", or text_column for a text by itself" : ""));
    rc = sp_chooser_refuse(c, why.data);
out:
    sp_buf_free(&why);
    return rc;
}

/* Why a column of training is not found in this file. */
static const char *why_not(const struct sp_chooser *c, const struct sp_data_column *wanted)
{
    size_t found = 0;

    if (!sp_chooser_has_names(c))
        return wanted->name ? ", and this file names no columns" : ", and this file has others";
    if (!wanted->name)
        return " of a file that names none";
    for (size_t i = 0; i < c->sample->count; i++)
        found += strcmp(sp_reader_column_name(c->reader, i), wanted->name) == 0;
    return found > 1 ? ", a name that this file has twice" : ", which this file does not have";
}

/* Says, unless it is the very column, what was chosen in the place of training's. */
static int say_instead(const struct sp_chooser *c, const struct sp_data_column *wanted, size_t chosen)
{
    bool unnamed = !sp_chooser_has_names(c), very = sp_remembered_find(c, wanted) == chosen;
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc = 0;

    if (wanted->name ? very && !unnamed : very || (unnamed && chosen + 1 == wanted->number))
        return 0;
    SP_GO(sp_buf_puts(&text, "training used "));
    SP_GO(say_wanted(&text, wanted));
    SP_GO(sp_buf_printf(&text, "%s; read instead: ", why_not(c, wanted)));
    SP_GO(sp_chooser_say(&text, c, chosen));
    rc = sp_layout_remark(c->out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

int sp_remembered_no_label(const struct sp_chooser *c, int code)
{
    const struct sp_data_column *label = &c->options->remembered->label;

    const char *why = sp_error_message(), *and = why[0] && why[strlen(why) - 1] == '?' ? " And" : ", and";

    if (!label->number)
        return code;
    if (sp_chooser_has_names(c))
        return label->name ? sp_error(code, "%s%s no column \"%s\", as training's", why, and, label->name) : code;
    if (label->number > c->sample->count)
        return sp_error(code, "%s%s training's was number %zu, which it does not have", why, and, label->number);
    return sp_error(code, "%s%s where training's was, number %zu, it has %s", why, and, label->number,
                         c->options->labels ? "none of those labels" : "no numbers");
}

/* ---- what is chosen ---------------------------------------------------------------------------------------------- */

int sp_remembered_choose(const struct sp_chooser *c)
{
    const struct sp_data_layout *r = c->options->remembered;
    size_t text, pair;

    if (!r)
        return 0;
    text = sp_remembered_find(c, &r->text);
    text = text == c->out->label ? SP_COLUMN_NONE : text;
    pair = sp_remembered_find(c, &r->pair);
    if (r->pair.number && (text == SP_COLUMN_NONE) != (pair == SP_COLUMN_NONE))
        return half_a_pair(c, text == SP_COLUMN_NONE ? &r->pair : &r->text);
    c->out->text = text;
    c->out->pair = pair;
    return 0;
}

int sp_remembered_check_number(const struct sp_chooser *c)
{
    const struct sp_data_layout *r = c->options->remembered;
    bool pair = c->out->pair != SP_COLUMN_NONE;
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc = 0;

    if (!r || !r->text.number || pair == (r->pair.number > 0))
        return 0;
    SP_GO(sp_buf_puts(&text, pair ? "training used single texts, of " : "training used two texts, "));
    SP_GO(say_wanted(&text, &r->text));
    if (!pair) {
        SP_GO(sp_buf_puts(&text, " and "));
        SP_GO(say_wanted(&text, &r->pair));
    }
    SP_GO(sp_buf_puts(&text,
                      pair ? "; read here, as the options say: two texts, " : "; read here, as the options say: "));
    SP_GO(sp_chooser_say(&text, c, c->out->text));
    SP_GO(sp_buf_puts(&text, pair ? " and " : " alone"));
    if (pair)
        SP_GO(sp_chooser_say(&text, c, c->out->pair));
    rc = sp_layout_remark(c->out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

int sp_remembered_check(const struct sp_chooser *c)
{
    const struct sp_data_layout *r = c->options->remembered;

    if (!r)
        return 0;
    if (r->label.number && !c->options->no_labels && !c->options->label_column)
        SP_TRY(say_instead(c, &r->label, c->out->label));
    if (!r->text.number || c->out->text == SP_COLUMN_NONE)
        return 0;
    if (r->pair.number && c->out->pair == SP_COLUMN_NONE)
        return half_a_pair(c, NULL);
    if (!r->pair.number && c->out->pair != SP_COLUMN_NONE)
        return sp_chooser_refuse(c, "training used single texts, and this file has a pair of them; set text_column");
    SP_TRY(say_instead(c, &r->text, c->out->text));
    return r->pair.number ? say_instead(c, &r->pair, c->out->pair) : 0;
}
