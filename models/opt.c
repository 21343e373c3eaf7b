/*
 * OPT (Zhang et al. 2022), as Hugging Face's OPTForCausalLM and OPTForSequenceClassification: learned positions, layer
 * normalisation before attention and MLP, or behind them (350m), whose embeddings are narrower than its layers, too.
 */
#include "models/family.h"
#include "models/decoder.h"
#include "models/models.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"

#include <stdio.h>

#define POSITION_OFFSET 2 /* rows of the table of positions before the first one's */
#define LAYER_NORM_EPS 1e-5f

struct config {
    int hidden_size, num_hidden_layers, num_attention_heads, ffn_dim, max_position_embeddings;
    int word_embed_proj_dim; /* columns of the embeddings */
    int padding;
    bool pre_norm, final_norm, bias;
    enum sp_activation activation;
    float dropout, attention_dropout;
};

static int read_layout(struct sp_model *model, const json_t *config, const char *file)
{
    struct config *c = model->config;
    bool removed, affine;

    SP_TRY(sp_family_flag(&c->pre_norm, config, "do_layer_norm_before", true, file));
    SP_TRY(sp_family_flag(&removed, config, "_remove_final_layer_norm", false, file));
    SP_TRY(sp_family_flag(&affine, config, "layer_norm_elementwise_affine", true, file));
    SP_TRY(sp_family_flag(&c->bias, config, "enable_bias", true, file));
    SP_TRY(sp_family_flag(&model->tied, config, "tie_word_embeddings", true, file));
    c->final_norm = c->pre_norm && !removed;
    if (!affine)
        return sp_error(SP_EFORMAT, "%s: \"layer_norm_elementwise_affine\" is false; norms without weights are not "
                                    "supported", file);
    return 0;
}

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    static const struct sp_family_refusal refusals[] = { { "quantization_config", "quantised weights are not "
                                                                                  "supported" } };
    static const enum sp_activation known[] = { SP_ACTIVATION_RELU, SP_ACTIVATION_GELU, SP_ACTIVATION_GELU_TANH,
                                                SP_ACTIVATION_NONE };
    struct config *c = model->config;

    SP_TRY(sp_family_refuse(refusals, sizeof refusals / sizeof *refusals, config, file));
    SP_TRY(sp_family_size(&model->vocab_size, config, "vocab_size", 0, file));
    SP_TRY(sp_family_size(&c->hidden_size, config, "hidden_size", 0, file));
    SP_TRY(sp_family_size(&c->num_hidden_layers, config, "num_hidden_layers", 0, file));
    SP_TRY(sp_family_size(&c->num_attention_heads, config, "num_attention_heads", 0, file));
    SP_TRY(sp_family_size(&c->ffn_dim, config, "ffn_dim", 0, file));
    SP_TRY(sp_family_size(&c->max_position_embeddings, config, "max_position_embeddings", 2048, file));
    SP_TRY(sp_family_size(&c->word_embed_proj_dim, config, "word_embed_proj_dim", c->hidden_size, file));
    SP_TRY(sp_family_activation(&c->activation, config, "activation_function", "relu", known, file));
    SP_TRY(sp_decoder_read_padding(&c->padding, model, config, 1, file));
    SP_TRY(read_layout(model, config, file));
    if (c->hidden_size % c->num_attention_heads != 0)
        return sp_error(SP_EFORMAT, "%s: \"hidden_size\" %d is not a multiple of \"num_attention_heads\" %d", file,
                        c->hidden_size, c->num_attention_heads);
    model->hidden_size = c->word_embed_proj_dim;
    model->max_positions = c->max_position_embeddings;
    model->type_vocab_size = 1;
    return 0;
}

static int read_dropout(struct sp_model *model, const json_t *config, const char *file)
{
    struct config *c = model->config;
    float layerdrop;

    SP_TRY(sp_family_rate(&c->dropout, config, "dropout", 0.1, file));
    SP_TRY(sp_family_rate(&c->attention_dropout, config, "attention_dropout", 0, file));
    SP_TRY(sp_family_rate(&layerdrop, config, "layerdrop", 0, file));
    if (layerdrop > 0)
        return sp_error(SP_EFORMAT, "%s: \"layerdrop\" is %g; layers that are dropped at random are not supported: set "
                                    "it to 0", file, (double)layerdrop);
    return 0;
}

static int read_initializer(float *deviation, const json_t *config, const char *file)
{
    return sp_family_rate(deviation, config, "init_std", 0.02, file);
}

static void set_dropout(struct sp_model *model, float rate)
{
    struct config *c = model->config;

    c->dropout = c->attention_dropout = rate;
}

/* ---- the forward pass -------------------------------------------------------------------------------------------- */

static int linear(struct sp_plan *plan, const struct config *c, int x, int out, int in, enum sp_activation activation,
                  int layer, const char *name)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, out, in, "layers.%d.%s.weight", layer, name), bias = -1;

    if (c->bias) {
        bias = sp_plan_param(plan, SP_PARAM_VECTOR, out, 1, "layers.%d.%s.bias", layer, name);
        sp_plan_mark(plan, bias, SP_PARAM_NO_DECAY);
    }
    return sp_nn_linear(plan, x, weight, bias, activation);
}

/* layernorm(x), or layernorm(residual + dropout(x)); `prefix` ends in a dot or is empty. */
static int layernorm(struct sp_plan *plan, const struct config *c, int x, int residual, const char *prefix,
                     const char *name)
{
    int gamma = sp_plan_param(plan, SP_PARAM_VECTOR, c->hidden_size, 1, "%s%s.weight", prefix, name);
    int beta = sp_plan_param(plan, SP_PARAM_VECTOR, c->hidden_size, 1, "%s%s.bias", prefix, name);

    sp_plan_mark(plan, gamma, SP_PARAM_NO_DECAY);
    sp_plan_mark(plan, beta, SP_PARAM_NO_DECAY);
    return sp_nn_layernorm(plan, x, residual, gamma, beta, LAYER_NORM_EPS, residual < 0 ? 0 : c->dropout);
}

static int attention(struct sp_plan *plan, const struct config *c, int x, int i)
{
    int H = c->hidden_size;
    int k = linear(plan, c, x, H, H, SP_ACTIVATION_NONE, i, "self_attn.k_proj");
    int v = linear(plan, c, x, H, H, SP_ACTIVATION_NONE, i, "self_attn.v_proj");
    int q = linear(plan, c, x, H, H, SP_ACTIVATION_NONE, i, "self_attn.q_proj");
    int y = sp_nn_attention(plan, q, k, v,
                            &(struct sp_attention_shape){ .heads = c->num_attention_heads,
                                                          .causal = true,
                                                          .dropout = c->attention_dropout });

    return linear(plan, c, y, H, H, SP_ACTIVATION_NONE, i, "self_attn.out_proj");
}

static int mlp(struct sp_plan *plan, const struct config *c, int x, int i)
{
    int y = linear(plan, c, x, c->ffn_dim, c->hidden_size, c->activation, i, "fc1");

    return linear(plan, c, y, c->hidden_size, c->ffn_dim, SP_ACTIVATION_NONE, i, "fc2");
}

static int layer(struct sp_plan *plan, const struct config *c, int x, int i)
{
    char prefix[SP_PARAM_NAME];
    int y;

    snprintf(prefix, sizeof prefix, "layers.%d.", i);
    if (!c->pre_norm) {
        x = layernorm(plan, c, attention(plan, c, x, i), x, prefix, "self_attn_layer_norm");
        return layernorm(plan, c, mlp(plan, c, x, i), x, prefix, "final_layer_norm");
    }
    y = attention(plan, c, layernorm(plan, c, x, -1, prefix, "self_attn_layer_norm"), i);
    x = sp_nn_add(plan, x, sp_nn_dropout(plan, y, c->dropout));
    y = mlp(plan, c, layernorm(plan, c, x, -1, prefix, "final_layer_norm"), i);
    return sp_nn_add(plan, x, sp_nn_dropout(plan, y, c->dropout));
}

/* Positions are added where the width is the layers'. */
static int embeddings(struct sp_plan *plan, const struct sp_model *model, int project_in)
{
    const struct config *c = model->config;
    int word = sp_plan_param(plan, SP_PARAM_TABLE, model->vocab_size, c->word_embed_proj_dim, "embed_tokens.weight");
    int position = sp_plan_param(plan, SP_PARAM_TABLE, c->max_position_embeddings + POSITION_OFFSET, c->hidden_size,
                                 "embed_positions.weight");
    int x = sp_nn_word_embedding(plan, word, 1);

    if (project_in >= 0)
        x = sp_nn_linear(plan, x, project_in, -1, SP_ACTIVATION_NONE);
    return sp_nn_add(plan, x, sp_nn_position_embedding(plan, position, POSITION_OFFSET));
}

static int body(struct sp_plan *plan, const struct sp_model *model)
{
    const struct config *c = model->config;
    int H = c->hidden_size, W = c->word_embed_proj_dim, in = -1, out = -1, x;

    if (W != H) { /* in transformers' order, by which equal scores are ranked */
        out = sp_plan_param(plan, SP_PARAM_LINEAR, W, H, "project_out.weight");
        in = sp_plan_param(plan, SP_PARAM_LINEAR, H, W, "project_in.weight");
    }
    x = embeddings(plan, model, in);
    for (int i = 0; i < c->num_hidden_layers; i++)
        x = layer(plan, c, x, i);
    if (c->final_norm)
        x = layernorm(plan, c, x, -1, "", "final_layer_norm");
    return out < 0 ? x : sp_nn_linear(plan, x, out, -1, SP_ACTIVATION_NONE);
}

static int head(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs)
{
    return sp_decoder_score(plan, model, hidden, outputs, ((const struct config *)model->config)->padding);
}

static const char *const model_types[] = { "opt", NULL };
static const char *const prefixes[] = { "model.decoder.", "decoder.", "model.", "", NULL };
static const char *const ignored[] = { "lm_head.*", "score.*", NULL };

const struct sp_model_family sp_model_opt = {
    .model_types = model_types,
    .head_weight = "score.weight",
    .prefixes = prefixes,
    .ignored = ignored,
    .targets = sp_decoder_targets,
    .config_size = sizeof(struct config),
    .read_config = read_config,
    .read_dropout = read_dropout,
    .read_initializer = read_initializer,
    .set_dropout = set_dropout,
    .body = body,
    .head = head,
    SP_DECODER_VOCABULARY,
};
