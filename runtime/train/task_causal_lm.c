/*
 * Causal language modelling: each next token of a text, by cross-entropy over the vocabulary (sp_nn_language_loss).
 *
 * Rows are a text, all of whose tokens are learnt; a prompt and a completion, of which the completion is, and the end
 * token behind it; or token ids, with labels where not all of them are. Token t is to predict token t + 1: that, or
 * none, is its target.
 *
 * Prompt and completion are encoded as one text, as TRL does it: what the tokenizer puts in front of a text it puts
 * there once, and the border is split as in any text. Learnt is what comes after the tokens that the prompt alone
 * begins with, so that a token across the border is, too.
 */
#include "runtime/train/task.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/nn/plan.h"
#include "runtime/text/chat.h"
#include "runtime/train/config_priv.h"
#include "runtime/train/generate.h"
#include "runtime/train/prompt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMS                                                                                                          \
    "`text`; `prompt` and `completion` (prompt_column and completion_column name others); `input_ids`, with `labels` " \
    "where not all tokens are learnt"

/* ---- which models and files it is for ---------------------------------------------------------------------------- */

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Whether the model's own output is its vocabulary's, as its class in config.json says. */
static bool is_causal(const struct sp_run *run)
{
    bool knows = run->model.family && run->model.family->vocabulary;
    const json_t *config = knows ? sp_checkpoint_config(run->checkpoint) : NULL;
    const char *class = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));

    return class && (ends_in(class, "ForCausalLM") || ends_in(class, "LMHeadModel"));
}

/* Of a model whose vocabulary is known, where the task is asked for. */
static bool keeps_output(const struct sp_run *run)
{
    return run->task == &sp_task_causal_lm ? run->model.family->vocabulary != NULL : is_causal(run);
}

static int check_model(const struct sp_run *run)
{
    return run->model.family->vocabulary
               ? 0
               : sp_error(SP_ECONFIG, "%s: a %s model does not predict the next token, as causal_lm needs",
                          run->model_file, run->model.family->model_types[0]);
}

static bool takes(const struct sp_run *run, enum sp_label_kind labels)
{
    return labels == SP_LABELS_NONE && is_causal(run);
}

static bool has_column(const struct sp_reader *reader, const char *name)
{
    for (size_t i = 0; i < sp_reader_column_count(reader); i++)
        if (strcmp(sp_reader_column_name(reader, i), name) == 0)
            return true;
    return false;
}

static const char *foreign(const struct sp_reader *reader)
{
    if (has_column(reader, "input_ids") || has_column(reader, "text") ||
        (has_column(reader, "prompt") && has_column(reader, "completion")))
        return NULL;
    if (has_column(reader, "messages") || has_column(reader, "conversations"))
        return "chats (\"messages\" or \"conversations\")";
    if (has_column(reader, "instruction") && (has_column(reader, "output") || has_column(reader, "response")))
        return "instructions as Alpaca has them (\"instruction\" and \"output\")";
    return NULL;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

struct options {
    char *prompt_column, *completion_column, *template, *sample_prompt;
    long long sample_max_new_tokens;
};

static const struct options *options_of(const struct sp_run *run)
{
    return run->config->causal_lm_options;
}

#define FIELD(name) offsetof(struct options, name)

static const struct sp_option options[] = {
    { "prompt_column", SP_OPTION_COLUMN, FIELD(prompt_column), NULL, NULL, NULL, SP_CONFIG_DATA,
      "For causal_lm, the column of what a completion follows from: its name, or its number from 1.",
      "by default prompt, where there is completion" },
    { "completion_column", SP_OPTION_COLUMN, FIELD(completion_column), NULL, NULL, NULL, SP_CONFIG_DATA,
      "For causal_lm, the column of what is learnt to follow the prompt.", "by default completion" },
    { SP_PROMPT_TEMPLATE, SP_OPTION_STRING, FIELD(template), NULL, NULL, sp_prompt_templates, SP_CONFIG_DATA,
      "For causal_lm, how a prompt is put to the model: raw, as it stands; model, as a user's message in the chat form "
      "of the model's own files, up to where the answer begins, which then ends with its turn.",
      "by default raw, or what the adapter was trained with" },
    { "sample_prompt", SP_OPTION_STRING, FIELD(sample_prompt), NULL, NULL, NULL, SP_CONFIG_REPORTS,
      "For causal_lm, a prompt that the model is given before training and after it: train says how it goes on, by the "
      "likeliest tokens.",
      "by default none" },
    { "sample_max_new_tokens", SP_OPTION_INT, FIELD(sample_max_new_tokens), "64", "[1, 1000000]", NULL,
      SP_CONFIG_REPORTS, "The most tokens of what is said to sample_prompt.", NULL },
};

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Puts the encoded text in its place, with the end token behind it; *length is all of it, uncut. */
static int put(size_t *length, struct sp_row_input *in, const struct sp_encoding *text, bool ends)
{
    struct sp_dataset *out = in->out;
    const uint32_t *end = ends ? in->options->end_token : NULL;

    *length = text->length;
    SP_TRY(sp_row_reserve(in, text->length + 1));
    memcpy(out->ids + out->tokens, text->ids, text->length * sizeof *out->ids);
    if (end && !(*length && out->ids[out->tokens + *length - 1] == *end))
        out->ids[out->tokens + (*length)++] = *end;
    memset(out->types + out->tokens, 0, *length * sizeof *out->types);
    return 0;
}

/* In a chat form the prompt has around it what the tokenizer would put there. */
static int put_completed(size_t *length, struct sp_row_input *in, const struct sp_field *prompt,
                         const struct sp_field *completion)
{
    const struct sp_chat *chat = in->options->chat;
    int (*encode)(const struct sp_encoding **, struct sp_row_input *, const char *, size_t) =
        chat ? sp_row_encode_bare : sp_row_encode;
    const uint32_t *ids;
    const struct sp_encoding *encoding;
    struct sp_buf whole = SP_BUF(SP_TOKENIZER_TEXT_MAX);
    size_t border;
    int rc;

    SP_GO(chat ? sp_chat_write(&whole, chat, NULL, prompt->text, prompt->length)
               : sp_buf_append(&whole, prompt->text, prompt->length));
    border = whole.length;
    SP_GO(sp_buf_append(&whole, completion->text, completion->length));
    SP_GO(encode(&encoding, in, whole.data ? whole.data : "", whole.length));
    SP_GO(put(length, in, encoding, true));
    SP_GO(encode(&encoding, in, whole.data ? whole.data : "", border));
    ids = in->out->ids + in->out->tokens;
    while (in->note < encoding->length && in->note < *length && encoding->ids[in->note] == ids[in->note])
        in->note++; /* tokens of the prompt, which are given */
out:
    sp_buf_free(&whole);
    return rc;
}

/* A chat form is put around prompts alone. */
static int check_form(const struct sp_row_input *in, bool prompted, const char *what)
{
    return prompted || !in->options->chat
               ? 0
               : sp_reader_fail(in->reader, SP_ECONFIG,
                                SP_PROMPT_TEMPLATE " puts prompts into a chat form, before their completions, and this "
                                                   "row has %s: give it a `prompt` and a `completion`, or set "
                                                   SP_PROMPT_TEMPLATE ": raw",
                                what);
}

static int tokens(size_t *length, struct sp_row_input *in)
{
    const struct sp_encoding *encoding;
    struct sp_field text, completion;

    SP_TRY(sp_row_ids(length, in));
    if (*length)
        return check_form(in, false, "token ids (`input_ids`)");
    SP_TRY(sp_row_text(&text, in, 0));
    SP_TRY(sp_row_text(&completion, in, 1));
    SP_TRY(check_form(in, completion.text, "a text alone"));
    if (!text.text)
        return sp_reader_fail(in->reader, SP_EFORMAT, "no text and no \"input_ids\"");
    if (!in->options->empty_texts && sp_text_is_blank(text.text, text.length) &&
        sp_text_is_blank(completion.text, completion.length))
        return sp_row_refuse_empty(in);
    if (completion.text) {
        SP_TRY(put_completed(length, in, &text, &completion));
    } else {
        SP_TRY(sp_row_encode(&encoding, in, text.text, text.length));
        SP_TRY(put(length, in, encoding, false));
    }
    if (!*length)
        return sp_reader_fail(in->reader, SP_EFORMAT, "the text has no token");
    in->out->truncated += *length > in->options->max_seq_length;
    *length = *length < in->options->max_seq_length ? *length : in->options->max_seq_length;
    return 0;
}

/* The row's own label of each of its tokens, those that attention_mask leaves out aside, into targets[0 ..]. */
static int read_labels(uint32_t *targets, const struct sp_row_input *in, const json_t *labels, size_t length)
{
    const json_t *ids = json_object_get(in->row->object, "input_ids");
    const json_t *mask = json_object_get(in->row->object, "attention_mask");
    size_t kept = 0;

    if (!json_is_array(labels) || json_array_size(labels) != json_array_size(ids))
        return sp_reader_fail(in->reader, SP_EFORMAT,
                              "\"labels\" has %zu elements, \"input_ids\" %zu: one for each is expected, -100 where "
                              "it is not to be learnt",
                              json_array_size(labels), json_array_size(ids));
    for (size_t i = 0; i < json_array_size(labels) && kept < length; i++) {
        const json_t *label = json_array_get(labels, i);
        json_int_t value = json_integer_value(label);

        if (!json_is_integer(label) || (value != SP_NO_TARGET && value < 0) ||
            value >= (json_int_t)in->options->vocab_size)
            return sp_reader_fail(in->reader, SP_EFORMAT,
                                  "\"labels\"[%zu] is neither -100 nor an integer from 0 to %zu", i,
                                  in->options->vocab_size - 1);
        if (json_is_array(mask) && json_integer_value(json_array_get(mask, i)) == 0)
            continue;
        targets[kept++] = (uint32_t)(int32_t)value;
    }
    return 0;
}

/* In a prediction all tokens count. */
static int read_targets(uint32_t *targets, size_t *terms, struct sp_row_input *in, size_t length)
{
    const uint32_t *ids = in->out->ids + in->out->tokens;
    const json_t *labels = in->options->no_labels ? NULL : json_object_get(in->row->object, "labels");

    if (labels && !json_is_null(labels) && json_object_get(in->row->object, "input_ids")) {
        SP_TRY(read_labels(targets, in, labels, length));
    } else {
        size_t given = in->options->no_labels ? 0 : in->note;

        for (size_t t = 0; t < length; t++)
            targets[t] = t < given ? (uint32_t)SP_NO_TARGET : ids[t];
    }
    *terms = 0;
    for (size_t t = 0; t < length; t++) {
        targets[t] = t + 1 < length ? targets[t + 1] : (uint32_t)SP_NO_TARGET;
        *terms += targets[t] != (uint32_t)SP_NO_TARGET;
    }
    return 0;
}

static size_t supervised(const struct sp_dataset *dataset)
{
    size_t sum = 0;

    for (size_t i = 0; i < dataset->count; i++)
        sum += dataset->terms[i];
    return sum;
}

static int say(struct sp_buf *out, const struct sp_run *run, const struct sp_dataset *dataset)
{
    SP_TRY(sp_buf_printf(out, "%zu of the %zu tokens of %zu rows are supervised", supervised(dataset), dataset->tokens,
                         dataset->count));
    return dataset->layout.pair.number && run->end_token == SP_TOKEN_NONE
               ? sp_buf_puts(out, " (no end token behind completions: the model names none)")
               : 0;
}

/* ---- prompts ----------------------------------------------------------------------------------------------------- */

/* The sample's prompt as tokens, which the caller frees, those that the model can go on with. */
static int encode_sample(struct sp_encoding *out, const struct sp_run *run)
{
    const struct options *o = options_of(run);
    int rc = run->tokenizer ? 0 : sp_error(SP_ECONFIG, "%s; sample_prompt needs one", run->no_tokenizer);

    if (rc == 0)
        rc = sp_prompt_encode(out, run, o->sample_prompt, strlen(o->sample_prompt));
    if (rc == 0)
        rc = sp_prompt_check(out, run, "sample_prompt", "sample_max_new_tokens", o->sample_max_new_tokens);
    return rc;
}

/* The sample's prompt is looked at before the long work. */
static int open_task(struct sp_run *run)
{
    struct sp_encoding encoding = { 0 };
    int rc = sp_prompt_settle(run, options_of(run)->template, NULL);

    if (rc == 0 && options_of(run)->sample_prompt)
        rc = encode_sample(&encoding, run);
    sp_encoding_free(&encoding);
    return rc;
}

static int sample(char **asked, char **said, struct sp_run *run)
{
    const struct options *o = options_of(run);
    struct sp_encoding prompt = { 0 };
    int rc;

    *asked = *said = NULL;
    if (!o->sample_prompt)
        return 0;
    SP_GO(encode_sample(&prompt, run));
    SP_GO(sp_generate_beside(said, run, prompt.ids, prompt.length, (size_t)o->sample_max_new_tokens));
    *asked = sp_strdup(o->sample_prompt);
    rc = *asked ? 0 : SP_ENOMEM;
out:
    sp_encoding_free(&prompt);
    return rc;
}

static int sample_memory(size_t *bytes, const struct sp_run *run)
{
    const struct options *o = options_of(run);
    struct sp_encoding prompt = { 0 };
    int rc = o->sample_prompt ? encode_sample(&prompt, run) : 0;

    if (rc == 0 && o->sample_prompt)
        rc = sp_generate_beside_memory(bytes, run, prompt.length, (size_t)o->sample_max_new_tokens);
    sp_encoding_free(&prompt);
    return rc;
}

/* ---- the head ---------------------------------------------------------------------------------------------------- */

static bool fits(char *why, size_t size, size_t outputs, const json_t *config)
{
    (void)outputs, (void)config;
    snprintf(why, size, "it is for whole texts");
    return false;
}

static size_t outputs(const struct sp_run *run)
{
    return (size_t)run->model.vocab_size;
}

static int keep_head(struct sp_run *run, const struct sp_own_head *own)
{
    (void)run, (void)own;
    return 0;
}

static int check_labels(const json_t *labels, const char *file)
{
    return labels ? sp_error(SP_EFORMAT, "%s: \"labels\" is not null, as causal_lm needs", file) : 0;
}

/* ---- the loss ---------------------------------------------------------------------------------------------------- */

static void build(const struct sp_run *run)
{
    const struct sp_model *model = &run->model;
    int hidden = model->family->body(run->plan, model);

    sp_nn_language_loss(run->plan, hidden, model->family->vocabulary(run->plan, model), model->logit_softcap);
}

/* Of one who takes all tokens for as likely. */
static double guess(const struct sp_run *run)
{
    return log((double)run->model.vocab_size);
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static const struct sp_score scores[] = {
    { "perplexity", "perplexity", SP_SCORE_OTHER, true },
    { "token_accuracy", "token accuracy", SP_SCORE_OTHER, false },
};

/* A row's prediction is the mean loss of its tokens. */
struct scoring {
    const struct sp_dataset *dataset;
    float *predictions;
    double right;
};

static int score_begin(void **out, const struct sp_run *run, const struct sp_dataset *dataset, float *predictions)
{
    struct scoring *s = sp_calloc(1, sizeof *s);

    (void)run;
    *out = s;
    if (!s)
        return SP_ENOMEM;
    *s = (struct scoring){ .dataset = dataset, .predictions = predictions };
    return 0;
}

static void score_add(void *scoring, const struct sp_logits *logits)
{
    struct scoring *s = scoring;

    for (size_t i = 0; i < logits->rows; i++) {
        struct sp_logits_row row = sp_logits_row(logits, i);
        double loss = 0;

        for (size_t t = 0; t < row.count; t++) {
            loss += (double)row.values[t]; /* 0 without a target, as the hit */
            s->right += (double)logits->hits[logits->bounds[i] + t];
        }
        if (s->predictions)
            s->predictions[logits->from + i] = (float)(loss / s->dataset->terms[logits->from + i]);
    }
}

static int score_end(struct sp_evaluation *out, void *scoring)
{
    const struct scoring *s = scoring;

    out->scores[0] = exp(out->loss);
    out->scores[1] = s->right / (double)supervised(s->dataset);
    return 0;
}

/* ---- what is written --------------------------------------------------------------------------------------------- */

/* Of each token after the first; the loss is null where there is none. */
static json_t *predicted(const struct sp_run *run, const struct sp_logits *logits, size_t i)
{
    struct sp_logits_row row = sp_logits_row(logits, i);
    json_t *list = json_array(), *out;
    int failed = !list;
    double loss = 0;

    (void)run;
    for (size_t t = 0; t + 1 < row.count && !failed; t++) {
        loss += (double)row.values[t];
        failed = json_array_append_new(list, json_real(0 - (double)row.values[t]));
    }
    out = failed ? NULL
                 : json_pack("{s:O, s:o}", "logprobs", list, "loss",
                             row.count > 1 ? json_real(loss / (double)(row.count - 1)) : json_null());
    json_decref(list);
    return out;
}

static json_t *outcome(const struct sp_run *run, const struct sp_dataset *dataset, size_t row, float prediction)
{
    (void)run;
    return json_pack("{s:f, s:i}", "loss", (double)prediction, "tokens", (int)dataset->terms[row]);
}

static const char *const columns[][2] = { { "prompt", "completion" }, { "text", NULL }, { NULL, NULL } };
static const struct sp_text_pair pair = { { "prompt_column", "completion_column" },
                                          { "prompt", "completion" },
                                          "prompts and their completions" };

const struct sp_task sp_task_causal_lm = {
    .name = "causal_lm",
    .labels = "tokens to predict",
    .options = { options, sizeof options / sizeof *options, sizeof(struct options) },
    .rows = { .labels = SP_LABELS_NONE, .texts = columns, .pair = &pair, .forms = FORMS, .foreign = foreign,
              .token_targets = true, .tokens = tokens, .targets = read_targets },
    .scores = scores,
    .score_count = sizeof scores / sizeof *scores,
    .takes = takes,
    .say = say,
    .open = open_task,
    .check_model = check_model,
    .keeps_output = keeps_output,
    .fits = fits,
    .outputs = outputs,
    .keep_head = keep_head,
    .check_labels = check_labels,
    .build = build,
    .guess = guess,
    .overflow = "the loss itself",
    .by_losses = true,
    .score_begin = score_begin,
    .score_add = score_add,
    .score_end = score_end,
    .score_release = free,
    .predicted = predicted,
    .outcome = outcome,
    .sample = sample,
    .sample_memory = sample_memory,
};
