#include "runtime/text/decoding.h"

#include "runtime/base/error.h"
#include "runtime/text/tokenizer.h"

#include <string.h>

#define TEXT_MAX (16 * SP_TOKENIZER_TEXT_MAX)

void sp_decoding_init(struct sp_decoding *decoding, const struct sp_chain *chain)
{
    memset(decoding, 0, sizeof *decoding);
    decoding->chain = chain;
    for (size_t i = 0; i < SP_CHAIN_MAX; i++) {
        struct sp_decoder_memory *memory = &decoding->memory[i];

        memory->held.limit = memory->token.limit = memory->made.limit = TEXT_MAX;
    }
}

void sp_decoding_release(struct sp_decoding *decoding)
{
    for (size_t i = 0; i < SP_CHAIN_MAX; i++) {
        sp_buf_free(&decoding->memory[i].held);
        sp_buf_free(&decoding->memory[i].token);
        sp_buf_free(&decoding->memory[i].made);
    }
}

int sp_decoding_push(struct sp_decoding *decoding, struct sp_part part)
{
    size_t at = decoding->at;
    int rc;

    if (at == decoding->chain->count)
        return sp_buf_append(decoding->out, part.text, part.length);
    decoding->at++;
    rc = decoding->chain->stages[at]->decode(decoding->chain->states[at], decoding, &part);
    decoding->at--;
    return rc;
}

int sp_decoding_add(struct sp_decoding *decoding, struct sp_buf *out, const char *token, size_t length)
{
    decoding->out = out;
    decoding->at = 0;
    if (!decoding->chain->count && decoding->tokens++)
        SP_TRY(sp_buf_puts(out, " "));
    return sp_decoding_push(decoding, (struct sp_part){ token, length, true, true });
}

int sp_decoding_end(struct sp_decoding *decoding, struct sp_buf *out)
{
    const struct sp_chain *chain = decoding->chain;

    decoding->out = out;
    for (size_t i = 0; i < chain->count; i++) {
        decoding->at = i + 1;
        SP_TRY(chain->stages[i]->decode(chain->states[i], decoding, NULL));
    }
    for (size_t i = 0; i < chain->count; i++) {
        decoding->memory[i].tokens = 0;
        sp_buf_clear(&decoding->memory[i].held);
        sp_buf_clear(&decoding->memory[i].token);
    }
    decoding->tokens = 0;
    return 0;
}

struct sp_decoder_memory *sp_decoding_memory(struct sp_decoding *decoding)
{
    return &decoding->memory[decoding->at - 1];
}

int sp_decoding_token(struct sp_decoding *decoding, const struct sp_part *part, struct sp_part *token, bool *whole)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);

    *token = *part;
    *whole = part->ends;
    if (part->begins && part->ends)
        return 0;
    if (part->begins)
        sp_buf_clear(&memory->token);
    SP_TRY(sp_buf_append(&memory->token, part->text, part->length));
    *token = (struct sp_part){ memory->token.data, memory->token.length, true, true };
    return 0;
}

int sp_decoding_replace(struct sp_buf *out, const char *text, size_t length, const char *from, const char *to)
{
    size_t step = strlen(from), done = 0;

    for (size_t at = 0; at + step <= length;) {
        if (memcmp(text + at, from, step) != 0) {
            at++;
            continue;
        }
        SP_TRY(sp_buf_append(out, text + done, at - done));
        SP_TRY(sp_buf_puts(out, to));
        at += step;
        done = at;
    }
    return sp_buf_append(out, text + done, length - done);
}
