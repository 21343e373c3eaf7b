/*
 * LLaMA (Touvron et al. 2023; LLaMA 2 and 3, and what calls itself so, such as SmolLM2), as Hugging Face's
 * LlamaForCausalLM and LlamaForSequenceClassification.
 */
#include "models/family.h"
#include "models/decoder.h"
#include "models/models.h"

#include "runtime/base/error.h"

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    struct sp_decoder_config *c = model->config;

    SP_TRY(sp_decoder_read_config(model, config, "hidden_act", "silu", file));
    SP_TRY(sp_family_flag(&c->qkv_bias, config, "attention_bias", false, file));
    c->o_bias = c->qkv_bias;
    return sp_family_flag(&c->mlp_bias, config, "mlp_bias", false, file);
}

static const char *const model_types[] = { "llama", NULL };

const struct sp_model_family sp_model_llama = {
    .model_types = model_types,
    .read_config = read_config,
    SP_DECODER_FAMILY,
};
