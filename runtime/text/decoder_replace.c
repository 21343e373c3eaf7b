/* Replaces what matches a pattern in each token. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/decoding.h"
#include "runtime/text/regex.h"

#include <stdlib.h>

struct replace {
    struct sp_regex *regex;
    char *content;
};

static void release(void *state)
{
    struct replace *replace = state;

    if (replace) {
        sp_regex_free(replace->regex);
        free(replace->content);
    }
    free(replace);
}

/* {"pattern": {"String": "_"}, "content": " "}, or a "Regex" */
static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    const json_t *pattern = json_object_get(section, "pattern");
    struct replace *replace = sp_calloc(1, sizeof *replace);
    const char *regex = NULL, *text = NULL, *content = NULL;
    int rc = replace ? 0 : SP_ENOMEM;

    (void)vocab;
    *state = NULL;
    SP_GO(rc);
    SP_GO(sp_json_get_string(&regex, pattern, "Regex", path));
    SP_GO(sp_json_get_string(&text, pattern, "String", path));
    SP_GO(sp_json_get_string(&content, section, "content", path));
    if ((!regex && !text) || !content)
        SP_GO(sp_error(SP_EFORMAT, "%s: a decoder of type \"Replace\" has no \"pattern\" or no \"content\"", path));
    replace->content = sp_strdup(content);
    rc = replace->content ? 0 : SP_ENOMEM;
    SP_GO(rc);
    SP_GO(sp_regex_compile(&replace->regex, regex ? regex : text, !regex, path));
    *state = replace;
out:
    if (rc < 0)
        release(replace);
    return rc;
}

struct work {
    struct sp_buf *out;
    const char *text, *content;
    size_t done;
};

static int found(void *context, size_t start, size_t stop)
{
    struct work *work = context;

    SP_TRY(sp_buf_append(work->out, work->text + work->done, start - work->done));
    work->done = stop;
    return sp_buf_puts(work->out, work->content);
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);
    const struct replace *replace = state;
    struct work work = { .out = &memory->made, .content = replace->content };
    struct sp_part token;
    bool whole;

    if (!part)
        return 0;
    SP_TRY(sp_decoding_token(decoding, part, &token, &whole));
    if (!whole)
        return 0;
    sp_buf_clear(&memory->made);
    work.text = token.text;
    SP_TRY(sp_regex_find(replace->regex, &memory->held, token.text, token.length, found, &work));
    SP_TRY(sp_buf_append(&memory->made, token.text + work.done, token.length - work.done));
    return sp_decoding_push(decoding, (struct sp_part){ memory->made.length ? memory->made.data : "",
                                                        memory->made.length, true, true });
}

const struct sp_stage sp_stage_decoder_replace = {
    .slot = "decoder",
    .type = "Replace",
    .load = load,
    .free = release,
    .decode = decode,
};
