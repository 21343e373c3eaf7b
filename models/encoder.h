/*
 * BERT's encoder (Devlin et al. 2019), which the families that descend from it share (layer 5): its part of
 * config.json, embeddings, and post-norm layers. The head above and the tensors' prefixes are each family's own.
 */
#ifndef SP_MODELS_ENCODER_H
#define SP_MODELS_ENCODER_H

#include "runtime/nn/model.h"

/* A family's sp_model.config. */
struct sp_encoder_config {
    int num_hidden_layers, num_attention_heads, intermediate_size;
    int max_position_embeddings; /* rows of the table */
    float layer_norm_eps;
    float hidden_dropout, attention_dropout, classifier_dropout;
    enum sp_activation activation;
};

/* For struct sp_model_family. max_positions is that of a table which begins with position 0. */
int sp_encoder_read_config(struct sp_model *model, const json_t *config, const char *file);
int sp_encoder_read_dropout(struct sp_model *model, const json_t *config, const char *file);
int sp_encoder_read_initializer(float *deviation, const json_t *config, const char *file);
void sp_encoder_set_dropout(struct sp_model *model, float rate);

extern const char *const sp_encoder_targets[];

/* Embeddings and every layer: (T x hidden_size). Tensors are called embeddings.* and encoder.layer.N.*; `padding` as
 * sp_nn_embedding. */
int sp_encoder_body(struct sp_plan *plan, const struct sp_model *model, int padding);

/* A linear layer NAME.weight (out x in) and NAME.bias over x; `flags` of enum sp_param_flag for both. */
int sp_encoder_linear(struct sp_plan *plan, int x, int out, int in, enum sp_activation activation, unsigned flags,
                      const char *name);

#endif
