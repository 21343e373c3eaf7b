/* STUDY.yaml: its keys, and the blocks and files that it names. override.c changes them by --set, grid.c makes runs of
 * them. */
#include "runtime/study/file_priv.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/train/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- blocks ---- */

/* A key of a block that is the study's and no option, and where its value goes: of several blocks, the last one's. */
struct own {
    const char *key;
    struct sp_study_part *part;
};

/* A shallow copy of a mapping without the keys that are the study's, which are taken; `own` ends with a NULL. */
static int copy_without(struct sp_yaml_node **out, struct sp_study_texts *texts, struct sp_study_part block,
                        const struct own *own)
{
    const struct sp_yaml_node *map = block.node;
    struct sp_yaml_node *copy;

    SP_TRY(sp_grow(&texts->copies, texts->copy_count, &texts->copy_capacity, sizeof *texts->copies, SP_STUDY_RUNS_MAX,
                   "blocks of a study"));
    copy = sp_calloc(map->count + 1, sizeof *copy);
    if (!copy)
        return SP_ENOMEM;
    texts->copies[texts->copy_count++] = *out = copy;
    copy[0] = (struct sp_yaml_node){ .kind = SP_YAML_MAP, .place = map->place, .children = copy + 1 };
    for (size_t i = 0; i < map->count; i++) {
        const struct own *o = own;

        while (o->key && strcmp(o->key, map->children[i].key) != 0)
            o++;
        if (o->key)
            *o->part = (struct sp_study_part){ &map->children[i], block.source };
        else
            copy[0].children[copy[0].count++] = map->children[i];
    }
    return 0;
}

static int add_layer(struct sp_study_item *item, const struct sp_yaml_node *block, const struct sp_source *source)
{
    SP_TRY(sp_grow(&item->layers, item->layer_count, &item->layer_capacity, sizeof *item->layers,
                   SP_STUDY_LAYERS_MAX / 4, "blocks laid over each other"));
    item->layers[item->layer_count++] = (struct sp_config_layer){ block, source };
    return 0;
}

/* A block of options, the name of a file of them, or a list of both. */
static int take_layers(struct sp_study_item *item, struct sp_study_texts *texts, struct sp_study_part part,
                       const struct own *own)
{
    const struct sp_yaml_node *node = part.node;
    struct sp_yaml_node *block;
    struct sp_study_text *file;

    if (sp_yaml_is_null(node))
        return 0;
    if (node->kind == SP_YAML_SCALAR && !node->text[0])
        return sp_study_wrong(part, item->name, "a block of options or the name of a file");
    if (node->kind == SP_YAML_SCALAR) {
        SP_TRY(sp_study_read_beside(&file, texts, part));
        return add_layer(item, &file->root, &file->source);
    }
    for (size_t i = 0; node->kind == SP_YAML_LIST && i < node->count; i++) {
        if (node->children[i].kind == SP_YAML_LIST)
            return sp_study_wrong((struct sp_study_part){ &node->children[i], part.source }, item->name,
                                  "a block of options or the name of a file");
        SP_TRY(take_layers(item, texts, (struct sp_study_part){ &node->children[i], part.source }, own));
    }
    if (node->kind == SP_YAML_LIST)
        return 0;
    SP_TRY(copy_without(&block, texts, part, own));
    return add_layer(item, block, part.source);
}

/* Names become folders. */
static int check_name(const struct sp_yaml_node *node, const struct sp_source *source, const char *what)
{
    if (node->key[0] && node->key[0] != '.' && strspn(node->key, SP_STUDY_NAME_LETTERS) == strlen(node->key) &&
        strlen(node->key) < SP_STUDY_NAME_MAX)
        return 0;
    return sp_source_error(SP_ECONFIG, source, node->key_place,
                           "found \"%.80s\" as the name of a %s, expected letters, digits, -, _ and ., no . first: it "
                           "becomes a folder",
                           node->key, what);
}

static int wrong_metric(struct sp_study_part metric)
{
    struct sp_buf expected = SP_BUF(1024);
    int rc = sp_buf_puts(&expected, "one of ");

    if (rc == 0)
        rc = sp_study_list_metrics(&expected, NULL);
    if (rc == 0)
        rc = sp_study_wrong(metric, "metric", expected.data);
    sp_buf_free(&expected);
    return rc;
}

static int take_item(struct sp_study_reading *r, struct sp_study_item *item, const struct sp_yaml_node *node,
                     const struct sp_source *source, bool method)
{
    const struct own own[2][3] = { { { "metric", &item->metric } },
                                   { { "budgets", &item->budgets }, { "learning_rates", &item->rates } } };

    SP_TRY(check_name(node, source, method ? "method" : "data set"));
    item->name = node->key;
    SP_TRY(take_layers(item, r->texts, (struct sp_study_part){ node, source }, own[method]));
    if (item->metric.node && sp_yaml_is_null(item->metric.node))
        item->metric.node = NULL;
    return !item->metric.node || sp_study_is_metric(item->metric.node, NULL) ? 0 : wrong_metric(item->metric);
}

/* The items of `data:` or `methods:`, all or those that --set names, in its order. */
static int take_items(struct sp_study_reading *r, const char *key, struct sp_study_item **out, size_t *count)
{
    bool method = strcmp(key, "methods") == 0;
    struct sp_study_part part = *sp_study_part(r, key), selected = r->selected[method];
    const char *names[64];
    size_t name_count = 0;

    if (!part.node)
        return sp_error(SP_ECONFIG, "%s: %s is missing: add a block \"%s:\" with a name and its options for each",
                        r->study->path, key, key);
    if (part.node->kind != SP_YAML_MAP || part.node->count == 0)
        return sp_study_wrong(part, key,
                              method ? "lines \"name: {options}\", one for each method"
                                     : "lines \"name: {options}\", one for each data set");
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

            if (name->kind != SP_YAML_SCALAR || !(node = sp_study_child(part.node, name->text)))
                return sp_study_unknown(name->place, selected.source, method ? "method" : "data set",
                                        name->kind == SP_YAML_SCALAR ? name->text : "", names, name_count);
        }
        SP_TRY(take_item(r, &(*out)[i], node, part.source, method));
    }
    return 0;
}

/* ---- the whole ---- */

static int take_reference(struct sp_study_reading *r)
{
    struct sp_study_part part = *sp_study_part(r, "reference");

    if (!part.node)
        return 0;
    if (part.node->kind != SP_YAML_SCALAR)
        return sp_study_wrong(part, "reference", "the name of a method");
    for (size_t i = 0; i < r->study->method_count; i++)
        if (strcmp(r->study->methods[i].name, part.node->text) == 0) {
            r->study->reference = i;
            return 0;
        }
    /* The file's reference need not be among those that --set chooses. */
    return r->selected[1].node && part.source == sp_study_part(r, "methods")->source
               ? 0
               : sp_study_unknown_item(part.node->place, part.source, "method", part.node->text, r->study->methods,
                                       r->study->method_count);
}

static int take_output_dir(struct sp_study_reading *r)
{
    struct sp_study_part part = *sp_study_part(r, "output_dir");
    const char *dir;
    char why[1024];

    if (!r->study->output_dir && part.node) {
        if (part.node->kind != SP_YAML_SCALAR || !part.node->text[0] || sp_yaml_is_none(part.node))
            return sp_study_wrong(part, "output_dir", "the name of a folder");
        r->study->output_dir = sp_strdup(part.node->text);
    }
    dir = r->study->output_dir;
    if (!dir || !dir[0])
        return sp_error(SP_ECONFIG, "%s: output_dir is missing: add a line \"output_dir: ...\" or give --output-dir",
                        r->study->path);
    if (sp_fs_is_unexpanded(why, sizeof why, dir))
        return sp_error(SP_ECONFIG, "%s: output_dir: found \"%s\", %s", r->study->path, dir, why);
    return sp_text_utf8_prefix(dir, strlen(dir)) == strlen(dir)
               ? 0
               : sp_error(SP_ECONFIG, "%s: output_dir is not UTF-8", r->study->path);
}

/* An option of the runs, or another tool's name for one. */
static bool is_option(const char *key)
{
    const struct sp_option_table *options = sp_config_options();

    return sp_option_meant(options, key, false) || sp_option_is_foreign(options, key) || strcmp(key, "sparse") == 0;
}

/* An option of the runs stands in a block of a study; where there is none, the file is no study. */
static int unknown_key(const struct sp_study_reading *r, const struct sp_study_text *file,
                       const struct sp_yaml_node *node)
{
    const char *path = r->study->path, *meant = sp_option_meant(sp_config_options(), node->key, false);
    const char *nearest = sp_text_nearest(node->key, sp_study_keys, SP_STUDY_KEYS);
    bool is_run = !sp_study_child(&file->root, "methods") && !sp_study_child(&file->root, "data");

    if (is_run && is_option(node->key))
        return sp_source_error(SP_ECONFIG, &file->source, node->key_place,
                               "this is the configuration of one run, expected a study: speft-cl train %s makes the "
                               "run; a study names it (base: %s) and has blocks data and methods",
                               path, path);
    if (!nearest && meant) /* lr: learning_rates */
        nearest = sp_text_nearest(meant, sp_study_keys, SP_STUDY_KEYS);
    if (is_option(node->key) && !nearest)
        return sp_source_error(SP_ECONFIG, &file->source, node->key_place,
                               "\"%.80s\" is an option of the runs: write it into the block base", node->key);
    return sp_source_error(SP_ECONFIG, &file->source, node->key_place, "there is no key \"%.80s\"%s%s%s", node->key,
                           nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

/* The file's keys. */
static int take_file(struct sp_study_reading *r, const struct sp_study_text *file)
{
    const struct sp_study_part root = { &file->root, &file->source };

    if (file->root.kind != SP_YAML_MAP)
        return sp_study_wrong(root, "a study", "lines of \"key: value\"");
    for (size_t i = 0; i < file->root.count; i++) {
        const struct sp_yaml_node *node = &file->root.children[i];

        if (!sp_study_is_one_of(node->key, sp_study_keys, SP_STUDY_KEYS))
            return unknown_key(r, file, node);
        if (!sp_yaml_is_null(node)) /* nothing given */
            *sp_study_part(r, node->key) = (struct sp_study_part){ node, &file->source };
    }
    return 0;
}

static int load(struct sp_study_reading *r, const char *const *overrides, size_t count)
{
    struct sp_study *study = r->study;
    struct sp_study_text *file;

    SP_TRY(sp_study_read_text(&file, r->texts, study->path));
    SP_TRY(take_file(r, file));
    SP_TRY(sp_study_take_overrides(r, overrides, count));
    SP_TRY(take_output_dir(r));
    r->score_cache = sp_asprintf("%s/scores", study->output_dir);
    if (!r->score_cache)
        return SP_ENOMEM;
    r->texts->base.name = "base";
    if (sp_study_part(r, "base")->node)
        SP_TRY(
            take_layers(&r->texts->base, r->texts, *sp_study_part(r, "base"), (const struct own[]){ { .key = NULL } }));
    SP_TRY(take_items(r, "data", &study->data, &study->data_count));
    SP_TRY(take_items(r, "methods", &study->methods, &study->method_count));
    SP_TRY(sp_study_take_item_overrides(r, overrides, count));
    SP_TRY(take_reference(r));
    return sp_study_grid(r);
}

int sp_study_load(struct sp_study *out, const char *path, const char *const *overrides, size_t count)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    struct sp_study_reading r = { .study = out };
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
    sp_study_forget_inputs(study);
    free_texts(study->texts);
    free(study->inputs);
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
