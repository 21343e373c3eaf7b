#include "tests/unit/layout_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/text/tokenizer.h"

#include <string.h>

struct sp_tokenizer *tokenizer;

int setup(void **state)
{
    if (io_setup(state) != 0)
        return -1;
    io_write_text("model/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
    return sp_tokenizer_load(&tokenizer, io_path("model"));
}

int teardown(void **state)
{
    sp_tokenizer_free(tokenizer);
    return io_teardown(state);
}

void load(struct sp_dataset *out, const char *name, const char *content, const struct sp_dataset_options *options)
{
    if (sp_dataset_load(out, io_write_text(name, content), tokenizer, options) < 0)
        fail_msg("%s", sp_error_message());
}

static void render_column(struct sp_buf *out, const struct sp_data_column *column)
{
    if (!column->number)
        sp_buf_puts(out, "- ");
    else if (column->name)
        sp_buf_printf(out, "%s ", column->name);
    else
        sp_buf_printf(out, "%zu ", column->number);
}

void finds(const char *name, const char *content, const struct sp_dataset_options *options, const char *expected)
{
    struct sp_buf text = SP_BUF(4096);
    struct sp_dataset set;

    load(&set, name, content, options);
    render_column(&text, &set.layout.text);
    render_column(&text, &set.layout.pair);
    render_column(&text, &set.layout.label);
    sp_buf_printf(&text, "%s%c %zu", set.layout.header ? "H" : "", set.layout.delimiter ? set.layout.delimiter : 'j',
                  set.count);
    if (strcmp(text.data, expected) != 0)
        fail_msg("of %s\n%sfound: %s\nright: %s", name, content, text.data, expected);
    sp_buf_free(&text);
    sp_dataset_free(&set);
}

void refuses(const char *name, const char *content, const struct sp_dataset_options *options, const char *part)
{
    struct sp_dataset set;

    io_assert_error(sp_dataset_load(&set, io_write_text(name, content), tokenizer, options), SP_ECONFIG, name, part,
                    NULL);
}

struct sp_data_layout used(const char *text, size_t text_number, const char *pair, size_t pair_number,
                           const char *label, size_t label_number, size_t columns)
{
    return (struct sp_data_layout){
        .format = (char *)(uintptr_t)"csv",
        .text = { (char *)(uintptr_t)text, text_number },
        .pair = { (char *)(uintptr_t)pair, pair_number },
        .label = { (char *)(uintptr_t)label, label_number },
        .columns = columns,
        .header = text != NULL,
        .delimiter = ',',
    };
}

void instead(const char *name, const char *content, const struct sp_dataset_options *options, const char *expected)
{
    struct sp_dataset set;

    load(&set, name, content, options);
    if (!expected) {
        assert_null(set.instead);
    } else {
        assert_non_null(set.instead);
        assert_string_equal(set.instead, expected);
    }
    sp_dataset_free(&set);
}
