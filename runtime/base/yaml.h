/*
 * YAML by libyaml (layer 0), as a tree of mappings, lists and scalars; scalars stay text, and
 * whoever reads one knows the type it wants. Refused, each with its place: more than one document,
 * anchors and aliases, tags, a key that is not a scalar, a key twice, and more than the limits
 * below. The tree is the caller's and does not refer to the text.
 */
#ifndef SP_BASE_YAML_H
#define SP_BASE_YAML_H

#include "runtime/base/source.h"

#include <stdbool.h>
#include <stddef.h>

#define SP_YAML_MAX_SIZE ((size_t)1 << 20) /* bytes; for whoever reads the file */
#define SP_YAML_MAX_DEPTH 16
#define SP_YAML_MAX_NODES 10000

enum sp_yaml_kind { SP_YAML_SCALAR, SP_YAML_LIST, SP_YAML_MAP };

struct sp_yaml_node {
    enum sp_yaml_kind kind;
    struct sp_place place;
    char *key; /* in a mapping, else NULL */
    struct sp_place key_place;
    char *text;                    /* of a scalar */
    bool quoted;                   /* or a block scalar: text, whatever it looks like */
    struct sp_yaml_node *children; /* of a list or mapping */
    size_t count, capacity;
};

/* Parses source->text, UTF-8 without a byte order mark. An empty document is an empty mapping.
 * SP_ECONFIG with the place for what is wrong with the text. */
int sp_yaml_parse(struct sp_yaml_node *root, const struct sp_source *source);
void sp_yaml_release(struct sp_yaml_node *root);

/* A scalar that is not quoted and says nothing: empty, ~, null, Null or NULL. */
bool sp_yaml_is_null(const struct sp_yaml_node *node);

/* A scalar that is not quoted and says nothing in another language, while YAML takes it as a text: None, none, nil,
 * ... */
bool sp_yaml_is_none(const struct sp_yaml_node *node);

#endif
