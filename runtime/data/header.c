/*
 * Whether a csv or tsv file's first row names its columns. Wrong either way costs: a header read as a row is a class of
 * its own, or shifts every prediction by one; a row read as a header is lost, perhaps with its class. What stands in
 * the row is weighed by what it is evidence of, the strongest first:
 *
 * Names that are asked for
 *  1. the configuration's, or those of the columns that training used: a header.
 * Consistency of the labels
 *  2. its label is one that other rows (not the whole of it once more), or the head, have as well: a row; but "text" or
 *     "review_text" above longer texts, or "message" above many, is a header though its "spam" is a class. A class's
 *     name above numbers, or above anything but classes, is no label.
 * Types
 *  3. 0, 1, 2, ... above a column without numbers (pandas without names), V1, V2, ... (R): a header;
 *  4. a word above many numbers, or above dates: a header. Above few numbers also, unless a sentence stands beside it:
 *     then only a known name, or one above each of two such columns. A number, or what begins as one ("65+"), above
 *     numbers: a row. A word for no value is no sign, nor is a code ("A12") unless the numbers are the labels.
 * Form
 *  5. something that no column is called, a sentence: a row;
 *  6. a name that data sets use ("review"), or one with an underscore above texts: a header;
 *  7. above the head's classes, or classes that return again and again, a word that is none of them: a header; so is
 *     a question that is longer than any of them, even beside a sentence (surveys);
 *  8. names of which one is above texts that have more words than it: a header where its label is one that no other row
 *     has (of labels that return, or of many rows), and where there is no label to go by: few texts are as short. The
 *     name of a list, one column of texts, must be one word unless training's file had names, and is none where that
 *     had no header.
 *
 * and without any of these it is a row. Where it holds the name of a text all the same, or is a header by sign 8 alone
 * and so may hold a text or one of few labels, that is said with what it holds. Signs 7 and 8 are a choice: of a file
 * without a header, a first row of two short words whose class no other row has is taken for one too; a class of one
 * row can hardly be learnt, and a header as a class harms the others. What an option said of the training file's header
 * is no sign for another file, whose own rows say more.
 *
 * The label's column is that of an option or, where it may be (sp_header_may_be_label), the one that was training's.
 */
#include "runtime/data/layout.h"

#include "runtime/base/error.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_LENGTH 64 /* bytes and words of what may be a column's name */
#define NAME_WORDS 3
#define MANY_ROWS 8  /* which no chance explains */
#define MANY_TIMES 4 /* rows of each class that returns so */

static bool is_number(const char *text)
{
    double number;

    return sp_text_double(text, &number) || sp_label_has_decimal_comma(text);
}

static bool has_digit(const char *text)
{
    return strpbrk(text, "0123456789") != NULL;
}

static bool is_one_word(const char *text)
{
    return text[0] && !strpbrk(text, " \t\r\n\"");
}

/* What says nothing of the first row: no value, or a word for one. */
static bool is_no_value(const char *text)
{
    return !text[0] || sp_label_is_missing(text) || strcasecmp(text, "unknown") == 0;
}

/* Whether a column may be called so: a few words, no sentence. */
static bool is_name(const char *text)
{
    size_t length = strlen(text), words = 0;

    for (size_t i = 0; i < length; i += strcspn(text + i, " \t\r\n"), i += strspn(text + i, " \t\r\n"))
        words++;
    if (length > NAME_LENGTH || words > NAME_WORDS || strchr(text, '"'))
        return false;
    return length == 0 || !strchr(words > 1 ? ".!?,;" : ".!,;", text[length - 1]); /* "Spam?" */
}

bool sp_header_holds_classes(const struct sp_sample_column *c, const struct sp_dataset_options *options)
{
    const char *value;
    json_t *rows;

    json_object_foreach(c->values, value, rows)
        if (!sp_labels_has(options->labels, value))
            return false;
    return json_object_size(c->values) > 0;
}

bool sp_header_may_be_label(const struct sp_sample_column *c, const struct sp_dataset_options *options)
{
    json_int_t all = 0, of_head = 0;
    const char *value;
    json_t *rows;

    if (!options->labels || c->filled == 0)
        return 2 * c->numbers >= c->filled;
    json_object_foreach(c->values, value, rows) {
        all += json_integer_value(rows);
        of_head += sp_labels_has(options->labels, value) ? json_integer_value(rows) : 0;
    }
    return 2 * of_head > all;
}

/* What the signs are read from. */
struct first {
    struct sp_sample *p;
    struct sp_reader *reader; /* behind the sample */
    const struct sp_dataset_options *options;
    size_t label; /* SP_COLUMN_NONE where it is not known */
};

/* ---- names that are asked for ------------------------------------------------------------------------------------ */

static bool has_name(const struct sp_sample *p, const char *name)
{
    for (size_t i = 0; name && i < p->count; i++)
        if (!is_number(name) && strcmp(p->first[i], name) == 0)
            return true;
    return false;
}

static bool has_asked_name(const struct first *f)
{
    const struct sp_data_layout *r = f->options->remembered;

    if (r && (has_name(f->p, r->text.name) || has_name(f->p, r->pair.name) || has_name(f->p, r->label.name)))
        return true;
    for (size_t i = 0; i < f->p->count && !f->options->no_labels && !f->options->label_column; i++)
        if (sp_header_is(f->p->first[i], "label"))
            return true;
    return false;
}

/* Rows whose field is that of the first: not the few that are the first in every field, where all of these may be
 * names. A header stands so once more in each file that was joined to the first. */
static size_t again(const struct first *f, const struct sp_sample_column *c)
{
    if (SP_SAMPLE_FEW * f->p->repeated > c->filled)
        return c->again;
    for (size_t i = 0; i < f->p->count; i++)
        if (!f->p->first[i][0] || !is_name(f->p->first[i]) || has_digit(f->p->first[i]))
            return c->again;
    return c->again - f->p->repeated;
}

/* ---- consistency of the labels ----------------------------------------------------------------------------------- */

/* A column of classes: the label's, or where that is not known one that looks so. */
static bool is_class_column(const struct first *f, size_t column)
{
    const struct sp_sample_column *c = &f->p->columns[column];

    return column == f->label || (f->label == SP_COLUMN_NONE && (sp_sample_kind(c) == SP_KIND_CLASS ||
                                                                sp_header_holds_classes(c, f->options)));
}

/* Whether the column's rows are texts, but for one in ten, and of more words than what stands above them. One row is
 * enough where training had a header. */
static bool is_above_texts(const struct first *f, size_t column)
{
    const struct sp_sample_column *c = &f->p->columns[column];
    const struct sp_data_layout *r = f->options->remembered;

    return column != f->label && c->filled >= (r && r->header ? 1 : 2) &&
           SP_SAMPLE_FEW * (c->filled - c->texts) <= c->filled && SP_SAMPLE_FEW * c->brief <= c->filled;
}

/* A name that nobody writes as a text, "review_text" or "sentence", above texts; where these are `many`, also
 * "message". */
static bool names_texts(const struct first *f, bool many)
{
    for (size_t i = 0; i < f->p->count; i++) {
        bool name = is_one_word(f->p->first[i]) && strchr(f->p->first[i], '_');

        name |= sp_header_is_text(f->p->first[i], f->options);
        if ((name || (many && sp_header_is_known(f->p->first[i], f->options))) && is_above_texts(f, i))
            return true;
    }
    return false;
}

/* Whether the first row's value is a class of the head, as others in its column are. */
static bool is_of_head(const struct first *f, const struct sp_sample_column *c)
{
    return c->filled && f->options->labels && sp_labels_has(f->options->labels, c->first) &&
           sp_header_may_be_label(c, f->options);
}

static bool has_class_of_others(const struct first *f)
{
    for (size_t i = 0; i < f->p->count; i++) {
        const struct sp_sample_column *c = &f->p->columns[i];
        bool named = names_texts(f, c->filled >= MANY_ROWS && again(f, c) >= MANY_TIMES);

        if (!is_class_column(f, i) || !c->first[0] || sp_sample_is_numeric(c))
            continue;
        if (again(f, c) ? !named : is_of_head(f, c))
            return true;
    }
    return false;
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

/* 0, 1, 2, ..., perhaps behind a blank that is the index's, above a column without any number; V1, V2, ... above
 * anything. */
static bool is_range(const struct sp_sample *p)
{
    size_t from = p->first[0][0] == '\0', prefix, start = 0;
    bool fits = p->count > from, words = false;
    char expected[NAME_LENGTH + 24];
    const char *base;

    if (!fits)
        return false;
    base = p->first[from];
    prefix = strcspn(base, "0123456789");
    if (prefix > NAME_LENGTH || (prefix && p->count - from == 1))
        return false;
    if (prefix)
        start = strcmp(base + prefix, "0") != 0;
    for (size_t i = from; fits && i < p->count; i++) {
        snprintf(expected, sizeof expected, "%.*s%zu", (int)prefix, base, start + i - from);
        fits = strcmp(p->first[i], expected) == 0;
        words |= prefix || (p->columns[i].filled > 0 && p->columns[i].numbers == 0);
    }
    return fits && words;
}

/* "65+", "> 3": no number, but no name of a column either. */
static bool is_quantity(const char *text)
{
    return is_number(text) || (strchr("0123456789+-.<>=~$", text[0]) && has_digit(text));
}

/* Whether all values are dates, or the like: not the label's, which may be anything. */
static bool is_of_dates(const struct first *f, size_t column)
{
    const struct sp_sample_column *c = &f->p->columns[column];

    return column != f->label && c->filled >= 2 && c->dated == c->filled;
}

/* 1 for a header, -1 for a row, 0 for neither. */
static int by_types(const struct first *f, bool names)
{
    size_t words = 0, numbers = 0;
    bool known = false, sure = false;

    for (size_t i = 0; i < f->p->count; i++) {
        const struct sp_sample_column *c = &f->p->columns[i];
        bool many = c->filled >= MANY_ROWS,
             code = is_one_word(c->first) && has_digit(c->first) && !is_quantity(c->first);

        if (is_no_value(c->first))
            continue;
        sure |= is_of_dates(f, i) && !has_digit(c->first);
        if (!sp_sample_is_numeric(c) || (code && !(many && i == f->label)))
            continue;
        words += !is_quantity(c->first);
        numbers += is_quantity(c->first);
        sure |= many && !is_quantity(c->first);
        known |= sp_header_is_known(c->first, f->options);
    }
    if (numbers == 0 && (sure || words > 1 || (words && known)))
        return 1;
    if (words && names)
        return 1;
    return words || numbers ? -1 : 0;
}

/* ---- form -------------------------------------------------------------------------------------------------------- */

/* "review_text", above texts. */
static bool is_made_name(const struct first *f, size_t column)
{
    const struct sp_sample_column *c = &f->p->columns[column];

    return column != f->label && is_one_word(c->first) && strchr(c->first, '_') && c->filled && c->texts == c->filled;
}

static bool has_known(const struct first *f)
{
    for (size_t i = 0; i < f->p->count; i++)
        if (sp_header_is_known(f->p->first[i], f->options) || is_made_name(f, i))
            return true;
    return false;
}

/* Whether the column's values are classes without doubt: all of them the head's, or few that return many times. A label
 * that only one row has, be it the first, is otherwise nothing strange. */
static bool is_surely_of_classes(const struct sp_sample_column *c, const struct sp_dataset_options *options)
{
    size_t different = json_object_size(c->values);

    return sp_header_holds_classes(c, options) ||
           (!c->many && different > 1 && c->filled >= MANY_ROWS && MANY_TIMES * different <= c->filled);
}

/* Above classes, or in the label's column above nothing, stands something that is no class: which is known here. A list
 * has none. */
static bool breaks_classes(const struct first *f)
{
    for (size_t i = 0; i < f->p->count && f->p->count > 1; i++) {
        const struct sp_sample_column *c = &f->p->columns[i];

        if (is_class_column(f, i) && !is_no_value(c->first) && again(f, c) == 0 &&
            (is_surely_of_classes(c, f->options) || (f->options->labels && f->p->rows > 0 && c->filled == 0)))
            return true;
    }
    return false;
}

/* Names, all different, of which one is above texts. */
static bool are_above_texts(const struct first *f)
{
    const struct sp_sample *p = f->p;
    bool texts = false;

    for (size_t i = 0; i < p->count; i++) {
        if (!p->first[i][0] || (has_digit(p->first[i]) && i != f->label && p->columns[i].texts < p->columns[i].filled))
            return false; /* a code or a date, as its column's may be */
        for (size_t j = 0; j < i; j++)
            if (strcmp(p->first[i], p->first[j]) == 0)
                return false;
        texts |= is_above_texts(f, i);
    }
    return texts;
}

/* Whether that the first row's label is one that no other row has means anything: half of the labels return, or rows
 * are many. */
static bool is_alone(const struct first *f)
{
    const struct sp_sample_column *c = &f->p->columns[f->label];
    size_t single = 0, least = f->p->whole ? 2 : 1; /* a header leaves two classes at least */
    const char *value;
    json_t *rows;

    json_object_foreach(c->values, value, rows)
        single += json_integer_value(rows) == 1;
    return !is_no_value(c->first) && again(f, c) == 0 && json_object_size(c->values) >= least &&
           (c->filled >= MANY_ROWS || 2 * single <= json_object_size(c->values));
}

/* Whether the one field of a list may be its name: it is no class of the head, and where training's file was none with
 * names, it is one word. */
static bool may_name_list(const struct first *f)
{
    const struct sp_data_layout *r = f->options->remembered;
    bool names = r && (r->header || !r->delimiter);

    return !sp_labels_has(f->options->labels, f->p->first[0]) && (names || is_one_word(f->p->first[0]));
}

/* Whether it is a list, and training's file had no header. */
static bool is_list_as_trainings(const struct first *f)
{
    const struct sp_data_layout *r = f->options->remembered;

    return f->p->count == 1 && r && r->delimiter && !r->header;
}

/* Whether the label's field is a question of more words than any class has, all of which return: a survey's "How do you
 * rate us?" */
static bool asks_for_classes(const struct first *f)
{
    const struct sp_sample_column *c = f->label == SP_COLUMN_NONE ? NULL : &f->p->columns[f->label];
    size_t words, least = f->p->rows;
    const char *value;
    json_t *rows;

    if (!c || f->p->count < 2 || is_no_value(c->first) || again(f, c) > 0 || !is_surely_of_classes(c, f->options))
        return false;
    words = sp_sample_words(c->first, strlen(c->first));
    json_object_foreach(c->values, value, rows) {
        if (sp_sample_words(value, strlen(value)) >= words || strchr(value, '?'))
            return false;
        least = (size_t)json_integer_value(rows) < least ? (size_t)json_integer_value(rows) : least;
    }
    return least >= MANY_TIMES && words >= NAME_WORDS && strchr(c->first, '?');
}

/* Signs 7 and 8. */
static bool is_named_by_form(const struct first *f)
{
    if (breaks_classes(f))
        return true;
    if (!are_above_texts(f))
        return false;
    if (f->label != SP_COLUMN_NONE && f->p->columns[f->label].filled)
        return is_alone(f);
    return f->p->count > 1 || (may_name_list(f) && !is_list_as_trainings(f));
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

static void doubt(struct sp_header_choice *out, const char *field, const char *may_be)
{
    out->doubt = field;
    out->may_be = may_be;
}

static const char *find_above_texts(const struct first *f)
{
    for (size_t i = 0; i < f->p->count; i++)
        if (is_above_texts(f, i))
            return f->p->first[i];
    return NULL;
}

/* Signs 7 and 8, once it is known whether another row of the file has the first row's label. */
static int guess_by_form(struct sp_header_choice *out, const struct first *f)
{
    const struct sp_data_layout *r = f->options->remembered;

    out->header = is_named_by_form(f);
    if (!out->header)
        return 0;
    if (f->label == SP_COLUMN_NONE) {
        if (!breaks_classes(f) && (f->p->count == 1 || !(r && r->header)))
            doubt(out, find_above_texts(f), "a text");
        return 0;
    }
    SP_TRY(sp_sample_read_on(f->p, f->reader, f->label));
    out->header = is_named_by_form(f);
    if (out->header && f->p->columns[f->label].filled && f->p->columns[f->label].filled < MANY_ROWS &&
        !f->options->labels)
        doubt(out, f->p->first[f->label], "a label");
    return 0;
}

static int guess(struct sp_header_choice *out, const struct first *f)
{
    bool names = true, doubtful = false;
    int sign;

    out->header = has_asked_name(f);
    if (out->header || has_class_of_others(f))
        return 0;
    for (size_t i = 0; i < f->p->count; i++)
        names = names && is_name(f->p->first[i]);
    sign = is_range(f->p) ? 1 : by_types(f, names);
    out->header = sign > 0 || (sign == 0 && names && has_known(f));
    if (!out->header && sign == 0 && asks_for_classes(f))
        out->header = doubtful = true;
    else if (out->header && f->label != SP_COLUMN_NONE && again(f, &f->p->columns[f->label]) > 0)
        doubtful = !names_texts(f, false);
    if (doubtful)
        doubt(out, f->p->columns[f->label].first, "a label");
    return out->header || sign < 0 || !names ? 0 : guess_by_form(out, f);
}

/* A field of a row that speaks for a header: a name that data sets use, above texts, or that of a list. */
static const char *find_name(const struct first *f)
{
    for (size_t i = 0; i < f->p->count; i++)
        if (is_above_texts(f, i) &&
            (sp_header_is_known(f->p->first[i], f->options) || (is_list_as_trainings(f) && may_name_list(f))))
            return f->p->first[i];
    return NULL;
}

/* The label's column before names are known; SP_COLUMN_NONE where it goes by a name. */
static size_t label_by_number(const struct sp_sample *p, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *r = options->remembered;
    long long number = 0;

    if (options->label_column)
        number = sp_reader_is_number(options->label_column) && sp_text_int(options->label_column, &number) ? number : 0;
    else if (r && r->delimiter && r->columns == p->count && r->label.number &&
             sp_header_may_be_label(&p->columns[r->label.number - 1], options))
        number = (long long)r->label.number;
    return number > 0 && (unsigned long long)number <= p->count ? (size_t)number - 1 : SP_COLUMN_NONE;
}

int sp_header_choose(struct sp_header_choice *out, struct sp_sample *p, struct sp_reader *reader,
                     const struct sp_dataset_options *options)
{
    const struct first first = { p, reader, options, label_by_number(p, options) };
    const char *const named[] = { options->text_column, options->text_pair_column, options->label_column };
    bool has = false, lacks = false;

    *out = (struct sp_header_choice){ .header = options->has_header == SP_YES,
                                      .guessed = options->has_header == SP_AUTO };
    if (!out->guessed)
        return 0;
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        bool name = named[i] && !sp_reader_is_number(named[i]), found = false;

        for (size_t j = 0; name && p->first && j < p->count; j++)
            found |= sp_header_is(p->first[j], named[i]);
        has |= found;
        lacks |= name && !found;
    }
    if (!has && p->first)
        SP_TRY(guess(out, &first));
    if (!has && !lacks && p->first && !out->header)
        doubt(out, find_name(&first), "the name of a column");
    out->in_vain = lacks && !has && !out->header;
    out->header |= has || lacks;
    return 0;
}
