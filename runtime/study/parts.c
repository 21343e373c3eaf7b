/* What a study is read from: its texts, the parts of them that its keys stand for, and what is said of a part that is
 * wrong. */
#include "runtime/study/file_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAMED 64 /* items among which a nearest name is looked for */

const char *const sp_study_keys[SP_STUDY_KEYS] = { "base",           "data",  "methods",   "budgets",
                                                   "learning_rates", "seeds", "reference", "output_dir" };

struct sp_study_part *sp_study_part(struct sp_study_reading *r, const char *key)
{
    size_t i = 0;

    while (strcmp(sp_study_keys[i], key) != 0)
        i++;
    return &r->parts[i];
}

bool sp_study_is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

int sp_study_wrong(struct sp_study_part p, const char *what, const char *expected)
{
    const struct sp_yaml_node *n = p.node;

    if (n->kind != SP_YAML_SCALAR || sp_yaml_is_null(n))
        return sp_source_error(SP_ECONFIG, p.source, n->place, "%s: found %s, expected %s", what,
                               n->kind == SP_YAML_LIST  ? (n->count ? "a list" : "an empty list")
                               : n->kind == SP_YAML_MAP ? (n->count ? "a block of keys" : "an empty block")
                                                        : "nothing",
                               expected);
    return sp_source_error(SP_ECONFIG, p.source, n->place, "%s: found \"%.80s\", expected %s", what, n->text, expected);
}

int sp_study_unknown(struct sp_place place, const struct sp_source *source, const char *what, const char *name,
                     const char *const *names, size_t count)
{
    const char *nearest = sp_text_nearest(name, names, count);

    return sp_source_error(SP_ECONFIG, source, place, "there is no %s \"%.80s\"%s%s%s", what, name,
                           nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

int sp_study_add_text(struct sp_study_text **out, struct sp_study_texts *texts, char *path, char *bytes, size_t length)
{
    struct sp_study_text *text = sp_calloc(1, sizeof *text);
    int rc = text && path && bytes ? 0 : SP_ENOMEM;

    if (rc == 0)
        rc = sp_grow(&texts->list, texts->count, &texts->capacity, sizeof *texts->list, SP_STUDY_ITEMS_MAX,
                     "files of a study");
    if (rc == 0) {
        *text = (struct sp_study_text){ .source = { path, bytes, length }, .path = path, .bytes = bytes };
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

int sp_study_read_text(struct sp_study_text **out, struct sp_study_texts *texts, const char *path)
{
    char *bytes;
    size_t length, mark;
    int rc = sp_fs_read(&bytes, &length, path, SP_YAML_MAX_SIZE);

    if (rc < 0)
        return rc == SP_ENOMEM ? rc : SP_ECONFIG;
    mark = sp_text_mark(bytes, length);
    length -= mark;
    memmove(bytes, bytes + mark, length + 1);
    return sp_study_add_text(out, texts, sp_strdup(path), bytes, length);
}

int sp_study_read_beside(struct sp_study_text **out, struct sp_study_texts *texts, struct sp_study_part name)
{
    const char *slash = strrchr(name.source->name, '/');
    char *folder, *beside;
    int rc;

    if (sp_fs_exists(name.node->text))
        return sp_study_read_text(out, texts, name.node->text);
    folder = sp_strndup(name.source->name, slash ? (size_t)(slash - name.source->name) + 1 : 0);
    beside = folder ? sp_fs_join(folder, name.node->text) : NULL;
    rc = !beside               ? SP_ENOMEM
         : sp_fs_exists(beside) ? sp_study_read_text(out, texts, beside)
                                : sp_source_error(SP_ECONFIG, name.source, name.node->place,
                                                  "found \"%.80s\", expected a block of options or the name of a file, "
                                                  "and there is no such file, neither here nor beside the study",
                                                  name.node->text);
    free(folder);
    free(beside);
    return rc;
}

const struct sp_yaml_node *sp_study_child(const struct sp_yaml_node *map, const char *key)
{
    for (size_t i = 0; map && map->kind == SP_YAML_MAP && i < map->count; i++)
        if (strcmp(map->children[i].key, key) == 0)
            return &map->children[i];
    return NULL;
}

int sp_study_unknown_item(struct sp_place place, const struct sp_source *source, const char *what, const char *name,
                        const struct sp_study_item *items, size_t count)
{
    const char *names[NAMED];
    size_t n = count < NAMED ? count : NAMED;

    for (size_t i = 0; i < n; i++)
        names[i] = items[i].name;
    return sp_study_unknown(place, source, what, name, names, n);
}
