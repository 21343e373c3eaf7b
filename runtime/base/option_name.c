/* Which option a name means that is none: another tool's, a misspelt one, or one from another block. */
#include "runtime/base/error.h"
#include "runtime/base/option.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_SIZE 128
#define GUESSED_LENGTH 4 /* the shortest of other tools' names that a misspelling is taken for */

/* Whether two names differ in case, or in - and _, alone. */
static bool same_name(const char *a, const char *b)
{
    char x[NAME_SIZE], y[NAME_SIZE];

    snprintf(x, sizeof x, "%s", a);
    snprintf(y, sizeof y, "%s", b);
    for (char *p = x; (p = strchr(p, '-'));)
        *p = '_';
    for (char *p = y; (p = strchr(p, '-'));)
        *p = '_';
    return strcasecmp(x, y) == 0;
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');

    return dot ? dot + 1 : key;
}

/* An option, or another tool's name for one, by its whole name or, `part`, by that without the block. */
static const char *find_same(const struct sp_option_table *t, const char *name, bool part)
{
    for (size_t i = 0; i < sp_option_count(t); i++)
        if (same_name(name, part ? last_part(sp_option_at(t, i)->key) : sp_option_at(t, i)->key))
            return sp_option_at(t, i)->key;
    for (size_t i = 0; i < t->alias_count; i++)
        if (same_name(name, t->aliases[i].name))
            return t->aliases[i].key;
    for (const struct sp_option_hint *hint = t->hints; hint && hint->name; hint++)
        if (same_name(name, hint->name))
            return hint->key;
    return NULL;
}

/* The nearer of *best and `key`, which is called `candidate`. */
static void take_nearer(const char **best, size_t *least, const char *name, const char *candidate, const char *key)
{
    size_t distance = sp_text_distance(name, candidate);

    if (distance < *least) {
        *least = distance;
        *best = key;
    }
}

static const char *find_near(const struct sp_option_table *t, const char *name)
{
    size_t least = strlen(name) / 3 + 2;
    const char *best = NULL;

    for (size_t i = 0; i < sp_option_count(t); i++) {
        take_nearer(&best, &least, name, sp_option_at(t, i)->key, sp_option_at(t, i)->key);
        take_nearer(&best, &least, name, last_part(sp_option_at(t, i)->key), sp_option_at(t, i)->key);
    }
    for (size_t i = 0; i < t->alias_count; i++)
        take_nearer(&best, &least, name, t->aliases[i].name, t->aliases[i].key);
    for (const struct sp_option_hint *hint = t->hints; hint && hint->name; hint++)
        if (strlen(hint->name) >= GUESSED_LENGTH)
            take_nearer(&best, &least, name, hint->name, hint->key);
    for (const char *const *foreign = t->foreign; foreign && *foreign; foreign++)
        take_nearer(&best, &least, name, *foreign, NULL); /* save_step is no max_steps */
    return best;
}

bool sp_option_is_foreign(const struct sp_option_table *table, const char *name)
{
    for (const char *const *foreign = table->foreign; foreign && *foreign; foreign++)
        if (same_name(*foreign, last_part(name)))
            return true;
    return false;
}

const char *sp_option_meant(const struct sp_option_table *table, const char *name, bool guess)
{
    const char *meant = find_same(table, name, false);

    if (!meant)
        meant = find_same(table, last_part(name), true);
    if (!meant && guess && !sp_option_is_foreign(table, name))
        meant = find_near(table, name);
    return meant;
}

int sp_option_unknown(const struct sp_option_table *table, const struct sp_source *source, struct sp_place place,
                      const char *key, const char *block)
{
    size_t inside = strlen(block);
    const char *meant = sp_option_meant(table, key, true), *dot = meant ? strchr(meant, '.') : NULL;
    bool here = meant && inside && strncmp(meant, block, inside) == 0;
    char where[NAME_SIZE] = "";

    if (!meant && sp_option_is_foreign(table, key))
        return sp_source_error(SP_ECONFIG, source, place, "\"%.80s\" is not supported by this version: remove it", key);
    if (dot && !here && !strchr(key, '.'))
        snprintf(where, sizeof where, ", in the block %.*s", (int)(dot - meant), meant);
    else if (meant && !dot && inside)
        snprintf(where, sizeof where, ", outside the block %.*s", (int)inside - 1, block);
    if (!inside && !meant)
        return sp_source_error(SP_ECONFIG, source, place, "unknown option \"%.80s\"", key);
    if (!inside)
        return sp_source_error(SP_ECONFIG, source, place, "unknown option \"%.80s\"; did you mean \"%s\"%s?", key,
                               meant, where);
    if (!meant)
        return sp_source_error(SP_ECONFIG, source, place, "unknown option \"%.80s\" in %.*s", key + inside,
                               (int)inside - 1, block);
    return sp_source_error(SP_ECONFIG, source, place, "unknown option \"%.80s\" in %.*s; did you mean \"%s\"%s?",
                           key + inside, (int)inside - 1, block, meant + (here ? inside : 0), where);
}
