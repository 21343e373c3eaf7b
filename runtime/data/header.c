/*
 * Whether a csv or tsv file's first row names its columns. Wrong either way costs: a header read as a row is a class of its own, or
 * shifts every prediction by one; a row read as a header is lost, perhaps with its class. So the strongest sign decides, in this
 * order:
 *
 *  1. a name that is asked for stands in it (by the configuration, or by what training used): a header;
 *  2. its label is one that other rows, or the head, have as well: a row;
 *  3. 0, 1, 2, ... above a column without numbers (pandas without names), V1, V2, ... (R): a header;
 *  4. a number, or what begins as one ("65+"), above a column of numbers: a row; a word above one: a header, but beside a sentence
 *     only a known name, or one above each of two such columns or more; one with a digit ("A12") is no sign;
 *  5. something that no column is called, a sentence: a row;
 *  6. a name that data sets use ("review"), or one with an underscore above texts: a header;
 *  7. above a head's classes, or classes that return again and again, a word that is none of them: a header;
 *  8. names above rows that are texts, of more words than the name above them: a header;
 *
 * and without any of these it is a row. Sign 7 is a choice: of a file without a header, a first row of two short words whose class
 * no other row has is taken for one too; a class of one row can hardly be learnt, and a header as a class harms the others. What an
 * option said of the training file's header is no sign for another file, whose own rows say more.
 */
#include "runtime/data/layout.h"

#include "runtime/base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_LENGTH 64 /* bytes and words of what may be a column's name */
#define NAME_WORDS 3
#define MANY_ROWS 8 /* with classes that return so often each */
#define MANY_TIMES 4
#define FEW 10 /* one row in so many */

const char *const sp_header_texts[][2] = {
    { "sentence1", "sentence2" },
    { "question1", "question2" },
    { "premise", "hypothesis" },
    { "question", "sentence" },
    { "#1 String", "#2 String" },
    { "sentence1", NULL },
    { "sentence", NULL },
    { "text", NULL },
    { NULL, NULL },
};

/* Names that data sets use beside those of texts. */
static const char *const others[] = {
    "label",    "labels",    "texts",    "sentences", "input_ids",   "review",    "reviews",  "comment",  "comments",
    "tweet",    "message",   "title",    "body",      "content",     "description", "summary", "document", "abstract",
    "headline", "utterance", "query",    "passage",   "answer",      "class",     "category", "sentiment", "score",
    "rating",   "stars",     "points",   "grade",     "target",      "topic",     "intent",   "emotion",  "polarity",
    "id",       "idx",       "index",    "guid",      "source",      "language",  "lang",     "user",     "author",
    "timestamp", "opinion", "opinions", "feedback", "post",      "posts",       "tweets",    "messages", "response", NULL,
};

bool sp_header_is(const char *field, const char *name)
{
    size_t blanks = strspn(field, " \t\r\n"), length = strlen(name);

    return strncasecmp(field + blanks, name, length) == 0 &&
           field[blanks + length + strspn(field + blanks + length, " \t\r\n")] == '\0';
}

bool sp_header_is_known(const char *field)
{
    for (const char *const *k = others; *k; k++)
        if (sp_header_is(field, *k))
            return true;
    for (const char *const(*k)[2] = sp_header_texts; (*k)[0]; k++)
        if (sp_header_is(field, (*k)[0]) || ((*k)[1] && sp_header_is(field, (*k)[1])))
            return true;
    return false;
}

static bool is_number(const char *text)
{
    double number;

    return sp_text_double(text, &number) || sp_label_has_decimal_comma(text);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static bool has_digit(const char *text)
{
    return strpbrk(text, "0123456789") != NULL;
}

static bool is_one_word(const char *text)
{
    return !is_blank(text) && !strpbrk(text, " \t\r\n\"");
}

/* Whether a column may be called so: a few words, no sentence. */
static bool is_name(const char *text)
{
    size_t length = strlen(text), words = 0;

    for (size_t i = 0; i < length; i += strcspn(text + i, " "), i += strspn(text + i, " "))
        words++;
    if (length > NAME_LENGTH || words > NAME_WORDS || strpbrk(text, "\t\r\n\""))
        return false;
    return length == 0 || !strchr(".!?,;", text[length - 1]);
}

static bool has_name(const struct sp_sample *p, const char *name)
{
    for (size_t i = 0; name && i < p->count; i++)
        if (!is_number(name) && strcmp(p->first[i], name) == 0)
            return true;
    return false;
}

static bool has_asked_name(const struct sp_sample *p, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *r = options->remembered;

    if (r && (has_name(p, r->text.name) || has_name(p, r->pair.name) || has_name(p, r->label.name)))
        return true;
    for (size_t i = 0; i < p->count && !options->no_labels && !options->label_column; i++)
        if (sp_header_is(p->first[i], "label"))
            return true;
    return false;
}

/* Whether the head has a class of that name. */
static bool is_class(const struct sp_dataset_options *options, const char *text)
{
    for (size_t i = 0; options->labels && i < options->labels->count; i++)
        if (strcmp(options->labels->names[i], text) == 0)
            return true;
    return false;
}

/* A column of classes: the label's, or where that is not known one that looks so. */
static bool is_class_column(const struct sp_sample *p, size_t column, size_t label)
{
    return column == label || (label == SP_COLUMN_NONE && sp_sample_kind(&p->columns[column]) == SP_KIND_CLASS);
}

static bool has_class_of_others(const struct sp_sample *p, size_t label, const struct sp_dataset_options *options)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->count > 1 && !is_number(p->first[i]) && is_class(options, p->first[i]))
            return true;
        if (is_class_column(p, i, label) && !is_blank(p->first[i]) && !sp_sample_is_numeric(&p->columns[i]) &&
            sp_sample_rows_with(&p->columns[i], p->first[i]))
            return true;
    }
    return false;
}

/* 0, 1, 2, ..., perhaps behind a blank that is the index's, above a column without any number; V1, V2, ... above anything. */
static bool is_range(const struct sp_sample *p)
{
    size_t from = is_blank(p->first[0]), prefix, start = 0;
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

/* Whether the column's values are classes without doubt: all of them the head's, or few that return many times. A label that only
 * one row has, be it the first, is otherwise nothing strange. */
static bool is_surely_of_classes(const struct sp_sample_column *c, const struct sp_dataset_options *options)
{
    size_t different = json_object_size(c->values), of_head = 0;
    const char *value;
    json_t *rows;

    json_object_foreach(c->values, value, rows)
        of_head += is_class(options, value);
    if (of_head > 0 && of_head == different)
        return true;
    return !c->many && different > 1 && c->filled >= MANY_ROWS && MANY_TIMES * different <= c->filled;
}

/* Above classes, or in the label's column above nothing, stands something that is no class: which is known here. */
static bool breaks_classes(const struct sp_sample *p, size_t label, const struct sp_dataset_options *options)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_class_column(p, i, label) && !is_blank(p->first[i]) &&
            (is_surely_of_classes(&p->columns[i], options) || (options->labels && p->rows > 0 && p->columns[i].filled == 0)))
            return true;
    return false;
}

/* Whether the column's rows are texts, but for one in ten, and of more words than what stands above them. One row is enough where
 * training had a header. */
static bool is_shorter_than_texts(const struct sp_sample_column *c, const struct sp_data_layout *remembered)
{
    size_t least = remembered && remembered->header ? 1 : 2;

    return c->filled >= least && FEW * (c->filled - c->texts) <= c->filled && FEW * c->brief <= c->filled;
}

/* Names, all different, of which one is above texts. Where the column of labels is known, and has some, that says more. */
static bool is_above_texts(const struct sp_sample *p, size_t label, const struct sp_dataset_options *options)
{
    bool texts = false;

    for (size_t i = 0; i < p->count; i++) {
        if (is_blank(p->first[i]) || (has_digit(p->first[i]) && p->columns[i].texts < p->columns[i].filled))
            return false; /* a code or a date, as its column's may be */
        for (size_t j = 0; j < i; j++)
            if (strcmp(p->first[i], p->first[j]) == 0)
                return false;
        texts |= is_shorter_than_texts(&p->columns[i], options->remembered);
    }
    return texts && (label == SP_COLUMN_NONE || p->columns[label].filled == 0);
}

/* "review_text", above texts. */
static bool is_made_name(const struct sp_sample *p, size_t column, size_t label)
{
    const struct sp_sample_column *c = &p->columns[column];

    return column != label && is_one_word(p->first[column]) && strchr(p->first[column], '_') && c->filled && c->texts == c->filled;
}

/* "65+", "> 3": no number, but no name of a column either. */
static bool is_quantity(const char *text)
{
    return is_number(text) || (strchr("0123456789+-.<>=~$", text[0]) && has_digit(text));
}

/* What says nothing above a column of numbers: a word for no value, which may stand in it, a code. */
static bool is_no_sign(const char *text)
{
    return is_blank(text) || sp_label_is_missing(text) || strcasecmp(text, "unknown") == 0 ||
           (has_digit(text) && !is_quantity(text));
}

/* Sign 4: 1 for a header, -1 for a row, 0 for neither. */
static int by_numbers(const struct sp_sample *p, bool names)
{
    size_t words = 0, numbers = 0;
    bool known = false;

    for (size_t i = 0; i < p->count; i++) {
        const char *first = p->first[i];

        if (!sp_sample_is_numeric(&p->columns[i]) || is_no_sign(first))
            continue;
        words += !is_quantity(first);
        numbers += is_quantity(first);
        known |= sp_header_is_known(first);
    }
    if (words && (names || (numbers == 0 && (words > 1 || known))))
        return 1;
    return words || numbers ? -1 : 0;
}

static bool guess(const struct sp_sample *p, size_t label, const struct sp_dataset_options *options)
{
    bool names = true, known = false;
    int sign;

    if (!p->first)
        return false;
    if (has_asked_name(p, options))
        return true;
    if (has_class_of_others(p, label, options))
        return false;
    if (is_range(p))
        return true;
    for (size_t i = 0; i < p->count; i++) {
        names = names && is_name(p->first[i]);
        known = known || sp_header_is_known(p->first[i]) || is_made_name(p, i, label);
    }
    sign = by_numbers(p, names);
    if (sign)
        return sign > 0;
    return names && (known || breaks_classes(p, label, options) || is_above_texts(p, label, options));
}

static bool is_digits(const char *text)
{
    return text[0] && strspn(text, "0123456789") == strlen(text);
}

/* The label's column before names are known; SP_COLUMN_NONE where it goes by a name. */
static size_t label_by_number(const struct sp_sample *p, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *r = options->remembered;
    long long number = 0;

    if (options->label_column)
        number = is_digits(options->label_column) && sp_text_int(options->label_column, &number) ? number : 0;
    else if (r && r->delimiter && r->columns == p->count)
        number = (long long)r->label.number;
    return number > 0 && (unsigned long long)number <= p->count ? (size_t)number - 1 : SP_COLUMN_NONE;
}

bool sp_header_choose(bool *guessed, const struct sp_sample *p, const struct sp_dataset_options *options)
{
    const char *const named[] = { options->text_column, options->text_pair_column, options->label_column };

    *guessed = options->has_header == SP_HEADER_AUTO;
    if (!*guessed)
        return options->has_header == SP_HEADER_YES;
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (named[i] && !is_digits(named[i]))
            return true;
    return guess(p, label_by_number(p, options), options);
}
