/* Loading a configuration, and the checks between its options. */
#include "runtime/train/config_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/train/files.h"
#include "runtime/train/method.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct sp_option_given *sp_config_given(const struct sp_config_load *load, const char *key)
{
    return &load->given[sp_option_index(sp_config_options(), key)];
}

void *sp_config_value(const struct sp_config *config, const char *key)
{
    const struct sp_option_table *table = sp_config_options();

    return sp_option_value(table, sp_option_index(table, key), config);
}

/* A study has a base and a block of methods, which no configuration has. */
static int check_kind(const struct sp_config_load *load, const struct sp_yaml_node *root)
{
    for (size_t i = 0; i < root->count && root->kind == SP_YAML_MAP; i++)
        if (strcmp(root->children[i].key, "base") == 0 ||
            (strcmp(root->children[i].key, "methods") == 0 && root->children[i].kind == SP_YAML_MAP))
            return sp_source_error(SP_ECONFIG, &load->file, root->children[i].key_place,
                                   "this is a study, expected the configuration of one run: speft-cl study %s makes "
                                   "its runs",
                                   load->file.name);
    return 0;
}

/* A folder may be one that a run has left. */
static int check_file(const char *path)
{
    char *kept = sp_fs_is_dir(path) ? sp_fs_join(path, SP_FILE_RESOLVED) : NULL;
    int rc = 0;

    if (kept)
        rc = sp_error(SP_ECONFIG, "%s is a folder, expected a file of options in YAML%s%s", path,
                      sp_fs_exists(kept) ? "; a run has left its own there: " : "", sp_fs_exists(kept) ? kept : "");
    free(kept);
    return rc;
}

static int read_file(struct sp_config_load *load, const char *path)
{
    struct sp_yaml_node root;
    size_t length, skip;
    int rc;

    SP_TRY(check_file(path));
    rc = sp_fs_read(&load->text, &length, path, SP_YAML_MAX_SIZE);
    if (rc < 0)
        return rc == SP_ENOMEM ? rc : SP_ECONFIG; /* the wrong name was given, not a file damaged */
    skip = sp_text_mark(load->text, length);
    load->file = (struct sp_source){ path, load->text + skip, length - skip };
    SP_TRY(sp_yaml_parse(&root, &load->file));
    rc = check_kind(load, &root);
    if (rc == 0)
        rc = sp_option_read_yaml(sp_config_options(), load->config, load->given, &root, &load->file, SP_OPTION_FILE);
    sp_yaml_release(&root);
    return rc;
}

static int read_overrides(struct sp_config_load *load, const char *const *overrides, size_t count)
{
    load->overrides = sp_calloc(count, sizeof *load->overrides);
    if (!load->overrides)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        load->overrides[i] = (struct sp_source){ "--set", overrides[i], strlen(overrides[i]) };
        SP_TRY(sp_option_read_override(sp_config_options(), load->config, load->given, &load->overrides[i]));
    }
    return 0;
}

static bool given_after(const struct sp_option_given *a, const struct sp_option_given *b)
{
    if (a->source != b->source)
        return a->source > b->source; /* overrides lie in their order */
    return a->place.line != b->place.line ? a->place.line > b->place.line
                                          : a->place.column > b->place.column;
}

int sp_config_contradiction(struct sp_config_load *load, const char *a, const char *b, const char *why)
{
    const struct sp_option_given *first = sp_config_given(load, a), *second = sp_config_given(load, b);

    if (first->rank != second->rank) {
        const char *lost = first->rank < second->rank ? a : b;

        if (first->rank == SP_OPTION_OVERRIDE || second->rank == SP_OPTION_OVERRIDE)
            sp_log(SP_LOG_INFO, "%s of %s gives way to the command line: %s", lost,
                   sp_config_given(load, lost)->source->name, why);
        return sp_option_reset(sp_config_options(), load->config, load->given, lost);
    }
    if (given_after(first, second))
        second = first;
    return sp_source_error(SP_ECONFIG, second->source, second->place, "%s: remove one", why);
}

#define BUDGET(name) SP_CONFIG_BUDGET #name,

static int check_budget(struct sp_config_load *load)
{
    static const char *const budgets[] = { SP_CONFIG_BUDGETS(BUDGET) };
    struct sp_config *config = load->config;
    size_t set = 0;

    for (size_t i = 0; i < COUNT(budgets); i++) {
        if (!sp_config_method(config)->masked && sp_config_given(load, budgets[i])->rank)
            SP_TRY(sp_config_contradiction(load, "sparse.method", budgets[i],
                                 "a budget of positions contradicts a method without a mask"));
        for (size_t j = 0; j < i; j++)
            if (sp_config_given(load, budgets[i])->rank && sp_config_given(load, budgets[j])->rank)
                SP_TRY(sp_config_contradiction(load, budgets[j], budgets[i],
                                     "density, rank_equivalent and count are one budget"));
    }
    for (size_t i = 0; i < COUNT(budgets); i++)
        set += sp_config_given(load, budgets[i])->rank != SP_OPTION_DEFAULT;
    if (sp_config_method(config)->masked && !set)
        config->sparse.rank_equivalent = SP_CONFIG_RANK;
    return 0;
}

/* `key` may only be given with the method: a command line that changes the method leaves it out. */
static int only_with(struct sp_config_load *load, const char *key, const struct sp_method *method)
{
    const struct sp_option_given *option = sp_config_given(load, key);
    char why[128];

    if (sp_config_method(load->config) == method || !option->rank)
        return 0;
    snprintf(why, sizeof why, "%s means nothing without sparse.method: %s", key, method->name);
    if (sp_config_given(load, "sparse.method")->rank > option->rank)
        return sp_config_contradiction(load, "sparse.method", key, why);
    return sp_source_error(SP_ECONFIG, option->source, option->place, "%s", why);
}

/* Options of other methods, and what the method makes of its own. */
static int check_method(struct sp_config_load *load)
{
    const struct sp_method *method = sp_config_method(load->config);

    for (size_t m = 0; sp_methods[m]; m++)
        for (size_t i = 0; i < sp_methods[m]->options.count; i++)
            SP_TRY(only_with(load, sp_methods[m]->options.rows[i].key, sp_methods[m]));
    if (method->check)
        SP_TRY(method->check(load));
    return sp_config_fill(&load->config->optimizer, SP_CONFIG_OPTIMIZER);
}

int sp_config_fill(char **field, const char *value)
{
    if (*field)
        return 0;
    *field = sp_strdup(value);
    return *field ? 0 : SP_ENOMEM;
}

void sp_config_fill_int(long long *field, long long value)
{
    if (*field < 0)
        *field = value;
}

static int check_evaluation(struct sp_config_load *load)
{
    struct sp_config *config = load->config;
    const struct sp_option_given *strategy = sp_config_given(load, "eval_strategy"),
                                 *steps = sp_config_given(load, "eval_steps");

    if (config->eval_strategy != SP_CONFIG_EVAL_NO && !config->validation_file) {
        sp_log(SP_LOG_WARNING, "eval_strategy: %s has no effect without a validation_file",
               sp_config_evals[config->eval_strategy]);
        SP_TRY(sp_option_reset(sp_config_options(), config, load->given, "eval_strategy"));
        return sp_option_reset(sp_config_options(), config, load->given, "eval_steps");
    }

    if (config->eval_strategy != SP_CONFIG_EVAL_STEPS && steps->rank) {
        if (strategy->rank < steps->rank)
            return sp_source_error(SP_ECONFIG, steps->source, steps->place,
                                   "eval_steps means nothing without eval_strategy: steps");
        SP_TRY(sp_config_contradiction(load, "eval_strategy", "eval_steps",
                             "eval_steps contradicts an eval_strategy other than steps"));
    }
    if (config->eval_strategy == SP_CONFIG_EVAL_STEPS && config->eval_steps < 0)
        config->eval_steps = config->logging_steps;
    return 0;
}

static int check_steps(struct sp_config_load *load)
{
    const struct sp_option_given *warmup = sp_config_given(load, "warmup_steps");
    double steps = load->config->warmup_steps;

    if (steps >= 1 && steps != floor(steps))
        return sp_source_error(SP_ECONFIG, warmup->source, warmup->place,
                               "warmup_steps: expected whole steps, or a share below 1");
    if (isnan(load->config->learning_rate))
        load->config->learning_rate = sp_config_method(load->config)->learning_rate;
    return 0;
}

/* Of two options that may not be given together, the one that was given last is refused. */
static int refuse_later(const struct sp_config_load *load, const char *a, const char *b, const char *why)
{
    const struct sp_option_given *first = sp_config_given(load, a), *second = sp_config_given(load, b);
    bool swap = first->rank != second->rank ? first->rank > second->rank : given_after(first, second);

    if (swap)
        second = first;
    return sp_source_error(SP_ECONFIG, second->source, second->place, "%s", why);
}

/* The column that option i of the table gives; NULL: none, or it gives something else. */
static const char *column_of(const struct sp_config_load *load, size_t i)
{
    const struct sp_option_table *table = sp_config_options();

    return sp_option_at(table, i)->type == SP_OPTION_COLUMN
               ? *(char *const *)sp_option_value(table, i, load->config)
               : NULL;
}

/* One column cannot be two things. That a number and a name mean the same one shows in the file only. */
static int check_columns(const struct sp_config_load *load)
{
    const struct sp_option_table *table = sp_config_options();
    char why[128];

    for (size_t i = 0; i < sp_option_count(table); i++) {
        const char *name = column_of(load, i);

        for (size_t j = 0; name && j < i; j++) {
            const char *first = sp_option_at(table, j)->key, *second = sp_option_at(table, i)->key;

            if (!column_of(load, j) || strcmp(column_of(load, j), name) != 0)
                continue;
            snprintf(why, sizeof why, "%s and %s name the same column", first, second);
            return refuse_later(load, first, second, why);
        }
    }
    return 0;
}

/* Where a task has options for two texts, text_column is for one alone. */
static int check_texts_alone(const struct sp_config_load *load, const struct sp_task *task)
{
    const struct sp_text_pair *pair = task->rows.pair;
    char why[128];

    for (size_t i = 0; i < 2 && pair && load->config->text_column; i++) {
        const char *key = pair->options[i];

        if (!*(char *const *)sp_config_value(load->config, key))
            continue;
        snprintf(why, sizeof why, "text_column is for texts by themselves, and %s for what belongs to another", key);
        return refuse_later(load, "text_column", key, why);
    }
    return 0;
}

#define DELIMITER(word, character) { #word, character },
#define WORD(word, character) ", " #word

/* Delimiters as words, and a tab as it is written where no escapes are read. */
static const struct {
    const char *word;
    char delimiter;
} delimiters[] = {
    SP_CONFIG_DELIMITERS(DELIMITER) { "\\t", '\t' },
};

/* 0 for no delimiter. */
static char read_delimiter(const char *text)
{
    for (size_t i = 0; i < COUNT(delimiters); i++)
        if (strcmp(text, delimiters[i].word) == 0)
            return delimiters[i].delimiter;
    return strlen(text) == 1 && sp_reader_can_delimit(text[0]) ? text[0] : '\0';
}

static int check_delimiter(const struct sp_config_load *load)
{
    const struct sp_option_given *option = sp_config_given(load, "delimiter");
    const char *text = load->config->delimiter;

    if (strcmp(text, "auto") == 0 || read_delimiter(text))
        return 0;
    return sp_source_error(SP_ECONFIG, option->source, option->place,
                           "delimiter: found \"%s\", expected auto" SP_CONFIG_DELIMITERS(
                               WORD) " or one character that is no quote, such as \";\"",
                           text);
}

/* Options that are another task's, and what a task, which is this one or may be it, makes of its own. */
static int check_task(struct sp_config_load *load)
{
    const struct sp_task *task = sp_config_task(load->config);
    const char *purpose, *option;
    char why[160];

    while (task && (option = sp_task_misfit(&purpose, task, load->config))) {
        snprintf(why, sizeof why, "%s is for %s, not for task: %s", option, purpose, task->name);
        if (sp_config_given(load, "task")->rank <= sp_config_given(load, option)->rank)
            return refuse_later(load, "task", option, why);
        SP_TRY(sp_config_contradiction(load, "task", option, why));
    }
    for (size_t i = 0; sp_tasks[i]; i++) {
        if (task && task != sp_tasks[i])
            continue;
        SP_TRY(check_texts_alone(load, sp_tasks[i]));
        if (sp_tasks[i]->check)
            SP_TRY(sp_tasks[i]->check(load));
    }
    return 0;
}

/* What the file names stands in the current directory, or beside the file. */
static int find_beside(struct sp_config_load *load, const char *key)
{
    const struct sp_option_given *option = sp_config_given(load, key);
    const char *file = option->source ? option->source->name : NULL, *slash = file ? strrchr(file, '/') : NULL;
    char *folder, *beside, **path = sp_config_value(load->config, key);

    if (option->rank == SP_OPTION_DEFAULT || option->rank == SP_OPTION_OVERRIDE || !slash || sp_fs_exists(*path))
        return 0;
    folder = sp_strndup(file, (size_t)(slash - file) + 1);
    beside = folder ? sp_fs_join(folder, *path) : NULL;
    free(folder);
    if (!beside)
        return SP_ENOMEM;
    if (sp_fs_exists(beside)) {
        free(*path);
        *path = beside;
    } else {
        free(beside);
    }
    return 0;
}

/* A path or a name of blanks alone is an empty variable of a script. */
static int check_blank(const struct sp_config_load *load, const char *key, const char *expected)
{
    const struct sp_option_given *given = sp_config_given(load, key);
    const char *text = *(char *const *)sp_config_value(load->config, key);

    if (text && sp_text_is_blank(text, strlen(text)))
        return sp_source_error(SP_ECONFIG, given->source, given->place, "%s: found the text \"%s\", expected %s", key,
                               text, expected);
    return 0;
}

/* One with a variable in it was never a shell's. */
static int check_path(const struct sp_config_load *load, const char *key)
{
    const struct sp_option_given *given = sp_config_given(load, key);
    const char *text = *(char *const *)sp_config_value(load->config, key);
    char why[1024];

    if (text && strcmp(text, "-") == 0)
        return sp_source_error(SP_ECONFIG, given->source, given->place,
                               "%s: found \"-\", expected a path: standard input is for predict --input alone", key);
    SP_TRY(check_blank(load, key, "a path"));
    if (text && sp_fs_is_unexpanded(why, sizeof why, text))
        return sp_source_error(SP_ECONFIG, given->source, given->place, "%s: found \"%s\", %s", key, text, why);
    return 0;
}

static int check_texts(const struct sp_config_load *load)
{
    const struct sp_option_table *table = sp_config_options();

    for (size_t i = 0; i < sp_option_count(table); i++)
        if (sp_option_is_path(sp_option_at(table, i)))
            SP_TRY(check_path(load, sp_option_at(table, i)->key));
    for (size_t i = 0; i < sp_option_count(table); i++)
        if (sp_option_at(table, i)->type == SP_OPTION_COLUMN)
            SP_TRY(check_blank(load, sp_option_at(table, i)->key, "a column's name or number"));
    return check_blank(load, "device", "a device (speft-cl devices lists them)");
}

/* What comes after the files or layers: overrides, checks, paths. */
static int complete(struct sp_config_load *load, const char *name, const char *const *overrides, size_t count)
{
    struct sp_config *config = load->config;

    SP_TRY(read_overrides(load, overrides, count));
    SP_TRY(check_texts(load));
    SP_TRY(check_method(load));
    SP_TRY(check_budget(load));
    SP_TRY(check_evaluation(load));
    SP_TRY(check_steps(load));
    SP_TRY(check_columns(load));
    SP_TRY(check_delimiter(load));
    SP_TRY(check_task(load));
    for (size_t i = 0; sp_config_input(i); i++)
        SP_TRY(find_beside(load, sp_config_input(i)));
    if (!name)
        return 0;
    config->source = sp_strdup(name);
    return config->source ? sp_config_require(config, "model_name_or_path") : SP_ENOMEM;
}

static int begin(struct sp_config_load *load, struct sp_config *out)
{
    *load = (struct sp_config_load){ .config = out,
                                     .given = sp_calloc(sp_option_count(sp_config_options()), sizeof *load->given) };
    *out = (struct sp_config){ .source = NULL };
    return load->given ? sp_option_defaults(sp_config_options(), out) : SP_ENOMEM;
}

static int finish(struct sp_config_load *load, int rc)
{
    free(load->given);
    free(load->text);
    free(load->overrides);
    if (rc < 0)
        sp_config_release(load->config);
    return rc;
}

int sp_config_load(struct sp_config *out, const char *path, const char *const *overrides,
                   size_t count)
{
    struct sp_config_load load;
    int rc = begin(&load, out);

    if (rc == 0 && path)
        rc = read_file(&load, path);
    if (rc == 0)
        rc = complete(&load, path, overrides, count);
    return finish(&load, rc);
}

int sp_config_load_layers(struct sp_config *out, const char *name, const struct sp_config_layer *layers,
                          size_t layer_count, const char *const *overrides, size_t count)
{
    struct sp_config_load load;
    int rc = begin(&load, out);

    for (size_t i = 0; rc == 0 && i < layer_count; i++)
        rc = sp_option_read_yaml(sp_config_options(), out, load.given, layers[i].block, layers[i].source,
                                 (enum sp_option_rank)(SP_OPTION_FILE + i));
    if (rc == 0)
        rc = complete(&load, name, overrides, count);
    return finish(&load, rc);
}

void sp_config_release(struct sp_config *config)
{
    sp_option_release(sp_config_options(), config);
    free(config->source);
    config->source = NULL;
}

char sp_config_delimiter(const struct sp_config *config)
{
    return read_delimiter(config->delimiter);
}

int sp_config_require(const struct sp_config *config, const char *key)
{
    if (*(char *const *)sp_config_value(config, key))
        return 0;
    return sp_error(SP_ECONFIG, "%s: %s is missing: add a line \"%s: ...\" or give --set %s=...",
                    config->source ? config->source : "the configuration", key, key, key);
}

const char *sp_config_input(size_t i)
{
    const struct sp_option_table *table = sp_config_options();

    for (size_t k = 0; k < sp_option_count(table); k++)
        if (sp_option_at(table, k)->type == SP_OPTION_INPUT && i-- == 0)
            return sp_option_at(table, k)->key;
    return NULL;
}

void sp_config_forget_paths(json_t *json)
{
    const struct sp_option_table *table = sp_config_options();

    for (size_t i = 0; i < sp_option_count(table); i++) {
        const char *key = sp_option_at(table, i)->key, *dot = strchr(key, '.');
        char block[64];

        if (!sp_option_is_path(sp_option_at(table, i)))
            continue;
        snprintf(block, sizeof block, "%.*s", dot ? (int)(dot - key) : 0, key);
        json_object_del(dot ? json_object_get(json, block) : json, dot ? dot + 1 : key);
    }
}

int sp_config_write(const struct sp_config *config, struct sp_buf *out)
{
    return sp_option_write_yaml(sp_config_options(), config, out);
}

int sp_config_json(const struct sp_config *config, json_t **out)
{
    return sp_option_write_json(sp_config_options(), config, out);
}
