/*
 * Tokenizers (layer 4, text): from a text or a pair of texts to token ids, exactly as the Hugging
 * Face `tokenizers` library gives them for the same model directory. What stages a tokenizer has
 * (normalizer, pre-tokenizer, model, post-processor) is read from tokenizer.json, or implied by
 * vocab.txt + tokenizer_config.json; a kind that is not supported is an error naming the file, what
 * was found and what is supported.
 * Ownership: a tokenizer and an encoding are the caller's. Threading: a loaded tokenizer is never
 * changed, so any number of threads may encode with it, each with its own encoding.
 */
#ifndef SP_TEXT_TOKENIZER_H
#define SP_TEXT_TOKENIZER_H

#include "runtime/base/buf.h"
#include "runtime/base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_TOKENIZER_TEXT_MAX ((size_t)64 << 20) /* bytes of a text; a longer one is SP_ELIMIT */
#define SP_TOKEN_NONE UINT32_MAX                 /* "the tokenizer has no such token" */

struct sp_tokenizer;
struct sp_scratch;

enum sp_special_token {
    SP_TOKEN_BOS,
    SP_TOKEN_EOS,
    SP_TOKEN_UNK,
    SP_TOKEN_SEP,
    SP_TOKEN_PAD,
    SP_TOKEN_CLS,
    SP_TOKEN_MASK,
    SP_TOKEN_SPECIALS
};

/* Start from zero: `struct sp_encoding encoding = { 0 };`. The memory is kept from call to call. */
struct sp_encoding {
    uint32_t *ids;  /* [length], special tokens included */
    uint8_t *types; /* [length], token types: 0 for the first text, 1 for the second */
    size_t length;
    size_t full_length; /* the length without truncation */
    bool truncated;     /* length < full_length */
    struct sp_scratch *scratch;
};

/* Loads the tokenizer of a model directory: tokenizer.json where there is one, else vocab.txt, else vocab.json with
 * merges.txt. SP_ENOTFOUND: there is none, or it is of a kind that is not supported. */
int sp_tokenizer_load(struct sp_tokenizer **out, const char *model_dir);
void sp_tokenizer_free(struct sp_tokenizer *tokenizer);

/* The same from what a tokenizer.json and a tokenizer_config.json would hold, for models that have both inside another
 * file, `path` in messages. `config` may be NULL; both stay the caller's. */
int sp_tokenizer_make(struct sp_tokenizer **out, const json_t *definition, const json_t *config, const char *path);

/* The files of a model directory that decide about its tokenizer, where they are there; NULL ends them. */
extern const char *const sp_tokenizer_files[];

/*
 * Encodes text[length] and, where pair is not NULL, pair[pair_length]. Bytes that are no UTF-8
 * count as U+FFFD, one for each maximal ill-formed part (Python's errors="replace"); NUL bytes are
 * allowed. max_length > 0 truncates to that many tokens, special tokens included, on the right (or
 * on the side that the tokenizer's files name), a pair by the strategy longest_first; less than the special tokens
 * alone is SP_EINVAL. The texts must not overlap the encoding's memory.
 */
int sp_tokenizer_encode(struct sp_encoding *out, const struct sp_tokenizer *tokenizer,
                        const char *text, size_t length, const char *pair, size_t pair_length,
                        size_t max_length);

/* The same of one text, uncut, without what is put around texts: for a text that has it already. */
int sp_tokenizer_encode_bare(struct sp_encoding *out, const struct sp_tokenizer *tokenizer, const char *text,
                             size_t length);
void sp_encoding_free(struct sp_encoding *encoding);

/*
 * Appends to *out the text of ids[count], as the tokenizer's decoder puts it together; an id without a token is left
 * out, and with skip_special a special token. What is no UTF-8 becomes U+FFFD.
 */
int sp_tokenizer_decode(struct sp_buf *out, const struct sp_tokenizer *tokenizer, const uint32_t *ids, size_t count,
                        bool skip_special);

/*
 * The same for ids that come one by one: each call appends to *out what is certain of the text, in whole characters,
 * and all calls together, with the end's, give what sp_tokenizer_decode gives. The tokenizer must outlive the stream,
 * which is the caller's; behind the end it begins anew.
 */
struct sp_token_stream;
int sp_token_stream_open(struct sp_token_stream **out, const struct sp_tokenizer *tokenizer, bool skip_special);
int sp_token_stream_add(struct sp_token_stream *stream, struct sp_buf *out, uint32_t id);
int sp_token_stream_end(struct sp_token_stream *stream, struct sp_buf *out);
void sp_token_stream_free(struct sp_token_stream *stream);

/* One more than the largest id. */
size_t sp_tokenizer_vocab_size(const struct sp_tokenizer *tokenizer);

/* Warns where the vocabulary is far shorter than the model's embedding, which has `rows`: a download may have been
 * cut. */
void sp_tokenizer_warn_short(const struct sp_tokenizer *tokenizer, size_t rows, const char *model_dir);

/* Warns where many of the texts' tokens, special ones aside, are the unknown one, the first in that line. */
void sp_tokenizer_warn_unknown(size_t unknown, size_t tokens, size_t line, const char *path);

/* The longest sequence that the tokenizer's files allow ("model_max_length"), special tokens included; 0 for no limit.
 * The caller is to mind it. */
size_t sp_tokenizer_max_length(const struct sp_tokenizer *tokenizer);

/* How many tokens are put around one text, or two. */
size_t sp_tokenizer_specials(const struct sp_tokenizer *tokenizer, bool pair);

/* The id of a special token, or SP_TOKEN_NONE; SP_TOKEN_UNK's is what words without a token become. */
uint32_t sp_tokenizer_special(const struct sp_tokenizer *tokenizer, enum sp_special_token which);

#endif
