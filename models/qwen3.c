/*
 * Qwen3 (Yang et al. 2025), as Hugging Face's Qwen3ForCausalLM and Qwen3ForSequenceClassification: LLaMA with a norm of
 * each head's queries and keys and, where "use_sliding_window" says so, windows in the upper layers.
 */
#include "models/family.h"
#include "models/decoder.h"
#include "models/models.h"

#include "runtime/base/error.h"

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    struct sp_decoder_config *c = model->config;

    c->num_key_value_heads = 32;
    c->head_dim = 128;
    SP_TRY(sp_decoder_read_config(model, config, "hidden_act", "silu", file));
    SP_TRY(sp_family_flag(&c->qkv_bias, config, "attention_bias", false, file));
    c->o_bias = c->qkv_bias;
    c->qk_norm = true;
    return sp_decoder_read_upper_windows(model, config, file);
}

static const char *const model_types[] = { "qwen3", NULL };

const struct sp_model_family sp_model_qwen3 = {
    .model_types = model_types,
    .read_config = read_config,
    SP_DECODER_FAMILY,
};
