/*
 * The stages of one slot in their order (layer 4, for runtime/text and its tests), and texts on their way through them:
 * what a normalizer made is the next one's text, and each piece of a pre-tokenizer's is the next one's.
 * Ownership: the states are the chain's. Threading: read-only once loaded.
 */
#ifndef SP_TEXT_CHAIN_H
#define SP_TEXT_CHAIN_H

#include "runtime/text/stage.h"

#define SP_CHAIN_MAX 16 /* stages of a slot */

struct sp_chain {
    const struct sp_stage *stages[SP_CHAIN_MAX];
    void *states[SP_CHAIN_MAX];
    size_t count;
};

/* What an encoding keeps from call to call. */
struct sp_scratch {
    struct sp_buf repaired, normalized[2]; /* normalized: normalizers take turns */
    struct sp_buf pieces[SP_CHAIN_MAX][3]; /* of each pre-tokenizer */
    struct sp_buf model;                   /* of the model */
    struct sp_ids texts[2];                /* of the first and second text, without what the post-processor adds */
    struct sp_ids marks;                   /* combining marks that wait for their order */
    size_t capacity;                       /* of the encoding's arrays */
};

void sp_scratch_init(struct sp_scratch *scratch);
void sp_scratch_release(struct sp_scratch *scratch);

/* Appends the stage that the section names to the chain, or those of its Sequence, which may hold further ones. A
 * section that is null or missing (NULL) appends nothing. What was loaded before a failure is the chain's. */
int sp_chain_load(struct sp_chain *chain, struct sp_vocab *vocab, const char *slot, const json_t *section,
                  const char *path);
void sp_chain_free(struct sp_chain *chain);

/* Replaces *text and *length by the normalized text, which is the scratch's; without a normalizer they stay. */
int sp_chain_normalize(const struct sp_chain *chain, struct sp_scratch *scratch, const char **text, size_t *length);

/* Sends the piece through the pre-tokenizers; what comes out goes to `take`, never empty. */
int sp_chain_split(const struct sp_chain *chain, struct sp_scratch *scratch, struct sp_piece piece,
                   int (*take)(void *context, const char *word, size_t length), void *context);

#endif
