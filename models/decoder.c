#include "models/decoder.h"

#include "models/family.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const sp_decoder_targets[] = { "q_proj", "v_proj", NULL };
const char *const sp_decoder_prefixes[] = { "model.", "", NULL };
const char *const sp_decoder_ignored[] = { "lm_head.*", "score.*", "*rotary_emb.inv_freq", NULL };

/* ---- config.json ------------------------------------------------------------------------------------------------- */

static const struct sp_family_refusal refusals[] = {
    { "quantization_config", "quantised weights are not supported" },
    { "num_experts", "mixtures of experts are not supported" },
    { "num_local_experts", "mixtures of experts are not supported" },
    { "use_bidirectional_attention", "only causal attention is supported" },
    { "is_encoder_decoder", "a decoder's cross-attention is not supported" },
    { "pruned_heads", "models with pruned heads are not supported" },
};

static int read_heads(struct sp_decoder_config *c, int hidden, const json_t *config, const char *file)
{
    SP_TRY(sp_family_size(&c->num_attention_heads, config, "num_attention_heads", 0, file));
    if (c->num_key_value_heads == 0 || json_is_null(json_object_get(config, "num_key_value_heads")))
        c->num_key_value_heads = c->num_attention_heads;
    SP_TRY(sp_family_size(&c->num_key_value_heads, config, "num_key_value_heads", c->num_key_value_heads, file));
    if (c->num_attention_heads % c->num_key_value_heads != 0)
        return sp_error(SP_EFORMAT, "%s: \"num_attention_heads\" %d is not a multiple of \"num_key_value_heads\" %d",
                        file, c->num_attention_heads, c->num_key_value_heads);
    if (!sp_json_member(config, "head_dim") && !c->head_dim && hidden % c->num_attention_heads != 0)
        return sp_error(SP_EFORMAT,
                        "%s: \"hidden_size\" %d is not a multiple of \"num_attention_heads\" %d, and there is no "
                        "\"head_dim\"",
                        file, hidden, c->num_attention_heads);
    if (c->head_dim == 0 || json_is_null(json_object_get(config, "head_dim")))
        c->head_dim = hidden / c->num_attention_heads;
    SP_TRY(sp_family_size(&c->head_dim, config, "head_dim", c->head_dim, file));
    if (c->head_dim % 2 != 0)
        return sp_error(SP_EFORMAT, "%s: heads of %d columns; rotary positions need an even \"head_dim\"", file,
                        c->head_dim);
    return 0;
}

int sp_decoder_read_padding(int *out, const struct sp_model *model, const json_t *config, int otherwise,
                            const char *file)
{
    long long padding = json_is_null(json_object_get(config, "pad_token_id")) ? -1 : otherwise;

    SP_TRY(sp_json_get_int(&padding, config, "pad_token_id", file));
    if (padding < -1 || padding >= model->vocab_size)
        return sp_error(SP_EFORMAT, "%s: \"pad_token_id\" is %lld; expected a token's id, 0 to %d, or -1 for none",
                        file, padding, model->vocab_size - 1);
    *out = (int)padding;
    return 0;
}

/* ---- rotary positions -------------------------------------------------------------------------------------------- */

/* A number above 0, which must be there where `needed` is a type that needs it; else *out stays where it is not. */
static int read_number(double *out, const json_t *scaling, const char *key, const char *needed, const char *file)
{
    double value = *out;

    SP_TRY(sp_json_get_double(&value, scaling, key, file));
    if (sp_json_member(scaling, key) ? !(value > 0 && isfinite(value)) : needed != NULL)
        return sp_error(SP_EFORMAT, "%s: \"%s\" of rotary positions%s%s is %s; expected a number above 0", file, key,
                        needed ? " of type " : "", needed ? needed : "",
                        sp_json_member(scaling, key) ? "out of range" : "missing");
    *out = value;
    return 0;
}

static int read_yarn(struct sp_rope *rope, const json_t *scaling, const char *file)
{
    bool truncate;

    SP_TRY(read_number(&rope->factor, scaling, "factor", "yarn", file));
    SP_TRY(read_number(&rope->attention_factor, scaling, "attention_factor", NULL, file));
    SP_TRY(read_number(&rope->beta_fast, scaling, "beta_fast", NULL, file));
    SP_TRY(read_number(&rope->beta_slow, scaling, "beta_slow", NULL, file));
    SP_TRY(read_number(&rope->mscale, scaling, "mscale", NULL, file));
    SP_TRY(read_number(&rope->mscale_all_dim, scaling, "mscale_all_dim", NULL, file));
    SP_TRY(sp_family_flag(&truncate, scaling, "truncate", true, file));
    rope->no_truncate = !truncate;
    return 0;
}

/* The original number of positions may stand beside the section, too, and counts there (transformers'
 * standardize_rope_params). */
static int read_scaling(struct sp_rope *rope, const json_t *scaling, const json_t *config, int positions,
                        const char *file)
{
    static const char original[] = "original_max_position_embeddings";
    const char *type = "default";

    SP_TRY(sp_json_get_string(&type, scaling, "type", file));
    SP_TRY(sp_json_get_string(&type, scaling, "rope_type", file));
    rope->original_max_position_embeddings = positions;
    SP_TRY(read_number(&rope->original_max_position_embeddings, scaling, original, NULL, file));
    SP_TRY(read_number(&rope->original_max_position_embeddings, config, original, NULL, file));
    if (sp_json_member(scaling, "mrope_section") || strcmp(type, "mrope") == 0)
        return sp_error(SP_EFORMAT, "%s: \"mrope_section\" is set; rotary positions of images are not supported", file);
    if (strcmp(type, "default") == 0)
        return 0;
    if (strcmp(type, "linear") == 0) {
        rope->scaling = SP_ROPE_LINEAR;
        return read_number(&rope->factor, scaling, "factor", type, file);
    }
    if (strcmp(type, "llama3") == 0) {
        rope->scaling = SP_ROPE_LLAMA3;
        SP_TRY(read_number(&rope->factor, scaling, "factor", type, file));
        SP_TRY(read_number(&rope->low_freq_factor, scaling, "low_freq_factor", type, file));
        return read_number(&rope->high_freq_factor, scaling, "high_freq_factor", type, file);
    }
    if (strcmp(type, "yarn") == 0) {
        rope->scaling = SP_ROPE_YARN;
        return read_yarn(rope, scaling, file);
    }
    return sp_error(SP_EFORMAT,
                    "%s: rotary positions of type \"%.60s\" are not supported; speft-cl knows default, linear, llama3 "
                    "and yarn",
                    file, type);
}

/* transformers 4: "rope_theta" and "rope_scaling"; 5: both in "rope_parameters". */
static int read_rope(struct sp_rope *rope, const json_t *config, int positions, const char *file)
{
    static const char *const keys[] = { "rope_scaling", "rope_parameters" };
    float partial;

    rope->base = 10000;
    SP_TRY(read_number(&rope->base, config, "rope_theta", NULL, file));
    SP_TRY(sp_family_positive(&partial, config, "partial_rotary_factor", 1, file));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *section = sp_json_member(config, keys[i]);

        if (!section)
            continue;
        if (!sp_json_is_object(section))
            return sp_error(SP_EFORMAT, "%s: \"%s\" is no object", file, keys[i]);
        if (json_object_get(section, "full_attention") || json_object_get(section, "sliding_attention"))
            return sp_error(SP_EFORMAT, "%s: \"%s\" has positions of their own for kinds of layers, which are not "
                                        "supported", file, keys[i]);
        SP_TRY(read_number(&rope->base, section, "rope_theta", NULL, file));
        SP_TRY(sp_family_positive(&partial, section, "partial_rotary_factor", (double)partial, file));
        SP_TRY(read_scaling(rope, section, config, positions, file));
    }
    if (partial != 1)
        return sp_error(SP_EFORMAT, "%s: \"partial_rotary_factor\" is %g; only 1 is supported: all columns are rotated",
                        file, (double)partial);
    return 0;
}

int sp_decoder_read_config(struct sp_model *model, const json_t *config, const char *key, const char *activation,
                           const char *file)
{
    static const enum sp_activation known[] = { SP_ACTIVATION_SILU, SP_ACTIVATION_GELU_TANH, SP_ACTIVATION_GELU,
                                                SP_ACTIVATION_NONE };
    struct sp_decoder_config *c = model->config;

    SP_TRY(sp_family_refuse(refusals, sizeof refusals / sizeof *refusals, config, file));
    SP_TRY(sp_family_size(&model->vocab_size, config, "vocab_size", 0, file));
    SP_TRY(sp_family_size(&model->hidden_size, config, "hidden_size", 0, file));
    SP_TRY(sp_family_size(&c->num_hidden_layers, config, "num_hidden_layers", 0, file));
    SP_TRY(sp_family_size(&c->intermediate_size, config, "intermediate_size", 0, file));
    SP_TRY(sp_family_size(&model->max_positions, config, "max_position_embeddings", 2048, file));
    SP_TRY(sp_family_positive(&c->rms_norm_eps, config, "rms_norm_eps", 1e-6, file));
    SP_TRY(sp_family_activation(&c->activation, config, key, activation, known, file));
    SP_TRY(sp_family_flag(&model->tied, config, "tie_word_embeddings", model->tied, file));
    if (c->num_hidden_layers > SP_DECODER_LAYERS)
        return sp_error(SP_EFORMAT, "%s: \"num_hidden_layers\" is %d; at most %d are supported", file,
                        c->num_hidden_layers, SP_DECODER_LAYERS);
    model->type_vocab_size = 1;
    SP_TRY(sp_decoder_read_padding(&c->padding, model, config, -1, file));
    SP_TRY(read_heads(c, model->hidden_size, config, file));
    c->rope.head_dim = c->head_dim;
    SP_TRY(read_rope(&c->rope, config, model->max_positions, file));
    return sp_rope_check(&c->rope) < 0 ? sp_error_context(SP_EFORMAT, "%s", file) : 0;
}

static int read_layer_type(bool *windowed, const json_t *type, const char *file)
{
    const char *name = json_string_value(type);

    *windowed = name && strcmp(name, "sliding_attention") == 0;
    if (*windowed || (name && strcmp(name, "full_attention") == 0))
        return 0;
    return sp_error(SP_EFORMAT,
                    "%s: \"layer_types\" has \"%.60s\"; speft-cl knows full_attention and sliding_attention", file,
                    name ? name : "something that is no text");
}

int sp_decoder_read_windows(struct sp_model *model, const json_t *config, int first, int stride, const char *file)
{
    enum { DEFAULT = 4096 }; /* transformers', in all of these families */
    struct sp_decoder_config *c = model->config;
    const json_t *types = sp_json_member(config, "layer_types");

    if (json_is_null(json_object_get(config, "sliding_window")))
        return 0;
    SP_TRY(sp_family_size(&c->sliding_window, config, "sliding_window", DEFAULT, file));
    if (types && json_array_size(types) != (size_t)c->num_hidden_layers)
        return sp_error(SP_EFORMAT, "%s: \"layer_types\" has %zu entries for %d layers", file, json_array_size(types),
                        c->num_hidden_layers);
    for (int i = 0; i < c->num_hidden_layers; i++) {
        if (types)
            SP_TRY(read_layer_type(&c->windowed[i], json_array_get(types, (size_t)i), file));
        else
            c->windowed[i] = i >= first && (i - first) % stride == 0;
    }
    return 0;
}

int sp_decoder_read_upper_windows(struct sp_model *model, const json_t *config, const char *file)
{
    long long first = 28;
    bool used;

    SP_TRY(sp_family_flag(&used, config, "use_sliding_window", false, file));
    SP_TRY(sp_json_get_int(&first, config, "max_window_layers", file));
    if (first < 0 || first > SP_DECODER_LAYERS)
        return sp_error(SP_EFORMAT, "%s: \"max_window_layers\" is %lld; expected a number of layers, 0 to %d", file,
                        first, SP_DECODER_LAYERS);
    return used ? sp_decoder_read_windows(model, config, (int)first, 1, file) : 0;
}

int sp_decoder_read_dropout(struct sp_model *model, const json_t *config, const char *file)
{
    struct sp_decoder_config *c = model->config;

    return sp_family_rate(&c->attention_dropout, config, "attention_dropout", 0, file);
}

int sp_decoder_read_initializer(float *deviation, const json_t *config, const char *file)
{
    return sp_family_rate(deviation, config, "initializer_range", 0.02, file);
}

void sp_decoder_set_dropout(struct sp_model *model, float rate)
{
    ((struct sp_decoder_config *)model->config)->attention_dropout = rate;
}

/* ---- the forward pass -------------------------------------------------------------------------------------------- */

static int linear(struct sp_plan *plan, int x, int out, int in, bool bias, int layer, const char *name)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, out, in, "layers.%d.%s.weight", layer, name), b = -1;

    if (bias) {
        b = sp_plan_param(plan, SP_PARAM_VECTOR, out, 1, "layers.%d.%s.bias", layer, name);
        sp_plan_mark(plan, b, SP_PARAM_NO_DECAY);
    }
    return sp_nn_linear(plan, x, weight, b, SP_ACTIVATION_NONE);
}

/* RMSNorm over rows, or over each head of `width` columns. */
static int norm(struct sp_plan *plan, const struct sp_decoder_config *c, int x, int width, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static int norm(struct sp_plan *plan, const struct sp_decoder_config *c, int x, int width, const char *format, ...)
{
    char name[SP_PARAM_NAME];
    va_list args;
    int gamma;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    gamma = sp_plan_param(plan, SP_PARAM_VECTOR, width, 1, "%s.weight", name);
    sp_plan_mark(plan, gamma, SP_PARAM_NO_DECAY);
    return sp_nn_rmsnorm(plan, x, gamma, c->rms_norm_eps, c->norm_offset);
}

static int attention(struct sp_plan *plan, const struct sp_model *model, int x, int i)
{
    const struct sp_decoder_config *c = model->config;
    int H = model->hidden_size, D = c->head_dim, heads = c->num_attention_heads, kv_heads = c->num_key_value_heads;
    int q = linear(plan, x, heads * D, H, c->qkv_bias, i, "self_attn.q_proj");
    int k = linear(plan, x, kv_heads * D, H, c->qkv_bias, i, "self_attn.k_proj");
    int v = linear(plan, x, kv_heads * D, H, c->qkv_bias, i, "self_attn.v_proj"), y;

    if (c->qk_norm) {
        q = norm(plan, c, q, D, "layers.%d.self_attn.q_norm", i);
        k = norm(plan, c, k, D, "layers.%d.self_attn.k_norm", i);
    }
    q = sp_nn_rope(plan, q, &c->rope);
    k = sp_nn_rope(plan, k, &c->rope);
    y = sp_nn_attention(plan, q, k, v,
                        &(struct sp_attention_shape){ .heads = heads,
                                                      .kv_heads = kv_heads,
                                                      .head_dim = D,
                                                      .causal = true,
                                                      .window = c->windowed[i] ? c->sliding_window : 0,
                                                      .softcap = c->attention_softcap,
                                                      .scale = c->attention_scale,
                                                      .dropout = c->attention_dropout });
    return linear(plan, y, H, heads * D, c->o_bias, i, "self_attn.o_proj");
}

static int mlp(struct sp_plan *plan, const struct sp_model *model, int x, int i)
{
    const struct sp_decoder_config *c = model->config;
    int H = model->hidden_size, I = c->intermediate_size;
    int gate = linear(plan, x, I, H, c->mlp_bias, i, "mlp.gate_proj");
    int up = linear(plan, x, I, H, c->mlp_bias, i, "mlp.up_proj");

    return linear(plan, sp_nn_gated(plan, gate, up, c->activation), H, I, c->mlp_bias, i, "mlp.down_proj");
}

static int layer(struct sp_plan *plan, const struct sp_model *model, int x, int i)
{
    const struct sp_decoder_config *c = model->config;
    int H = model->hidden_size, y;

    y = attention(plan, model, norm(plan, c, x, H, "layers.%d.input_layernorm", i), i);
    if (c->post_norms)
        y = norm(plan, c, y, H, "layers.%d.post_attention_layernorm", i);
    x = sp_nn_add(plan, x, y);
    y = norm(plan, c, x, H, "layers.%d.%s", i,
             c->post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm");
    y = mlp(plan, model, y, i);
    if (c->post_norms)
        y = norm(plan, c, y, H, "layers.%d.post_feedforward_layernorm", i);
    return sp_nn_add(plan, x, y);
}

int sp_decoder_body(struct sp_plan *plan, const struct sp_model *model)
{
    const struct sp_decoder_config *c = model->config;
    int word = sp_plan_param(plan, SP_PARAM_TABLE, model->vocab_size, model->hidden_size, "embed_tokens.weight");
    int x = sp_nn_word_embedding(plan, word, c->embedding_scale > 0 ? c->embedding_scale : 1);

    for (int i = 0; i < c->num_hidden_layers; i++)
        x = layer(plan, model, x, i);
    return norm(plan, c, x, model->hidden_size, "norm");
}

int sp_decoder_score(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs, int padding)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, outputs, model->hidden_size, "score.weight");

    sp_plan_mark(plan, weight, SP_PARAM_HEAD);
    return sp_nn_linear(plan, sp_nn_last_token(plan, hidden, padding), weight, -1, SP_ACTIVATION_NONE);
}

int sp_decoder_head(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs)
{
    return sp_decoder_score(plan, model, hidden, outputs, ((const struct sp_decoder_config *)model->config)->padding);
}

int sp_decoder_vocabulary(struct sp_plan *plan, const struct sp_model *model)
{
    int weight;

    if (model->tied)
        return sp_plan_tie(plan, "embed_tokens.weight");
    weight = sp_plan_param(plan, SP_PARAM_LINEAR, model->vocab_size, model->hidden_size, "lm_head.weight");
    sp_plan_mark(plan, weight, SP_PARAM_VOCABULARY);
    return weight;
}
