#include "runtime/data/chooser.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"
#include "runtime/data/shape.h"

#include <stdio.h>
#include <string.h>

static size_t count(const struct sp_chooser *c)
{
    return sp_reader_column_count(c->reader);
}

static const char *name_of(const struct sp_chooser *c, size_t column)
{
    return sp_reader_column_name(c->reader, column);
}

/* The first column of that name that is not the label's, from a number on. */
static size_t find_text(const struct sp_chooser *c, const char *name, size_t from)
{
    for (size_t i = from; name && i < count(c); i++)
        if (i != c->out->label && strcmp(name_of(c, i), name) == 0)
            return i;
    return SP_COLUMN_NONE;
}

/* Whether a jsonl file is a table that pandas wrote as one object: of rows by their numbers ("index"), or of the names
 * and the rows apart ("split"). */
static bool is_one_table(const struct sp_chooser *c)
{
    size_t names = find_text(c, "columns", 0), rows = find_text(c, "data", 0);
    const struct sp_sample_column *columns = c->sample->columns;

    if (!sp_reader_is_jsonl(c->reader) || c->sample->rows != 1)
        return false;
    return names != SP_COLUMN_NONE && rows != SP_COLUMN_NONE
               ? columns[names].others && columns[rows].others
               : strcmp(name_of(c, 0), "0") == 0 && columns[0].example && columns[0].example[0] == '{';
}

/* What to do where what is missed stands inside an object or a list of jsonl. */
static int advise(struct sp_buf *out, const struct sp_chooser *c)
{
    if (is_one_table(c))
        return sp_buf_puts(out, "; it is one object for the whole table, as pandas writes it; " SP_READER_PANDAS);
    for (size_t i = 0; i < count(c) && sp_reader_is_jsonl(c->reader); i++) {
        const char *example = c->sample->columns[i].example, *name = name_of(c, i);

        if (!c->sample->columns[i].others || !example || !sp_reader_is_key(name))
            continue;
        if (strncmp(example, "[{", 2) == 0)
            return sp_buf_printf(out, "; if the rows are those of \"%s\", jq -c '.%s[]' makes a file of them", name,
                                 name);
        if (example[0] == '{')
            return sp_buf_printf(out, "; if it is inside \"%s\", jq -c '. + .%s' takes it out", name, name);
    }
    return 0;
}

/* Refuses an option's number that is the one of training's column where this file has that column, by its name,
 * elsewhere. */
static int check_place(const struct sp_chooser *c, const char *number, const char *option,
                       const struct sp_data_column *wanted, size_t column)
{
    size_t named;

    if (!sp_reader_is_number(number) || !wanted->name || wanted->number != column + 1 ||
        !sp_reader_has_header(c->reader))
        return 0;
    named = sp_remembered_find(c, wanted);
    if (named == column || named == SP_COLUMN_NONE)
        return 0;
    return sp_error(SP_ECONFIG,
                    "%s: %s: column %s was \"%s\" in training, is \"%s\" here, and \"%s\" is column %zu; give the name "
                    "of the one that is meant",
                    sp_reader_path(c->reader), option, number, wanted->name, name_of(c, column), wanted->name,
                    named + 1);
}

/* As sp_reader_find_column, with advice; `wanted` is training's column in that part, NULL where nothing is known. */
static int find_column(size_t *column, const struct sp_chooser *c, const char *name, const char *option,
                       const struct sp_data_column *wanted)
{
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc = sp_reader_find_column(column, c->reader, name, option);

    if (rc == SP_ECONFIG && advise(&text, c) == 0 && text.data)
        rc = sp_error(rc, "%s%s", sp_error_message(), text.data);
    sp_buf_free(&text);
    return rc < 0 || !wanted ? rc : check_place(c, name, option, wanted, *column);
}

/* ---- the label --------------------------------------------------------------------------------------------------- */

/* A key of jsonl that most rows lack is no column that is meant without being named, where there are others. */
static bool is_rare(const struct sp_chooser *c, size_t i)
{
    size_t filled = c->sample->columns[i].filled;

    return sp_reader_is_jsonl(c->reader) && filled && 2 * filled < c->sample->rows;
}

/* The column of a known name: of that very name or, where none is, the only one that differs in case alone. `rare`
 * ones, too? */
static size_t find_known(const struct sp_chooser *c, const char *name, bool rare)
{
    size_t found = find_text(c, name, 0);

    if (found != SP_COLUMN_NONE && (rare || !is_rare(c, found)))
        return found;
    found = SP_COLUMN_NONE;
    for (size_t i = 0; name && i < count(c); i++) {
        if (i == c->out->label || !sp_header_is(name_of(c, i), name) || (!rare && is_rare(c, i)))
            continue;
        if (found != SP_COLUMN_NONE)
            return SP_COLUMN_NONE;
        found = i;
    }
    return found;
}

static int choose_label(const struct sp_chooser *c)
{
    const struct sp_data_layout *trained = c->options->remembered, *r = c->options->label_column ? NULL : trained;
    const char *name = c->options->label_column ? c->options->label_column : "label";
    size_t found;
    int rc;

    if (r) {
        c->out->label = sp_remembered_find(c, &r->label);
        if (c->out->label != SP_COLUMN_NONE)
            return 0;
    }
    found = c->options->label_column ? SP_COLUMN_NONE : find_known(c, name, false);
    name = found == SP_COLUMN_NONE ? name : name_of(c, found);
    rc = find_column(&c->out->label, c, name, c->options->label_column ? "label_column" : "label_column is not set",
                     trained ? &trained->label : NULL);
    if (rc != SP_ECONFIG)
        return rc;
    c->out->label = c->options->no_labels && trained ? sp_remembered_find(c, &trained->label) : SP_COLUMN_NONE;
    if (c->options->no_labels)
        return 0;
    return r ? sp_remembered_no_label(c, rc) : rc;
}

/* ---- the texts --------------------------------------------------------------------------------------------------- */

/* Refuses a name that another column has as well. */
static int check_once(const struct sp_chooser *c, size_t column)
{
    const char *name = column == SP_COLUMN_NONE ? NULL : name_of(c, column);

    if (find_text(c, name, column + 1) == SP_COLUMN_NONE)
        return 0;
    return sp_reader_find_column(&column, c->reader, name, "text_column is not set");
}

/* Whether the column of a known name holds numbers, or nothing, where another holds texts: a sentence's number, a
 * mark. */
static bool is_no_text(const struct sp_chooser *c, size_t i)
{
    if (i == SP_COLUMN_NONE || sp_sample_kind(&c->sample->columns[i]) > SP_KIND_NUMBER)
        return false;
    for (size_t k = 0; k < count(c); k++)
        if (sp_chooser_looks(c, k) >= SP_LOOKS_FEW_TEXTS)
            return true;
    return false;
}

static int remark_no_text(const struct sp_chooser *c, size_t i)
{
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc;

    SP_GO(sp_chooser_say(&text, c, i));
    SP_GO(sp_buf_printf(&text,
                        " has the name of a text and %s, so that another is taken; set text_column if it is meant",
                        c->sample->columns[i].filled ? "holds numbers" : "is empty"));
    rc = sp_layout_remark(c->out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

/* The pairs and single texts that data sets of the GLUE kind use. */
static int choose_known(const struct sp_chooser *c, bool rare)
{
    size_t passed = SP_COLUMN_NONE;
    const struct sp_row_shape *shape = c->options->shape;

    for (const char *const(*known)[2] = shape && shape->texts ? shape->texts : sp_header_texts; (*known)[0]; known++) {
        /* names of a task's own pair are no accident, however few rows have the second */
        bool own = shape && shape->pair && (*known)[1];
        size_t text = find_known(c, (*known)[0], rare), pair = find_known(c, (*known)[1], rare || own);

        if (text == SP_COLUMN_NONE || ((*known)[1] && (pair == SP_COLUMN_NONE || !c->sample->columns[pair].filled)))
            continue; /* a second text that no row has is none */
        if (!own && is_no_text(c, text)) {
            passed = passed == SP_COLUMN_NONE ? text : passed;
            continue;
        }
        c->out->text = text;
        c->out->pair = pair;
        SP_TRY(check_once(c, text));
        SP_TRY(check_once(c, pair));
        break;
    }
    return passed == SP_COLUMN_NONE ? 0 : remark_no_text(c, passed);
}

/* The columns that look most like text: how many, and the first of them. Of columns that look alike, one that hardly a
 * row has, a remark here and there, does not come into question. None looks so at all: 0. */
static size_t candidates(const struct sp_chooser *c, enum sp_looks least, size_t *first)
{
    size_t found = 0, most = 0;

    for (size_t i = 0; i < count(c); i++) {
        enum sp_looks looks = sp_chooser_looks(c, i);
        size_t rank = 2 * looks + (c->sample->columns[i].filled * SP_SAMPLE_FEW > c->sample->rows);

        if (looks < least || looks == SP_LOOKS_NO_TEXT || rank < most)
            continue;
        found = rank > most ? 1 : found + 1;
        if (found == 1)
            *first = i;
        most = rank;
    }
    return found;
}

/* The column that is left when the label is taken away, where that is one; in training it must not be one of numbers.
 * */
static bool choose_only(const struct sp_chooser *c)
{
    size_t labels = c->out->label != SP_COLUMN_NONE, left = c->out->label == 0;

    if (count(c) != labels + 1 || (labels && sp_sample_kind(&c->sample->columns[left]) <= SP_KIND_OTHER))
        return false;
    c->out->text = left;
    return true;
}

static int no_text(const struct sp_chooser *c)
{
    struct sp_buf why = SP_BUF(SP_CHOOSER_MESSAGE);
    int rc;

    SP_GO(sp_buf_puts(&why, "no column with text; set text_column"));
    SP_GO(advise(&why, c));
    SP_GO(c->options->shape && c->options->shape->forms
              ? sp_buf_printf(&why, ". Rows that are read: %s", c->options->shape->forms)
              : 0);
    rc = sp_chooser_refuse(c, why.data);
out:
    sp_buf_free(&why);
    return rc;
}

/* More than one column looks like text. */
static int several_texts(const struct sp_chooser *c)
{
    const struct sp_row_shape *shape = c->options->shape;
    const struct sp_text_pair *pair = sp_shape_pair(shape);
    char why[512];

    snprintf(why, sizeof why,
             "text_column is not set, and more than one column could be the text; set it, and text_pair_column where "
             "two texts belong together");
    if (shape && shape->pair)
        snprintf(why, sizeof why,
                 "text_column is not set, and more than one column could be the text; set it, or %s and %s for %s%s%s",
                 pair->options[0], pair->options[1], pair->what, shape->forms ? ". Rows that are read: " : "",
                 shape->forms ? shape->forms : "");
    return sp_chooser_refuse(c, why);
}

/* One column, the label's: in fastText's files, and others, a blank is all that stands between label and text. */
static int only_labels(const struct sp_chooser *c)
{
    return sp_error(SP_ECONFIG,
                    "%s: its one column is the label, and there is no text; where a blank is all that is between them, "
                    "make it a tab, in a .tsv: sed 's/ /\\t/' <OLD >NEW%s",
                    sp_reader_path(c->reader), sp_reader_unparted(c->reader));
}

/* The one column that looks like text: of several words, or without such a one, of words. Where rows give token ids,
 * only such of several words is taken. */
static int choose_looking(const struct sp_chooser *c)
{
    bool ids = c->out->ids && find_text(c, "input_ids", 0) != SP_COLUMN_NONE;
    size_t found = SP_COLUMN_NONE, texts;

    if (!ids && choose_only(c))
        return 0;
    texts = candidates(c, ids ? SP_LOOKS_TEXTS : SP_LOOKS_REPEATED, &found);
    if (texts == 1)
        c->out->text = found;
    if (texts == 1 || ids)
        return 0;
    if (texts)
        return several_texts(c);
    return c->out->label == 0 && count(c) == 1 && c->sample->columns[0].texts ? only_labels(c) : no_text(c);
}

/* Two options that name one column, by name and by number. */
static int check_different(const struct sp_reader *reader, size_t a, size_t b, const char *option, const char *other)
{
    if (a != b || a == SP_COLUMN_NONE)
        return 0;
    return sp_error(SP_ECONFIG, "%s: %s and %s are the same column, number %zu (\"%s\"); change one",
                    sp_reader_path(reader), option, other, a + 1, sp_reader_column_name(reader, a));
}

const struct sp_text_pair *sp_shape_pair(const struct sp_row_shape *shape)
{
    static const struct sp_text_pair texts = { { "text_column", "text_pair_column" },
                                               { "text", "second text" },
                                               "two texts that have one label" };

    return shape && shape->pair ? shape->pair : &texts;
}

/* Which option has named a column of text: a text alone is not one of two. */
static const char *option_of(const struct sp_chooser *c, int which)
{
    return sp_shape_pair(c->options->text_pair_column ? c->options->shape : NULL)->options[which];
}

/* Rows of another tool's form, of which one column alone would be read for the whole. */
static int check_form(const struct sp_chooser *c)
{
    const struct sp_row_shape *shape = c->options->shape;
    const char *form = shape && shape->foreign && !c->options->text_column ? shape->foreign(c->reader) : NULL;

    return form ? sp_error(SP_ECONFIG, "%s: its rows are %s, which are not read; those that are: %s",
                           sp_reader_path(c->reader), form, shape->forms)
                : 0;
}

/* The columns that the options name. */
static int choose_named(const struct sp_chooser *c)
{
    const struct sp_dataset_options *options = c->options;
    const char *label = options->label_column ? "label_column" : "the label, by default \"label\",";
    const char *first = option_of(c, 0), *second = option_of(c, 1);
    const struct sp_data_layout *r = options->remembered;
    struct sp_layout *out = c->out;

    SP_TRY(find_column(&out->text, c, options->text_column, first, r ? &r->text : NULL));
    if (options->text_pair_column)
        SP_TRY(find_column(&out->pair, c, options->text_pair_column, second, r ? &r->pair : NULL));
    else if (r)
        out->pair = sp_remembered_find(c, &r->pair);
    if (options->no_labels && !options->label_column)
        out->label = SP_COLUMN_NONE;
    SP_TRY(check_different(c->reader, out->text, out->pair, first, second));
    SP_TRY(check_different(c->reader, out->text, out->label, first, label));
    SP_TRY(check_different(c->reader, out->pair, out->label, second, label));
    return sp_remembered_check_number(c);
}

/* Says of an option that gives a column by its number that another one has that number for its name, as pandas' 0, 1,
 * 2. */
static int check_number(const struct sp_chooser *c, const char *option, const char *number, size_t chosen)
{
    struct sp_buf text = SP_BUF(SP_CHOOSER_MESSAGE);
    size_t named = 0;
    int rc = 0;

    if (!number || !sp_reader_is_number(number) || chosen == SP_COLUMN_NONE || !sp_reader_has_header(c->reader))
        return 0;
    while (named < count(c) && strcmp(name_of(c, named), number) != 0)
        named++;
    if (named == count(c) || strcmp(name_of(c, chosen), number) == 0)
        return 0;
    SP_GO(sp_buf_printf(&text, "%s: %s was taken for a number, that of ", option, number));
    SP_GO(sp_chooser_say(&text, c, chosen));
    SP_GO(sp_buf_printf(&text, "; the column named so is number %zu: write that if it is meant", named + 1));
    rc = sp_layout_remark(c->out, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

int sp_chooser_check_numbers(const struct sp_chooser *c)
{
    SP_TRY(check_number(c, "label_column", c->options->label_column, c->out->label));
    SP_TRY(check_number(c, option_of(c, 0), c->options->text_column, c->out->text));
    return check_number(c, option_of(c, 1), c->options->text_pair_column, c->out->pair);
}

int sp_chooser_choose(const struct sp_chooser *c)
{
    struct sp_layout *out = c->out;
    size_t first;

    SP_TRY(choose_label(c));
    if (c->options->only_label)
        return 0;
    SP_TRY(check_form(c));
    if (c->options->text_pair_column && !c->options->text_column)
        return sp_error(SP_ECONFIG, "%s is set but %s is not", option_of(c, 1), option_of(c, 0));
    if (c->options->text_column)
        return choose_named(c);
    out->ids = sp_reader_is_jsonl(c->reader);
    SP_TRY(sp_remembered_choose(c));
    if (out->text != SP_COLUMN_NONE) {
        out->ids = out->ids && c->options->remembered->ids;
        return sp_remembered_check(c);
    }
    SP_TRY(choose_known(c, false));
    if (out->text == SP_COLUMN_NONE && candidates(c, SP_LOOKS_WORDS, &first) == 0)
        SP_TRY(choose_known(c, true));
    if (out->text == SP_COLUMN_NONE)
        SP_TRY(choose_looking(c));
    return sp_remembered_check(c);
}
