/*
 * What a model family gives (layer 4): how to read its config.json, which names its checkpoints use, and a builder of its
 * forward pass. Backward, memory and tuning follow from the plan. Families are listed in models/model.def.
 */
#ifndef SP_NN_MODEL_H
#define SP_NN_MODEL_H

#include "runtime/nn/plan.h"

#include <jansson.h>
#include <stdbool.h>

/* config.json in the terms that families share. */
struct sp_model_config {
    int vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size;
    int max_position_embeddings, type_vocab_size;
    float layer_norm_eps;
    float hidden_dropout, attention_dropout, classifier_dropout; /* by read_dropout, 0 without */
    enum sp_activation activation;
};

struct sp_model_family {
    const char *model_type; /* as config.json says */
    const char *head;       /* the head's weight (outputs x hidden_size) in a checkpoint that has one */
    /* For sp_weights_find: prefixes before every name, pairs of current and old endings, patterns of unused tensors. NULL at
     * the end of each. */
    const char *const *prefixes, *const *renames, *const *ignored;
    /* Fills *out from a config.json called `file` in messages; sizes that cannot be are SP_EFORMAT. */
    int (*read_config)(struct sp_model_config *out, const json_t *config, const char *file);
    /* The same for what not every run needs: the dropouts of *out, and the standard deviation of weights that are made anew. */
    int (*read_dropout)(struct sp_model_config *out, const json_t *config, const char *file);
    int (*read_initializer)(float *deviation, const json_t *config, const char *file);
    /* Calls the sp_nn_* builders and returns the value (S x outputs) of a head of so many outputs; errors stay in the plan. */
    int (*build)(struct sp_plan *plan, const struct sp_model_config *config, int outputs);
};

#endif
