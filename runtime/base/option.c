#include "runtime/base/option.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_MAX 128
#define LIST_MAX ((size_t)1000)
#define COMMENT_SHOWN 64 /* bytes of a comment in a message */

/* A value on its way from a text into a struct. */
struct reading {
    const struct sp_option_table *table;
    void *target;
    struct sp_option_given *given;
    const struct sp_source *source;
    enum sp_option_rank rank;
};

bool sp_option_is_path(const struct sp_option *option)
{
    return option->type == SP_OPTION_INPUT || option->type == SP_OPTION_PATH;
}

bool sp_option_is_text(const struct sp_option *option)
{
    return option->type == SP_OPTION_STRING || option->type == SP_OPTION_COLUMN || sp_option_is_path(option);
}

/* Unsets the value. */
static void clear(const struct sp_option *option, void *value)
{
    enum sp_option_type type = option->type;

    if (sp_option_is_text(option)) {
        char **text = value;

        free(*text);
        *text = NULL;
    } else if (type == SP_OPTION_LIST) {
        struct sp_string_list *list = value;

        for (size_t i = 0; i < list->count; i++)
            free(list->items[i]);
        free(list->items);
        *list = (struct sp_string_list){ NULL, 0 };
    } else if (type == SP_OPTION_INT) {
        *(long long *)value = -1;
    } else if (type == SP_OPTION_NUMBER) {
        *(double *)value = NAN;
    }
}

static size_t choice_index(const char *const *choices, const char *text)
{
    size_t i = 0;

    while (choices[i] && strcmp(choices[i], text) != 0)
        i++;
    return i;
}

/* Whether `value` lies in an interval such as "(0, 1]". */
static bool in_range(const char *range, double value)
{
    double low, high;
    char *end;

    if (!range)
        return true;
    low = strtod(range + 1, &end);
    high = strtod(end + 1, &end);
    return (range[0] == '(' ? value > low : value >= low) &&
           (*end == ')' ? value < high : value <= high);
}

static int bool_value(const char *text)
{
    static const char *const words[] = { "false", "true", "no", "yes", NULL };
    size_t i = 0;

    while (words[i] && strcasecmp(words[i], text) != 0)
        i++;
    return words[i] ? (int)(i & 1) : -1;
}

/* Stores a scalar's text; false when it is not of the option's type or out of its range. */
static bool store(const struct sp_option *option, void *place, const char *text, const char *range)
{
    double number;

    switch (option->type) {
    case SP_OPTION_STRING:
    case SP_OPTION_INPUT:
    case SP_OPTION_PATH:
    case SP_OPTION_COLUMN: {
        char *copy;

        if (!text[0] || (option->choices && !option->choices[choice_index(option->choices, text)]))
            return false;
        copy = sp_strdup(text);
        free(*(char **)place);
        *(char **)place = copy;
        return copy != NULL;
    }
    case SP_OPTION_INT: {
        long long whole;

        if (!sp_text_int(text, &whole) || !in_range(option->range, (double)whole) ||
            !in_range(range, (double)whole))
            return false;
        *(long long *)place = whole;
        return true;
    }
    case SP_OPTION_NUMBER:
        if (!sp_text_double(text, &number) || !in_range(option->range, number) ||
            !in_range(range, number))
            return false;
        *(double *)place = number;
        return true;
    case SP_OPTION_BOOL:
        if (bool_value(text) < 0)
            return false;
        *(bool *)place = bool_value(text);
        return true;
    case SP_OPTION_CHOICE: {
        size_t index = choice_index(option->choices, text);

        if (!option->choices[index] && bool_value(text) >= 0) /* yes where true is a choice */
            index = choice_index(option->choices, bool_value(text) ? "true" : "false");
        if (!option->choices[index])
            return false;
        *(int *)place = (int)index;
        return true;
    }
    default:
        return false;
    }
}

static int list_add(struct sp_string_list *list, size_t *capacity, const char *text, size_t length)
{
    char *item;

    SP_TRY(sp_grow(&list->items, list->count, capacity, sizeof *list->items, LIST_MAX,
                   "names in a list"));
    item = sp_strndup(text, length);
    if (!item)
        return SP_ENOMEM;
    list->items[list->count++] = item;
    return 0;
}

/* Splits "a, b" or "[a, b]"; no names, or an empty one, is SP_EINVAL. */
static int list_split(struct sp_string_list *list, const char *text)
{
    size_t length = strlen(text), capacity = 0;
    const char *at = text, *end = text + length;

    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        at++;
        end--;
    }
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        const char *next = comma ? comma + 1 : NULL;

        while (at < stop && *at == ' ')
            at++;
        while (stop > at && stop[-1] == ' ')
            stop--;
        if (at == stop)
            return SP_EINVAL;
        SP_TRY(list_add(list, &capacity, at, (size_t)(stop - at)));
        if (!next)
            return 0;
        at = next;
    }
}

/* An unquoted word that says nothing, where the option has no choice of that name. */
static bool says_nothing(const struct sp_option *option, const struct sp_yaml_node *node)
{
    if (sp_yaml_is_null(node))
        return true;
    return sp_yaml_is_none(node) && !(option->choices && option->choices[choice_index(option->choices, node->text)]);
}

static int write_found(struct sp_buf *text, const struct sp_yaml_node *node)
{
    if (node->kind == SP_YAML_MAP)
        return sp_buf_puts(text, "found a block of keys");
    if (node->kind == SP_YAML_LIST && node->count == 0)
        return sp_buf_puts(text, "found an empty list");
    for (size_t i = 0; i < node->count; i++) {
        const struct sp_yaml_node *item = &node->children[i];

        if (item->kind != SP_YAML_SCALAR)
            return sp_buf_puts(text, "found a list with a list or block in it");
        if (!item->text[0] || sp_yaml_is_null(item) || sp_yaml_is_none(item))
            return sp_buf_printf(text, "found a list with %s%s%s in it", item->text[0] ? "\"" : "nothing", item->text,
                                 item->text[0] ? "\"" : "");
    }
    if (node->kind == SP_YAML_LIST)
        return sp_buf_puts(text, "found a list");
    if (sp_yaml_is_null(node))
        return sp_buf_puts(text, "found nothing");
    if (!node->text[0])
        return sp_buf_puts(text, "found an empty text");
    return sp_buf_printf(text, "found %s\"%.80s\"", node->quoted ? "the text " : "", node->text);
}

/* How the option is left at its default, or unset. */
static int write_nothing(struct sp_buf *text, const struct reading *r, const struct sp_option *option,
                         const struct sp_yaml_node *node)
{
    bool quotes = sp_option_is_text(option) && !option->choices && r->rank != SP_OPTION_OVERRIDE;

    if (option->initial)
        return sp_buf_printf(text, "; leave it out for the default, %s", option->initial);
    SP_TRY(sp_buf_puts(text, "; write null for nothing"));
    return quotes ? sp_buf_printf(text, ", or \"%s\" in quotes for that text", node->text) : 0;
}

/* The comment that stands where a value would, as "#1 String" without quotes is one; empty where there is none. */
static void find_comment(char *out, size_t size, const struct reading *r, const struct sp_yaml_node *node)
{
    bool empty = node->kind == SP_YAML_SCALAR && !node->quoted && !node->text[0] && r->rank != SP_OPTION_OVERRIDE;
    size_t length;
    const char *at = sp_source_line(r->source, node->place.line, &length), *end = at + length;

    out[0] = '\0';
    for (size_t column = 1; at < end && column < node->place.column; column++)
        do
            at++;
        while (at < end && sp_text_goes_on(*at));
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (empty && at < end && *at == '#')
        snprintf(out, size, "%.*s",
                 (int)sp_text_utf8_prefix(at, (size_t)(end - at) < size ? (size_t)(end - at) : size - 1), at);
}

#define COMMENT "# begins a comment; a name that begins with it wants quotes: \"%s\""

/* An option that is left unset by what may be no comment: most begin with a blank. */
static void tell_comment(const struct reading *r, const struct sp_option *option, const struct sp_yaml_node *node)
{
    char comment[COMMENT_SHOWN];

    find_comment(comment, sizeof comment, r, node);
    if (comment[0] && sp_option_is_text(option))
        sp_log_once(comment[1] == ' ' ? SP_LOG_INFO : SP_LOG_WARNING, "%s:%zu: %s: nothing is given, as " COMMENT,
                    r->source->name, node->place.line, option->key, comment);
}

/* "found ..., expected ..." about the value of an option. */
static int wrong_value(const struct reading *r, const struct sp_option *option,
                       const struct sp_yaml_node *node, const char *range)
{
    struct sp_buf text = SP_BUF(4096);
    const char *nearest = NULL;
    char comment[COMMENT_SHOWN];
    size_t count = 0;
    int rc = SP_ECONFIG;

    SP_GO(write_found(&text, node));
    SP_GO(sp_buf_puts(&text, ", expected "));
    SP_GO(sp_option_write_type(option, &text));
    if (range)
        SP_GO(sp_buf_printf(&text, " (as %s, in %s)", node->key, range));
    if (node->kind == SP_YAML_SCALAR && node->quoted && !sp_option_is_text(option) &&
        option->type != SP_OPTION_CHOICE && option->type != SP_OPTION_LIST)
        SP_GO(sp_buf_puts(&text, " without quotes"));
    while (option->choices && option->choices[count])
        count++;
    if (node->kind == SP_YAML_SCALAR && count)
        nearest = sp_text_nearest(node->text, option->choices, count);
    if (nearest)
        SP_GO(sp_buf_printf(&text, "; did you mean %s?", nearest));
    else if (says_nothing(option, node))
        SP_GO(write_nothing(&text, r, option, node));
    find_comment(comment, sizeof comment, r, node);
    if (comment[0])
        SP_GO(sp_buf_printf(&text, "; " COMMENT, comment));
    rc = SP_ECONFIG;
    sp_source_error(rc, r->source, node->place, "%s: %s", option->key, text.data);
out:
    sp_buf_free(&text);
    return rc;
}

static int take_list(const struct reading *r, const struct sp_option *option, void *value,
                     const struct sp_yaml_node *node)
{
    struct sp_string_list list = { NULL, 0 };
    size_t capacity = 0;
    int rc = node->kind == SP_YAML_SCALAR ? list_split(&list, node->text) : 0;

    for (size_t i = 0; node->kind == SP_YAML_SCALAR && !node->quoted && i < list.count; i++) {
        const struct sp_yaml_node item = { .kind = SP_YAML_SCALAR, .text = list.items[i] };

        if (sp_yaml_is_null(&item) || sp_yaml_is_none(&item))
            rc = SP_EINVAL;
    }
    for (size_t i = 0; rc == 0 && i < node->count; i++) {
        const struct sp_yaml_node *item = &node->children[i];

        if (item->kind != SP_YAML_SCALAR || !item->text[0] || sp_yaml_is_null(item) || sp_yaml_is_none(item))
            rc = SP_EINVAL;
        else
            rc = list_add(&list, &capacity, item->text, strlen(item->text));
    }
    if (rc == SP_EINVAL || (rc == 0 && list.count == 0))
        rc = wrong_value(r, option, node, NULL);
    else if (rc == SP_ELIMIT)
        rc = sp_source_error(SP_ECONFIG, r->source, node->place, "%s: %s", option->key,
                             sp_error_message());
    clear(option, value); /* either the old list goes or, on failure, nobody reads it again */
    *(struct sp_string_list *)value = list;
    return rc;
}

static int take(const struct reading *r, size_t index, const struct sp_yaml_node *node,
                const char *range)
{
    const struct sp_option *option = sp_option_at(r->table, index);
    void *value = sp_option_value(r->table, index, r->target);

    if (sp_yaml_is_null(node) && !option->initial) {
        tell_comment(r, option, node);
        clear(option, value);
        r->given[index].rank = SP_OPTION_DEFAULT; /* unset contradicts nothing */
        return 0;
    }
    r->given[index] = (struct sp_option_given){ r->rank, r->source, node->key_place };
    if (node->kind == SP_YAML_MAP || says_nothing(option, node))
        return wrong_value(r, option, node, range);
    if (option->type == SP_OPTION_LIST)
        return take_list(r, option, value, node);
    if (node->kind == SP_YAML_LIST)
        return wrong_value(r, option, node, range);
    if (node->quoted && !sp_option_is_text(option) && option->type != SP_OPTION_CHOICE)
        return wrong_value(r, option, node, range);
    if (!store(option, value, node->text, range))
        return wrong_value(r, option, node, range);
    return 0;
}

/* The option called `key`, by its own name or another tool's; sp_option_count(table) when there is none. */
static size_t find(const struct sp_option_table *table, const char *key,
                   const struct sp_option_alias **alias)
{
    *alias = NULL;
    for (size_t i = 0; i < table->alias_count && !*alias; i++)
        if (strcmp(table->aliases[i].name, key) == 0)
            *alias = &table->aliases[i];
    return sp_option_index(table, *alias ? (*alias)->key : key);
}

static bool is_block(const struct sp_option_table *table, const char *key)
{
    size_t length = strlen(key);

    for (size_t i = 0; i < sp_option_count(table); i++)
        if (strncmp(sp_option_at(table, i)->key, key, length) == 0 &&
            sp_option_at(table, i)->key[length] == '.')
            return true;
    return false;
}

static int take_key(const struct reading *r, const char *key, const char *block,
                    const struct sp_yaml_node *node)
{
    const struct sp_option_alias *alias;
    size_t index = find(r->table, key, &alias);

    if (index == sp_option_count(r->table))
        return sp_option_unknown(r->table, r->source, node->key_place, key, block);
    if (r->rank != SP_OPTION_OVERRIDE && r->given[index].rank == r->rank)
        return sp_source_error(SP_ECONFIG, r->source, node->key_place,
                               "\"%s\" and the key on line %zu are both %s: keep one", node->key,
                               r->given[index].place.line, sp_option_at(r->table, index)->key);
    return take(r, index, node, alias ? alias->range : NULL);
}

static int take_map(const struct reading *r, const char *block, const struct sp_yaml_node *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct sp_yaml_node *node = &map->children[i];
        char key[KEY_MAX], inner[KEY_MAX + 1];

        /* Cut short, a key is as unknown as it was. */
        snprintf(key, sizeof key, "%s%s", block, node->key);
        if (block[0] || !is_block(r->table, key)) {
            SP_TRY(take_key(r, key, block, node));
        } else if (node->kind == SP_YAML_MAP) {
            snprintf(inner, sizeof inner, "%s.", key);
            SP_TRY(take_map(r, inner, node));
        } else if (!sp_yaml_is_null(node)) {
            return sp_source_error(SP_ECONFIG, r->source, node->place,
                                   "%s: expected a block of keys, indented beneath", key);
        }
    }
    return 0;
}

int sp_option_read_yaml(const struct sp_option_table *table, void *target,
                        struct sp_option_given *given, const struct sp_yaml_node *root,
                        const struct sp_source *source, enum sp_option_rank rank)
{
    const struct reading r = { table, target, given, source, rank };

    if (root->kind != SP_YAML_MAP)
        return sp_source_error(SP_ECONFIG, source, root->place,
                               "found %s, expected lines of \"key: value\"",
                               root->kind == SP_YAML_LIST ? "a list" : "a text");
    return take_map(&r, "", root);
}

/* An empty variable of a script, more likely than a wish. */
static int nothing_follows(const struct reading *r, const struct sp_yaml_node *node)
{
    const struct sp_option_alias *alias;
    size_t index = find(r->table, node->key, &alias);
    const char *initial = index < sp_option_count(r->table) ? sp_option_at(r->table, index)->initial : NULL;

    if (index == sp_option_count(r->table))
        return sp_option_unknown(r->table, r->source, node->key_place, node->key, "");
    if (initial)
        return sp_source_error(SP_ECONFIG, r->source, node->place,
                               "nothing follows the '='; leave %s out for the default, %s", node->key, initial);
    return sp_source_error(SP_ECONFIG, r->source, node->place, "nothing follows the '='; write %s=null to unset it",
                           node->key);
}

int sp_option_read_override(const struct sp_option_table *table, void *target,
                            struct sp_option_given *given, const struct sp_source *source)
{
    const struct reading r = { table, target, given, source, SP_OPTION_OVERRIDE };
    const struct sp_place start = { 1, 1 };
    const char *equals = memchr(source->text, '=', source->length);
    struct sp_yaml_node node = { .kind = SP_YAML_SCALAR, .key_place = start };
    int rc;

    if (sp_text_utf8_prefix(source->text, source->length) != source->length)
        return sp_error(SP_ECONFIG, "%s: found bytes that are not UTF-8", source->name);
    if (!equals || equals == source->text || equals - source->text >= KEY_MAX)
        return sp_source_error(SP_ECONFIG, source, start, "expected key=value");
    node.key = sp_strndup(source->text, (size_t)(equals - source->text));
    if (!node.key)
        return SP_ENOMEM;
    node.text = (char *)(size_t)(equals + 1);
    node.place = (struct sp_place){ 1, strlen(node.key) + 2 };
    if (is_block(table, node.key))
        rc = sp_source_error(SP_ECONFIG, source, start,
                             "%s is a block: set one of its keys, as %s.key=value", node.key,
                             node.key);
    else if (!equals[1])
        rc = nothing_follows(&r, &node);
    else
        rc = take_key(&r, node.key, "", &node);
    free(node.key);
    return rc;
}

size_t sp_option_count(const struct sp_option_table *table)
{
    size_t count = 0;

    for (size_t p = 0; table->parts[p].rows; p++)
        count += table->parts[p].rows->count;
    return count;
}

/* The part that has row *i of all, which becomes its number there. */
static const struct sp_option_part *part_of(const struct sp_option_table *table, size_t *i)
{
    const struct sp_option_part *part = table->parts;

    while (*i >= part->rows->count)
        *i -= part++->rows->count;
    return part;
}

const struct sp_option *sp_option_at(const struct sp_option_table *table, size_t i)
{
    const struct sp_option_part *part = part_of(table, &i);

    return &part->rows->rows[i];
}

void *sp_option_struct(const struct sp_option_part *part, const void *target)
{
    char *place = (char *)(uintptr_t)target + part->offset;

    return part->rows->size ? *(void **)(void *)place : place;
}

void *sp_option_value(const struct sp_option_table *table, size_t i, const void *target)
{
    const struct sp_option_part *part = part_of(table, &i);

    return (char *)sp_option_struct(part, target) + part->rows->rows[i].offset;
}

size_t sp_option_index(const struct sp_option_table *table, const char *key)
{
    size_t i = 0;

    while (i < sp_option_count(table) && strcmp(sp_option_at(table, i)->key, key) != 0)
        i++;
    return i;
}

const struct sp_option_part *sp_option_part_of(const struct sp_option_table *table, const struct sp_option_rows *rows)
{
    const struct sp_option_part *part = table->parts;

    while (part->rows && part->rows->rows != rows->rows)
        part++;
    return part->rows ? part : NULL;
}

/* Whether these are the names of "a, b". */
static bool is_list(const struct sp_string_list *list, const char *text)
{
    size_t i = 0;

    for (const char *at = text; *at; i++) {
        size_t length = strcspn(at, ",");

        if (i == list->count || strlen(list->items[i]) != length || memcmp(list->items[i], at, length) != 0)
            return false;
        at += length;
        at += strspn(at, ", ");
    }
    return i == list->count;
}

bool sp_option_is_default(const struct sp_option_table *table, size_t i, const void *target)
{
    const struct sp_option *option = sp_option_at(table, i);
    const void *value = sp_option_value(table, i, target);
    const char *initial = option->initial, *text;
    long long whole = -1;
    double number = NAN;

    switch (option->type) {
    case SP_OPTION_LIST:
        return is_list(value, initial ? initial : "");
    case SP_OPTION_INT:
        return (!initial || sp_text_int(initial, &whole)) && *(const long long *)value == whole;
    case SP_OPTION_NUMBER:
        return initial ? sp_text_double(initial, &number) && *(const double *)value == number
                       : isnan(*(const double *)value);
    case SP_OPTION_BOOL:
        return *(const bool *)value == (initial && bool_value(initial));
    case SP_OPTION_CHOICE:
        return *(const int *)value == (int)choice_index(option->choices, initial);
    default:
        text = *(char *const *)value;
        return initial && text ? strcmp(initial, text) == 0 : initial == text;
    }
}

static int set_default(const struct sp_option_table *table, size_t i, void *target)
{
    const struct sp_option *option = sp_option_at(table, i);
    void *value = sp_option_value(table, i, target);

    clear(option, value);
    if (!option->initial)
        return 0;
    if (option->type == SP_OPTION_LIST)
        return list_split(value, option->initial);
    return store(option, value, option->initial, NULL) ? 0 : SP_ENOMEM;
}

int sp_option_reset(const struct sp_option_table *table, void *target,
                    struct sp_option_given *given, const char *key)
{
    size_t index = sp_option_index(table, key);

    given[index] = (struct sp_option_given){ .rank = SP_OPTION_DEFAULT };
    return set_default(table, index, target);
}

int sp_option_defaults(const struct sp_option_table *table, void *target)
{
    for (const struct sp_option_part *part = table->parts; part->rows; part++) {
        void *own = part->rows->size ? sp_calloc(1, part->rows->size) : NULL;

        if (part->rows->size && !own)
            return SP_ENOMEM;
        if (own)
            *(void **)(void *)((char *)target + part->offset) = own;
    }
    for (size_t i = 0; i < sp_option_count(table); i++)
        SP_TRY(set_default(table, i, target));
    return 0;
}

void sp_option_release(const struct sp_option_table *table, void *target)
{
    for (const struct sp_option_part *part = table->parts; part->rows; part++) {
        char *values = sp_option_struct(part, target);

        for (size_t i = 0; values && i < part->rows->count; i++)
            clear(&part->rows->rows[i], values + part->rows->rows[i].offset);
        if (part->rows->size) {
            free(values);
            *(void **)(void *)((char *)target + part->offset) = NULL;
        }
    }
}
