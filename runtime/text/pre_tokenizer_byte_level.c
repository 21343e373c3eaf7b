/*
 * GPT-2's pre-tokenizer (Radford et al., "Language models are unsupervised multitask learners", 2019): words with the
 * blank before them, by a pattern that is to be switched off where another cuts, and then every byte a character.
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/byte_level.h"
#include "runtime/text/regex.h"
#include "runtime/text/stage.h"

#include <stdlib.h>

static const char pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

struct byte_level {
    struct sp_regex *regex; /* NULL: the piece stays whole */
    int add_prefix_space;
};

static void release(void *state)
{
    struct byte_level *level = state;

    if (level)
        sp_regex_free(level->regex);
    free(level);
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct byte_level *level = sp_calloc(1, sizeof *level);
    int use_regex = 1, rc = level ? 0 : SP_ENOMEM;

    (void)vocab;
    *state = NULL;
    SP_GO(rc);
    level->add_prefix_space = 1;
    SP_GO(sp_json_get_bool(&level->add_prefix_space, section, "add_prefix_space", path));
    SP_GO(sp_json_get_bool(&use_regex, section, "use_regex", path));
    if (use_regex)
        SP_GO(sp_regex_compile(&level->regex, pattern, false, path));
    *state = level;
out:
    if (rc < 0)
        release(level);
    return rc;
}

struct cut {
    struct sp_flow *flow;
    struct sp_piece piece;
    size_t done; /* where the last match ended */
};

static int push(struct cut *cut, size_t start, size_t stop)
{
    struct sp_buf *out = sp_flow_buf(cut->flow);

    SP_TRY(sp_byte_level_append(out, cut->piece.text + start, stop - start));
    return sp_flow_push(cut->flow, (struct sp_piece){ out->data, out->length, cut->piece.first && start == 0 });
}

/* The pattern leaves nothing out, but that is not for us to rely on. */
static int found(void *context, size_t start, size_t stop)
{
    struct cut *cut = context;

    if (cut->done < start)
        SP_TRY(push(cut, cut->done, start));
    cut->done = stop;
    return push(cut, start, stop);
}

static int split(const void *state, struct sp_flow *flow, struct sp_piece piece)
{
    const struct byte_level *level = state;
    struct cut cut = { .flow = flow };

    if (level->add_prefix_space && piece.text[0] != ' ') {
        struct sp_buf *longer = sp_flow_memory(flow, 1);

        sp_buf_clear(longer);
        SP_TRY(sp_buf_puts(longer, " "));
        SP_TRY(sp_buf_append(longer, piece.text, piece.length));
        piece.text = longer->data;
        piece.length = longer->length;
    }
    cut.piece = piece;
    if (level->regex)
        SP_TRY(sp_regex_find(level->regex, sp_flow_memory(flow, 0), piece.text, piece.length, found, &cut));
    return cut.done < piece.length ? push(&cut, cut.done, piece.length) : 0;
}

const struct sp_stage sp_stage_pre_tokenizer_byte_level = {
    .slot = "pre_tokenizer",
    .type = "ByteLevel",
    .load = load,
    .free = release,
    .split = split,
};
