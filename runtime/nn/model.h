/*
 * What a model family gives (layer 4): how to read its config.json, which names its checkpoints use, and builders of
 * its forward pass: a body, and what may stand on its hidden states. Backward, memory and tuning follow from the plan.
 * Families are listed in models/model.def.
 */
#ifndef SP_NN_MODEL_H
#define SP_NN_MODEL_H

#include "runtime/nn/plan.h"

#include <jansson.h>
#include <stddef.h>

struct sp_model_family;

/* A model by its config.json: what is asked of it outside its family, and what only that knows. */
struct sp_model {
    const struct sp_model_family *family; /* NULL: not read */
    void *config;                         /* the family's own, family->config_size bytes */
    int vocab_size, type_vocab_size;      /* token ids and token types are below these */
    int max_positions;                    /* tokens of the longest sequence */
    int hidden_size;                      /* inputs of the head */
    bool tied;                            /* vocabulary is the embeddings' own weight, as config.json says */
    float logit_softcap;                  /* of the logits by vocabulary: softcap tanh(logit / softcap); 0: none */
};

struct sp_model_family {
    const char *const *model_types; /* as config.json says; NULL ends them */
    const char *head_weight;        /* the head's (outputs x hidden_size) in a checkpoint that has one */
    /* For sp_weights_find: prefixes before every name, pairs of current and old endings, patterns of unused tensors.
     * NULL at the end of each. */
    const char *const *prefixes, *const *renames, *const *ignored;
    /* Ends of names: of the linear layers that sparse.target_modules means by `auto`, those of queries and values. NULL
     * at the end. */
    const char *const *targets;
    size_t config_size;
    /* Fills a zeroed model from a config.json called `file` in messages; sizes that cannot be are SP_EFORMAT, and so is
     * by name whatever would be computed wrongly. */
    int (*read_config)(struct sp_model *model, const json_t *config, const char *file);
    /* The same for what not every run needs: the dropouts, 0 without, and the standard deviation of weights that are
     * made anew. */
    int (*read_dropout)(struct sp_model *model, const json_t *config, const char *file);
    int (*read_initializer)(float *deviation, const json_t *config, const char *file);
    void (*set_dropout)(struct sp_model *model, float rate); /* all of them */
    /* The forward pass by the sp_nn_* builders, whose errors stay in the plan. First the body, whose value are the
     * hidden states (T x hidden_size), after the last norm; then, once, what a task wants of these: the head, whose
     * value are the `outputs` of each sequence (S x outputs), or something of the task's own. */
    int (*body)(struct sp_plan *plan, const struct sp_model *model);
    int (*head)(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs);
    /* The parameter, a linear layer's weight (vocab_size x hidden_size), by which the hidden states are logits of the
     * next token: the embeddings' own where model->tied. NULL: the family has none. */
    int (*vocabulary)(struct sp_plan *plan, const struct sp_model *model);
    /* What checkpoints call that weight where it is one of its own, and the embeddings', by which files correct what
     * config.json says of tied. NULL: they do not. */
    const char *vocabulary_weight, *embedding_weight;
};

/* The family of the list whose model_type this is; NULL for none. */
const struct sp_model_family *sp_model_find(const struct sp_model_family *const *families, size_t count,
                                            const char *model_type);

/* *out by the family from a config.json called `file` in messages. After an error there is nothing to release. */
int sp_model_read(struct sp_model *out, const struct sp_model_family *family, const json_t *config, const char *file);
void sp_model_release(struct sp_model *model); /* safe on a zeroed one */

#endif
