/*
 * The pre-tokenizer Metaspace, SentencePiece's: blanks become a visible character, one is put before a text (before all
 * texts between special tokens, or only where the whole text begins), and each begins a word.
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"
#include "runtime/text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum scheme { ALWAYS, FIRST, NEVER };

struct metaspace {
    char mark[5]; /* in place of a blank */
    size_t bytes; /* its length */
    enum scheme scheme;
    int splits;
};

static int load_scheme(struct metaspace *metaspace, const json_t *section, const char *path)
{
    static const char *const names[] = { [ALWAYS] = "always", [FIRST] = "first", [NEVER] = "never" };
    const char *name = NULL;
    int prefix = 1; /* the older spelling */

    SP_TRY(sp_json_get_bool(&prefix, section, "add_prefix_space", path));
    SP_TRY(sp_json_get_string(&name, section, "prepend_scheme", path));
    if (!name) {
        metaspace->scheme = prefix ? ALWAYS : NEVER;
        return 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        metaspace->scheme = (enum scheme)i;
        if (prefix || metaspace->scheme == NEVER)
            return 0;
        return sp_error(SP_EFORMAT,
                        "%s: Metaspace has \"add_prefix_space\": false, which is the \"prepend_scheme\" never, and "
                        "\"prepend_scheme\": \"%s\": remove the one that is not the model's",
                        path, name);
    }
    return sp_error(SP_EFORMAT, "%s: Metaspace's \"prepend_scheme\" is \"%.60s\", not always, first or never", path,
                    name);
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct metaspace *metaspace = sp_calloc(1, sizeof *metaspace);
    const char *mark = "";
    uint32_t c = 0;
    int rc = 0;

    (void)vocab;
    *state = NULL;
    if (!metaspace)
        return SP_ENOMEM;
    metaspace->splits = 1;
    SP_GO(sp_json_get_string(&mark, section, "replacement", path));
    SP_GO(sp_json_get_bool(&metaspace->splits, section, "split", path));
    if (!mark[0] || sp_text_decode(&c, mark, strlen(mark)) != strlen(mark))
        SP_GO(sp_error(SP_EFORMAT, "%s: Metaspace's \"replacement\" is \"%.60s\", not one character", path, mark));
    metaspace->bytes = sp_unicode_encode(metaspace->mark, c);
    SP_GO(load_scheme(metaspace, section, path));
    *state = metaspace;
out:
    if (rc < 0)
        free(metaspace);
    return rc;
}

/* Blanks replaced, and a mark before the piece where it is to have one. */
static int change(const struct metaspace *metaspace, struct sp_buf *out, struct sp_piece *piece)
{
    const char *text = piece->text, *end = text + piece->length, *blank;

    if (metaspace->scheme == ALWAYS || (metaspace->scheme == FIRST && piece->first))
        if (text[0] != ' ' &&
            (piece->length < metaspace->bytes || memcmp(text, metaspace->mark, metaspace->bytes) != 0))
            SP_TRY(sp_buf_append(out, metaspace->mark, metaspace->bytes));
    while ((blank = memchr(text, ' ', (size_t)(end - text)))) {
        SP_TRY(sp_buf_append(out, text, (size_t)(blank - text)));
        SP_TRY(sp_buf_append(out, metaspace->mark, metaspace->bytes));
        text = blank + 1;
    }
    SP_TRY(sp_buf_append(out, text, (size_t)(end - text)));
    piece->text = out->data;
    piece->length = out->length;
    return 0;
}

static int split(const void *state, struct sp_flow *flow, struct sp_piece piece)
{
    const struct metaspace *metaspace = state;
    size_t start = 0;

    SP_TRY(change(metaspace, sp_flow_buf(flow), &piece));
    while (metaspace->splits) {
        const char *next = memmem(piece.text + start + 1, piece.length - start - 1, metaspace->mark, metaspace->bytes);
        size_t stop = next ? (size_t)(next - piece.text) : piece.length;

        if (!next)
            break;
        SP_TRY(sp_flow_push(flow, (struct sp_piece){ piece.text + start, stop - start, piece.first && start == 0 }));
        start = stop;
    }
    return sp_flow_push(flow,
                        (struct sp_piece){ piece.text + start, piece.length - start, piece.first && start == 0 });
}

static bool asks_first(const void *state)
{
    const struct metaspace *metaspace = state;

    return metaspace->scheme == FIRST;
}

const struct sp_stage sp_stage_pre_tokenizer_metaspace = {
    .slot = "pre_tokenizer",
    .type = "Metaspace",
    .load = load,
    .free = free,
    .split = split,
    .asks_first = asks_first,
};
