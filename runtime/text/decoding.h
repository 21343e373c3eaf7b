/*
 * Tokens on their way through the decoders back to a text (layer 4, for runtime/text), one after the other: what is
 * certain of the text comes out at once, so that a stream and a whole decoding are the same. Ownership: a decoding is
 * the caller's, and its chain stays the tokenizer's. Threading: one thread each.
 */
#ifndef SP_TEXT_DECODING_H
#define SP_TEXT_DECODING_H

#include "runtime/text/chain.h"

/* What a decoder keeps from token to token. */
struct sp_decoder_memory {
    size_t tokens;       /* the decoder's own count of them */
    struct sp_buf held;  /* what it waits with; both are cleared behind the last token */
    struct sp_buf made;  /* a text that it makes for sp_decoding_push */
    struct sp_buf token; /* of sp_decoding_token */
};

struct sp_decoding {
    const struct sp_chain *chain;
    size_t at; /* the decoder that gets what is pushed */
    struct sp_decoder_memory memory[SP_CHAIN_MAX];
    size_t tokens; /* without a decoder, blanks stand between tokens */
    struct sp_buf *out;
};

void sp_decoding_init(struct sp_decoding *decoding, const struct sp_chain *chain);
void sp_decoding_release(struct sp_decoding *decoding);

/* Appends to *out what is certain of the text after one more token. */
int sp_decoding_add(struct sp_decoding *decoding, struct sp_buf *out, const char *token, size_t length);

/* Appends what is left, and begins anew. */
int sp_decoding_end(struct sp_decoding *decoding, struct sp_buf *out);

/* ---- for decoders ---- */

/* Hands a part to the next decoder, or to the text. */
int sp_decoding_push(struct sp_decoding *decoding, struct sp_part part);

/* The running decoder's memory. */
struct sp_decoder_memory *sp_decoding_memory(struct sp_decoding *decoding);

/* Puts parts together: with the part that ends a token, *token is the whole of it, and *whole is set. It is the
 * memory's, or the part's. */
int sp_decoding_token(struct sp_decoding *decoding, const struct sp_part *part, struct sp_part *token, bool *whole);

/* Appends text[length] with `to` in the place of each `from`, which is not empty. */
int sp_decoding_replace(struct sp_buf *out, const char *text, size_t length, const char *from, const char *to);

#endif
