/* What --set changes of a study: its lists, its folder, and options of one data set or method. */
#include "runtime/study/file_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "runtime/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const axes[] = { "data", "methods", "budgets", "learning_rates", "seeds", "reference" };

static bool has_key(const char *override, const char *key)
{
    size_t length = strlen(key);

    return strncmp(override, key, length) == 0 && override[length] == '=';
}

/* An option of an item's runs; what only the study itself knows is refused. */
static int take_override(struct sp_study_item *item, const char *text, const struct sp_source *source)
{
    static const char *const own[] = { "metric", "budgets", "learning_rates" };

    if (has_key(text, "output_dir"))
        return sp_source_error(SP_ECONFIG, source, (struct sp_place){ 1, 1 }, SP_STUDY_NO_OUTPUT_DIR);
    for (size_t i = 0; i < COUNT(own); i++)
        if (has_key(text, own[i]))
            return sp_source_error(SP_ECONFIG, source, (struct sp_place){ 1, 1 },
                                   "%s is no option of the runs: write it into the study's block %s", own[i],
                                   item->name);
    SP_TRY(sp_grow(&item->overrides, item->override_count, &item->override_capacity, sizeof *item->overrides,
                   SP_STUDY_ITEMS_MAX, "overrides"));
    item->overrides[item->override_count++] = text;
    return 0;
}

/* data.NAME.key=value: an override for that data set's runs alone. A name may have dots: the longest that fits is
 * meant. */
static int take_item_override(struct sp_study_item *items, size_t count, const char *text, const char *what)
{
    const char *name = strchr(text, '.') + 1;
    const struct sp_source source = { "--set", text, strlen(text) };
    const struct sp_place start = { 1, 1 };
    struct sp_study_item *found = NULL;
    char wanted[SP_STUDY_NAME_MAX];
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(items[i].name);

        if (strncmp(items[i].name, name, n) == 0 && strchr(".=", name[n]) && n >= length) { /* or its end */
            found = &items[i];
            length = n;
        }
    }
    if (found && name[length] == '.')
        return take_override(found, name + length + 1, &source);
    if (found)
        return sp_source_error(SP_ECONFIG, &source, start, "expected NAME.KEY=VALUE of a %s", what);
    snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(name, ".="), name);
    return sp_study_unknown_item(start, &source, what, wanted, items, count);
}

/* "-seeds-1-2" for seeds=1,2: what becomes of the names of the report's files, so that the file's own report stays.
 * What is too long for that ends in a hash of it. */
static void add_suffix(struct sp_study *study, const char *text)
{
    enum { HASH = 8 }; /* digits */
    size_t length = strlen(study->suffix), most = sizeof study->suffix - HASH - 2;
    bool dash = true, all = true; /* dash: is to come, before the next letter */
    struct sp_hash hash;
    char hex[SP_HASH_HEX];

    sp_hash_init(&hash);
    sp_hash_update_string(&hash, study->suffix);
    sp_hash_update_string(&hash, text);
    sp_hash_final(&hash, hex);
    for (; *text && all; text++) {
        if ((!strchr(SP_STUDY_NAME_LETTERS, *text) && *text != '+') || *text == '-') {
            dash = true;
            continue;
        }
        all = length + 2 < most;
        if (all && dash)
            study->suffix[length++] = '-';
        if (all)
            study->suffix[length++] = *text;
        dash = false;
    }
    if (!all)
        snprintf(study->suffix + (length < most ? length : most), HASH + 2, "-%.*s", HASH, hex);
}

/* seeds=1,2 and its like replace a list of the file; data=NAME,... and methods=NAME,... choose among the file's. */
static int take_axis(struct sp_study_reading *r, const char *text)
{
    const char *value = strchr(text, '=') + 1;
    const struct sp_yaml_node node = { .kind = SP_YAML_SCALAR, .text = (char *)(size_t)value };
    bool single = has_key(text, "reference"), whole;
    char key[SP_STUDY_NAME_MAX], *bytes;
    struct sp_study_text *parsed;
    struct sp_study_part part;

    snprintf(key, sizeof key, "%.*s", (int)(value - 1 - text), text);
    whole = single || value[0] == '[' || value[0] == '{' || (value[0] && sp_yaml_is_null(&node));
    bytes = whole ? sp_strdup(value) : sp_asprintf("[%s]", value);
    SP_TRY(sp_study_add_text(&parsed, r->texts, sp_asprintf("--set %s", key), bytes, bytes ? strlen(bytes) : 0));
    part = (struct sp_study_part){ &parsed->root, &parsed->source };
    if (!single)
        add_suffix(r->study, text);
    if (strcmp(key, "data") == 0 || strcmp(key, "methods") == 0) {
        if (part.node->kind != SP_YAML_LIST || part.node->count == 0)
            return sp_study_wrong(part, key, "names of those in the file, as NAME,NAME");
        r->selected[key[0] == 'm'] = part;
    } else {
        *sp_study_part(r, key) = part;
    }
    return 0;
}

/* output_dir=FOLDER; null leaves the file's. */
static int take_folder(struct sp_study *study, const char *text)
{
    const struct sp_source source = { "--set", text, strlen(text) };
    char *value = (char *)(size_t)strchr(text, '=') + 1;
    const struct sp_yaml_node node = { .kind = SP_YAML_SCALAR,
                                       .place = { 1, (size_t)(value - text) + 1 },
                                       .text = value };

    if (!value[0] || sp_yaml_is_none(&node))
        return sp_study_wrong((struct sp_study_part){ &node, &source }, "output_dir", "the name of a folder");
    free(study->output_dir);
    study->output_dir = sp_yaml_is_null(&node) ? NULL : sp_strdup(value);
    return study->output_dir || sp_yaml_is_null(&node) ? 0 : SP_ENOMEM;
}

/* Those of the overrides that change the grid; the rest goes for every run. */
int sp_study_take_overrides(struct sp_study_reading *r, const char *const *overrides, size_t count)
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
            SP_TRY(take_folder(r->study, overrides[i]));
        } else if (strncmp(overrides[i], "data.", 5) != 0 && strncmp(overrides[i], "methods.", 8) != 0) {
            r->texts->overrides[r->texts->override_count++] = overrides[i];
        }
    }
    return 0;
}

int sp_study_take_item_overrides(struct sp_study_reading *r, const char *const *overrides, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(overrides[i], "data.", 5) == 0)
            SP_TRY(take_item_override(r->study->data, r->study->data_count, overrides[i], "data set"));
        else if (strncmp(overrides[i], "methods.", 8) == 0)
            SP_TRY(take_item_override(r->study->methods, r->study->method_count, overrides[i], "method"));
    }
    return 0;
}
