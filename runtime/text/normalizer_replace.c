/* The normalizer Replace: what a pattern matches becomes the content, from left to right without overlap. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"

#include <stdlib.h>
#include <string.h>

struct replace {
    char *pattern, *content;
};

static void release(void *state)
{
    struct replace *replace = state;

    if (replace) {
        free(replace->pattern);
        free(replace->content);
    }
    free(replace);
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    const json_t *pattern = json_object_get(section, "pattern");
    const char *text = NULL, *content = NULL;
    struct replace *replace;

    (void)vocab;
    SP_TRY(sp_json_get_string(&content, section, "content", path));
    SP_TRY(sp_json_get_string(&text, pattern, "String", path));
    if (!content || !text)
        return sp_error(SP_EFORMAT,
                        "%s: the normalizer Replace has no \"pattern\", {\"String\": ...}, or no \"content\", a string",
                        path);
    *state = replace = sp_calloc(1, sizeof *replace);
    if (!replace)
        return SP_ENOMEM;
    replace->pattern = sp_strdup(text);
    replace->content = sp_strdup(content);
    if (replace->pattern && replace->content)
        return 0;
    release(replace);
    return SP_ENOMEM;
}

/* An empty pattern matches before every character of a text and at its end. */
static int between_characters(struct sp_buf *out, const char *content, const char *text, size_t length)
{
    uint32_t c;

    for (size_t at = 0, bytes; at < length; at += bytes) {
        SP_TRY(sp_buf_puts(out, content));
        bytes = sp_text_decode(&c, text + at, length - at);
        SP_TRY(sp_buf_append(out, text + at, bytes));
    }
    return length ? sp_buf_puts(out, content) : 0;
}

static int normalize(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    const struct replace *replace = state;
    const char *end = text + length, *found;
    size_t bytes = strlen(replace->pattern);

    (void)marks;
    if (!bytes)
        return between_characters(out, replace->content, text, length);
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
