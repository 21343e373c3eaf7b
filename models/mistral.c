/*
 * Mistral (Jiang et al. 2023), as Hugging Face's MistralForCausalLM and MistralForSequenceClassification: LLaMA with a
 * sliding window in every layer.
 */
#include "models/family.h"
#include "models/decoder.h"
#include "models/models.h"

#include "runtime/base/error.h"

static const struct sp_family_refusal refusals[] = {
    { "attention_bias", "transformers' Mistral has no biases" },
    { "mlp_bias", "transformers' Mistral has no biases" },
};

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    SP_TRY(sp_family_refuse(refusals, sizeof refusals / sizeof *refusals, config, file));
    ((struct sp_decoder_config *)model->config)->num_key_value_heads = 8;
    SP_TRY(sp_decoder_read_config(model, config, "hidden_act", "silu", file));
    return sp_decoder_read_windows(model, config, 0, 1, file);
}

static const char *const model_types[] = { "mistral", NULL };

const struct sp_model_family sp_model_mistral = {
    .model_types = model_types,
    .read_config = read_config,
    SP_DECODER_FAMILY,
};
