/*
 * Added tokens (layer 4, text): tokens that are found in the text as they stand and split it before
 * anything else happens to it (special tokens as a rule), and others that are found in the
 * normalized text. At each place the longest one wins. Ownership: everything is copied. Threading:
 * read-only once loaded.
 */
#ifndef SP_TEXT_ADDED_TOKENS_H
#define SP_TEXT_ADDED_TOKENS_H

#include "runtime/text/chain.h"

struct sp_added_token {
    char *text; /* what is searched for: the content, normalized for a token that asks for it */
    size_t length;
    uint32_t id;
    int single_word, lstrip, rstrip;
};

/* Sorted by first byte, then longest first; those that begin with byte b are tokens[first[b] ..
 * first[b + 1]). */
struct sp_added_set {
    struct sp_added_token *tokens;
    size_t count, first[257];
};

/* A token as it is decoded. */
struct sp_added_content {
    char *text; /* what is searched for, which may be empty */
    uint32_t id;
    int special;
    size_t place; /* in the file's list */
};

struct sp_added_tokens {
    struct sp_added_set raw, normalized;
    struct sp_added_content *contents; /* all, in the order of their ids */
    size_t count;
    uint32_t size; /* one more than the largest id, 0 for none */
};

/* Loads tokenizer.json's list. A content that is in the vocabulary has its id there, another the id
 * in the list. */
int sp_added_tokens_load(struct sp_added_tokens *out, const json_t *list,
                         const struct sp_vocab *vocab, const struct sp_chain *normalizers, const char *path);
void sp_added_tokens_free(struct sp_added_tokens *tokens);

/* The token with that id, the last of several, or NULL. */
const struct sp_added_content *sp_added_tokens_find(const struct sp_added_tokens *tokens, uint32_t id);

/*
 * The next token in text[length] from *at on, or NULL; text[*start .. *stop) is what it covers,
 * stripped white space included. `done` is where the last one stopped covering; *at moves behind
 * the match, not behind what it strips.
 */
const struct sp_added_token *sp_added_set_next(const struct sp_added_set *set, const char *text,
                                               size_t length, size_t done, size_t *at,
                                               size_t *start, size_t *stop);

#endif
