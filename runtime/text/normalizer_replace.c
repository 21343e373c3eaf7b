/* The normalizer Replace: what a pattern matches becomes the content, from left to right without overlap. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/regex.h"
#include "runtime/text/stage.h"

#include <stdlib.h>
#include <string.h>

struct replace {
    struct sp_regex *regex; /* NULL where the pattern is a string, which is what most are */
    char *pattern, *content;
};

static void release(void *state)
{
    struct replace *replace = state;

    if (replace) {
        sp_regex_free(replace->regex);
        free(replace->pattern);
        free(replace->content);
    }
    free(replace);
}

/* "pattern" is {"String": "..."} or {"Regex": "..."}. */
static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    const json_t *pattern = json_object_get(section, "pattern");
    const char *text = NULL, *expression = NULL, *content = NULL;
    struct replace *replace = NULL;
    int rc = 0;

    (void)vocab;
    SP_TRY(sp_json_get_string(&content, section, "content", path));
    SP_TRY(sp_json_get_string(&text, pattern, "String", path));
    SP_TRY(sp_json_get_string(&expression, pattern, "Regex", path));
    if (!content || !(text || expression))
        return sp_error(SP_EFORMAT,
                        "%s: the normalizer Replace has no \"pattern\", {\"String\": ...} or {\"Regex\": ...}, or no "
                        "\"content\", a string",
                        path);
    replace = sp_calloc(1, sizeof *replace);
    if (!replace)
        return SP_ENOMEM;
    replace->content = sp_strdup(content);
    replace->pattern = sp_strdup(text ? text : expression);
    if (!replace->content || !replace->pattern)
        SP_GO(SP_ENOMEM);
    if (!text || !text[0]) /* an empty string is found between all characters */
        SP_GO(sp_regex_compile(&replace->regex, replace->pattern, text != NULL, path));
    *state = replace;
out:
    if (rc < 0)
        release(replace);
    return rc;
}

struct replacing {
    struct sp_buf *out;
    const char *content, *text;
    size_t done;
};

static int add_match(void *context, size_t start, size_t stop)
{
    struct replacing *replacing = context;

    SP_TRY(sp_buf_append(replacing->out, replacing->text + replacing->done, start - replacing->done));
    replacing->done = stop;
    return sp_buf_puts(replacing->out, replacing->content);
}

static int replace_matches(const struct replace *replace, struct sp_buf *out, const char *text, size_t length)
{
    struct replacing replacing = { out, replace->content, text, 0 };
    struct sp_buf memory = SP_BUF(out->limit);
    int rc = length ? sp_regex_find(replace->regex, &memory, text, length, add_match, &replacing) : 0;

    sp_buf_free(&memory);
    SP_TRY(rc);
    return sp_buf_append(out, text + replacing.done, length - replacing.done);
}

static int normalize(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    const struct replace *replace = state;
    const char *end = text + length, *found;
    size_t bytes = strlen(replace->pattern);

    (void)marks;
    if (replace->regex)
        return replace_matches(replace, out, text, length);
    while ((found = memmem(text, (size_t)(end - text), replace->pattern, bytes))) {
        SP_TRY(sp_buf_append(out, text, (size_t)(found - text)));
        SP_TRY(sp_buf_puts(out, replace->content));
        text = found + bytes;
    }
    return sp_buf_append(out, text, (size_t)(end - text));
}

const struct sp_stage sp_stage_normalizer_replace = {
    .slot = "normalizer",
    .type = "Replace",
    .load = load,
    .free = release,
    .normalize = normalize,
};
