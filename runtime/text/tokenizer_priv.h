/* A tokenizer's parts, for the files that load it, encode and decode. */
#ifndef SP_TEXT_TOKENIZER_PRIV_H
#define SP_TEXT_TOKENIZER_PRIV_H

#include "runtime/text/added_tokens.h"
#include "runtime/text/chain.h"
#include "runtime/text/post_processor.h"
#include "runtime/text/tokenizer.h"

struct sp_tokenizer {
    struct sp_chain normalizers, pre_tokenizers, decoders;
    const struct sp_stage *model;
    void *model_state;
    struct sp_vocab vocab;
    struct sp_added_tokens added;
    struct sp_template templates[2]; /* of one text, of a pair */
    uint32_t specials[SP_TOKEN_SPECIALS];
    size_t max_length; /* "model_max_length", 0 for none */
    bool truncates_left;
};

#endif
