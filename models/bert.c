/*
 * BERT (Devlin et al. 2019) with a sequence classification or regression head, as Hugging Face's
 * BertForSequenceClassification: the encoder, a tanh pooler over the first token, dropout, a linear classifier.
 */
#include "models/encoder.h"
#include "models/models.h"

static int body(struct sp_plan *plan, const struct sp_model *model)
{
    return sp_encoder_body(plan, model, -1);
}

static int head(struct sp_plan *plan, const struct sp_model *model, int hidden, int outputs)
{
    const struct sp_encoder_config *c = model->config;
    int H = model->hidden_size, x = sp_nn_first_token(plan, hidden);

    x = sp_encoder_linear(plan, x, H, H, SP_ACTIVATION_TANH, SP_PARAM_OPTIONAL, "pooler.dense");
    x = sp_nn_dropout(plan, x, c->classifier_dropout);
    return sp_encoder_linear(plan, x, outputs, H, SP_ACTIVATION_NONE, SP_PARAM_HEAD, "classifier");
}

static const char *const model_types[] = { "bert", NULL };
static const char *const prefixes[] = { "bert.", "", NULL };
static const char *const renames[] = { "LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta",
                                       NULL };
static const char *const ignored[] = { "*position_ids", "cls.*", NULL };

const struct sp_model_family sp_model_bert = {
    .model_types = model_types,
    .head_weight = "classifier.weight",
    .prefixes = prefixes,
    .renames = renames,
    .ignored = ignored,
    .targets = sp_encoder_targets,
    .config_size = sizeof(struct sp_encoder_config),
    .read_config = sp_encoder_read_config,
    .read_dropout = sp_encoder_read_dropout,
    .read_initializer = sp_encoder_read_initializer,
    .set_dropout = sp_encoder_set_dropout,
    .body = body,
    .head = head,
};
