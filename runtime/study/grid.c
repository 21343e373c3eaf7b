/*
 * The grid of a study. A run's configuration is the blocks base, data set, method, budget, learning rate and seed laid
 * over each other (sp_config_load_layers), then --set. The values of the lists become blocks of one key, so that the
 * option table checks them and a mistake is shown where it stands.
 */
#include "runtime/study/file_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/train/method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define KEY(name) #name,
static const char *const budget_keys[] = { SP_CONFIG_BUDGETS(KEY) };

/* One value of each list; a node NULL where there is no list. */
struct choice {
    size_t data, method, budget;
    bool sparse; /* the method chooses positions */
    const char *budget_key;
    struct sp_study_part value, rate, seed;
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
static size_t layers_of(struct sp_config_layer layers[SP_STUDY_LAYERS_MAX], struct sp_yaml_node nodes[12],
                        const struct sp_study_reading *r, const struct choice *c)
{
    const struct sp_study_item *items[3] = { &r->texts->base, &r->study->data[c->data], &r->study->methods[c->method] };
    const struct sp_yaml_node cache = {
        .kind = SP_YAML_SCALAR, .place = { 1, 1 }, .text = r->score_cache, .quoted = true
    };
    size_t count = 0;

    if (c->sparse) { /* below all that the study says */
        wrap(nodes + 8, &cache, "score_cache");
        layers[count++] = (struct sp_config_layer){ wrap(nodes + 10, nodes + 8, "sparse"), &r->texts->list[0]->source };
    }
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

static int load_config(struct sp_config *out, const struct sp_study_reading *r, const struct choice *c)
{
    const struct sp_study_item *data = &r->study->data[c->data], *method = &r->study->methods[c->method];
    size_t count = 0, most = r->texts->override_count + data->override_count + method->override_count;
    const char **overrides = sp_calloc(most, sizeof *overrides);
    struct sp_config_layer layers[SP_STUDY_LAYERS_MAX];
    struct sp_yaml_node nodes[12];
    int rc;

    if (!overrides)
        return SP_ENOMEM;
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

/* Two values never share a folder; whole ones have no exponent. */
static const char *number_text(char out[SP_TEXT_NUMBER], double value)
{
    if (value == floor(value) && fabs(value) < 1e15)
        snprintf(out, SP_TEXT_NUMBER, "%.0f", value);
    else
        sp_text_number(out, value);
    return out;
}

static double budget_value(const struct sp_config *config, const char *key)
{
    const struct sp_option_table *table = sp_config_options();
    char full[64];
    size_t index;
    const void *value;

    snprintf(full, sizeof full, SP_CONFIG_BUDGET "%s", key);
    index = sp_option_index(table, full);
    value = sp_option_value(table, index, config);
    return sp_option_at(table, index)->type == SP_OPTION_INT ? (double)*(const long long *)value
                                                             : *(const double *)value;
}

/* The number of the budget in the study's list. */
static int budget_index(size_t *out, struct sp_study *study, const char *key, const struct sp_config *c)
{
    double value = budget_value(c, key);
    struct sp_study_budget *b;
    char number[SP_TEXT_NUMBER];

    for (*out = 0; *out < study->budget_count; ++*out)
        if (strcmp(study->budgets[*out].key, key) == 0 && study->budgets[*out].value == value)
            return 0;
    SP_TRY(sp_grow(&study->budgets, study->budget_count, &study->budget_capacity, sizeof *study->budgets,
                   SP_STUDY_ITEMS_MAX, "budgets"));
    b = &study->budgets[study->budget_count++];
    *b = (struct sp_study_budget){ .key = key, .value = value };
    snprintf(b->label, sizeof b->label, "%s %s", key, number_text(number, value));
    return 0;
}

/* STUDY/runs/DATA/METHOD/rank_equivalent-8_lr-0.001_seed-42. */
static char *run_dir(const struct sp_study *study, const struct choice *c, const struct sp_config *config)
{
    const struct sp_study_budget *b = c->budget == SP_STUDY_NONE ? NULL : &study->budgets[c->budget];
    char budget[96] = "", number[SP_TEXT_NUMBER];

    if (b)
        snprintf(budget, sizeof budget, "%s-%s_", b->key, number_text(number, b->value));
    return sp_asprintf("%s/runs/%s/%s/%slr-%s_seed-%lld", study->output_dir, study->data[c->data].name,
                       study->methods[c->method].name, budget, number_text(number, config->learning_rate),
                       config->seed);
}

static int add_run(struct sp_study_reading *r, struct choice *c)
{
    struct sp_study *study = r->study;
    struct sp_study_run *run;
    struct sp_config config;
    int rc;

    SP_TRY(sp_grow(&study->runs, study->run_count, &study->run_capacity, sizeof *study->runs, SP_STUDY_RUNS_MAX,
                   "runs of a study"));
    SP_TRY(load_config(&config, r, c));
    c->budget = SP_STUDY_NONE;
    rc = c->value.node ? budget_index(&c->budget, study, c->budget_key, &config) : 0;
    free(config.output_dir);
    config.output_dir = rc == 0 ? run_dir(study, c, &config) : NULL;
    run = &study->runs[study->run_count++];
    *run = (struct sp_study_run){ .data = c->data, .method = c->method, .budget = c->budget, .config = config };
    SP_TRY(rc);
    if (!config.output_dir)
        return SP_ENOMEM;
    SP_TRY(sp_study_check_metric(study, run));
    for (size_t i = 0; i + 1 < study->run_count; i++)
        if (strcmp(study->runs[i].config.output_dir, config.output_dir) == 0)
            return sp_error(SP_ECONFIG,
                            "%s: two runs would be the same, %s: a value stands twice in a list, or --set gives one "
                            "that the study varies",
                            study->path, config.output_dir);
    return 0;
}

/* The values of a list: its items, or the one scalar; a node NULL for no list. */
static size_t list_count(struct sp_study_part list)
{
    return list.node && list.node->kind == SP_YAML_LIST ? list.node->count : 1;
}

static struct sp_study_part list_item(struct sp_study_part list, size_t i)
{
    return list.node && list.node->kind == SP_YAML_LIST ? (struct sp_study_part){ &list.node->children[i], list.source }
                                                        : list;
}

static int check_list(struct sp_study_part list, const char *key)
{
    if (list.node && (list.node->kind == SP_YAML_MAP || sp_yaml_is_null(list.node) || list_count(list) == 0))
        return sp_study_wrong(list, key, "a list of values");
    return 0;
}

/* What the study itself decides must not stand in one of its blocks, where it would be without effect: folders, seeds
 * where it lists them, and in a method's block budgets and rates where a list has them: base and data sets may have
 * those for methods without one. A preset's give way. */
static int check_block(const struct sp_study_item *item, struct sp_study_reading *r, bool budgets, bool rates)
{
    const struct sp_source *file = &r->texts->list[0]->source;
    const struct sp_yaml_node *list = sp_study_part(r, "seeds")->node;
    bool seeds = list && !sp_yaml_is_null(list);

    for (size_t i = 0; i < item->layer_count; i++) {
        const struct sp_yaml_node *block = item->layers[i].block, *seed = sp_study_child(block, "seed"),
                                  *output = sp_study_child(block, "output_dir"),
                                  *rate = sp_study_child(block, "learning_rate"),
                                  *sparse = sp_study_child(block, "sparse");

        if (item->layers[i].source != file)
            continue;
        if (seed && seeds)
            return sp_source_error(SP_ECONFIG, file, seed->key_place,
                                   "seed would give way to the study's seeds: name it there");
        if (output)
            return sp_source_error(SP_ECONFIG, file, output->key_place, SP_STUDY_NO_OUTPUT_DIR);
        if (rate && rates)
            return sp_source_error(SP_ECONFIG, file, rate->key_place,
                                   "learning_rate would give way to the study's learning_rates: write learning_rates: "
                                   "[...] for %s",
                                   item->name);
        for (size_t k = 0; k < COUNT(budget_keys) && budgets; k++)
            if (sp_study_child(sparse, budget_keys[k]))
                return sp_source_error(SP_ECONFIG, file, sp_study_child(sparse, budget_keys[k])->key_place,
                                       "%s would give way to the study's budgets: write budgets: {%s: [...]} for %s",
                                       budget_keys[k], budget_keys[k], item->name);
    }
    return 0;
}

/* A budget that --set gives would go before those of the study's lists, and make sparse runs of full and head. `prefix`
 * and `name` are what stood before the option. */
static int check_overrides(const char *prefix, const char *name, const char *const *overrides, size_t count)
{
    static const char sparse[] = "sparse.";

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < COUNT(budget_keys) && strncmp(overrides[i], sparse, sizeof sparse - 1) == 0; k++) {
            const char *key = overrides[i] + sizeof sparse - 1;
            size_t length = strlen(budget_keys[k]);

            if (strncmp(key, budget_keys[k], length) == 0 && key[length] == '=')
                return sp_error(SP_ECONFIG,
                                "--set %s%s%s%s: a study's runs have the budgets of its lists: write --set "
                                "'budgets={%s: [%s]}', or budgets in a method's block",
                                prefix, name, name[0] ? "." : "", overrides[i], budget_keys[k], key + length + 1);
        }
    return 0;
}

static int check_items(const char *prefix, const struct sp_study_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        SP_TRY(check_overrides(prefix, items[i].name, items[i].overrides, items[i].override_count));
    return 0;
}

/* One data set and method with one budget: each rate and seed. */
static int add_rates(struct sp_study_reading *r, struct choice c)
{
    const struct sp_study_item *method = &r->study->methods[c.method];
    struct sp_study_part rates = method->rates.node ? method->rates : *sp_study_part(r, "learning_rates"),
                         seeds = *sp_study_part(r, "seeds");

    if (rates.node && sp_yaml_is_null(rates.node))
        rates.node = NULL; /* learning_rates: null, the configuration's own */
    if (seeds.node && sp_yaml_is_null(seeds.node))
        seeds.node = NULL;
    SP_TRY(check_list(rates, "learning_rates"));
    SP_TRY(check_list(seeds, "seeds"));
    SP_TRY(check_block(method, r, c.value.node != NULL, rates.node != NULL));
    for (size_t i = 0; i < list_count(rates); i++) {
        struct sp_study_cell *cell;

        SP_TRY(sp_grow(&r->study->cells, r->study->cell_count, &r->study->cell_capacity, sizeof *cell,
                       SP_STUDY_RUNS_MAX, "cells of a study"));
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

static int add_budgets(struct sp_study_reading *r, size_t data, size_t method)
{
    struct choice c = { .data = data, .method = method, .budget = SP_STUDY_NONE };
    struct sp_study_part budgets = r->study->methods[method].budgets.node ? r->study->methods[method].budgets
                                                                          : *sp_study_part(r, "budgets");
    struct sp_config probe;
    bool used;

    SP_TRY(load_config(&probe, r, &c));
    c.sparse = sp_config_method(&probe)->masked;
    used = c.sparse && budgets.node && !sp_yaml_is_null(budgets.node);
    sp_config_release(&probe);
    if (!used)
        return add_rates(r, c);
    if (budgets.node->kind != SP_YAML_MAP || budgets.node->count == 0)
        return sp_study_wrong(budgets, "budgets", "a block such as {rank_equivalent: [8, 1]}");
    for (size_t k = 0; k < budgets.node->count; k++) {
        const struct sp_yaml_node *node = &budgets.node->children[k];
        struct sp_study_part values = { node, budgets.source };

        if (!sp_study_is_one_of(node->key, budget_keys, COUNT(budget_keys)))
            return sp_study_unknown(node->key_place, budgets.source, "budget", node->key, budget_keys,
                                    COUNT(budget_keys));
        SP_TRY(check_list(values, node->key));
        for (size_t i = 0; i < list_count(values); i++) {
            c.budget_key = node->key;
            c.value = list_item(values, i);
            SP_TRY(add_rates(r, c));
        }
    }
    return 0;
}

int sp_study_grid(struct sp_study_reading *r)
{
    SP_TRY(check_block(&r->texts->base, r, false, false));
    for (size_t d = 0; d < r->study->data_count; d++)
        SP_TRY(check_block(&r->study->data[d], r, false, false));
    SP_TRY(check_overrides("", "", r->texts->overrides, r->texts->override_count));
    SP_TRY(check_items("data.", r->study->data, r->study->data_count));
    SP_TRY(check_items("methods.", r->study->methods, r->study->method_count));
    for (size_t d = 0; d < r->study->data_count; d++)
        for (size_t m = 0; m < r->study->method_count; m++)
            SP_TRY(add_budgets(r, d, m));
    return 0;
}
