/*
 * RoBERTa (Liu et al. 2019) and XLM-RoBERTa (Conneau et al. 2020), which is the same model, with a sequence
 * classification or regression head, as Hugging Face's RobertaForSequenceClassification: BERT's encoder with positions
 * that count from the padding token's id, no pooler, and a head of two layers over the first token.
 */
#include "models/encoder.h"
#include "models/models.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"

struct config {
    struct sp_encoder_config encoder; /* first: the encoder's functions take it for the whole */
    int padding;
};

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    struct config *c = model->config;
    long long padding = 1;

    SP_TRY(sp_encoder_read_config(model, config, file));
    SP_TRY(sp_json_get_int(&padding, config, "pad_token_id", file));
    if (padding < 0 || padding >= model->vocab_size || padding >= c->encoder.max_position_embeddings - 1)
        return sp_error(SP_EFORMAT,
                        "%s: \"pad_token_id\" is %lld; expected a token's id that leaves positions behind it: there "
                        "are %d, which begin at pad_token_id + 1",
                        file, padding, c->encoder.max_position_embeddings);
    c->padding = (int)padding;
    model->max_positions = c->encoder.max_position_embeddings - c->padding - 1;
    return 0;
}

static int body(struct sp_plan *plan, const struct sp_model *model)
{
    return sp_encoder_body(plan, model, ((const struct config *)model->config)->padding);
}

static int head(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs)
{
    const struct config *c = model->config;
    int H = model->hidden_size, x = sp_nn_first_token(plan, hidden);

    x = sp_nn_dropout(plan, x, c->encoder.classifier_dropout);
    x = sp_encoder_linear(plan, x, H, H, SP_ACTIVATION_TANH, SP_PARAM_HEAD, "classifier.dense");
    x = sp_nn_dropout(plan, x, c->encoder.classifier_dropout);
    return sp_encoder_linear(plan, x, outputs, H, SP_ACTIVATION_NONE, SP_PARAM_HEAD, "classifier.out_proj");
}

static const char *const model_types[] = { "roberta", "xlm-roberta", NULL };
static const char *const prefixes[] = { "roberta.", "", NULL };
static const char *const renames[] = { "LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta",
                                       NULL };
static const char *const ignored[] = { "*position_ids", "lm_head.*", "*pooler.*", NULL };

const struct sp_model_family sp_model_roberta = {
    .model_types = model_types,
    .head_weight = "classifier.out_proj.weight",
    .prefixes = prefixes,
    .renames = renames,
    .ignored = ignored,
    .targets = sp_encoder_targets,
    .config_size = sizeof(struct config),
    .read_config = read_config,
    .read_dropout = sp_encoder_read_dropout,
    .read_initializer = sp_encoder_read_initializer,
    .set_dropout = sp_encoder_set_dropout,
    .body = body,
    .head = head,
};
