#include "models/encoder.h"

#include "models/family.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"

#include <stdio.h>
#include <string.h>

/* What the same model_type may also be, and would be computed wrongly without a word. */
static int refuse_variants(const json_t *config, const char *file)
{
    static const struct sp_family_refusal refusals[] = {
        { "is_decoder", "a decoder's causal attention is not supported, only the encoder's" },
        { "add_cross_attention", "cross-attention is not supported" },
        { "quantization_config", "quantised weights are not supported" },
        { "pruned_heads", "models with pruned heads are not supported" },
    };
    const char *position = "absolute";

    SP_TRY(sp_family_refuse(refusals, sizeof refusals / sizeof *refusals, config, file));
    SP_TRY(sp_json_get_string(&position, config, "position_embedding_type", file));
    if (strcmp(position, "absolute") != 0)
        return sp_error(SP_EFORMAT, "%s: \"position_embedding_type\" is \"%s\"; only absolute positions are supported",
                        file, position);
    return 0;
}

const char *const sp_encoder_targets[] = { "query", "value", NULL };

int sp_encoder_read_config(struct sp_model *model, const json_t *config, const char *file)
{
    static const enum sp_activation known[] = { SP_ACTIVATION_GELU, SP_ACTIVATION_RELU, SP_ACTIVATION_NONE };
    struct sp_encoder_config *c = model->config;

    SP_TRY(refuse_variants(config, file));
    SP_TRY(sp_family_size(&model->vocab_size, config, "vocab_size", 0, file));
    SP_TRY(sp_family_size(&model->hidden_size, config, "hidden_size", 0, file));
    SP_TRY(sp_family_size(&c->num_hidden_layers, config, "num_hidden_layers", 0, file));
    SP_TRY(sp_family_size(&c->num_attention_heads, config, "num_attention_heads", 0, file));
    SP_TRY(sp_family_size(&c->intermediate_size, config, "intermediate_size", 0, file));
    SP_TRY(sp_family_size(&c->max_position_embeddings, config, "max_position_embeddings", 512, file));
    SP_TRY(sp_family_size(&model->type_vocab_size, config, "type_vocab_size", 2, file));
    SP_TRY(sp_family_rate(&c->layer_norm_eps, config, "layer_norm_eps", 1e-12, file));
    SP_TRY(sp_family_activation(&c->activation, config, "hidden_act", "gelu", known, file));
    model->max_positions = c->max_position_embeddings;
    if (model->hidden_size % c->num_attention_heads != 0)
        return sp_error(SP_EFORMAT, "%s: \"hidden_size\" %d is not a multiple of \"num_attention_heads\" %d", file,
                        model->hidden_size, c->num_attention_heads);
    return 0;
}

int sp_encoder_read_dropout(struct sp_model *model, const json_t *config, const char *file)
{
    struct sp_encoder_config *c = model->config;

    SP_TRY(sp_family_rate(&c->hidden_dropout, config, "hidden_dropout_prob", 0.1, file));
    SP_TRY(sp_family_rate(&c->attention_dropout, config, "attention_probs_dropout_prob", 0.1, file));
    return sp_family_rate(&c->classifier_dropout, config, "classifier_dropout", (double)c->hidden_dropout, file);
}

int sp_encoder_read_initializer(float *deviation, const json_t *config, const char *file)
{
    return sp_family_rate(deviation, config, "initializer_range", 0.02, file);
}

void sp_encoder_set_dropout(struct sp_model *model, float rate)
{
    struct sp_encoder_config *c = model->config;

    c->hidden_dropout = c->attention_dropout = c->classifier_dropout = rate;
}

int sp_encoder_linear(struct sp_plan *plan, int x, int out, int in, enum sp_activation activation, unsigned flags,
                      const char *name)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, out, in, "%s.weight", name);
    int bias = sp_plan_param(plan, SP_PARAM_VECTOR, out, 1, "%s.bias", name);

    sp_plan_mark(plan, weight, flags);
    sp_plan_mark(plan, bias, flags | SP_PARAM_NO_DECAY);
    return sp_nn_linear(plan, x, weight, bias, activation);
}

/* A linear layer inside encoder layer `layer`. */
static int layer_linear(struct sp_plan *plan, int x, int out, int in, enum sp_activation activation, int layer,
                        const char *name)
{
    char full[SP_PARAM_NAME];

    snprintf(full, sizeof full, "encoder.layer.%d.%s", layer, name);
    return sp_encoder_linear(plan, x, out, in, activation, 0, full);
}

static int layernorm(struct sp_plan *plan, const struct sp_model *model, int x, int residual, float dropout,
                     const char *prefix)
{
    int gamma = sp_plan_param(plan, SP_PARAM_VECTOR, model->hidden_size, 1, "%s.LayerNorm.weight", prefix);
    int beta = sp_plan_param(plan, SP_PARAM_VECTOR, model->hidden_size, 1, "%s.LayerNorm.bias", prefix);

    sp_plan_mark(plan, gamma, SP_PARAM_NO_DECAY);
    sp_plan_mark(plan, beta, SP_PARAM_NO_DECAY);
    return sp_nn_layernorm(plan, x, residual, gamma, beta,
                           ((const struct sp_encoder_config *)model->config)->layer_norm_eps, dropout);
}

static int encoder_layer(struct sp_plan *plan, const struct sp_model *model, int x, int i)
{
    const struct sp_encoder_config *c = model->config;
    int H = model->hidden_size, I = c->intermediate_size, q, k, v, y, z;
    char prefix[SP_PARAM_NAME];

    q = layer_linear(plan, x, H, H, SP_ACTIVATION_NONE, i, "attention.self.query");
    k = layer_linear(plan, x, H, H, SP_ACTIVATION_NONE, i, "attention.self.key");
    v = layer_linear(plan, x, H, H, SP_ACTIVATION_NONE, i, "attention.self.value");
    y = sp_nn_attention(plan, q, k, v,
                        &(struct sp_attention_shape){ .heads = c->num_attention_heads,
                                                      .dropout = c->attention_dropout });
    y = layer_linear(plan, y, H, H, SP_ACTIVATION_NONE, i, "attention.output.dense");
    snprintf(prefix, sizeof prefix, "encoder.layer.%d.attention.output", i);
    y = layernorm(plan, model, y, x, c->hidden_dropout, prefix);
    z = layer_linear(plan, y, I, H, c->activation, i, "intermediate.dense");
    z = layer_linear(plan, z, H, I, SP_ACTIVATION_NONE, i, "output.dense");
    snprintf(prefix, sizeof prefix, "encoder.layer.%d.output", i);
    return layernorm(plan, model, z, y, c->hidden_dropout, prefix);
}

int sp_encoder_body(struct sp_plan *plan, const struct sp_model *model, int padding)
{
    const struct sp_encoder_config *c = model->config;
    int H = model->hidden_size, word, position, type, x;

    word = sp_plan_param(plan, SP_PARAM_TABLE, model->vocab_size, H, "embeddings.word_embeddings.weight");
    position = sp_plan_param(plan, SP_PARAM_TABLE, c->max_position_embeddings, H,
                             "embeddings.position_embeddings.weight");
    type = sp_plan_param(plan, SP_PARAM_TABLE, model->type_vocab_size, H, "embeddings.token_type_embeddings.weight");
    x = sp_nn_embedding(plan, word, position, type, padding);
    x = layernorm(plan, model, x, -1, 0, "embeddings");
    x = sp_nn_dropout(plan, x, c->hidden_dropout);
    for (int i = 0; i < c->num_hidden_layers; i++)
        x = encoder_layer(plan, model, x, i);
    return x;
}
