/*
 * Gemma 2 (Gemma Team 2024), as Hugging Face's Gemma2ForCausalLM and Gemma2ForSequenceClassification: norms in front of
 * and behind attention and MLP, which multiply by 1 + w, scaled embeddings, soft-caps, and a sliding window in every
 * other layer.
 */
#include "models/family.h"
#include "models/decoder.h"
#include "models/models.h"

#include "runtime/base/error.h"

#include <math.h>

/* transformers' default where the key is missing; null is none. */
static int read_softcap(float *out, const json_t *config, const char *key, double otherwise, const char *file)
{
    return sp_family_positive(out, config, key, json_is_null(json_object_get(config, key)) ? 0 : otherwise, file);
}

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    struct sp_decoder_config *c = model->config;
    float scalar;

    c->num_key_value_heads = 4;
    c->head_dim = 256;
    model->tied = true;
    SP_TRY(sp_decoder_read_config(model, config, "hidden_activation", "gelu_pytorch_tanh", file));
    SP_TRY(sp_family_flag(&c->qkv_bias, config, "attention_bias", false, file));
    SP_TRY(sp_family_positive(&scalar, config, "query_pre_attn_scalar", 256, file));
    SP_TRY(read_softcap(&c->attention_softcap, config, "attn_logit_softcapping", 50, file));
    SP_TRY(read_softcap(&model->logit_softcap, config, "final_logit_softcapping", 30, file));
    c->o_bias = c->qkv_bias;
    c->post_norms = true;
    c->norm_offset = 1;
    c->embedding_scale = sqrtf((float)model->hidden_size);
    c->attention_scale = 1 / sqrtf(scalar);
    return sp_decoder_read_windows(model, config, 0, 2, file);
}

static const char *const model_types[] = { "gemma2", NULL };

const struct sp_model_family sp_model_gemma2 = {
    .model_types = model_types,
    .read_config = read_config,
    SP_DECODER_FAMILY,
};
