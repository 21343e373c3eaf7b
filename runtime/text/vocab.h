/*
 * A vocabulary (layer 4, text): tokens to ids by an open-addressing hash table. The hash runs byte
 * by byte, so that a model which tries every prefix of a word hashes the word once. Ownership: the
 * tokens are copied. Threading: read-only once filled.
 */
#ifndef SP_TEXT_VOCAB_H
#define SP_TEXT_VOCAB_H

#include "runtime/base/json.h"

#include <stddef.h>
#include <stdint.h>

#define SP_VOCAB_ID_MAX ((1LL << 26) - 1)
#define SP_VOCAB_TOKEN_MAX 1024   /* bytes of a token */
#define SP_VOCAB_HASH 2166136261u /* the hash of no bytes */

struct sp_vocab_entry {
    uint32_t hash, id, offset, length; /* the token is bytes[offset .. offset + length) */
};

struct sp_vocab {
    struct sp_vocab_entry *entries;
    uint32_t *table; /* 1 + index of an entry, 0 for an empty place; mask + 1 places */
    char *bytes;
    size_t count, mask, longest; /* longest: bytes of the longest token */
    size_t used;                 /* bytes */
    uint32_t *by_id;             /* the entries' indices in the order of their ids; NULL until sp_vocab_index */
    uint32_t size;               /* one more than the largest id */
    uint32_t unknown;            /* the id of words without a token; set by the model */
};

/* FNV-1a: the hash of what `hash` stands for followed by one more byte. */
static inline uint32_t sp_vocab_hash(uint32_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 16777619u;
}

/* Fills a zeroed vocabulary from {"token": id}; `path` stands in messages. */
int sp_vocab_load(struct sp_vocab *out, const json_t *tokens, const char *path);
void sp_vocab_free(struct sp_vocab *vocab);

/* The same for tokens that stand otherwise in a file: makes room for `count` tokens of `bytes` bytes in all, which are
 * then added one by one, no more and no longer ones. Of a token that is there twice the last id counts. */
int sp_vocab_reserve(struct sp_vocab *out, size_t count, size_t bytes, const char *path);
int sp_vocab_add(struct sp_vocab *vocab, const char *token, size_t length, long long id, const char *path);

/* Makes the tokens known by their ids; nothing may be added after it. */
int sp_vocab_index(struct sp_vocab *vocab);

/* The token that has the id, its length in *length, or NULL; of several with one id the one that was added last. */
const char *sp_vocab_token(const struct sp_vocab *vocab, uint32_t id, size_t *length);

/* The id of a token, or SP_TOKEN_NONE. */
uint32_t sp_vocab_find(const struct sp_vocab *vocab, const char *token);

/* The same for the token prefix[prefix_length] + text[length], whose hash is known. */
uint32_t sp_vocab_find_hashed(const struct sp_vocab *vocab, uint32_t hash, const char *prefix,
                              size_t prefix_length, const char *text, size_t length);

#endif
