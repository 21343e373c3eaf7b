#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/option.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HELP_WIDTH 80
#define HELP_INDENT 8

/* sp_text_number with a point before an exponent: YAML 1.1 asks for one. */
static void number_text(double value, char out[32])
{
    char digits[SP_TEXT_NUMBER], *exponent;

    sp_text_number(digits, value);
    exponent = strchr(digits, 'e');
    if (exponent && !strchr(digits, '.'))
        snprintf(out, 32, "%.*s.0%s", (int)(exponent - digits), digits, exponent);
    else
        snprintf(out, 32, "%s", digits);
}

/* Whether a text may stand in YAML without quotes, for us and for every other reader. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {
        "null", "true", "false", "yes", "no", "on", "off", "y", "n"
    };
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.-";
    bool letter = (text[0] | 0x20) >= 'a' && (text[0] | 0x20) <= 'z';

    if (strspn(text, safe) != strlen(text))
        return false;
    if (!letter && text[0] != '/' && strncmp(text, "./", 2) != 0 && strncmp(text, "../", 3) != 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0)
            return false;
    return !sp_yaml_is_none(&(struct sp_yaml_node){ .kind = SP_YAML_SCALAR, .text = (char *)(size_t)text });
}

/* A double-quoted YAML scalar, which has JSON's escapes. */
static int write_quoted(struct sp_buf *out, const char *text)
{
    char shown[SP_TEXT_SHOWN];

    SP_TRY(sp_buf_puts(out, "\""));
    for (size_t left = strlen(text), taken; left > 0; text += taken, left -= taken) {
        size_t length = sp_text_show(shown, &taken, text, left);

        if (*text == '"' || *text == '\\')
            SP_TRY(sp_buf_puts(out, "\\"));
        /* YAML has no surrogates */
        SP_TRY(taken == 4 ? sp_buf_append(out, text, taken) : sp_buf_append(out, shown, length));
    }
    return sp_buf_puts(out, "\"");
}

static int write_text(struct sp_buf *out, const char *text)
{
    return is_plain(text) ? sp_buf_puts(out, text) : write_quoted(out, text);
}

static int write_list(struct sp_buf *out, const struct sp_string_list *list)
{
    SP_TRY(sp_buf_puts(out, "["));
    for (size_t i = 0; i < list->count; i++) {
        SP_TRY(sp_buf_puts(out, i ? ", " : ""));
        SP_TRY(write_text(out, list->items[i]));
    }
    return sp_buf_puts(out, "]");
}

static int write_value(const struct sp_option *option, const void *value, struct sp_buf *out)
{
    char digits[32];

    switch (option->type) {
    case SP_OPTION_STRING:
    case SP_OPTION_INPUT:
    case SP_OPTION_PATH:
    case SP_OPTION_COLUMN:
        return *(char *const *)value ? write_text(out, *(char *const *)value)
                                     : sp_buf_puts(out, "null");
    case SP_OPTION_LIST:
        return write_list(out, value);
    case SP_OPTION_INT:
        if (*(const long long *)value < 0 && !option->initial)
            return sp_buf_puts(out, "null");
        return sp_buf_printf(out, "%lld", *(const long long *)value);
    case SP_OPTION_NUMBER:
        if (isnan(*(const double *)value))
            return sp_buf_puts(out, "null");
        number_text(*(const double *)value, digits);
        return sp_buf_puts(out, digits);
    case SP_OPTION_BOOL:
        return sp_buf_puts(out, *(const bool *)value ? "true" : "false");
    default: {
        const char *name = option->choices[*(const int *)value];

        /* `no` is a name here and must not read as false elsewhere; true and false are meant as
         * they stand. */
        return strcmp(name, "true") == 0 || strcmp(name, "false") == 0 ? sp_buf_puts(out, name)
                                                                       : write_text(out, name);
    }
    }
}

/* The first row of row i's group. */
static size_t first_of_group(const struct sp_option_table *table, size_t i)
{
    size_t first = 0;

    while (strcmp(sp_option_at(table, first)->group, sp_option_at(table, i)->group) != 0)
        first++;
    return first;
}

/* The row behind row i where groups stand together, in the order of their first rows; sp_option_count at the end. */
static size_t next_row(const struct sp_option_table *table, size_t i)
{
    size_t count = sp_option_count(table), group = first_of_group(table, i), next = i + 1;

    while (next < count && first_of_group(table, next) != group)
        next++;
    if (next < count)
        return next;
    for (next = group + 1; next < count && first_of_group(table, next) != next;)
        next++;
    return next;
}

int sp_option_write_yaml(const struct sp_option_table *table, const void *target,
                         struct sp_buf *out)
{
    const char *group = "", *last = "";
    size_t block = 0; /* length of the current block's name with its dot */

    for (size_t i = 0; i < sp_option_count(table); i = next_row(table, i)) {
        const struct sp_option *option = sp_option_at(table, i);
        const char *dot = strchr(option->key, '.');
        size_t length = dot ? (size_t)(dot - option->key) + 1 : 0;

        if (strcmp(group, option->group) != 0)
            SP_TRY(sp_buf_printf(out, "%s# %s\n", i ? "\n" : "", option->group));
        group = option->group;
        if (length && (length != block || strncmp(option->key, last, length) != 0))
            SP_TRY(sp_buf_printf(out, "%.*s:\n", (int)length - 1, option->key));
        last = option->key;
        block = length;
        SP_TRY(sp_buf_printf(out, "%s%s: ", block ? "  " : "", option->key + block));
        SP_TRY(write_value(option, sp_option_value(table, i, target), out));
        SP_TRY(sp_buf_puts(out, "\n"));
    }
    return 0;
}

static json_t *json_list(const struct sp_string_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < list->count; i++) {
        if (json_array_append_new(array, json_string(list->items[i])) < 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static json_t *json_value(const struct sp_option *option, const void *value)
{
    switch (option->type) {
    case SP_OPTION_STRING:
    case SP_OPTION_INPUT:
    case SP_OPTION_PATH:
    case SP_OPTION_COLUMN:
        return *(char *const *)value ? json_string(*(char *const *)value) : json_null();
    case SP_OPTION_LIST:
        return json_list(value);
    case SP_OPTION_INT:
        return *(const long long *)value < 0 && !option->initial
                   ? json_null()
                   : json_integer(*(const long long *)value);
    case SP_OPTION_NUMBER:
        return isnan(*(const double *)value) ? json_null() : json_real(*(const double *)value);
    case SP_OPTION_BOOL:
        return json_boolean(*(const bool *)value);
    default:
        return json_string(option->choices[*(const int *)value]);
    }
}

int sp_option_write_json(const struct sp_option_table *table, const void *target, json_t **out)
{
    json_t *root = json_object();

    for (size_t i = 0; root && i < sp_option_count(table); i++) {
        const struct sp_option *option = sp_option_at(table, i);
        const char *dot = strchr(option->key, '.');
        json_t *into = root;

        if (dot) {
            char block[64];

            snprintf(block, sizeof block, "%.*s", (int)(dot - option->key), option->key);
            if (!json_object_get(root, block))
                json_object_set_new(root, block, json_object());
            into = json_object_get(root, block);
        }
        if (json_object_set_new(into, dot ? dot + 1 : option->key,
                                json_value(option, sp_option_value(table, i, target))) < 0) {
            json_decref(root);
            root = NULL;
        }
    }
    *out = root;
    return root ? 0 : sp_error(SP_ENOMEM, "out of memory while writing the configuration as JSON");
}

int sp_option_write_type(const struct sp_option *option, struct sp_buf *out)
{
    static const char *const names[] = {
        [SP_OPTION_STRING] = "a text", [SP_OPTION_INPUT] = "a text",         [SP_OPTION_PATH] = "a text",
        [SP_OPTION_COLUMN] = "a text", [SP_OPTION_LIST] = "a list of names", [SP_OPTION_INT] = "a whole number",
        [SP_OPTION_NUMBER] = "a number", [SP_OPTION_BOOL] = "true or false",
    };

    if (option->choices) {
        for (size_t i = 0; option->choices[i]; i++)
            SP_TRY(sp_buf_printf(out, "%s%s", i ? ", " : "one of ", option->choices[i]));
        return 0;
    }
    SP_TRY(sp_buf_puts(out, names[option->type]));
    return option->range ? sp_buf_printf(out, " in %s", option->range) : 0;
}

/* Words of `text` in lines of at most HELP_WIDTH columns. */
static int write_wrapped(struct sp_buf *out, const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t length = strcspn(text, " ");

        if (column && column + 1 + length > HELP_WIDTH) {
            SP_TRY(sp_buf_puts(out, "\n"));
            column = 0;
        }
        SP_TRY(column ? sp_buf_puts(out, " ") : sp_buf_printf(out, "%*s", HELP_INDENT, ""));
        column += column ? 1 : HELP_INDENT;
        SP_TRY(sp_buf_append(out, text, length));
        column += length;
        text += length + strspn(text + length, " ");
    }
    return sp_buf_puts(out, "\n");
}

/* "a number in (0, 1], default 0.1" and the help's sentences, each in its own buffer. */
static int describe(const struct sp_option_table *table, const struct sp_option *option,
                    struct sp_buf *type, struct sp_buf *help)
{
    SP_TRY(sp_option_write_type(option, type));
    if (option->initial)
        SP_TRY(sp_buf_printf(type, "; default %s", option->initial));
    else if (option->unset)
        SP_TRY(sp_buf_printf(type, "; %s", option->unset));
    SP_TRY(sp_buf_puts(help, option->help));
    for (const struct sp_option_meaning *m = table->meanings; m && m->key; m++)
        if (strcmp(m->key, option->key) == 0)
            SP_TRY(sp_buf_printf(help, " %s: %s.", m->value, *m->summary));
    for (size_t i = 0, shown = 0; i < table->alias_count; i++)
        if (strcmp(table->aliases[i].key, option->key) == 0)
            SP_TRY(sp_buf_printf(help, "%s%s", shown++ ? ", " : " Also known as ",
                                 table->aliases[i].name));
    return help->data[help->length - 1] == '.' ? 0 : sp_buf_puts(help, ".");
}

/* Text in roff: backslashes and hyphens escaped; no line of ours begins with a dot or a quote. */
static int write_roff(struct sp_buf *out, const char *text)
{
    for (; *text; text++)
        SP_TRY(*text == '-' || *text == '\\' ? sp_buf_printf(out, "\\%c", *text)
                                             : sp_buf_append(out, text, 1));
    return 0;
}

static int write_entry(struct sp_buf *out, const struct sp_option *option, const char *type,
                       const char *help, bool roff)
{
    if (!roff) {
        SP_TRY(sp_buf_printf(out, "  %s\n", option->key));
        SP_TRY(write_wrapped(out, type));
        return write_wrapped(out, help);
    }
    SP_TRY(sp_buf_puts(out, ".TP\n.B "));
    SP_TRY(write_roff(out, option->key));
    SP_TRY(sp_buf_puts(out, "\n("));
    SP_TRY(write_roff(out, type));
    SP_TRY(sp_buf_puts(out, ")\n"));
    SP_TRY(write_roff(out, help));
    return sp_buf_puts(out, "\n");
}

static int write_table(const struct sp_option_table *table, struct sp_buf *out, bool roff)
{
    struct sp_buf type = SP_BUF(4096), help = SP_BUF(4096);
    const char *group = "";
    int rc = 0;

    for (size_t i = 0; i < sp_option_count(table); i = next_row(table, i)) {
        const struct sp_option *option = sp_option_at(table, i);

        sp_buf_clear(&type);
        sp_buf_clear(&help);
        SP_GO(describe(table, option, &type, &help));
        if (strcmp(group, option->group) != 0)
            SP_GO(sp_buf_printf(out, roff ? ".SS %s\n" : "\n%s\n", option->group));
        group = option->group;
        SP_GO(write_entry(out, option, type.data, help.data, roff));
    }
out:
    sp_buf_free(&type);
    sp_buf_free(&help);
    return rc;
}

int sp_option_write_help(const struct sp_option_table *table, struct sp_buf *out)
{
    return write_table(table, out, false);
}

int sp_option_write_man(const struct sp_option_table *table, struct sp_buf *out)
{
    return write_table(table, out, true);
}
