/*
 * Qwen2 and Qwen2.5 (Yang et al. 2024), as Hugging Face's Qwen2ForCausalLM and Qwen2ForSequenceClassification: LLaMA
 * with biases of queries, keys and values and, where "use_sliding_window" says so, windows in the upper layers.
 */
#include "models/family.h"
#include "models/decoder.h"
#include "models/models.h"

#include "runtime/base/error.h"

static const struct sp_family_refusal refusals[] = {
    { "use_mrope", "rotary positions of images are not supported" },
    { "attention_bias", "transformers' Qwen2 has biases of queries, keys and values, and no others" },
    { "mlp_bias", "transformers' Qwen2 has biases of queries, keys and values, and no others" },
};

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    struct sp_decoder_config *c = model->config;

    SP_TRY(sp_family_refuse(refusals, sizeof refusals / sizeof *refusals, config, file));
    c->num_key_value_heads = 32;
    SP_TRY(sp_decoder_read_config(model, config, "hidden_act", "silu", file));
    c->qkv_bias = true;
    return sp_decoder_read_upper_windows(model, config, file);
}

static const char *const model_types[] = { "qwen2", NULL };

const struct sp_model_family sp_model_qwen2 = {
    .model_types = model_types,
    .read_config = read_config,
    SP_DECODER_FAMILY,
};
