#include "runtime/data/columns.h"

#include "runtime/base/error.h"

#include <string.h>

/* Looks for a name that may be absent. */
static size_t find(const struct sp_reader *reader, const char *name)
{
    for (size_t i = 0; name && i < sp_reader_column_count(reader); i++)
        if (strcmp(sp_reader_column_name(reader, i), name) == 0)
            return i;
    return SP_COLUMN_NONE;
}

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

/* The pairs and single texts that data sets of the GLUE kind use, in order of preference. */
static bool choose_known_text(struct sp_columns *out, const struct sp_reader *reader)
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
        size_t text = find(reader, known[i][0]), pair = find(reader, known[i][1]);

        if (text == SP_COLUMN_NONE || text == out->label)
            continue;
        if (known[i][1] && (pair == SP_COLUMN_NONE || pair == out->label))
            continue;
        out->text = text;
        out->pair = pair;
        return true;
    }
    return false;
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

int sp_columns_choose(struct sp_columns *out, const struct sp_reader *reader,
                      const struct sp_dataset_options *options)
{
    *out = (struct sp_columns){ SP_COLUMN_NONE, SP_COLUMN_NONE, SP_COLUMN_NONE, false };
    SP_TRY(choose_label(out, reader, options));
    if (options->text_pair_column && !options->text_column)
        return sp_error(SP_ECONFIG, "text_pair_column is set but text_column is not");
    if (options->text_column) {
        SP_TRY(sp_reader_find_column(&out->text, reader, options->text_column, "text_column"));
        if (options->text_pair_column)
            SP_TRY(sp_reader_find_column(&out->pair, reader, options->text_pair_column,
                                         "text_pair_column"));
        return 0;
    }
    out->ids = sp_reader_is_jsonl(reader);
    if (choose_known_text(out, reader))
        return 0;
    choose_first_two(out, reader);
    if (out->text == SP_COLUMN_NONE && find(reader, "input_ids") == SP_COLUMN_NONE)
        return sp_error(SP_ECONFIG, "%s: no column with text; set text_column",
                        sp_reader_path(reader));
    return 0;
}
