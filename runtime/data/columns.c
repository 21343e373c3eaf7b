#include "runtime/data/columns.h"

#include "runtime/base/error.h"

#include <string.h>

static int choose_label(struct sp_columns *out, const struct sp_reader *reader,
                        const struct sp_dataset_options *options)
{
    const char *name = options->label_column ? options->label_column : "label";
    const char *option = options->label_column ? "label_column" : "label_column is not set";
    int rc = sp_reader_find_column(&out->label, reader, name, option);

    if (rc == SP_ECONFIG && options->no_labels) {
        out->label = SP_COLUMN_NONE;
        rc = 0;
    }
    return rc;
}

/* The first column of that name that is not the label's, from a number on. */
static size_t find_text(const struct sp_columns *columns, const struct sp_reader *reader, const char *name, size_t from)
{
    for (size_t i = from; name && i < sp_reader_column_count(reader); i++)
        if (i != columns->label && strcmp(sp_reader_column_name(reader, i), name) == 0)
            return i;
    return SP_COLUMN_NONE;
}

/* Refuses a name that another column has as well. */
static int check_once(const struct sp_columns *columns, const struct sp_reader *reader, size_t column)
{
    const char *name = column == SP_COLUMN_NONE ? NULL : sp_reader_column_name(reader, column);

    if (find_text(columns, reader, name, column + 1) == SP_COLUMN_NONE)
        return 0;
    return sp_reader_find_column(&column, reader, name, "text_column is not set");
}

/* The pairs and single texts that data sets of the GLUE kind use, in order of preference. */
static int choose_known_text(struct sp_columns *out, const struct sp_reader *reader)
{
    static const char *const known[][2] = {
        { "sentence1", "sentence2" },
        { "question1", "question2" },
        { "premise", "hypothesis" },
        { "question", "sentence" },
        { "sentence1", NULL },
        { "sentence", NULL },
        { "text", NULL },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t text = find_text(out, reader, known[i][0], 0), pair = find_text(out, reader, known[i][1], 0);

        if (text == SP_COLUMN_NONE || (known[i][1] && pair == SP_COLUMN_NONE))
            continue;
        out->text = text;
        out->pair = pair;
        SP_TRY(check_once(out, reader, text));
        return check_once(out, reader, pair);
    }
    return 0;
}

static void choose_first_two(struct sp_columns *out, const struct sp_reader *reader)
{
    static const char *const no_text[] = { "input_ids", "token_type_ids", "attention_mask" };

    for (size_t i = 0; i < sp_reader_column_count(reader) && out->pair == SP_COLUMN_NONE; i++) {
        bool skip = i == out->label;

        for (size_t j = 0; out->ids && j < sizeof no_text / sizeof no_text[0]; j++)
            skip |= strcmp(sp_reader_column_name(reader, i), no_text[j]) == 0;
        if (!skip)
            *(out->text == SP_COLUMN_NONE ? &out->text : &out->pair) = i;
    }
}

/* Two options that name one column, by name and by number. */
static int check_different(const struct sp_reader *reader, size_t a, size_t b, const char *option, const char *other)
{
    if (a != b || a == SP_COLUMN_NONE)
        return 0;
    return sp_error(SP_ECONFIG, "%s: %s and %s are the same column, number %zu (\"%s\"); change one",
                    sp_reader_path(reader), option, other, a + 1, sp_reader_column_name(reader, a));
}

/* The columns that the options name. */
static int choose_named(struct sp_columns *out, const struct sp_reader *reader,
                        const struct sp_dataset_options *options)
{
    const char *label = options->label_column ? "label_column" : "the label, by default \"label\",";

    SP_TRY(sp_reader_find_column(&out->text, reader, options->text_column, "text_column"));
    if (options->text_pair_column)
        SP_TRY(sp_reader_find_column(&out->pair, reader, options->text_pair_column,
                                     "text_pair_column"));
    if (options->no_labels && !options->label_column)
        out->label = SP_COLUMN_NONE;
    SP_TRY(check_different(reader, out->text, out->pair, "text_column", "text_pair_column"));
    SP_TRY(check_different(reader, out->text, out->label, "text_column", label));
    return check_different(reader, out->pair, out->label, "text_pair_column", label);
}

int sp_columns_choose(struct sp_columns *out, const struct sp_reader *reader,
                      const struct sp_dataset_options *options)
{
    *out = (struct sp_columns){ SP_COLUMN_NONE, SP_COLUMN_NONE, SP_COLUMN_NONE, false };
    SP_TRY(choose_label(out, reader, options));
    if (options->text_pair_column && !options->text_column)
        return sp_error(SP_ECONFIG, "text_pair_column is set but text_column is not");
    if (options->text_column)
        return choose_named(out, reader, options);
    out->ids = sp_reader_is_jsonl(reader);
    SP_TRY(choose_known_text(out, reader));
    if (out->text != SP_COLUMN_NONE)
        return 0;
    choose_first_two(out, reader);
    if (out->text == SP_COLUMN_NONE && find_text(out, reader, "input_ids", 0) == SP_COLUMN_NONE)
        return sp_error(SP_ECONFIG, "%s: no column with text; set text_column",
                        sp_reader_path(reader));
    return 0;
}
