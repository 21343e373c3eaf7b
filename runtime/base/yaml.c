#include "runtime/base/yaml.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const struct sp_source *source;
    size_t nodes;
};

static struct sp_place place_of(yaml_mark_t mark)
{
    return (struct sp_place){ mark.line + 1, mark.column + 1 };
}

static struct sp_place here(const struct reader *r)
{
    return place_of(r->event.start_mark);
}

/* Line and column of a byte, for the errors that libyaml places by offset. */
static struct sp_place place_of_byte(const struct sp_source *source, size_t offset)
{
    struct sp_place place = { 1, 1 };

    for (size_t i = 0; i < offset && i < source->length; i++) {
        if (source->text[i] == '\n')
            place = (struct sp_place){ place.line + 1, 1 };
        else
            place.column += !sp_text_goes_on(source->text[i]);
    }
    return place;
}

/* Where a mistake is shown that libyaml sees only when the text is over: behind its last line that is not empty. */
static struct sp_place place_in_text(const struct sp_source *source, yaml_mark_t mark)
{
    struct sp_place place = place_of(mark), end;
    size_t length = source->length;

    while (length > 0 && strchr("\n\r \t", source->text[length - 1]))
        length--;
    end = place_of_byte(source, length);
    return place.line > end.line ? end : place;
}

/* Where a single character is all that follows a line's key, such as a delimiter (|), YAML reads it as a mark of its
 * own: SP_ECONFIG that says so, else 0. */
static int check_lone(const struct sp_source *source, size_t number)
{
    size_t length, at;
    const char *line = sp_source_line(source, number, &length), *colon = memchr(line, ':', length);

    while (length > 0 && strchr(" \t\r", line[length - 1]))
        length--;
    if (!colon || length < 3)
        return 0;
    at = (size_t)(colon - line) + 1;
    while (at < length && line[at] == ' ')
        at++;
    if (at + 1 != length || line[at - 1] != ' ' || !strchr("|>,%@`&*!-?:[]{}", line[at]))
        return 0;
    return sp_source_error(
        SP_ECONFIG, source,
        (struct sp_place){ number, place_of_byte(source, (size_t)(line - source->text) + at).column },
        "found %c alone, which is a mark of YAML's; as a value it is written in quotes: '%c'", line[at], line[at]);
}

static int parser_error(const struct reader *r)
{
    const yaml_parser_t *p = &r->parser;

    SP_TRY(p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR
               ? check_lone(r->source, place_in_text(r->source, p->problem_mark).line)
               : 0);
    if (p->error == YAML_MEMORY_ERROR)
        return sp_error(SP_ENOMEM, "out of memory while reading %s", r->source->name);
    if (p->error == YAML_READER_ERROR)
        return sp_source_error(SP_ECONFIG, r->source, place_of_byte(r->source, p->problem_offset),
                               "not valid YAML: %s", p->problem);
    return sp_source_error(SP_ECONFIG, r->source, place_in_text(r->source, p->problem_mark),
                           "not valid YAML: %s%s%s", p->context ? p->context : "",
                           p->context ? ", " : "", p->problem ? p->problem : "?");
}

static int next(struct reader *r)
{
    yaml_event_delete(&r->event);
    return yaml_parser_parse(&r->parser, &r->event) ? 0 : parser_error(r);
}

static int refuse(const struct reader *r, const char *what)
{
    SP_TRY(check_lone(r->source, here(r).line));
    return sp_source_error(SP_ECONFIG, r->source, here(r), "%s", what);
}

/* Anchors and tags may stand on scalars, lists and mappings alike. */
static int refuse_properties(const struct reader *r, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    if (anchor)
        return refuse(r, "found an anchor (&): write the value wherever it is meant");
    if (tag)
        return refuse(r, "found a tag (!): leave it out, options know their types");
    return 0;
}

static int read_text(const struct reader *r, char **out)
{
    const char *value = (const char *)r->event.data.scalar.value;

    if (strlen(value) != r->event.data.scalar.length)
        return refuse(r, "found a text with a NUL character in it");
    *out = sp_strdup(value);
    return *out ? 0 : SP_ENOMEM;
}

static int read_scalar(struct reader *r, struct sp_yaml_node *out)
{
    SP_TRY(refuse_properties(r, r->event.data.scalar.anchor, r->event.data.scalar.tag));
    out->kind = SP_YAML_SCALAR;
    out->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (r->event.data.scalar.length == 0)
        SP_TRY(check_lone(r->source, here(r).line));
    return read_text(r, &out->text);
}

static int read_key(struct reader *r, const struct sp_yaml_node *map, struct sp_yaml_node *child)
{
    if (r->event.type != YAML_SCALAR_EVENT)
        return refuse(r, "found a key that is not a name");
    SP_TRY(refuse_properties(r, r->event.data.scalar.anchor, r->event.data.scalar.tag));
    child->key_place = here(r);
    SP_TRY(read_text(r, &child->key));
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->children[i].key, child->key) == 0)
            return sp_source_error(SP_ECONFIG, r->source, child->key_place,
                                   "\"%s\" stands here and on line %zu: keep one", child->key,
                                   map->children[i].key_place.line);
    return next(r);
}

static int read_node(struct reader *r, struct sp_yaml_node *out, size_t depth);

static int read_children(struct reader *r, struct sp_yaml_node *out, yaml_event_type_t end,
                         size_t depth)
{
    if (depth >= SP_YAML_MAX_DEPTH)
        return refuse(r, "nested too deeply for a configuration");
    for (;;) {
        struct sp_yaml_node child = { .kind = SP_YAML_SCALAR };
        int rc = next(r);

        if (rc == 0 && r->event.type == end)
            return 0;
        if (rc == 0 && out->kind == SP_YAML_MAP)
            rc = read_key(r, out, &child);
        if (rc == 0)
            rc = read_node(r, &child, depth + 1);
        if (rc == 0)
            rc = sp_grow(&out->children, out->count, &out->capacity, sizeof child,
                         SP_YAML_MAX_NODES, "YAML values");
        if (rc < 0) {
            sp_yaml_release(&child);
            return rc;
        }
        out->children[out->count++] = child;
    }
}

/* Reads the node that the current event begins; ends on its last event. */
static int read_node(struct reader *r, struct sp_yaml_node *out, size_t depth)
{
    out->place = here(r);
    if (++r->nodes > SP_YAML_MAX_NODES)
        return refuse(r, "more values than any configuration needs");
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, out);
    case YAML_SEQUENCE_START_EVENT:
        SP_TRY(refuse_properties(r, r->event.data.sequence_start.anchor,
                                 r->event.data.sequence_start.tag));
        out->kind = SP_YAML_LIST;
        return read_children(r, out, YAML_SEQUENCE_END_EVENT, depth);
    case YAML_MAPPING_START_EVENT:
        SP_TRY(refuse_properties(r, r->event.data.mapping_start.anchor,
                                 r->event.data.mapping_start.tag));
        out->kind = SP_YAML_MAP;
        return read_children(r, out, YAML_MAPPING_END_EVENT, depth);
    default:
        return refuse(r, "found an alias (*): write the value wherever it is meant");
    }
}

static int read_stream(struct reader *r, struct sp_yaml_node *root)
{
    SP_TRY(next(r)); /* the stream's start */
    SP_TRY(next(r));
    if (r->event.type == YAML_STREAM_END_EVENT) {
        *root = (struct sp_yaml_node){ .kind = SP_YAML_MAP, .place = { 1, 1 } };
        return 0;
    }
    SP_TRY(next(r)); /* past the document's start */
    SP_TRY(read_node(r, root, 0));
    SP_TRY(next(r)); /* the document's end */
    SP_TRY(next(r));
    if (r->event.type != YAML_STREAM_END_EVENT)
        return refuse(r, "found a second document (---), expected one");
    return 0;
}

int sp_yaml_parse(struct sp_yaml_node *root, const struct sp_source *source)
{
    struct reader r = { .source = source };
    int rc;

    *root = (struct sp_yaml_node){ .kind = SP_YAML_MAP };
    if (!yaml_parser_initialize(&r.parser))
        return sp_error(SP_ENOMEM, "out of memory while reading %s", source->name);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)source->text, source->length);
    rc = read_stream(&r, root);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (rc < 0)
        sp_yaml_release(root);
    return rc;
}

void sp_yaml_release(struct sp_yaml_node *root)
{
    for (size_t i = 0; i < root->count; i++)
        sp_yaml_release(&root->children[i]);
    free(root->children);
    free(root->key);
    free(root->text);
    *root = (struct sp_yaml_node){ .kind = SP_YAML_MAP };
}

static bool is_word(const struct sp_yaml_node *node, const char *const *words)
{
    if (node->kind != SP_YAML_SCALAR || node->quoted)
        return false;
    while (*words && strcmp(node->text, *words) != 0)
        words++;
    return *words != NULL;
}

bool sp_yaml_is_null(const struct sp_yaml_node *node)
{
    return is_word(node, (const char *const[]){ "", "~", "null", "Null", "NULL", NULL });
}

bool sp_yaml_is_none(const struct sp_yaml_node *node)
{
    return is_word(node, (const char *const[]){ "None", "none", "NONE", "nil", "Nil", "NIL", "undefined", NULL });
}
