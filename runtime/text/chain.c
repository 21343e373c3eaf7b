#include "runtime/text/chain.h"

#include "runtime/base/error.h"
#include "runtime/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define NESTED_MAX 8 /* Sequences in each other */

/* Where a piece is on its way. */
struct sp_flow {
    const struct sp_chain *chain;
    struct sp_scratch *scratch;
    size_t at; /* the stage that gets what is pushed */
    int (*take)(void *context, const char *word, size_t length);
    void *context;
};

void sp_scratch_init(struct sp_scratch *scratch)
{
    memset(scratch, 0, sizeof *scratch);
    /* normalizing makes a character at most three times as long, U+FFFD stands for one byte */
    scratch->repaired.limit = 3 * SP_TOKENIZER_TEXT_MAX;
    scratch->normalized[0].limit = scratch->normalized[1].limit = 9 * SP_TOKENIZER_TEXT_MAX;
    for (size_t i = 0; i < SP_CHAIN_MAX; i++)
        for (size_t j = 0; j < 3; j++)
            scratch->pieces[i][j].limit = 18 * SP_TOKENIZER_TEXT_MAX;
    scratch->model.limit = SIZE_MAX / 2;
}

void sp_scratch_release(struct sp_scratch *scratch)
{
    sp_buf_free(&scratch->repaired);
    sp_buf_free(&scratch->normalized[0]);
    sp_buf_free(&scratch->normalized[1]);
    for (size_t i = 0; i < SP_CHAIN_MAX; i++)
        for (size_t j = 0; j < 3; j++)
            sp_buf_free(&scratch->pieces[i][j]);
    sp_buf_free(&scratch->model);
    free(scratch->texts[0].data);
    free(scratch->texts[1].data);
    free(scratch->marks.data);
}

/* The parts of a Sequence, which are named after its slot. */
static const json_t *parts_of(const json_t *section, const char *slot)
{
    static const char *const keys[][2] = {
        { "normalizer", "normalizers" }, { "pre_tokenizer", "pretokenizers" }, { "decoder", "decoders" }
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i][0], slot) == 0)
            return json_object_get(section, keys[i][1]);
    return NULL;
}

static int load(struct sp_chain *chain, struct sp_vocab *vocab, const char *slot, const json_t *section,
                const char *path, int depth)
{
    const json_t *parts = parts_of(section, slot);
    const char *type = "";

    SP_TRY(sp_json_get_string(&type, section, "type", path));
    if (strcmp(type, "Sequence") == 0 && json_is_array(parts)) {
        if (depth == NESTED_MAX)
            return sp_error(SP_ELIMIT, "%s: \"%s\" has more than %d Sequences in each other", path, slot, NESTED_MAX);
        for (size_t i = 0; i < json_array_size(parts); i++)
            SP_TRY(load(chain, vocab, slot, json_array_get(parts, i), path, depth + 1));
        return 0;
    }
    if (chain->count == SP_CHAIN_MAX)
        return sp_error(SP_ELIMIT, "%s: \"%s\" has more than %d stages", path, slot, SP_CHAIN_MAX);
    SP_TRY(sp_stage_load(&chain->stages[chain->count], &chain->states[chain->count], vocab, slot, section, path));
    chain->count++;
    return 0;
}

int sp_chain_load(struct sp_chain *chain, struct sp_vocab *vocab, const char *slot, const json_t *section,
                  const char *path)
{
    return !section || json_is_null(section) ? 0 : load(chain, vocab, slot, section, path, 0);
}

void sp_chain_free(struct sp_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        chain->stages[i]->free(chain->states[i]);
    chain->count = 0;
}

int sp_chain_normalize(const struct sp_chain *chain, struct sp_scratch *scratch, const char **text, size_t *length)
{
    for (size_t i = 0; i < chain->count; i++) {
        struct sp_buf *out = &scratch->normalized[i % 2];

        sp_buf_clear(out);
        SP_TRY(chain->stages[i]->normalize(chain->states[i], out, &scratch->marks, *text, *length));
        *text = out->length ? out->data : "";
        *length = out->length;
    }
    return 0;
}

int sp_flow_push(struct sp_flow *flow, struct sp_piece piece)
{
    size_t at = flow->at;
    int rc;

    if (!piece.length)
        return 0;
    if (at == flow->chain->count)
        return flow->take(flow->context, piece.text, piece.length);
    flow->at++;
    rc = flow->chain->stages[at]->split(flow->chain->states[at], flow, piece);
    flow->at--;
    return rc;
}

struct sp_buf *sp_flow_buf(struct sp_flow *flow)
{
    struct sp_buf *buf = &flow->scratch->pieces[flow->at - 1][0];

    sp_buf_clear(buf);
    return buf;
}

struct sp_buf *sp_flow_memory(struct sp_flow *flow, int which)
{
    return &flow->scratch->pieces[flow->at - 1][1 + which];
}

int sp_chain_split(const struct sp_chain *chain, struct sp_scratch *scratch, struct sp_piece piece,
                   int (*take)(void *context, const char *word, size_t length), void *context)
{
    struct sp_flow flow = { chain, scratch, 0, take, context };

    return sp_flow_push(&flow, piece);
}
