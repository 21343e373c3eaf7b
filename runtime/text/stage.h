/*
 * The stages of a tokenizer (layer 4, for runtime/text and its tests): normalizers, pre-tokenizers,
 * a model, decoders. A kind of a stage is one file ending in a `const struct sp_stage` and one line in
 * stage.def; tokenizer.json chooses it by slot and "type". Of a "Sequence" each part is a stage of its own
 * (chain.h). All text between stages is valid UTF-8.
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

/* A part of a text on its way through the pre-tokenizers. */
struct sp_piece {
    const char *text;
    size_t length;
    bool first; /* the text that is encoded begins with it: no token and no other piece stands before it */
};

struct sp_flow;
struct sp_scratch;

/* Hands a piece to the next pre-tokenizer, or to the model where there is none; an empty one is left out, as the
 * library does it. The text need not outlive the call. */
int sp_flow_push(struct sp_flow *flow, struct sp_piece piece);

/* A buffer of the running pre-tokenizer's own, empty, for a piece that it changes. */
struct sp_buf *sp_flow_buf(struct sp_flow *flow);

/* Two further ones, for what a pre-tokenizer needs on the way; they keep what was in them. */
struct sp_buf *sp_flow_memory(struct sp_flow *flow, int which);

/* A token's text on its way through the decoders, whole, or a part of what a decoder makes of several tokens. */
struct sp_part {
    const char *text;
    size_t length;
    bool begins, ends; /* both: a whole token */
};

struct sp_decoding;

/* Exactly one of normalize, split, encode and decode is set. */
struct sp_stage {
    const char *slot, *type; /* "normalizer", "BertNormalizer" */

    /* Reads the stage's section of the file `path`; a model fills the vocabulary too. A failed load
     * leaves nothing. */
    int (*load)(void **state, struct sp_vocab *vocab, const json_t *section, const char *path);
    void (*free)(void *state);

    /* A normalizer: appends the normalized text to *out. `marks` is memory to work with. */
    int (*normalize)(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text,
                     size_t length);

    /* A pre-tokenizer: pushes the parts of the piece, in order, changed where it changes them. */
    int (*split)(const void *state, struct sp_flow *flow, struct sp_piece piece);

    /* Whether a pre-tokenizer looks at which piece is the first; NULL: it does not. */
    bool (*asks_first)(const void *state);

    /* A model: appends the ids of one word, which is not empty. `scratch` has memory to work with. */
    int (*encode)(const void *state, const struct sp_vocab *vocab, struct sp_scratch *scratch, struct sp_ids *ids,
                  const char *word, size_t length);

    /* A decoder: gives what it makes of the part to sp_decoding_push (decoding.h), as soon as it is certain; NULL: no
     * more come. */
    int (*decode)(const void *state, struct sp_decoding *decoding, const struct sp_part *part);
};

#define SP_STAGE(name) extern const struct sp_stage sp_stage_##name;
#include "runtime/text/stage.def"
#undef SP_STAGE

/* Finds and loads the kind that the section names, which is no Sequence. */
int sp_stage_load(const struct sp_stage **out, void **state, struct sp_vocab *vocab,
                  const char *slot, const json_t *section, const char *path);

#endif
