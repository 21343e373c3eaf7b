/*
 * The stages of a tokenizer (layer 4, for runtime/text and its tests): normalizer, pre-tokenizer,
 * model. A kind of a stage is one file ending in a `const struct sp_stage` and one line in
 * stage.def; tokenizer.json chooses it by slot and "type". All text between stages is valid UTF-8.
 * Ownership: load gives a state that the tokenizer frees. Threading: a loaded state is never
 * changed.
 */
#ifndef SP_TEXT_STAGE_H
#define SP_TEXT_STAGE_H

#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/text/vocab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Growing token ids. */
struct sp_ids {
    uint32_t *data;
    size_t count, capacity;
};

int sp_ids_add(struct sp_ids *ids, uint32_t id);

/* What an encoding keeps from call to call. */
struct sp_scratch {
    struct sp_buf repaired, normalized;
    struct sp_ids texts[2]; /* of the first and second text, without what the post-processor adds */
    struct sp_ids marks;    /* combining marks that wait for their order */
    size_t capacity;        /* of the encoding's arrays */
};

/* Exactly one of normalize, next and encode is set. */
struct sp_stage {
    const char *slot, *type; /* "normalizer", "BertNormalizer" */

    /* Reads the stage's section of the file `path`; a model fills the vocabulary too. A failed load
     * leaves nothing. */
    int (*load)(void **state, struct sp_vocab *vocab, const json_t *section, const char *path);
    void (*free)(void *state);

    /* Appends the normalized text to *out. */
    int (*normalize)(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text,
                     size_t length);

    /* The next word from *at on as its start and length; moves *at behind it; false when there is
     * none. */
    bool (*next)(const void *state, const char *text, size_t length, size_t *at, size_t *start,
                 size_t *bytes);

    /* Appends the ids of one word. */
    int (*encode)(const void *state, const struct sp_vocab *vocab, struct sp_ids *ids,
                  const char *word, size_t length);
};

#define SP_STAGE(name) extern const struct sp_stage sp_stage_##name;
#include "runtime/text/stage.def"
#undef SP_STAGE

/* Finds and loads the kind that the section names. A "Sequence" of one part counts as that part. */
int sp_stage_load(const struct sp_stage **out, void **state, struct sp_vocab *vocab,
                  const char *slot, const json_t *section, const char *path);

#endif
