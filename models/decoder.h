/*
 * LLaMA's decoder (Touvron et al. 2023), which the families that descend from it share (layer 5): RMSNorm before
 * attention and MLP, rotary positions, grouped queries, a gated MLP. What a family has of its own - biases, norms of
 * queries and keys, norms behind the blocks, windows, soft-caps - it sets in the configuration.
 */
#ifndef SP_MODELS_DECODER_H
#define SP_MODELS_DECODER_H

#include "runtime/nn/model.h"
#include "runtime/nn/rope.h"

#define SP_DECODER_LAYERS 1024 /* at most */

/* A family's sp_model.config. Zeros are LLaMA's. */
struct sp_decoder_config {
    int padding; /* sp_decoder_read_padding */
    int num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim, intermediate_size;
    float rms_norm_eps, attention_dropout;
    enum sp_activation activation;      /* of the gate */
    bool qkv_bias, o_bias, mlp_bias;
    bool qk_norm;                       /* each head of queries and keys is normalised before it is rotated */
    bool post_norms;                    /* attention's and the MLP's output are normalised before they are added */
    float norm_offset;                  /* norms multiply by norm_offset + weight */
    float embedding_scale;              /* 0: none */
    float attention_scale;              /* 0: 1 / sqrt(head_dim) */
    float attention_softcap;            /* 0: none */
    int sliding_window;                 /* of the layers in windowed[] */
    bool windowed[SP_DECODER_LAYERS];
    struct sp_rope rope;
};

/* What all of them have in config.json; a family refuses or reads the rest. The values before the call of
 * num_key_value_heads, head_dim and the model's tied are the family's where the file has none. The
 * activation is that of `key`, else the one called `activation`. For struct sp_model_family. */
int sp_decoder_read_config(struct sp_model *model, const json_t *config, const char *key, const char *activation,
                           const char *file);
int sp_decoder_read_dropout(struct sp_model *model, const json_t *config, const char *file);
int sp_decoder_read_initializer(float *deviation, const json_t *config, const char *file);
void sp_decoder_set_dropout(struct sp_model *model, float rate);

/* "sliding_window", null for none, and which layers have it: "layer_types", as transformers 5 writes it, or every
 * stride-th from `first` on. */
int sp_decoder_read_windows(struct sp_model *model, const json_t *config, int first, int stride, const char *file);

/* The same of Qwen's: "use_sliding_window", and the layers from "max_window_layers" on. */
int sp_decoder_read_upper_windows(struct sp_model *model, const json_t *config, const char *file);

/* "pad_token_id", which the head's last token is not; null or -1 for none, which is -1. */
int sp_decoder_read_padding(int *out, const struct sp_model *model, const json_t *config, int otherwise,
                            const char *file);

int sp_decoder_body(struct sp_plan *plan, const struct sp_model *model);
int sp_decoder_head(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs);
/* Any decoder's: "score" over the last token that is not `padding`, and "lm_head" or the tied "embed_tokens". */
int sp_decoder_score(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs, int padding);
int sp_decoder_vocabulary(struct sp_plan *plan, const struct sp_model *model);

/* Of checkpoints of these families: prefixes, and what may lie there unused. */
extern const char *const sp_decoder_prefixes[], *const sp_decoder_ignored[], *const sp_decoder_targets[];

/* What families share in their struct sp_model_family: those with that vocabulary; those of this decoder. */
/* clang-format off */
#define SP_DECODER_VOCABULARY                                                                                          \
    .vocabulary = sp_decoder_vocabulary,                                                                               \
    .vocabulary_weight = "lm_head.weight",                                                                             \
    .embedding_weight = "embed_tokens.weight"
#define SP_DECODER_FAMILY                                                                                              \
    .head_weight = "score.weight",                                                                                     \
    .prefixes = sp_decoder_prefixes,                                                                                   \
    .ignored = sp_decoder_ignored,                                                                                     \
    .targets = sp_decoder_targets,                                                                                     \
    .config_size = sizeof(struct sp_decoder_config),                                                                   \
    .read_dropout = sp_decoder_read_dropout,                                                                           \
    .read_initializer = sp_decoder_read_initializer,                                                                   \
    .set_dropout = sp_decoder_set_dropout,                                                                             \
    .body = sp_decoder_body,                                                                                           \
    .head = sp_decoder_head,                                                                                           \
    SP_DECODER_VOCABULARY
/* clang-format on */

#endif
