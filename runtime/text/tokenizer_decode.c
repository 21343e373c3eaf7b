#include "runtime/text/tokenizer.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/decoding.h"
#include "runtime/text/tokenizer_priv.h"

#include <stdlib.h>
#include <string.h>

struct sp_token_stream {
    const struct sp_tokenizer *tokenizer;
    bool skip_special;
    struct sp_decoding decoding;
};

int sp_token_stream_open(struct sp_token_stream **out, const struct sp_tokenizer *tokenizer, bool skip_special)
{
    *out = sp_calloc(1, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    (*out)->tokenizer = tokenizer;
    (*out)->skip_special = skip_special;
    sp_decoding_init(&(*out)->decoding, &tokenizer->decoders);
    return 0;
}

void sp_token_stream_free(struct sp_token_stream *stream)
{
    if (stream)
        sp_decoding_release(&stream->decoding);
    free(stream);
}

int sp_token_stream_add(struct sp_token_stream *stream, struct sp_buf *out, uint32_t id)
{
    const struct sp_tokenizer *t = stream->tokenizer;
    const struct sp_added_content *added = sp_added_tokens_find(&t->added, id);
    size_t length = 0;
    const char *token = added ? added->text : sp_vocab_token(&t->vocab, id, &length);

    if (!token || (added && added->special && stream->skip_special))
        return 0;
    return sp_decoding_add(&stream->decoding, out, token, added ? strlen(token) : length);
}

int sp_token_stream_end(struct sp_token_stream *stream, struct sp_buf *out)
{
    return sp_decoding_end(&stream->decoding, out);
}

int sp_tokenizer_decode(struct sp_buf *out, const struct sp_tokenizer *tokenizer, const uint32_t *ids, size_t count,
                        bool skip_special)
{
    struct sp_token_stream *stream = NULL;
    int rc = 0;

    SP_GO(sp_token_stream_open(&stream, tokenizer, skip_special));
    for (size_t i = 0; i < count; i++)
        SP_GO(sp_token_stream_add(stream, out, ids[i]));
    rc = sp_token_stream_end(stream, out);
out:
    sp_token_stream_free(stream);
    return rc;
}
