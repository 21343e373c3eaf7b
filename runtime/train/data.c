#include "runtime/train/data.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/tokenizer.h"
#include "runtime/train/task.h"

#include <stdlib.h>
#include <string.h>

/* The name of the task, or else of the first, that is trained on such labels. */
static const char *task_of(const struct sp_run *run, const struct sp_task *task, enum sp_label_kind kind)
{
    return task && task->rows.labels == kind ? task->name : sp_task_of_labels(run, kind)->name;
}

/* The columns of texts that the configuration names, for a shape (NULL: any). */
static void name_texts(const char *out[2], const struct sp_config *c, const struct sp_row_shape *shape)
{
    const struct sp_text_pair *pair = sp_shape_pair(shape);
    bool named;

    for (int i = 0; i < 2; i++)
        out[i] = *(char *const *)sp_config_value(c, pair->options[i]);
    if (!shape || !shape->pair)
        return;
    named = out[0] || out[1];
    for (int i = 0; i < 2 && named; i++)
        out[i] = out[i] ? out[i] : shape->texts[0][i];
    if (!named)
        out[0] = c->text_column;
}

struct sp_dataset_options sp_run_dataset_options(const struct sp_run *run)
{
    const struct sp_config *c = run->config;
    const struct sp_task *task = run->task ? run->task : sp_config_task(c);
    const struct sp_row_shape *shape = task ? &task->rows : NULL;
    const char *texts[2];

    name_texts(texts, c, shape);
    return (struct sp_dataset_options){
        .text_column = texts[0],
        .text_pair_column = texts[1],
        .label_column = c->label_column,
        .has_header = c->has_header,
        .delimiter = sp_config_delimiter(c),
        .quotes = c->quotes,
        .remembered = run->remembered.format ? &run->remembered : NULL,
        .shape = shape,
        .tasks = { task_of(run, task, SP_LABELS_CLASSES), task_of(run, task, SP_LABELS_VALUES) },
        .skip_bad_rows = c->skip_bad_rows,
        .max_seq_length = run->max_seq_length,
        .vocab_size = (size_t)run->model.vocab_size,
        .type_count = (size_t)run->model.type_vocab_size,
        .end_token = run->end_token == SP_TOKEN_NONE ? NULL : &run->end_token,
        .chat = run->chat,
        .user = task ? sp_task_options(task, c) : NULL,
        .no_tokenizer = run->no_tokenizer,
    };
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static int say_column(struct sp_buf *out, const char *what, const struct sp_data_column *column, bool delimited,
                      const char *none)
{
    if (!column->number)
        return sp_buf_printf(out, "; %s: %s", what, none);
    if (!delimited) /* jsonl: keys have no number that means anything */
        return sp_buf_printf(out, "; %s: \"%s\"", what, column->name);
    SP_TRY(sp_buf_printf(out, "; %s: ", what));
    return sp_data_column_say(out, column->number, column->name);
}

static int say_file(struct sp_buf *out, const struct sp_dataset *d)
{
    const struct sp_data_layout *l = &d->layout;

    if (!l->delimiter)
        return 0;
    SP_TRY(sp_buf_puts(out, l->header ? "; header: the first row" : "; header: none"));
    SP_TRY(sp_buf_puts(out, d->row_names ? ", which has no name for column 1, that of the rows' names" : ""));
    SP_TRY(sp_buf_puts(out, d->header_guessed ? " (guessed; has_header decides)" : ""));
    if (l->delimiter == '\t')
        SP_TRY(sp_buf_puts(out, "; delimiter: tab"));
    else
        SP_TRY(sp_buf_printf(out, "; delimiter: \"%c\"", l->delimiter));
    SP_TRY(sp_buf_puts(out, d->delimiter_guessed ? " (guessed; delimiter decides)" : ""));
    if (!d->quotes_guessed)
        return 0;
    return sp_buf_printf(out, "; quotes: %s (guessed; quotes decides)",
                         l->quotes ? "around fields" : "characters of the texts");
}

/* In one line: task, classes, columns, header, delimiter, quotes. */
static int say_use(struct sp_buf *out, const struct sp_run *run, const struct sp_dataset *d)
{
    const struct sp_data_layout *l = &d->layout;
    const struct sp_task *task = d->targets || d != &run->train ? run->task : NULL;
    const struct sp_row_shape *shape = task ? &task->rows : NULL;
    bool alone = shape && shape->pair && !l->pair.number;
    const struct sp_text_pair *pair = sp_shape_pair(alone ? NULL : shape);

    SP_TRY(sp_buf_puts(out, task ? task->name : "no labels"));
    if (task && task->say) {
        SP_TRY(sp_buf_puts(out, ", "));
        SP_TRY(task->say(out, run, d));
    }
    if (strcmp(l->format, "lines") == 0)
        return sp_buf_puts(out, "; text: each line (jsonl would begin with \"{\")");
    SP_TRY(say_column(out, pair->words[0], &l->text, l->delimiter != 0, "token ids"));
    if (!alone)
        SP_TRY(say_column(out, pair->words[1], &l->pair, l->delimiter != 0, "none"));
    if (shape && shape->labels == SP_LABELS_NONE)
        return say_file(out, d);
    SP_TRY(say_column(out, "label", &l->label, l->delimiter != 0, "none"));
    if (!d->targets && l->label.number)
        SP_TRY(sp_buf_puts(out, ", not read"));
    return say_file(out, d);
}

/* Options that say something of a table, given with what is none. */
static void warn_of_options(const struct sp_config *c, const struct sp_dataset *d, const char *path)
{
    bool jsonl = strcmp(d->layout.format, "jsonl") == 0, lines = !jsonl && strcmp(path, SP_READER_STANDARD_INPUT) == 0;
    const struct {
        const char *name;
        bool in_vain;
    } options[] = {
        { "text_column", lines && c->text_column && !c->text_pair_column }, /* with the pair's: two texts of a line */
        { "label_column", lines && c->label_column },
        { "has_header", (lines || jsonl) && c->has_header != SP_AUTO },
        { "delimiter", (lines || jsonl) && sp_config_delimiter(c) },
    };
    struct sp_buf list = SP_BUF(256);

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].in_vain && sp_buf_printf(&list, "%s%s", list.length ? ", " : "", options[i].name) < 0)
            break;
    if (list.length)
        sp_log(SP_LOG_WARNING, "%s: without effect here: %s; %s", path, list.data,
               jsonl ? "jsonl has neither a header nor a delimiter"
                     : "lines of text have no columns; a table is read from a file");
    sp_buf_free(&list);
}

/* As MySQL and Weka (ARFF) write texts. Citations are in single quotes as well, but not all of a column. */
static void warn_of_single_quotes(const struct sp_dataset *d, const char *path)
{
    if (d->single_quoted >= 3 && d->single_quoted + d->count / 10 >= d->count)
        sp_log(SP_LOG_WARNING,
               "%s: %zu of %zu texts are in single quotes ('...'), which no format takes for quotes: they are read as "
               "part of the text; write the fields in double quotes, or in none",
               path, d->single_quoted, d->count);
}

static void warn_of_csv_quotes(const struct sp_run *run, const struct sp_dataset *d, const char *path)
{
    if (d->csv_quoted && run->config->quotes == SP_AUTO && d->layout.delimiter)
        sp_log(SP_LOG_WARNING,
               "%s: texts that are written as quoted fields with quotes inside (\"\"): %zu, the first in line %u; all "
               "their quotes are read as part of the text, as the first rows are not quoted so; `quotes: true` reads "
               "the fields without them",
               path, d->csv_quoted, (unsigned)d->first_csv_quoted);
}

void sp_run_tell(const struct sp_run *run, const struct sp_dataset *d, const char *path)
{
    struct sp_buf use = SP_BUF((size_t)1 << 16);

    sp_log(SP_LOG_INFO, "%s: %zu rows, %zu tokens", path, d->count, d->tokens);
    if (say_use(&use, run, d) == 0)
        sp_log(SP_LOG_INFO, "%s: %s", path, use.data);
    if (d->whole_labels)
        sp_log(SP_LOG_INFO,
               "%s: its labels are whole numbers with a point (1.0) or an exponent (1e+00), which are taken for "
               "classes; for numbers to predict set task: %s",
               path, task_of(run, NULL, SP_LABELS_VALUES));
    if (d->empty)
        sp_log(SP_LOG_INFO, "%s: %zu row%s with nothing in any column %s passed over, as empty lines are", path,
               d->empty, d->empty > 1 ? "s" : "", d->empty > 1 ? "were" : "was");
    if (d->instead)
        sp_log(SP_LOG_WARNING, "%s: %s", path, d->instead);
    if (d->label_doubt)
        sp_log(SP_LOG_WARNING, "%s: %s", path, d->label_doubt);
    if (d->repeated)
        sp_log(SP_LOG_WARNING,
               "%s:%u: the names of the columns once more, read as a row%s; where files were joined, remove the "
               "headers of all but the first: sed %ud <OLD >NEW",
               path, (unsigned)d->first_repeated, d->repeated > 1 ? ", the first of several such" : "",
               (unsigned)d->first_repeated);
    warn_of_options(run->config, d, path);
    if (d->untargeted)
        sp_log(SP_LOG_WARNING, "%s: %zu rows have no target to learn and were left out", path, d->untargeted);
    if (d == &run->train && d->targets && run->task->warn)
        run->task->warn(d, path);
    if (d->truncated)
        sp_log(SP_LOG_WARNING, "%s: %zu of %zu texts are longer than %zu tokens and were cut", path, d->truncated,
               d->count, run->max_seq_length);
    sp_tokenizer_warn_unknown(d->unknown, d->words, d->first_unknown, path);
    warn_of_single_quotes(d, path);
    warn_of_csv_quotes(run, d, path);
    if (d->skipped)
        sp_log(SP_LOG_WARNING, "%s: %zu bad rows were skipped; the first: %s", path, d->skipped, d->first_skipped);
    sp_buf_free(&use);
}

/* ---- what is kept ------------------------------------------------------------------------------------------------ */

static json_t *column_json(const struct sp_data_column *column)
{
    return column->number ? json_pack("{s:s?, s:I}", "name", column->name, "number", (json_int_t)column->number)
                          : json_null();
}

int sp_run_layout_json(json_t **out, const struct sp_data_layout *l)
{
    bool delimited = l->delimiter != '\0';
    char delimiter[2] = { l->delimiter };

    *out = json_pack("{s:s, s:I, s:o, s:o, s:o, s:b, s:o, s:s?, s:o}", "format", l->format, "columns",
                     (json_int_t)l->columns, "text_column", column_json(&l->text), "text_pair_column",
                     column_json(&l->pair), "label_column", column_json(&l->label), "input_ids", l->ids, "has_header",
                     delimited ? json_boolean(l->header) : json_null(), "delimiter", delimited ? delimiter : NULL,
                     "quotes", delimited ? json_boolean(l->quotes) : json_null());
    return *out ? 0 : sp_error(SP_ENOMEM, "out of memory");
}

static int malformed(const struct sp_adapter *adapter, const char *key)
{
    return sp_error(SP_EFORMAT, "%s/adapter.json: \"data\": \"%s\" is missing or malformed", adapter->dir, key);
}

static int recall_string(char **out, const struct sp_adapter *adapter, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text)
        return malformed(adapter, key);
    *out = sp_strdup(text);
    return *out ? 0 : SP_ENOMEM;
}

static int recall_column(struct sp_data_column *out, const struct sp_adapter *adapter, const char *key, size_t columns)
{
    const json_t *column = json_object_get(adapter->data, key), *number = json_object_get(column, "number");

    if (json_is_null(column))
        return 0;
    if (!json_is_integer(number) || json_integer_value(number) < 1 || (size_t)json_integer_value(number) > columns)
        return malformed(adapter, key);
    out->number = (size_t)json_integer_value(number);
    return json_is_null(json_object_get(column, "name")) ? 0 : recall_string(&out->name, adapter, column, "name");
}

/* The format, and what only a table has: header, delimiter, quotes. */
static int recall_file(struct sp_data_layout *out, const struct sp_adapter *adapter)
{
    const json_t *data = adapter->data, *delimiter = json_object_get(data, "delimiter");
    const json_t *header = json_object_get(data, "has_header"), *quotes = json_object_get(data, "quotes");
    bool table;

    SP_TRY(recall_string(&out->format, adapter, data, "format"));
    if (!sp_reader_find_format(&table, out->format))
        return malformed(adapter, "format");
    if (table ? json_string_length(delimiter) != 1 || !sp_reader_can_delimit(json_string_value(delimiter)[0])
              : !json_is_null(delimiter))
        return malformed(adapter, "delimiter");
    if (table ? !json_is_boolean(header) : !json_is_null(header))
        return malformed(adapter, "has_header");
    if (table ? !json_is_boolean(quotes) : !json_is_null(quotes))
        return malformed(adapter, "quotes");
    if (!table)
        return 0;
    out->delimiter = json_string_value(delimiter)[0];
    out->header = json_is_true(header);
    out->quotes = json_is_true(quotes);
    return 0;
}

/* No column serves twice. */
static int check_columns(const struct sp_data_layout *l, const struct sp_adapter *adapter)
{
    if (l->pair.number && (!l->text.number || l->pair.number == l->text.number))
        return malformed(adapter, "text_pair_column");
    if (l->label.number && (l->label.number == l->text.number || l->label.number == l->pair.number))
        return malformed(adapter, "label_column");
    return 0;
}

int sp_run_recall(struct sp_run *run)
{
    const struct sp_adapter *adapter = run->adapter;
    const json_t *data = adapter->data, *columns = json_object_get(data, "columns");
    struct sp_data_layout *out = &run->remembered;

    if (!data)
        return 0;
    if (!json_is_integer(columns) || json_integer_value(columns) < 1 ||
        json_integer_value(columns) > (json_int_t)SP_READER_MAX_COLUMNS)
        return malformed(adapter, "columns");
    out->columns = (size_t)json_integer_value(columns);
    SP_TRY(recall_column(&out->text, adapter, "text_column", out->columns));
    SP_TRY(recall_column(&out->pair, adapter, "text_pair_column", out->columns));
    SP_TRY(recall_column(&out->label, adapter, "label_column", out->columns));
    SP_TRY(check_columns(out, adapter));
    if (!json_is_boolean(json_object_get(data, "input_ids")))
        return malformed(adapter, "input_ids");
    out->ids = json_is_true(json_object_get(data, "input_ids"));
    return recall_file(out, adapter);
}
