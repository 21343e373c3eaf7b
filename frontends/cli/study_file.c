/*
 * STUDY.yaml to runs. A run's configuration is the blocks base, data set, method, budget, learning rate and seed laid over each
 * other (sp_config_load_layers), then --set. The values of the lists become blocks of one key, so that the option table checks
 * them and a mistake is shown where it stands.
 */
#include "frontends/cli/study.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RUNS_MAX ((size_t)10000)
#define ITEMS_MAX ((size_t)1000)
#define LAYERS_MAX 64
#define PREFIX_MAX 64

static const char *const keys[] = { "base", "data", "methods", "budgets", "learning_rates", "seeds", "reference", "output_dir" };
static const char *const axes[] = { "data", "methods", "budgets", "learning_rates", "seeds" };
static const char *const budget_keys[] = { "density", "rank_equivalent", "count" };
static const char *const data_keys[] = { "metric" };
static const char *const method_keys[] = { "budgets", "learning_rates" };
static const char *const metrics[] = { "accuracy", "f1", "matthews_correlation", "pearson", "spearman", "mse", "loss" };

/* A part of the file with the text that it stands in; node NULL: not given. */
struct part {
    const struct sp_yaml_node *node;
    const struct sp_source *source;
};

struct sp_study_item {
    const char *name;
    struct sp_config_layer *layers;
    size_t layer_count, layer_capacity;
    const char **overrides; /* of --set data.NAME.key=value */
    size_t override_count, override_capacity;
    struct part budgets, rates; /* a method's own */
    const char *metric;         /* a data set's own */
};

/* Everything that places and blocks point into. */
struct sp_study_texts {
    struct text {
        struct sp_source source;
        char *path, *bytes;
        struct sp_yaml_node root;
    } **list;
    size_t count, capacity;
    struct sp_yaml_node **copies;
    size_t copy_count, copy_capacity;
    struct sp_study_item base;
    const char **overrides; /* that go for every run */
    size_t override_count;
};

/* The study while it is read. */
struct reading {
    struct sp_study *study;
    struct sp_study_texts *texts;
    struct part parts[COUNT(keys)], selected[2]; /* by keys; and --set data=, methods= */
    char *score_cache; /* "sparse.score_cache=...": one for all runs, so that equal scores are made once */
};

static struct part *part_of(struct reading *r, const char *key)
{
    size_t i = 0;

    while (strcmp(keys[i], key) != 0)
        i++;
    return &r->parts[i];
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int wrong(struct part p, const char *what, const char *expected)
{
    const struct sp_yaml_node *n = p.node;

    if (n->kind != SP_YAML_SCALAR || sp_yaml_is_null(n))
        return sp_source_error(SP_ECONFIG, p.source, n->place, "%s: found %s, expected %s", what,
                               n->kind == SP_YAML_LIST  ? "a list"
                               : n->kind == SP_YAML_MAP ? "a block of keys"
                                                        : "nothing",
                               expected);
    return sp_source_error(SP_ECONFIG, p.source, n->place, "%s: found \"%.80s\", expected %s", what, n->text, expected);
}

/* "unknown ...; did you mean ...?" about a name that is not among `names`. */
static int unknown(struct sp_place place, const struct sp_source *source, const char *what, const char *name,
                   const char *const *names, size_t count)
{
    const char *nearest = sp_text_nearest(name, names, count);

    return sp_source_error(SP_ECONFIG, source, place, "there is no %s \"%.80s\"%s%s%s", what, name,
                           nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

/* ---- texts ---- */

/* Takes `path` and `bytes`, which may be NULL when out of memory. */
static int add_text(struct text **out, struct sp_study_texts *texts, char *path, char *bytes, size_t length)
{
    struct text *text = sp_calloc(1, sizeof *text);
    int rc = text && path && bytes ? 0 : SP_ENOMEM;

    if (rc == 0)
        rc = sp_grow(&texts->list, texts->count, &texts->capacity, sizeof *texts->list, ITEMS_MAX, "files of a study");
    if (rc == 0) {
        *text = (struct text){ .source = { path, bytes, length }, .path = path, .bytes = bytes };
        rc = sp_yaml_parse(&text->root, &text->source);
    }
    if (rc < 0) {
        free(text);
        free(path);
        free(bytes);
        return rc;
    }
    texts->list[texts->count++] = *out = text;
    return 0;
}

static int read_text(struct text **out, struct sp_study_texts *texts, const char *path)
{
    char *bytes;
    size_t length;
    int rc = sp_fs_read(&bytes, &length, path, SP_YAML_MAX_SIZE);

    if (rc < 0)
        return rc == SP_ENOMEM ? rc : SP_ECONFIG;
    if (length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        length -= 3;
        memmove(bytes, bytes + 3, length + 1);
    }
    return add_text(out, texts, sp_strdup(path), bytes, length);
}

/* A configuration file that is named in a text: in the current directory, or beside that text. */
static int read_beside(struct text **out, struct sp_study_texts *texts, struct part name)
{
    const char *slash = strrchr(name.source->name, '/');
    char *folder, *beside;
    int rc;

    if (sp_fs_exists(name.node->text) || !slash)
        return read_text(out, texts, name.node->text);
    folder = sp_strndup(name.source->name, (size_t)(slash - name.source->name) + 1);
    beside = folder ? sp_fs_join(folder, name.node->text) : NULL;
    rc = beside ? read_text(out, texts, beside) : SP_ENOMEM;
    free(folder);
    free(beside);
    return rc < 0 && rc != SP_ENOMEM ? sp_source_error(rc, name.source, name.node->place, "%s", sp_error_message()) : rc;
}

/* ---- blocks ---- */

/* A shallow copy of a mapping without the keys that are the study's. */
static int copy_without(struct sp_yaml_node **out, struct sp_study_texts *texts, const struct sp_yaml_node *map,
                        const char *const *own, size_t own_count)
{
    struct sp_yaml_node *copy;

    SP_TRY(sp_grow(&texts->copies, texts->copy_count, &texts->copy_capacity, sizeof *texts->copies, RUNS_MAX, "blocks of a study"));
    copy = sp_calloc(map->count + 1, sizeof *copy);
    if (!copy)
        return SP_ENOMEM;
    texts->copies[texts->copy_count++] = *out = copy;
    copy[0] = (struct sp_yaml_node){ .kind = SP_YAML_MAP, .place = map->place, .children = copy + 1 };
    for (size_t i = 0; i < map->count; i++)
        if (!is_one_of(map->children[i].key, own, own_count))
            copy[0].children[copy[0].count++] = map->children[i];
    return 0;
}

static int add_layer(struct sp_study_item *item, const struct sp_yaml_node *block, const struct sp_source *source)
{
    SP_TRY(sp_grow(&item->layers, item->layer_count, &item->layer_capacity, sizeof *item->layers, LAYERS_MAX / 4,
                   "blocks laid over each other"));
    item->layers[item->layer_count++] = (struct sp_config_layer){ block, source };
    return 0;
}

/* A block of options, the name of a file of them, or a list of both; `own` are keys of a block that are the study's. */
static int take_layers(struct sp_study_item *item, struct sp_study_texts *texts, struct part part, const char *const *own,
                       size_t own_count)
{
    const struct sp_yaml_node *node = part.node;
    struct sp_yaml_node *block;
    struct text *file;

    if (sp_yaml_is_null(node))
        return 0;
    if (node->kind == SP_YAML_SCALAR) {
        SP_TRY(read_beside(&file, texts, part));
        return add_layer(item, &file->root, &file->source);
    }
    for (size_t i = 0; node->kind == SP_YAML_LIST && i < node->count; i++) {
        if (node->children[i].kind == SP_YAML_LIST)
            return wrong((struct part){ &node->children[i], part.source }, item->name, "a block of options or the name of a file");
        SP_TRY(take_layers(item, texts, (struct part){ &node->children[i], part.source }, own, own_count));
    }
    if (node->kind == SP_YAML_LIST)
        return 0;
    SP_TRY(copy_without(&block, texts, node, own, own_count));
    return add_layer(item, block, part.source);
}

static const struct sp_yaml_node *child(const struct sp_yaml_node *map, const char *key)
{
    for (size_t i = 0; map && map->kind == SP_YAML_MAP && i < map->count; i++)
        if (strcmp(map->children[i].key, key) == 0)
            return &map->children[i];
    return NULL;
}

/* Names become folders. */
static int check_name(const struct sp_yaml_node *node, const struct sp_source *source, const char *what)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    if (node->key[0] && node->key[0] != '.' && strspn(node->key, safe) == strlen(node->key) && strlen(node->key) < PREFIX_MAX)
        return 0;
    return sp_source_error(SP_ECONFIG, source, node->key_place,
                           "found \"%.80s\" as the name of a %s, expected letters, digits, - and _: it becomes a folder", node->key, what);
}

static int take_item(struct reading *r, struct sp_study_item *item, const struct sp_yaml_node *node, const struct sp_source *source,
                     bool method)
{
    const struct sp_yaml_node *metric = method ? NULL : child(node, "metric");

    SP_TRY(check_name(node, source, method ? "method" : "data set"));
    item->name = node->key;
    if (method) {
        item->budgets = (struct part){ child(node, "budgets"), source };
        item->rates = (struct part){ child(node, "learning_rates"), source };
        return take_layers(item, r->texts, (struct part){ node, source }, method_keys, COUNT(method_keys));
    }
    if (metric && (metric->kind != SP_YAML_SCALAR || !is_one_of(metric->text, metrics, COUNT(metrics))))
        return wrong((struct part){ metric, source }, "metric",
                     "one of accuracy, f1, matthews_correlation, pearson, spearman, mse, loss");
    item->metric = metric ? metric->text : NULL;
    return take_layers(item, r->texts, (struct part){ node, source }, data_keys, COUNT(data_keys));
}

/* The items of `data:` or `methods:`, all or those that --set names, in its order. */
static int take_items(struct reading *r, const char *key, struct sp_study_item **out, size_t *count)
{
    bool method = strcmp(key, "methods") == 0;
    struct part part = *part_of(r, key), selected = r->selected[method];
    const char *names[64];
    size_t name_count = 0;

    if (!part.node)
        return sp_error(SP_ECONFIG, "%s: %s is missing: add a block \"%s:\" with a name and its options for each", r->study->path, key, key);
    if (part.node->kind != SP_YAML_MAP || part.node->count == 0)
        return wrong(part, key, method ? "lines \"name: {options}\", one for each method" : "lines \"name: {options}\", one for each data set");
    for (size_t i = 0; i < part.node->count && name_count < COUNT(names); i++)
        names[name_count++] = part.node->children[i].key;
    *count = selected.node ? selected.node->count : part.node->count;
    *out = sp_calloc(*count, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    for (size_t i = 0; i < *count; i++) {
        const struct sp_yaml_node *node = selected.node ? NULL : &part.node->children[i];

        if (!node) {
            const struct sp_yaml_node *name = &selected.node->children[i];

            if (name->kind != SP_YAML_SCALAR || !(node = child(part.node, name->text)))
                return unknown(name->place, selected.source, method ? "method" : "data set",
                               name->kind == SP_YAML_SCALAR ? name->text : "", names, name_count);
        }
        SP_TRY(take_item(r, &(*out)[i], node, part.source, method));
    }
    return 0;
}

/* ---- --set ---- */

static int add_override(struct sp_study_item *item, const char *text)
{
    SP_TRY(sp_grow(&item->overrides, item->override_count, &item->override_capacity, sizeof *item->overrides, ITEMS_MAX, "overrides"));
    item->overrides[item->override_count++] = text;
    return 0;
}

/* data.NAME.key=value: an override for that data set's runs alone. */
static int take_item_override(struct sp_study_item *items, size_t count, const char *text, const char *what)
{
    const char *name = strchr(text, '.') + 1, *dot = name + strcspn(name, ".=");
    const struct sp_source source = { "--set", text, strlen(text) };
    const char *names[64];
    char wanted[PREFIX_MAX];

    snprintf(wanted, sizeof wanted, "%.*s", (int)(dot - name), name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(items[i].name, wanted) == 0 && *dot == '.')
            return add_override(&items[i], dot + 1);
        if (strcmp(items[i].name, wanted) == 0)
            return sp_source_error(SP_ECONFIG, &source, (struct sp_place){ 1, 1 }, "expected NAME.KEY=VALUE of a %s", what);
        if (i < COUNT(names))
            names[i] = items[i].name;
    }
    return unknown((struct sp_place){ 1, 1 }, &source, what, wanted, names, count < COUNT(names) ? count : COUNT(names));
}

/* seeds=1,2 and its like replace a list of the file; data=NAME,... and methods=NAME,... choose among the file's. */
static int take_axis(struct reading *r, const char *text)
{
    const char *value = strchr(text, '=') + 1;
    char key[PREFIX_MAX], *bytes = value[0] == '[' || value[0] == '{' ? sp_strdup(value) : sp_asprintf("[%s]", value);
    struct text *parsed;
    struct part part;

    snprintf(key, sizeof key, "%.*s", (int)(value - 1 - text), text);
    SP_TRY(add_text(&parsed, r->texts, sp_asprintf("--set %s", key), bytes, bytes ? strlen(bytes) : 0));
    part = (struct part){ &parsed->root, &parsed->source };
    if (strcmp(key, "data") == 0 || strcmp(key, "methods") == 0) {
        if (part.node->kind != SP_YAML_LIST || part.node->count == 0)
            return wrong(part, key, "names of those in the file, as NAME,NAME");
        r->selected[key[0] == 'm'] = part;
    } else {
        *part_of(r, key) = part;
    }
    return 0;
}

static bool has_key(const char *override, const char *key)
{
    size_t length = strlen(key);

    return strncmp(override, key, length) == 0 && override[length] == '=';
}

/* Those of the overrides that change the grid; the rest goes for every run. */
static int take_overrides(struct reading *r, const char *const *overrides, size_t count)
{
    r->texts->overrides = sp_calloc(count, sizeof *r->texts->overrides);
    if (!r->texts->overrides)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        size_t a = 0;

        while (a < COUNT(axes) && !has_key(overrides[i], axes[a]))
            a++;
        if (a < COUNT(axes)) {
            SP_TRY(take_axis(r, overrides[i]));
        } else if (has_key(overrides[i], "output_dir")) {
            free(r->study->output_dir);
            r->study->output_dir = sp_strdup(strchr(overrides[i], '=') + 1);
        } else if (strncmp(overrides[i], "data.", 5) != 0 && strncmp(overrides[i], "methods.", 8) != 0) {
            r->texts->overrides[r->texts->override_count++] = overrides[i];
        }
    }
    return 0;
}

static int take_item_overrides(struct reading *r, const char *const *overrides, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(overrides[i], "data.", 5) == 0)
            SP_TRY(take_item_override(r->study->data, r->study->data_count, overrides[i], "data set"));
        else if (strncmp(overrides[i], "methods.", 8) == 0)
            SP_TRY(take_item_override(r->study->methods, r->study->method_count, overrides[i], "method"));
    }
    return 0;
}

/* ---- the grid ---- */

/* One value of each list; a node NULL where there is no list. */
struct choice {
    size_t data, method, budget;
    bool sparse; /* the method chooses positions */
    const char *budget_key;
    struct part value, rate, seed;
};

/* `value` as the block {key: value}, in nodes of the caller's. */
static struct sp_yaml_node *wrap(struct sp_yaml_node nodes[2], const struct sp_yaml_node *value, const char *key)
{
    nodes[1] = *value;
    nodes[1].key = (char *)(size_t)key; /* read only */
    nodes[1].key_place = value->place;
    nodes[0] = (struct sp_yaml_node){ .kind = SP_YAML_MAP, .place = value->place, .children = &nodes[1], .count = 1 };
    return nodes;
}

/* All layers of a choice; `nodes` is room for the lists' values. */
static size_t layers_of(struct sp_config_layer layers[LAYERS_MAX], struct sp_yaml_node nodes[8], const struct reading *r,
                        const struct choice *c)
{
    const struct sp_study_item *items[3] = { &r->texts->base, &r->study->data[c->data], &r->study->methods[c->method] };
    size_t count = 0;

    for (size_t i = 0; i < COUNT(items); i++)
        for (size_t k = 0; k < items[i]->layer_count; k++)
            layers[count++] = items[i]->layers[k];
    if (c->value.node) {
        wrap(nodes, c->value.node, c->budget_key);
        layers[count++] = (struct sp_config_layer){ wrap(nodes + 2, nodes, "sparse"), c->value.source };
    }
    if (c->rate.node)
        layers[count++] = (struct sp_config_layer){ wrap(nodes + 4, c->rate.node, "learning_rate"), c->rate.source };
    if (c->seed.node)
        layers[count++] = (struct sp_config_layer){ wrap(nodes + 6, c->seed.node, "seed"), c->seed.source };
    return count;
}

static int load_config(struct sp_config *out, const struct reading *r, const struct choice *c)
{
    const struct sp_study_item *data = &r->study->data[c->data], *method = &r->study->methods[c->method];
    size_t count = 0, most = r->texts->override_count + data->override_count + method->override_count + 1;
    const char **overrides = sp_calloc(most, sizeof *overrides);
    struct sp_config_layer layers[LAYERS_MAX];
    struct sp_yaml_node nodes[8];
    int rc;

    if (!overrides)
        return SP_ENOMEM;
    if (c->sparse && r->score_cache)
        overrides[count++] = r->score_cache;
    for (size_t i = 0; i < r->texts->override_count; i++)
        overrides[count++] = r->texts->overrides[i];
    for (size_t i = 0; i < data->override_count; i++)
        overrides[count++] = data->overrides[i];
    for (size_t i = 0; i < method->override_count; i++)
        overrides[count++] = method->overrides[i];
    rc = sp_config_load_layers(out, r->study->path, layers, layers_of(layers, nodes, r, c), overrides, count);
    free(overrides);
    return rc < 0 ? sp_error_context(rc, "%s, %s", data->name, method->name) : 0;
}

/* The number of the budget in the study's list. */
static int budget_index(size_t *out, struct sp_study *study, const char *key, const struct sp_config_sparse *c)
{
    double value = strcmp(key, "density") == 0 ? c->density : strcmp(key, "count") == 0 ? (double)c->count : (double)c->rank_equivalent;
    struct sp_study_budget *b;

    for (*out = 0; *out < study->budget_count; ++*out)
        if (strcmp(study->budgets[*out].key, key) == 0 && study->budgets[*out].value == value)
            return 0;
    SP_TRY(sp_grow(&study->budgets, study->budget_count, &study->budget_capacity, sizeof *study->budgets, ITEMS_MAX, "budgets"));
    b = &study->budgets[study->budget_count++];
    *b = (struct sp_study_budget){ .key = key, .value = value };
    snprintf(b->label, sizeof b->label, "%s %g", key, value);
    return 0;
}

/* STUDY/runs/DATA/METHOD/rank_equivalent-8_lr-0.001_seed-42. */
static char *run_dir(const struct sp_study *study, const struct choice *c, const struct sp_config *config)
{
    const struct sp_study_budget *b = c->budget == SP_STUDY_NONE ? NULL : &study->budgets[c->budget];
    char budget[96] = "";

    if (b)
        snprintf(budget, sizeof budget, "%s-%.9g_", b->key, b->value);
    return sp_asprintf("%s/runs/%s/%s/%slr-%.9g_seed-%lld", study->output_dir, study->data[c->data].name,
                       study->methods[c->method].name, budget, config->learning_rate, config->seed);
}

static int add_run(struct reading *r, struct choice *c)
{
    struct sp_study *study = r->study;
    struct sp_study_run *run;
    struct sp_config config;
    int rc;

    SP_TRY(sp_grow(&study->runs, study->run_count, &study->run_capacity, sizeof *study->runs, RUNS_MAX, "runs of a study"));
    SP_TRY(load_config(&config, r, c));
    c->budget = SP_STUDY_NONE;
    rc = c->value.node ? budget_index(&c->budget, study, c->budget_key, &config.sparse) : 0;
    free(config.output_dir);
    config.output_dir = rc == 0 ? run_dir(study, c, &config) : NULL;
    run = &study->runs[study->run_count++];
    *run = (struct sp_study_run){ .data = c->data, .method = c->method, .budget = c->budget, .config = config };
    SP_TRY(rc);
    if (!config.output_dir)
        return SP_ENOMEM;
    for (size_t i = 0; i + 1 < study->run_count; i++)
        if (strcmp(study->runs[i].config.output_dir, config.output_dir) == 0)
            return sp_error(SP_ECONFIG, "%s: two runs would be the same, %s: a value stands twice in a list, or --set gives one that the "
                                        "study varies", study->path, config.output_dir);
    return 0;
}

/* The values of a list: its items, or the one scalar; a node NULL for no list. */
static size_t list_count(struct part list)
{
    return list.node && list.node->kind == SP_YAML_LIST ? list.node->count : 1;
}

static struct part list_item(struct part list, size_t i)
{
    return list.node && list.node->kind == SP_YAML_LIST ? (struct part){ &list.node->children[i], list.source } : list;
}

static int check_list(struct part list, const char *key)
{
    if (list.node && (list.node->kind == SP_YAML_MAP || sp_yaml_is_null(list.node) || list_count(list) == 0))
        return wrong(list, key, "a list of values");
    return 0;
}

/* A method's block must not say once what a list says again. */
static int check_own(const struct sp_study_item *method, const struct sp_source *file, bool budgets, bool rates)
{
    for (size_t i = 0; i < method->layer_count; i++) {
        const struct sp_yaml_node *block = method->layers[i].block, *rate = child(block, "learning_rate"), *sparse = child(block, "sparse");

        if (method->layers[i].source != file)
            continue; /* a preset's value gives way to the list */
        if (rate && rates)
            return sp_source_error(SP_ECONFIG, file, rate->key_place,
                                   "learning_rate would give way to the study's learning_rates: write learning_rates: [...] for %s", method->name);
        for (size_t k = 0; k < COUNT(budget_keys) && budgets; k++)
            if (child(sparse, budget_keys[k]))
                return sp_source_error(SP_ECONFIG, file, child(sparse, budget_keys[k])->key_place,
                                       "%s would give way to the study's budgets: write budgets: {%s: [...]} for %s", budget_keys[k],
                                       budget_keys[k], method->name);
    }
    return 0;
}

/* One data set and method with one budget: each rate and seed. */
static int add_rates(struct reading *r, struct choice c)
{
    const struct sp_study_item *method = &r->study->methods[c.method];
    struct part rates = method->rates.node ? method->rates : *part_of(r, "learning_rates"), seeds = *part_of(r, "seeds");

    if (method->rates.node && sp_yaml_is_null(method->rates.node))
        rates.node = NULL; /* learning_rates: null, the configuration's own */
    SP_TRY(check_list(rates, "learning_rates"));
    SP_TRY(check_list(seeds, "seeds"));
    SP_TRY(check_own(method, part_of(r, "methods")->source, c.value.node != NULL, rates.node != NULL));
    for (size_t i = 0; i < list_count(rates); i++) {
        struct sp_study_cell *cell;

        SP_TRY(sp_grow(&r->study->cells, r->study->cell_count, &r->study->cell_capacity, sizeof *cell, RUNS_MAX, "cells of a study"));
        cell = &r->study->cells[r->study->cell_count++];
        *cell = (struct sp_study_cell){ r->study->run_count, list_count(seeds) };
        for (size_t s = 0; s < list_count(seeds); s++) {
            c.rate = list_item(rates, i);
            c.seed = list_item(seeds, s);
            SP_TRY(add_run(r, &c));
        }
    }
    return 0;
}

static int add_budgets(struct reading *r, size_t data, size_t method)
{
    struct choice c = { .data = data, .method = method, .budget = SP_STUDY_NONE };
    struct part budgets = r->study->methods[method].budgets.node ? r->study->methods[method].budgets : *part_of(r, "budgets");
    struct sp_config probe;
    bool used;

    SP_TRY(load_config(&probe, r, &c));
    c.sparse = probe.sparse.method != SP_CONFIG_METHOD_FULL && probe.sparse.method != SP_CONFIG_METHOD_HEAD;
    used = c.sparse && budgets.node && !sp_yaml_is_null(budgets.node);
    sp_config_release(&probe);
    if (!used)
        return add_rates(r, c);
    if (budgets.node->kind != SP_YAML_MAP || budgets.node->count == 0)
        return wrong(budgets, "budgets", "a block such as {rank_equivalent: [8, 1]}");
    for (size_t k = 0; k < budgets.node->count; k++) {
        const struct sp_yaml_node *node = &budgets.node->children[k];
        struct part values = { node, budgets.source };

        if (!is_one_of(node->key, budget_keys, COUNT(budget_keys)))
            return unknown(node->key_place, budgets.source, "budget", node->key, budget_keys, COUNT(budget_keys));
        SP_TRY(check_list(values, node->key));
        for (size_t i = 0; i < list_count(values); i++) {
            c.budget_key = node->key;
            c.value = list_item(values, i);
            SP_TRY(add_rates(r, c));
        }
    }
    return 0;
}

static int take_reference(struct reading *r)
{
    struct part part = *part_of(r, "reference");
    const char *names[64];
    size_t count = 0;

    if (!part.node)
        return 0;
    for (size_t i = 0; i < r->study->method_count; i++) {
        if (part.node->kind == SP_YAML_SCALAR && strcmp(r->study->methods[i].name, part.node->text) == 0) {
            r->study->reference = i;
            return 0;
        }
        if (count < COUNT(names))
            names[count++] = r->study->methods[i].name;
    }
    if (part.node->kind != SP_YAML_SCALAR)
        return wrong(part, "reference", "the name of a method");
    return r->selected[1].node ? 0 : unknown(part.node->place, part.source, "method", part.node->text, names, count);
}

static int take_output_dir(struct reading *r)
{
    struct part part = *part_of(r, "output_dir");

    if (!r->study->output_dir && part.node) {
        if (part.node->kind != SP_YAML_SCALAR || !part.node->text[0] || sp_yaml_is_null(part.node))
            return wrong(part, "output_dir", "a text");
        r->study->output_dir = sp_strdup(part.node->text);
    }
    if (r->study->output_dir && r->study->output_dir[0])
        return 0;
    return sp_error(SP_ECONFIG, "%s: output_dir is missing: add a line \"output_dir: ...\" or give --output-dir", r->study->path);
}

/* The file's keys. */
static int take_file(struct reading *r, const struct text *file)
{
    const struct part root = { &file->root, &file->source };

    if (file->root.kind != SP_YAML_MAP)
        return wrong(root, "a study", "lines of \"key: value\"");
    for (size_t i = 0; i < file->root.count; i++) {
        const struct sp_yaml_node *node = &file->root.children[i];

        if (!is_one_of(node->key, keys, COUNT(keys)))
            return unknown(node->key_place, &file->source, "key", node->key, keys, COUNT(keys));
        *part_of(r, node->key) = (struct part){ node, &file->source };
    }
    return 0;
}

static int load(struct reading *r, const char *const *overrides, size_t count)
{
    struct sp_study *study = r->study;
    struct text *file;

    SP_TRY(read_text(&file, r->texts, study->path));
    SP_TRY(take_file(r, file));
    SP_TRY(take_overrides(r, overrides, count));
    SP_TRY(take_output_dir(r));
    if (sp_option_index(sp_config_options(), "sparse.score_cache") < sp_config_options()->count) {
        r->score_cache = sp_asprintf("sparse.score_cache=%s/scores", study->output_dir);
        if (!r->score_cache)
            return SP_ENOMEM;
    }
    r->texts->base.name = "base";
    if (part_of(r, "base")->node)
        SP_TRY(take_layers(&r->texts->base, r->texts, *part_of(r, "base"), NULL, 0));
    SP_TRY(take_items(r, "data", &study->data, &study->data_count));
    SP_TRY(take_items(r, "methods", &study->methods, &study->method_count));
    SP_TRY(take_item_overrides(r, overrides, count));
    SP_TRY(take_reference(r));
    for (size_t d = 0; d < study->data_count; d++)
        for (size_t m = 0; m < study->method_count; m++)
            SP_TRY(add_budgets(r, d, m));
    return 0;
}

int sp_study_load(struct sp_study *out, const char *path, const char *const *overrides, size_t count)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    struct reading r = { .study = out };
    int rc;

    *out = (struct sp_study){ .path = sp_strdup(path), .texts = sp_calloc(1, sizeof *out->texts) };
    out->name = sp_strndup(base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
    r.texts = out->texts;
    rc = out->path && out->name && out->texts ? load(&r, overrides, count) : SP_ENOMEM;
    free(r.score_cache);
    return rc;
}

static void free_item(struct sp_study_item *item)
{
    free(item->layers);
    free(item->overrides);
}

static void free_texts(struct sp_study_texts *texts)
{
    if (!texts)
        return;
    for (size_t i = 0; i < texts->count; i++) {
        sp_yaml_release(&texts->list[i]->root);
        free(texts->list[i]->path);
        free(texts->list[i]->bytes);
        free(texts->list[i]);
    }
    for (size_t i = 0; i < texts->copy_count; i++)
        free(texts->copies[i]);
    free_item(&texts->base);
    free(texts->list);
    free(texts->copies);
    free(texts->overrides);
    free(texts);
}

void sp_study_release(struct sp_study *study)
{
    for (size_t i = 0; i < study->run_count; i++) {
        sp_config_release(&study->runs[i].config);
        json_decref(study->runs[i].result);
        free(study->runs[i].error);
    }
    for (size_t i = 0; study->data && i < study->data_count; i++)
        free_item(&study->data[i]);
    for (size_t i = 0; study->methods && i < study->method_count; i++)
        free_item(&study->methods[i]);
    free_texts(study->texts);
    free(study->runs);
    free(study->cells);
    free(study->budgets);
    free(study->data);
    free(study->methods);
    free(study->path);
    free(study->name);
    free(study->output_dir);
    *study = (struct sp_study){ .path = NULL };
}

const char *sp_study_data_name(const struct sp_study *study, size_t data)
{
    return study->data[data].name;
}

const char *sp_study_method_name(const struct sp_study *study, size_t method)
{
    return study->methods[method].name;
}

const char *sp_study_metric(const struct sp_study *study, size_t data)
{
    return study->data[data].metric;
}

void sp_study_describe(char *out, size_t size, const struct sp_study *study, const struct sp_study_run *run)
{
    bool budget = run->budget != SP_STUDY_NONE;

    snprintf(out, size, "%s%s%s, learning rate %g, seed %lld", study->methods[run->method].name, budget ? ", " : "",
             budget ? study->budgets[run->budget].label : "", run->config.learning_rate, run->config.seed);
}
