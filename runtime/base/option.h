/*
 * Option tables (layer 0): one constant table says each option's name, type, place in a struct,
 * default, range and help. It reads values from YAML and from `key=value`, and writes help, manual,
 * YAML and JSON. A key inside a block is dotted ("sparse.density"). Strings and lists in the struct
 * are owned by it.
 *
 * Unset: an option whose default is NULL may be unset (null in YAML): a string is NULL, an integer
 * -1, a number NaN.
 */
#ifndef SP_BASE_OPTION_H
#define SP_BASE_OPTION_H

#include "runtime/base/buf.h"
#include "runtime/base/source.h"
#include "runtime/base/yaml.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum sp_option_type {
    SP_OPTION_STRING, /* char *; one of `choices` when there are any */
    SP_OPTION_INPUT,  /* char *: the path of what is read; */
    SP_OPTION_PATH,   /* another one */
    SP_OPTION_COLUMN, /* char *: a column of a file of rows, by its name or its number */
    SP_OPTION_LIST,   /* struct sp_string_list */
    SP_OPTION_INT,    /* long long */
    SP_OPTION_NUMBER, /* double */
    SP_OPTION_BOOL,   /* bool: true, false, yes, no */
    SP_OPTION_CHOICE, /* int or an enum: the index into `choices` */
};

/* The choices of what may be left to the program, and their values. */
#define SP_THREE_WAY(X) X(SP_AUTO, auto) X(SP_YES, true) X(SP_NO, false)
#define SP_THREE_WAY_VALUE(value, name) value,
enum sp_three_way { SP_THREE_WAY(SP_THREE_WAY_VALUE) };

struct sp_string_list {
    char **items;
    size_t count;
};

struct sp_option {
    const char *key;
    enum sp_option_type type;
    size_t offset;
    const char *initial; /* the default as text; NULL: unset */
    const char *range;          /* of numbers: "[1, 100]", "(0, 1]", "[0, inf)"; NULL: any */
    const char *const *choices; /* NULL-terminated */
    const char *group, *help;   /* heading in the listings; one or two sentences */
    const char *unset;          /* for help, without a default: "required", "by default ..." */
};

/* Another tool's name for an option; `range` narrows the option's own, or is NULL. */
struct sp_option_alias {
    const char *name, *key, *range;
};

/* Another tool's name for what is near an option and not the same, or a name of everyday use: a mistake, but one that
 * is understood. */
struct sp_option_hint {
    const char *name, *key;
};

/* What a value of an option means, by whom it names. */
struct sp_option_meaning {
    const char *key, *value, *const *summary; /* a few words */
};

/* What one component exports: rows for a struct of its own, or for the whole. */
struct sp_option_rows {
    const struct sp_option *rows;
    size_t count;
    size_t size; /* of the component's struct, where the whole has but a pointer to it; 0: it is in the whole */
};

struct sp_option_part {
    const struct sp_option_rows *rows;
    size_t offset; /* of the component's struct in the whole, or of the pointer */
};

struct sp_option_table {
    const struct sp_option_part *parts; /* whose rows follow one another; one without rows ends them */
    const struct sp_option_alias *aliases;
    size_t alias_count;
    const struct sp_option_hint *hints; /* a NULL ends them */
    const char *const *foreign; /* other tools' names without a meaning here; NULL-terminated */
    const struct sp_option_meaning *meanings; /* for help; a NULL ends them */
};

/* Where an option's value came from; one for each option of the table. Texts that lie over each
 * other have the ranks SP_OPTION_FILE, SP_OPTION_FILE + 1, ...: a later one goes before. */
enum sp_option_rank { SP_OPTION_DEFAULT, SP_OPTION_FILE, SP_OPTION_OVERRIDE = 1000 };
struct sp_option_given {
    enum sp_option_rank rank;
    const struct sp_source *source;
    struct sp_place place; /* of the key */
};

/* Fills a zeroed struct with the defaults. Releasing a zeroed one is fine. */
int sp_option_defaults(const struct sp_option_table *table, void *target);
void sp_option_release(const struct sp_option_table *table, void *target);

/* Takes every key of a parsed YAML document, or of a mapping in it. Mistakes are SP_ECONFIG with
 * their place. `given` keeps `source`. */
int sp_option_read_yaml(const struct sp_option_table *table, void *target,
                        struct sp_option_given *given, const struct sp_yaml_node *root,
                        const struct sp_source *source, enum sp_option_rank rank);

/* Takes one `key=value`, the whole of source->text. A list is written a,b or [a, b]. */
int sp_option_read_override(const struct sp_option_table *table, void *target,
                            struct sp_option_given *given, const struct sp_source *source);

/* Back to the default, as if it had not been given. */
int sp_option_reset(const struct sp_option_table *table, void *target,
                    struct sp_option_given *given, const char *key);

/* The key of the option that is meant by `name`, which may be another tool's or without its block, and with `guess`
 * misspelt; NULL when there is none. And whether it is another tool's without a meaning here. */
const char *sp_option_meant(const struct sp_option_table *table, const char *name, bool guess);
bool sp_option_is_foreign(const struct sp_option_table *table, const char *name);

/* Refuses `key`, written in `block` ("" or "sparse."), as unknown, and says what was meant or that there is no such
 * thing. */
int sp_option_unknown(const struct sp_option_table *table, const struct sp_source *source, struct sp_place place,
                      const char *key, const char *block);

/* Rows of all parts, row i of them, below that, and where its value stands in the whole struct. */
size_t sp_option_count(const struct sp_option_table *table);
const struct sp_option *sp_option_at(const struct sp_option_table *table, size_t i);
void *sp_option_value(const struct sp_option_table *table, size_t i, const void *target);

/* Whether its value is a char *; a path among those. */
bool sp_option_is_text(const struct sp_option *option);
bool sp_option_is_path(const struct sp_option *option);

/* Whether row i has the value that it has where nobody gives one. */
bool sp_option_is_default(const struct sp_option_table *table, size_t i, const void *target);

/* The part with a component's rows; NULL: the table has none. And the component's struct in the whole. */
const struct sp_option_part *sp_option_part_of(const struct sp_option_table *table, const struct sp_option_rows *rows);
void *sp_option_struct(const struct sp_option_part *part, const void *target);

/* The index of `key` in the table, sp_option_count where it is not in it. */
size_t sp_option_index(const struct sp_option_table *table, const char *key);

/* The whole struct as YAML that reads back to the same values, and as a JSON object (the caller's
 * to release). In YAML and in help a group's rows stand together, whichever parts they come from. */
int sp_option_write_yaml(const struct sp_option_table *table, const void *target,
                         struct sp_buf *out);
int sp_option_write_json(const struct sp_option_table *table, const void *target, json_t **out);

/* What a value of the option looks like: "a number in (0, 1]", "one of linear, cosine". */
int sp_option_write_type(const struct sp_option *option, struct sp_buf *out);

/* The table for a terminal, and as roff for a manual page. */
int sp_option_write_help(const struct sp_option_table *table, struct sp_buf *out);
int sp_option_write_man(const struct sp_option_table *table, struct sp_buf *out);

#endif
