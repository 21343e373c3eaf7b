#include "runtime/data/dataset.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/label_reader.h"
#include "runtime/data/layout.h"
#include "runtime/data/reader_priv.h"
#include "runtime/data/shape.h"
#include "runtime/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

struct loader {
    struct sp_row_input in; /* first: what hooks are given is the loader */
    const struct sp_dataset_options *options;
    const struct sp_tokenizer *tokenizer;
    const struct sp_row_shape *shape;
    struct sp_reader *reader;
    struct sp_layout layout;
    struct sp_label_reader labels;
    struct sp_encoding encoding;
    struct sp_dataset *out;
    size_t row_capacity, token_capacity;
};

static const struct sp_row_shape texts = { .labels = SP_LABELS_ANY };

static int resize(void *array, size_t count, size_t size)
{
    void **slot = array, *moved = sp_realloc(*slot, count, size);

    if (!moved)
        return SP_ENOMEM;
    *slot = moved;
    return 0;
}

static int resize_rows(struct sp_dataset *out, size_t rows)
{
    SP_TRY(resize(&out->offsets, rows + 1, sizeof *out->offsets));
    SP_TRY(resize(&out->lines, rows, sizeof *out->lines));
    return resize(out->token_targets ? (void *)&out->terms : (void *)&out->targets, rows, sizeof(uint32_t));
}

static int resize_tokens(struct sp_dataset *out, size_t tokens)
{
    SP_TRY(resize(&out->ids, tokens, sizeof *out->ids));
    SP_TRY(resize(&out->types, tokens, sizeof *out->types));
    return out->token_targets ? resize(&out->targets, tokens, sizeof(uint32_t)) : 0;
}

/* Makes room for one more row of at most `tokens` tokens. */
static int reserve(struct loader *loader, size_t tokens)
{
    struct sp_dataset *out = loader->out;
    size_t needed = out->tokens + tokens;

    if (out->count == loader->row_capacity) {
        size_t rows = loader->row_capacity ? 2 * loader->row_capacity : 256;

        if (out->count == UINT32_MAX)
            return sp_error(SP_EINVAL, "%s has more than %zu rows", sp_reader_path(loader->reader),
                            (size_t)UINT32_MAX);
        SP_TRY(resize_rows(out, rows));
        loader->row_capacity = rows;
    }
    if (needed > loader->token_capacity) {
        size_t larger = needed < 2 * loader->token_capacity ? 2 * loader->token_capacity : needed;

        SP_TRY(resize_tokens(out, larger));
        loader->token_capacity = larger;
    }
    return 0;
}

static const char *column_name(const struct loader *loader, size_t column)
{
    return sp_reader_column_name(loader->reader, column);
}

/* The row's text in a column; no text for SP_COLUMN_NONE. */
static int row_text(const struct loader *loader, const struct sp_row *row, size_t column,
                    struct sp_field *out)
{
    const json_t *value;

    *out = (struct sp_field){ .text = NULL };
    if (column == SP_COLUMN_NONE)
        return 0;
    if (!row->object) {
        *out = row->fields[column];
        return 0;
    }
    value = json_object_get(row->object, column_name(loader, column));
    /* as an empty field of a .csv; a second text of a task's own is no mere supplement */
    if (json_is_null(value) &&
        ((column == loader->layout.pair && !loader->shape->pair) || loader->options->empty_texts)) {
        *out = (struct sp_field){ .text = "" };
        return 0;
    }
    if (!value || json_is_null(value))
        return sp_reader_fail(loader->reader, SP_EFORMAT, "no \"%s\"%s", column_name(loader, column),
                              value ? ": it is null" : "");
    if (sp_json_cut_text(value))
        return sp_reader_fail(loader->reader, SP_EFORMAT, "\"%s\" " SP_JSON_CUT, column_name(loader, column));
    if (!json_is_string(value))
        return sp_reader_fail(loader->reader, SP_EFORMAT, "\"%s\" is not a string%s", column_name(loader, column),
                              json_object_get(value, "0") ? " but a whole column, as pandas writes "
                                                            "one; " SP_READER_PANDAS
                              : json_is_array(value)      ? " but a list"
                              : sp_json_is_object(value)  ? " but an object"
                                                          : "");
    *out = (struct sp_field){ .text = json_string_value(value), .length = json_string_length(value) };
    return 0;
}

/* Whether a text is in single quotes, which are no quotes of any format that is read. */
static bool is_in_single_quotes(const struct sp_field *text)
{
    return text->length > 1 && text->text[0] == '\'' && text->text[text->length - 1] == '\'';
}

/* Whether a field that was read without quotes is written as csv quotes one that has quotes inside: "he said
 * ""no""". */
static bool is_quoted_as_csv(const struct sp_field *field)
{
    size_t end = field->length - 1;

    if (field->quoted || field->length < 4 || field->text[0] != '"' || field->text[end] != '"')
        return false;
    for (size_t i = 1; i + 1 < end; i++)
        if (field->text[i] == '"' && field->text[i + 1] == '"')
            return true;
    return false;
}

int sp_row_text(struct sp_field *out, const struct sp_row_input *in, int which)
{
    const struct loader *loader = (const struct loader *)in;

    return row_text(loader, in->row, which ? loader->layout.pair : loader->layout.text, out);
}

int sp_row_reserve(struct sp_row_input *in, size_t tokens)
{
    return reserve((struct loader *)in, tokens);
}

/* The last number that a data set can keep stands for all behind it. */
static uint32_t line_of(const struct sp_row *row)
{
    return row->line < UINT32_MAX ? (uint32_t)row->line : UINT32_MAX;
}

static int need_tokenizer(const struct loader *loader)
{
    return loader->tokenizer
               ? 0
               : sp_error(SP_EINVAL, "%s (%s holds text; only rows of \"input_ids\" need no tokenizer)",
                          loader->options->no_tokenizer ? loader->options->no_tokenizer : "the model has no tokenizer",
                          sp_reader_path(loader->reader));
}

/* The encoding's tokens are some that the model has. */
static int check_tokens(const struct loader *loader)
{
    const struct sp_encoding *encoding = &loader->encoding;

    for (size_t i = 0; i < encoding->length; i++)
        if (encoding->ids[i] >= loader->options->vocab_size || encoding->types[i] >= loader->options->type_count)
            return sp_reader_fail(loader->reader, SP_EINVAL,
                                  "the tokenizer gives token %u of type %d, but the model has %zu "
                                  "tokens of %zu types",
                                  encoding->ids[i], encoding->types[i], loader->options->vocab_size,
                                  loader->options->type_count);
    return 0;
}

/* Encodes a text or two. */
static int encode(struct loader *loader, const struct sp_field *text, const struct sp_field *pair, size_t max_length)
{
    SP_TRY(need_tokenizer(loader));
    SP_TRY(sp_tokenizer_encode(&loader->encoding, loader->tokenizer, text->text, text->length, pair->text, pair->length,
                               max_length));
    return check_tokens(loader);
}

int sp_row_encode(const struct sp_encoding **out, struct sp_row_input *in, const char *text, size_t length)
{
    struct loader *loader = (struct loader *)in;

    *out = &loader->encoding;
    return encode(loader, &(struct sp_field){ .text = text, .length = length }, &(struct sp_field){ .text = NULL }, 0);
}

int sp_row_encode_bare(const struct sp_encoding **out, struct sp_row_input *in, const char *text, size_t length)
{
    struct loader *loader = (struct loader *)in;

    *out = &loader->encoding;
    SP_TRY(need_tokenizer(loader));
    SP_TRY(sp_tokenizer_encode_bare(&loader->encoding, loader->tokenizer, text, length));
    return check_tokens(loader);
}

int sp_row_refuse_empty(const struct sp_row_input *in)
{
    const struct loader *loader = (const struct loader *)in;

    return sp_reader_fail(loader->reader, SP_EFORMAT, "the text (column %s) is empty",
                          column_name(loader, loader->layout.text));
}

/* Tokenizes the row's text behind the data set's last row; *length is its tokens. */
static int tokenize(struct loader *loader, const struct sp_row *row, size_t *length)
{
    const struct sp_encoding *encoding = &loader->encoding;
    struct sp_dataset *out = loader->out;
    struct sp_field text, pair;

    if (loader->layout.text == SP_COLUMN_NONE)
        return sp_reader_fail(loader->reader, SP_EFORMAT, "no text and no \"input_ids\"");
    SP_TRY(row_text(loader, row, loader->layout.text, &text));
    SP_TRY(row_text(loader, row, loader->layout.pair, &pair));
    if (!loader->options->empty_texts && sp_text_is_blank(text.text, text.length) &&
        sp_text_is_blank(pair.text, pair.length))
        return sp_row_refuse_empty(&loader->in);
    SP_TRY(encode(loader, &text, &pair, loader->options->max_seq_length));
    if (encoding->length == 0) /* the model would read the next row's first token as this one's */
        return sp_reader_fail(loader->reader, SP_EFORMAT,
                              "the text (column %s) has no token for the model to read, as the model's tokenizer.json "
                              "adds none such as [CLS] (\"post_processor\")",
                              column_name(loader, loader->layout.text));
    SP_TRY(reserve(loader, encoding->length));
    for (size_t i = 0; i < encoding->length; i++) {
        out->ids[out->tokens + i] = encoding->ids[i];
        out->types[out->tokens + i] = encoding->types[i];
    }
    *length = encoding->length;
    out->truncated += encoding->truncated;
    out->single_quoted += is_in_single_quotes(&text);
    if (!row->object && is_quoted_as_csv(&text) && !out->csv_quoted++)
        out->first_csv_quoted = line_of(row);
    return 0;
}

/* The row's array `key`; NULL where there is none or null. Any length but `length` is refused
 * unless that is 0. */
static int row_array(const struct loader *loader, const struct sp_row *row, const char *key,
                     size_t length, const json_t **out)
{
    const json_t *value = json_object_get(row->object, key);

    *out = json_is_null(value) ? NULL : value;
    if (!*out)
        return 0;
    if (!json_is_array(value))
        return sp_reader_fail(loader->reader, SP_EFORMAT, "\"%s\" is not an array", key);
    if (length && json_array_size(value) != length)
        return sp_reader_fail(loader->reader, SP_EFORMAT,
                              "\"%s\" has %zu elements, \"input_ids\" %zu", key,
                              json_array_size(value), length);
    return 0;
}

/* Element i of an array of integers below `limit`; `missing` where there is no array. */
static int element(const struct loader *loader, const json_t *array, size_t i, const char *key,
                   size_t limit, uint32_t missing, uint32_t *out)
{
    const json_t *value = json_array_get(array, i);
    json_int_t number = json_integer_value(value);

    *out = missing;
    if (!array)
        return 0;
    if (!json_is_integer(value) || number < 0 || (unsigned long long)number >= limit)
        return sp_reader_fail(loader->reader, SP_EFORMAT,
                              "\"%s\"[%zu] is not an integer from 0 to %zu", key, i, limit - 1);
    *out = (uint32_t)number;
    return 0;
}

/* Puts the row's input_ids behind the data set's last row; *length is its tokens, 0 when it
 * has no input_ids. */
static int take_ids(struct loader *loader, const struct sp_row *row, size_t *length)
{
    const struct sp_dataset_options *options = loader->options;
    const json_t *ids, *types, *mask;
    struct sp_dataset *out = loader->out;
    size_t full, kept = 0;

    *length = 0;
    SP_TRY(row_array(loader, row, "input_ids", 0, &ids));
    if (!ids)
        return 0;
    full = json_array_size(ids);
    SP_TRY(row_array(loader, row, "token_type_ids", full, &types));
    SP_TRY(row_array(loader, row, "attention_mask", full, &mask));
    SP_TRY(reserve(loader, full));
    for (size_t i = 0; i < full; i++) {
        uint32_t id, type, real;

        SP_TRY(element(loader, ids, i, "input_ids", options->vocab_size, 0, &id));
        SP_TRY(element(loader, types, i, "token_type_ids", options->type_count, 0, &type));
        SP_TRY(element(loader, mask, i, "attention_mask", 2, 1, &real));
        out->ids[out->tokens + kept] = id;
        out->types[out->tokens + kept] = (uint8_t)type;
        kept += real;
    }
    if (kept == 0)
        return sp_reader_fail(loader->reader, SP_EFORMAT, "\"input_ids\" holds no token");
    *length = kept < options->max_seq_length ? kept : options->max_seq_length;
    out->truncated += *length < kept;
    return 0;
}

/* Whether the row is the header once more, as where files were joined. Of one column it may as well be a text:
 * "Comment". */
static bool repeats_header(const struct loader *loader, const struct sp_row *row)
{
    if (!sp_reader_has_header(loader->reader) || row->count < 2)
        return false;
    for (size_t i = 0; i < row->count; i++)
        if (!sp_header_is(row->fields[i].text, column_name(loader, i)))
            return false;
    return true;
}

int sp_row_ids(size_t *length, struct sp_row_input *in)
{
    struct loader *loader = (struct loader *)in;

    *length = 0;
    return loader->layout.ids ? take_ids(loader, in->row, length) : 0;
}

int sp_row_tokens(size_t *length, struct sp_row_input *in)
{
    SP_TRY(sp_row_ids(length, in));
    return *length ? 0 : tokenize((struct loader *)in, in->row, length);
}

/* The targets of the row, which has `length` tokens; *terms is how many of them enter the loss. */
static int take_targets(struct loader *loader, const struct sp_row *row, size_t length, size_t *terms)
{
    struct sp_dataset *out = loader->out;

    *terms = 1;
    if (loader->shape->targets) {
        SP_TRY(loader->shape->targets(out->classes + (out->token_targets ? out->tokens : out->count), terms,
                                      &loader->in, length));
        if (out->token_targets)
            out->terms[out->count] = (uint32_t)*terms;
        return 0;
    }
    return loader->options->no_labels ? 0 : sp_label_reader_read(&loader->labels, row, out);
}

static int add_row(struct loader *loader, const struct sp_row *row)
{
    struct sp_dataset *out = loader->out;
    size_t length = 0, terms, row_number = out->count, truncated = out->truncated;
    int rc;

    loader->in.row = row;
    loader->in.note = 0;
    rc = (loader->shape->tokens ? loader->shape->tokens : sp_row_tokens)(&length, &loader->in);
    if (rc == 0)
        rc = take_targets(loader, row, length, &terms);
    if (rc < 0 || (terms == 0 && !loader->options->no_labels)) { /* left out */
        out->truncated = truncated;
        out->untargeted += rc == 0;
        return rc;
    }
    out->lines[row_number] = line_of(row);
    if (repeats_header(loader, row) && !out->repeated++)
        out->first_repeated = out->lines[row_number];
    out->tokens += length;
    out->offsets[++out->count] = out->tokens;
    return 0;
}

/* A table's row of delimiters alone: an empty line, to a spreadsheet. */
static bool is_empty(const struct sp_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        if (row->fields[i].length > 0 || row->fields[i].quoted)
            return false;
    return !row->object && row->count > 1;
}

static int skip_row(struct sp_dataset *out)
{
    out->skipped++;
    if (!out->first_skipped)
        out->first_skipped = sp_strdup(sp_error_message());
    return out->first_skipped ? 0 : SP_ENOMEM;
}

static void count_unknown(struct loader *loader)
{
    struct sp_dataset *out = loader->out;
    uint32_t unknown;

    if (!loader->tokenizer || loader->layout.ids || loader->shape->tokens)
        return;
    unknown = sp_tokenizer_special(loader->tokenizer, SP_TOKEN_UNK);
    out->words = out->tokens -
                 out->count * sp_tokenizer_specials(loader->tokenizer, loader->layout.pair != SP_COLUMN_NONE);
    for (size_t row = 0; row < out->count; row++)
        for (size_t i = out->offsets[row]; i < out->offsets[row + 1]; i++)
            if (out->ids[i] == unknown && !out->unknown++)
                out->first_unknown = out->lines[row];
}

static int add_rows(struct loader *loader)
{
    const struct sp_dataset_options *options = loader->options;
    struct sp_dataset *out = loader->out;
    struct sp_row row;
    int rc;

    SP_TRY(reserve(loader, 0));
    out->offsets[0] = 0;
    while (!options->max_rows || out->count < options->max_rows) {
        rc = sp_reader_next(loader->reader, &row);
        if (rc == 0)
            break;
        if (rc > 0 && !options->empty_texts && is_empty(&row)) {
            out->empty++;
            continue;
        }
        if (rc > 0)
            rc = add_row(loader, &row);
        if (options->skip_bad_rows && (rc == SP_EFORMAT || rc == SP_ELIMIT))
            rc = skip_row(out);
        SP_TRY(rc);
    }
    if (out->count == 0 && out->untargeted)
        return sp_error(SP_EFORMAT, "%s: none of its rows has a target to learn", sp_reader_path(loader->reader));
    if (out->count == 0 && out->skipped)
        return sp_error(SP_EFORMAT, "%s: all %zu rows are bad; the first: %s",
                        sp_reader_path(loader->reader), out->skipped, out->first_skipped);
    if (out->count == 0)
        return sp_error(SP_EFORMAT, "%s has no rows", sp_reader_path(loader->reader));
    count_unknown(loader);
    SP_TRY(resize_rows(out, out->count));
    return resize_tokens(out, out->tokens);
}

static int keep_column(struct sp_data_column *out, const struct loader *loader, size_t column)
{
    if (column == SP_COLUMN_NONE)
        return 0;
    out->number = column + 1;
    if (!sp_reader_is_jsonl(loader->reader) && !sp_reader_has_header(loader->reader))
        return 0;
    out->name = sp_strdup(column_name(loader, column));
    return out->name ? 0 : SP_ENOMEM;
}

static int keep_layout(struct loader *loader)
{
    struct sp_dataset *out = loader->out;
    struct sp_data_layout *l = &out->layout;

    *l = (struct sp_data_layout){
        .format = sp_strdup(sp_reader_format(loader->reader)),
        .columns = sp_reader_column_count(loader->reader),
        .ids = loader->layout.ids,
        .header = sp_reader_has_header(loader->reader),
        .delimiter = sp_reader_delimiter(loader->reader),
        .quotes = sp_reader_has_quotes(loader->reader),
    };
    out->header_guessed = loader->layout.header_guessed;
    out->delimiter_guessed = loader->layout.delimiter_guessed;
    out->quotes_guessed = loader->layout.quotes_guessed;
    out->row_names = loader->layout.row_names;
    out->instead = loader->layout.instead;
    loader->layout.instead = NULL;
    SP_TRY(l->format ? 0 : SP_ENOMEM);
    SP_TRY(keep_column(&l->text, loader, loader->layout.text));
    SP_TRY(keep_column(&l->pair, loader, loader->layout.pair));
    return keep_column(&l->label, loader, loader->layout.label);
}

int sp_dataset_has_labels(bool *out, const char *path, const struct sp_dataset_options *options)
{
    struct sp_dataset_options unlabelled = *options;
    struct sp_reader *reader;
    struct sp_layout layout;
    int rc;

    *out = options->label_column != NULL;
    if (*out)
        return 0;
    unlabelled.no_labels = unlabelled.only_label = true;
    SP_TRY(sp_reader_open(&reader, path, NULL));
    rc = sp_layout_choose(&layout, reader, &unlabelled);
    if (rc == 0) {
        *out = layout.label != SP_COLUMN_NONE;
        sp_layout_release(&layout);
    }
    sp_reader_close(reader);
    return rc;
}

/* Opens the file and settles what is read from it. */
static int open_file(struct loader *loader, const char *path)
{
    struct sp_dataset_options options = *loader->options;

    options.no_labels |= loader->shape->labels == SP_LABELS_NONE;
    SP_TRY(sp_reader_open(&loader->reader, path, NULL));
    SP_TRY(sp_layout_choose(&loader->layout, loader->reader, &options));
    SP_TRY(keep_layout(loader));
    loader->in = (struct sp_row_input){
        .options = loader->options, .tokenizer = loader->tokenizer, .reader = loader->reader, .out = loader->out
    };
    if (options.no_labels)
        return 0;
    return sp_label_reader_init(&loader->labels, loader->reader, loader->layout.label, loader->options);
}

int sp_dataset_load(struct sp_dataset *out, const char *path, const struct sp_tokenizer *tokenizer,
                    const struct sp_dataset_options *options)
{
    struct loader loader = {
        .options = options, .tokenizer = tokenizer, .shape = options->shape ? options->shape : &texts, .out = out
    };
    int rc;

    *out = (struct sp_dataset){ .token_targets = loader.shape->token_targets };
    SP_GO(open_file(&loader, path));
    SP_GO(add_rows(&loader));
    if (loader.labels.classes)
        SP_GO(sp_label_reader_finish(&loader.labels, out));
    if (!loader.labels.classes && !loader.shape->targets) {
        free(out->targets);
        out->targets = NULL;
    }
out:
    sp_label_reader_free(&loader.labels);
    sp_encoding_free(&loader.encoding);
    sp_layout_release(&loader.layout);
    sp_reader_close(loader.reader);
    if (rc < 0)
        sp_dataset_free(out);
    return rc;
}

int sp_data_column_say(struct sp_buf *out, size_t number, const char *name)
{
    SP_TRY(number ? sp_buf_printf(out, "column %zu", number) : sp_buf_puts(out, "column"));
    return name ? sp_buf_printf(out, " \"%s\"", name) : 0;
}

void sp_data_layout_release(struct sp_data_layout *layout)
{
    free(layout->format);
    free(layout->text.name);
    free(layout->pair.name);
    free(layout->label.name);
    *layout = (struct sp_data_layout){ .format = NULL };
}

void sp_dataset_free(struct sp_dataset *dataset)
{
    free(dataset->ids);
    free(dataset->types);
    free(dataset->offsets);
    free(dataset->lines);
    free(dataset->targets);
    free(dataset->terms);
    sp_labels_free(&dataset->labels);
    free(dataset->first_skipped);
    free(dataset->instead);
    free(dataset->label_doubt);
    sp_data_layout_release(&dataset->layout);
    *dataset = (struct sp_dataset){ .count = 0 };
}

size_t sp_dataset_targets(const uint32_t **out, const struct sp_dataset *dataset, size_t row)
{
    *out = dataset->targets ? dataset->classes + (dataset->token_targets ? dataset->offsets[row] : row) : NULL;
    return !*out ? 0 : dataset->token_targets ? sp_dataset_length(dataset, row) : 1;
}

size_t sp_dataset_length(const struct sp_dataset *dataset, size_t row)
{
    return dataset->offsets[row + 1] - dataset->offsets[row];
}
