/*
 * Task causal_lm: the rows it reads and what of them is learnt, against lists by hand; losses, perplexity, accuracy and
 * log-probabilities against double precision; that a step's loss is the mean over all its supervised tokens, whatever
 * its micro-batches; and what it refuses. The model is a family of the test's own, whose hidden states are a layer over
 * the embeddings: it sees each token's own alone.
 */
#include "tests/model/program.h"
#include "tests/train/said.h"
#include "tests/unit/device_support.h"
#include "tests/unit/near.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/rng.h"
#include "runtime/io/safetensors.h"
#include "runtime/train/mask.h"
#include "runtime/train/task.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The tokenizer's tokens, in order: special ones, an end token, words. */
static const char *const words[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[END]", "one",   "two",
                                     "three", "four",  "five",  "six",   "##s",    "seven", "eight", "nine" };
enum { CLS = 2, SEP, END = 5, ONE, TWO, THREE, FOUR, FIVE, SIX, PLURAL, VOCAB = sizeof words / sizeof *words, H = 12 };
enum { ROWS = 9 };

#define NONE ((uint32_t)SP_NO_TARGET)

/* ---- the family -------------------------------------------------------------------------------------------------- */

struct toy {
    bool tied;
};

static int read_config(struct sp_model *model, const json_t *config, const char *file)
{
    (void)file;
    ((struct toy *)model->config)->tied = json_is_true(json_object_get(config, "tie_word_embeddings"));
    model->vocab_size = VOCAB;
    model->hidden_size = H;
    model->type_vocab_size = 1;
    model->max_positions = 64;
    model->logit_softcap = (float)json_real_value(json_object_get(config, "final_logit_softcapping"));
    return 0;
}

static int read_dropout(struct sp_model *model, const json_t *config, const char *file)
{
    (void)model, (void)config, (void)file;
    return 0;
}

static int read_initializer(float *deviation, const json_t *config, const char *file)
{
    (void)config, (void)file;
    *deviation = 0.02f;
    return 0;
}

static void set_dropout(struct sp_model *model, float rate)
{
    (void)model, (void)rate;
}

static bool is_tied(const struct sp_model *model)
{
    return ((const struct toy *)model->config)->tied;
}

static int body(struct sp_plan *plan, const struct sp_model *model)
{
    int word = sp_plan_param(plan, is_tied(model) ? SP_PARAM_LINEAR : SP_PARAM_TABLE, VOCAB, H, "embed.weight");
    int layer = sp_plan_param(plan, SP_PARAM_LINEAR, H, H, "layer.weight");

    return sp_nn_linear(plan, sp_nn_embedding(plan, word, -1, -1, -1), layer, -1, SP_ACTIVATION_TANH);
}

static int head(struct sp_plan *plan, const struct sp_model *model, int hidden, int count)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, count, H, "score.weight");

    (void)model;
    sp_plan_mark(plan, weight, SP_PARAM_HEAD);
    return sp_nn_linear(plan, sp_nn_first_token(plan, hidden), weight, -1, SP_ACTIVATION_NONE);
}

static int vocabulary(struct sp_plan *plan, const struct sp_model *model)
{
    return is_tied(model) ? 0 : sp_plan_param(plan, SP_PARAM_LINEAR, VOCAB, H, "lm_head.weight");
}

static const char *const types[] = { "toy", NULL }, *const plain[] = { "", NULL }, *const nothing[] = { NULL };

static const struct sp_model_family family = {
    .model_types = types,
    .head_weight = "score.weight",
    .prefixes = plain,
    .renames = nothing,
    .ignored = nothing,
    .config_size = sizeof(struct toy),
    .read_config = read_config,
    .read_dropout = read_dropout,
    .read_initializer = read_initializer,
    .set_dropout = set_dropout,
    .body = body,
    .head = head,
    .vocabulary = vocabulary,
};

static const struct sp_model_family *const families[] = { &family, &sp_model_bert };

/* ---- its checkpoints --------------------------------------------------------------------------------------------- */

static float embed[VOCAB * H], layer[H * H], own[VOCAB * H];
static double cap; /* of the model's logits */

static void write_model(const char *name, bool tied, const char *class)
{
    struct sp_tensor_info tensors[] = {
        { .name = "embed.weight", .dtype = SP_F32, .rank = 2, .shape = { VOCAB, H }, .data = embed },
        { .name = "layer.weight", .dtype = SP_F32, .rank = 2, .shape = { H, H }, .data = layer },
        { .name = "lm_head.weight", .dtype = SP_F32, .rank = 2, .shape = { VOCAB, H }, .data = own },
    };
    json_t *config = json_pack("{s:s, s:[s], s:b, s:f, s:[i, i]}", "model_type", "toy", "architectures", class,
                               "tie_word_embeddings", tied, "final_logit_softcapping", tied ? 3.0 : 0.0, "eos_token_id",
                               END, 0);
    char text[512] = "";

    for (int i = 0; i < 3; i++) {
        tensors[i].count = tensors[i].shape[0] * tensors[i].shape[1];
        tensors[i].bytes = tensors[i].count * sizeof(float);
    }
    for (int i = 0; i < VOCAB; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\n", words[i]);
    assert_int_equal(mkdir(program_path("%s", name), 0700), 0);
    assert_ok(sp_safetensors_write(program_path("%s/model.safetensors", name), tensors, tied ? 2 : 3));
    assert_ok(sp_fs_write(program_path("%s/vocab.txt", name), text, strlen(text)));
    snprintf(text, sizeof text, "%s/config.json", name);
    program_write(text, config);
    json_decref(config);
}

static void write_rows(const char *name, const char *text)
{
    assert_ok(sp_fs_write(program_path("%s", name), text, strlen(text)));
}

static const char prompts[] = "{\"prompt\": \"one two\", \"completion\": \" three\"}\n"
                              "{\"prompt\": \"two\", \"completion\": \"four fives six one two three four five\"}\n"
                              "{\"prompt\": \"one\", \"completion\": \"s nine\"}\n"
                              "{\"prompt\": \"seven eight nine seven\", \"completion\": \"one\"}\n"
                              "{\"prompt\": \"\", \"completion\": \"two two\"}\n"
                              "{\"prompt\": \"six six\", \"completion\": \"\"}\n"
                              "{\"prompt\": \"four\", \"completion\": \"eight nine eight nine eight nine\"}\n"
                              "{\"prompt\": \"one nine\", \"completion\": \"three three\"}\n"
                              "{\"prompt\": \"five\", \"completion\": \"five five five five\"}\n";

static int setup(void **state)
{
    if (program_setup(state) != 0)
        return -1;
    for (size_t i = 0; i < VOCAB * H; i++) {
        embed[i] = (float)(2 * sp_rng_uniform(1, SP_RNG_SKETCH, 0, i) - 1);
        own[i] = (float)(2 * sp_rng_uniform(1, SP_RNG_SKETCH, 1, i) - 1);
    }
    for (size_t i = 0; i < H * H; i++)
        layer[i] = (float)(sp_rng_uniform(1, SP_RNG_SKETCH, 2, i) - 0.5);
    write_model("model", false, "ToyForCausalLM");
    write_model("tied", true, "ToyForCausalLM");
    write_model("base", false, "ToyModel");
    write_rows("prompts.jsonl", prompts);
    sp_log_set_sink(said_listen, NULL);
    return 0;
}

static int teardown(void **state)
{
    sp_log_set_sink(NULL, NULL);
    said_clear();
    return program_teardown(state);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

/* A run of the model on a file of the scratch folder, with such options, which are taken. */
static void start(struct sp_run *run, struct sp_config *config, const char *model, const char *file, json_t *options)
{
    json_t *all = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:{s:s, s:[s]}}", "model_name_or_path",
                            program_path("%s", model), "train_file", program_path("%s", file), "output_dir",
                            program_path("run"), "max_seq_length", 10, "logging_steps", 1, "lr_scheduler_type",
                            "constant", "sparse", "method", "static", "target_modules", "layer"),
           *sparse, *full = json_pack("{s:s}", "method", "full");

    assert_non_null(options);
    sparse = json_object_get(options, "sparse");
    if (sparse && !json_equal(json_object_get(sparse, "method"), json_object_get(full, "method")))
        json_object_update_missing(sparse, json_object_get(all, "sparse"));
    json_object_update(all, options);
    assert_ok(sp_config_load(config, program_write("config.json", all), NULL, 0));
    json_decref(all);
    json_decref(full);
    json_decref(options);
    *run = (struct sp_run){ .config = config, .families = families, .family_count = 2 };
    said_clear();
}

static void finish(struct sp_run *run, struct sp_config *config)
{
    sp_run_close(run);
    sp_config_release(config);
}

static void check_row(const struct sp_dataset *d, size_t row, const uint32_t *ids, const uint32_t *learnt, size_t count)
{
    const uint32_t *targets;
    size_t terms = 0;

    assert_int_equal(sp_dataset_length(d, row), count);
    assert_int_equal(sp_dataset_targets(&targets, d, row), count);
    for (size_t t = 0; t < count; t++) {
        assert_int_equal(d->ids[d->offsets[row] + t], ids[t]);
        assert_int_equal(targets[t], t + 1 < count ? learnt[t + 1] : NONE);
        terms += t > 0 && learnt[t] != NONE;
    }
    assert_int_equal(d->terms[row], terms);
}

#define ROW(d, row, ids, learnt) check_row(d, row, ids, learnt, sizeof(ids) / sizeof *(ids))

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Encoded as one text, the end token behind it; a token across the border is learnt; what is too long is cut, and where
 * nothing to learn is left the row goes. [CLS] and [SEP] are what this tokenizer puts around texts. */
static void test_prompts(void **state)
{
    static const uint32_t first[] = { CLS, ONE, TWO, THREE, SEP, END }, first_learnt[] = { NONE, NONE, NONE, THREE, SEP,
                                                                                          END };
    static const uint32_t second[] = { CLS, TWO, FOUR, FIVE, PLURAL, SIX, ONE, TWO, THREE, FOUR };
    static const uint32_t second_learnt[] = { NONE, NONE, FOUR, FIVE, PLURAL, SIX, ONE, TWO, THREE, FOUR };
    static const uint32_t third[] = { CLS, ONE, PLURAL, VOCAB - 1, SEP, END };
    static const uint32_t third_learnt[] = { NONE, NONE, PLURAL, VOCAB - 1, SEP, END };
    static const uint32_t ends[] = { CLS, SIX, SIX, SEP, END }, ends_learnt[] = { NONE, NONE, NONE, NONE, END };
    struct sp_config config;
    struct sp_run run;

    (void)state;
    write_rows("rows.jsonl", "{\"prompt\": \"one two\", \"completion\": \" three\"}\n"
                             "{\"prompt\": \"two \", \"completion\": \"four fives six one two three four five\"}\n"
                             "{\"prompt\": \"one one one one one one one one one one\", \"completion\": \"two\"}\n"
                             "{\"prompt\": \"one\", \"completion\": \"s nine\"}\n"
                             "{\"prompt\": \"six six\", \"completion\": \"\"}\n");
    start(&run, &config, "model", "rows.jsonl", json_object());
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_ptr_equal(run.task, &sp_task_causal_lm);
    assert_int_equal(run.train.count, 4);
    ROW(&run.train, 0, first, first_learnt);
    ROW(&run.train, 1, second, second_learnt);
    ROW(&run.train, 2, third, third_learnt);
    ROW(&run.train, 3, ends, ends_learnt);
    assert_int_equal(run.train.truncated, 1);
    assert_int_equal(run.train.untargeted, 1);
    assert_contains(said, "causal_lm, 16 of the 27 tokens of 4 rows are supervised; prompt: \"prompt\"; completion: "
                          "\"completion\"\n");
    assert_contains(said, "1 of 4 texts are longer than 10 tokens and were cut");
    assert_contains(said, "1 rows have no target to learn and were left out");
    finish(&run, &config);
}

/* Columns of the two names are meant, whatever is missing in most of their rows. */
static void test_mostly_empty(void **state)
{
    static const char *const files[] = {
        "{\"prompt\": \"one two\", \"completion\": \" three\"}\n{\"prompt\": \"six six\", \"completion\": \"\"}\n"
        "{\"prompt\": \"two two two\", \"completion\": \"\"}\n{\"prompt\": \"six one\", \"completion\": \"\"}\n",
        "{\"prompt\": \"\", \"completion\": \"two two two\"}\n",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sp_config config;
        struct sp_run run;

        write_rows("rows.jsonl", files[i]);
        start(&run, &config, "model", "rows.jsonl", json_object());
        assert_ok(sp_run_open(&run));
        assert_ok(sp_run_load_data(&run, true, false));
        assert_contains(said, "prompt: \"prompt\"; completion: \"completion\"\n");
        assert_int_equal(run.train.count, i ? 1 : 4);
        finish(&run, &config);
    }
}

static void test_named_columns(void **state)
{
    static const uint32_t ids[] = { CLS, ONE, TWO, SEP, END }, learnt[] = { NONE, NONE, TWO, SEP, END };
    struct sp_config config;
    struct sp_run run;

    (void)state;
    write_rows("gsm.csv", "question,answer\none, two\nthree, four\n");
    start(&run, &config, "model", "gsm.csv",
          json_pack("{s:s, s:s}", "prompt_column", "question", "completion_column", "2"));
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    ROW(&run.train, 0, ids, learnt);
    assert_contains(said, "prompt: column 1 \"question\"; completion: column 2 \"answer\"");
    finish(&run, &config);

    start(&run, &config, "model", "gsm.csv", json_pack("{s:s, s:s}", "prompt_column", "query", "task", "causal_lm"));
    assert_ok(sp_run_open(&run));
    assert_error(sp_run_load_data(&run, true, false), SP_ECONFIG, "prompt_column");
    finish(&run, &config);
}

/* Scores are kept for the rows, however their columns were named. */
static void test_score_cache(void **state)
{
    struct sp_config config;
    struct sp_run run;
    struct sp_mask mask;

    (void)state;
    write_rows("gsm.csv", "question,answer\none, two\nthree, four\n");
    for (int i = 0; i < 2; i++) {
        start(&run, &config, "model", "gsm.csv",
              json_pack("{s:s, s:s, s:{s:i, s:s}}", "prompt_column", i ? "1" : "question", "completion_column",
                        "answer", "sparse", "count", 20, "score_cache", program_path("scores")));
        assert_ok(sp_run_open(&run));
        assert_ok(sp_run_load_rows(&run, true));
        assert_ok(sp_run_build(&run, true, 0, 0));
        assert_ok(sp_mask_make(&mask, &run, 0));
        sp_mask_release(&mask);
        finish(&run, &config);
        assert_int_equal(strstr(said, "scores from ") != NULL, i);
    }
}

/* Texts without an end token; token ids, all learnt or by their labels, padding left out. */
static void test_texts_and_ids(void **state)
{
    static const uint32_t text[] = { CLS, ONE, TWO, SEP }, ids[] = { ONE, TWO, THREE, FOUR };
    static const uint32_t learnt[] = { NONE, NONE, TWO, FOUR }, padded[] = { ONE, THREE }, two[] = { NONE, FIVE };
    struct sp_config config;
    struct sp_run run;

    (void)state;
    write_rows("texts.jsonl", "{\"text\": \"one two\"}\n{\"text\": \"three\"}\n");
    start(&run, &config, "model", "texts.jsonl", json_object());
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    ROW(&run.train, 0, text, text);
    finish(&run, &config);

    write_rows("ids.jsonl", "{\"input_ids\": [6, 7, 8, 9]}\n"
                            "{\"input_ids\": [6, 7, 8, 9], \"labels\": [6, -100, 7, 9]}\n"
                            "{\"input_ids\": [6, 0, 8], \"attention_mask\": [1, 0, 1], \"labels\": [-100, 7, 10]}\n");
    start(&run, &config, "model", "ids.jsonl", json_object());
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    ROW(&run.train, 0, ids, ids);
    ROW(&run.train, 1, ids, learnt);
    ROW(&run.train, 2, padded, two);
    assert_contains(said, "6 of the 10 tokens of 3 rows are supervised; text: token ids");
    finish(&run, &config);
}

/* Loads the rows and expects to be refused so. */
static void refuses(const char *model, const char *file, const char *rows, const char *why, json_t *options)
{
    struct sp_config config;
    struct sp_run run;

    write_rows(file, rows);
    start(&run, &config, model, file, options);
    assert_ok(sp_run_open(&run));
    assert_true(sp_run_load_data(&run, true, false) < 0);
    assert_contains(sp_error_message(), why);
    finish(&run, &config);
}

#define ASKED json_pack("{s:s}", "task", "causal_lm")

static void test_refusals(void **state)
{
    (void)state;
    refuses("model", "bad.jsonl", "{\"input_ids\": [6, 7]}\n{\"input_ids\": [6, 7, 8], \"labels\": [6, 7]}\n",
            "bad.jsonl:2: \"labels\" has 2 elements, \"input_ids\" 3", ASKED);
    refuses("model", "bad.jsonl", "{\"input_ids\": [6, 7], \"labels\": [6, 16]}\n",
            "bad.jsonl:1: \"labels\"[1] is neither -100 nor an integer from 0 to 15", ASKED);
    refuses("model", "bad.jsonl", "{\"input_ids\": [6, 7], \"labels\": [6, -1]}\n", "\"labels\"[1] is neither", ASKED);
    refuses("model", "bad.jsonl", "{\"input_ids\": [6, 7], \"labels\": [6, -100]}\n",
            "none of its rows has a target to learn", ASKED);
    refuses("model", "bad.jsonl",
            "{\"prompt\": \"one\", \"completion\": \"two\"}\n{\"prompt\": \" \", \"completion\": \"\"}\n",
            "bad.jsonl:2: the text (column prompt) is empty", ASKED);
    refuses("model", "bad.jsonl",
            "{\"prompt\": \"one\", \"completion\": \"two\"}\n{\"prompt\": \"two\", \"completion\": null}\n",
            "bad.jsonl:2: no \"completion\": it is null", ASKED);
    refuses("model", "bad.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"one\"}], \"prompt\": \"one\"}\n",
            "its rows are chats (\"messages\" or \"conversations\"), which are not read; those that are: `text`",
            json_object());
    refuses("model", "bad.jsonl", "{\"instruction\": \"one two\", \"input\": \"\", \"output\": \"three\"}\n",
            "its rows are instructions as Alpaca has them", json_object());
    refuses("model", "bad.csv", "question,answer\none two three,four five six\ntwo one,five six\nnine one,six four\n",
            "set it, or prompt_column and completion_column for prompts and their completions. Rows", json_object());
    refuses("model", "bad.jsonl", "{\"text\": \"one two\", \"label\": \"a\"}\n{\"text\": \"two\", \"label\": \"b\"}\n",
            "and prompt_column is for prompts and their completions: remove it, or set task: causal_lm",
            json_pack("{s:s}", "prompt_column", "text"));
}

/* On a model whose class says nothing of it, it is a task that is asked for; on one without a vocabulary it is none. */
static void test_models(void **state)
{
    struct sp_config config;
    struct sp_run run;

    (void)state;
    start(&run, &config, "base", "prompts.jsonl", ASKED);
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_true(run.keep_head);
    finish(&run, &config);

    start(&run, &config, "base", "prompts.jsonl", json_object());
    assert_ok(sp_run_open(&run));
    assert_true(sp_run_load_data(&run, true, false) < 0);
    finish(&run, &config);

    start(&run, &config, "model", "prompts.jsonl",
          json_pack("{s:s, s:s}", "model_name_or_path", program_source("tests/data/reference/binary"), "task",
                    "causal_lm"));
    assert_ok(sp_run_open(&run));
    assert_error(sp_run_load_data(&run, true, false), SP_ECONFIG,
                 "a bert model does not predict the next token, as causal_lm needs");
    finish(&run, &config);
}

/* Labels make it a classifier's file, here one that has as many texts as GLUE's. */
static void test_labels(void **state)
{
    struct sp_config config;
    struct sp_run run;

    (void)state;
    write_rows("pairs.jsonl", "{\"sentence1\": \"one two\", \"sentence2\": \"two three\", \"label\": \"a\"}\n"
                              "{\"sentence1\": \"nine two\", \"sentence2\": \"two one\", \"label\": \"b\"}\n");
    start(&run, &config, "model", "pairs.jsonl", json_object());
    assert_ok(sp_run_open(&run));
    assert_error(sp_run_load_data(&run, true, false), SP_EINVAL, "of type 1"); /* of the second text: it is read */
    finish(&run, &config);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* -log p of `target` after `token`, and whether it is the likeliest. */
static double loss_of(bool *hit, const float *head_weight, uint32_t token, uint32_t target)
{
    double hidden[H], logits[VOCAB], sum = 0;

    for (int o = 0; o < H; o++) {
        hidden[o] = 0;
        for (int i = 0; i < H; i++)
            hidden[o] += (double)layer[o * H + i] * (double)embed[token * H + (uint32_t)i];
        hidden[o] = tanh(hidden[o]);
    }
    *hit = true;
    for (int v = 0; v < VOCAB; v++) {
        logits[v] = 0;
        for (int i = 0; i < H; i++)
            logits[v] += (double)head_weight[v * H + i] * hidden[i];
        logits[v] = cap > 0 ? cap * tanh(logits[v] / cap) : logits[v];
        sum += exp(logits[v]);
    }
    for (int v = 0; v < VOCAB; v++)
        *hit &= logits[v] <= logits[target];
    return log(sum) - logits[target];
}

/* Over all supervised tokens of the first rows; and the mean of the means of batches of four. */
static double expect(double *accuracy, double *of_means, const struct sp_dataset *d, const float *head_weight)
{
    double sum = 0, right = 0, batch = 0, in_batch = 0;
    size_t terms = 0;

    *of_means = 0;
    for (size_t r = 0; r < d->count; r++) {
        const uint32_t *targets;
        size_t length = sp_dataset_targets(&targets, d, r);

        for (size_t t = 0; t < length; t++) {
            bool hit;
            double loss = targets[t] == NONE ? 0 : loss_of(&hit, head_weight, d->ids[d->offsets[r] + t], targets[t]);

            right += targets[t] != NONE && hit;
            sum += loss;
            batch += loss;
        }
        terms += d->terms[r];
        in_batch += d->terms[r];
        if (r % 4 == 3 || r + 1 == d->count) {
            *of_means += batch / in_batch * (double)(r % 4 + 1) / (double)d->count;
            batch = in_batch = 0;
        }
    }
    *accuracy = right / (double)terms;
    return sum / (double)terms;
}

/* One step that learns nothing, in batches of `batch` rows; its loss and the norm of its gradients. */
static void one_step(double *loss, double *norm, const char *model, int batch)
{
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;
    double accuracy, of_means, mean;
    const json_t *line;

    start(&run, &config, model, "prompts.jsonl",
          json_pack("{s:i, s:i, s:i, s:i, s:f, s:b, s:s, s:{s:s}}", "per_device_train_batch_size", batch,
                    "gradient_accumulation_steps", (ROWS + batch - 1) / batch, "per_device_eval_batch_size", 2,
                    "max_steps", 1, "learning_rate", 0.0, "shuffle", 0, "validation_file",
                    program_path("prompts.jsonl"), "sparse", "method", "full"));
    assert_ok(sp_train(&result, &run));
    assert_int_equal(run.train.count, ROWS);
    cap = strcmp(model, "tied") == 0 ? 3 : 0;
    mean = expect(&accuracy, &of_means, &run.validation, strcmp(model, "tied") == 0 ? embed : own);
    line = json_array_get(program_lines(program_path("run/metrics.jsonl")), 1);
    *loss = program_number(line, "loss");
    *norm = program_number(line, "grad_norm");
    assert_near(*loss, mean, 1e-6);
    assert_near(result.before.loss, mean, 1e-6);
    assert_near(result.before.scores[0], exp(mean), 1e-5);
    assert_near(result.before.scores[1], accuracy, 1e-9);
    assert_true(fabs(of_means - mean) > 1e-3);
    finish(&run, &config);
}

/* The mean over all supervised tokens of the step, and its gradients, in however many batches the rows come. */
static void test_micro_batches(void **state)
{
    static const int batches[] = { ROWS, 4, 1 };
    static const char *const models[] = { "model", "tied" };

    (void)state;
    for (size_t m = 0; m < 2; m++) {
        double loss[3], norm[3];

        for (size_t i = 0; i < 3; i++) {
            one_step(&loss[i], &norm[i], models[m], batches[i]);
            assert_near(norm[i], norm[0], 1e-5 * norm[0]);
        }
    }
}

/* ---- from training to prediction --------------------------------------------------------------------------------- */

struct lines {
    json_t *rows;
    struct sp_run *run;
};

static int keep_rows(void *user, const struct sp_logits *logits)
{
    struct lines *l = user;

    for (size_t i = 0; i < logits->rows; i++)
        json_array_append_new(l->rows, l->run->task->predicted(l->run, logits, i));
    return 0;
}

/* The log-probability of every token after the first, the prompt's as well. */
static void check_prediction(void)
{
    struct lines lines = { .rows = json_array() };
    struct sp_config config;
    struct sp_run run;

    start(&run, &config, "model", "prompts.jsonl", json_object());
    lines.run = &run;
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, false, false));
    assert_ok(sp_run_load_input(&run, program_path("prompts.jsonl")));
    assert_ok(sp_run_build(&run, false, 0, 0));
    assert_ok(sp_logits_each(NULL, &run, &run.validation, keep_rows, &lines));
    assert_int_equal(json_array_size(lines.rows), ROWS);
    cap = 0;
    for (size_t r = 0; r < ROWS; r++) {
        const json_t *row = json_array_get(lines.rows, r), *list = json_object_get(row, "logprobs");
        const uint32_t *ids = run.validation.ids + run.validation.offsets[r];
        double sum = 0;
        bool hit;

        assert_int_equal(json_array_size(list), sp_dataset_length(&run.validation, r) - 1);
        for (size_t t = 0; t < json_array_size(list); t++) {
            double loss = loss_of(&hit, own, ids[t], ids[t + 1]);

            assert_near(json_real_value(json_array_get(list, t)), -loss, 1e-5);
            sum += loss;
        }
        assert_near(program_number(row, "loss"), sum / (double)json_array_size(list), 1e-5);
    }
    json_decref(lines.rows);
    finish(&run, &config);
}

/* A sparse delta learns the completions; its adapter gives the same evaluation, and needs no word of the task. */
static void test_training(void **state)
{
    struct sp_train_result result;
    struct sp_evaluation again;
    struct sp_adapter adapter;
    struct sp_config config;
    const json_t *file;
    struct sp_run run;

    (void)state;
    start(&run, &config, "model", "prompts.jsonl",
          json_pack("{s:s, s:i, s:i, s:i, s:f, s:{s:i, s:[s, s]}}", "validation_file", program_path("prompts.jsonl"),
                    "per_device_train_batch_size", 2, "gradient_accumulation_steps", 2, "max_steps", 40,
                    "learning_rate", 0.05, "sparse", "count", 150, "target_modules", "layer", "lm_head"));
    assert_ok(sp_train(&result, &run));
    assert_true(result.after.loss < 0.7 * result.before.loss && result.after.scores[1] > result.before.scores[1]);
    assert_near(result.after.scores[0], exp(result.after.loss), 1e-9);
    finish(&run, &config);
    file = program_json(program_path("run/result.json"));
    assert_string_equal(json_string_value(json_object_get(file, "task")), "causal_lm");
    assert_near(program_number(json_object_get(file, "after"), "perplexity"), result.after.scores[0], 1e-6);
    file = program_lines(program_path("run/predictions.jsonl"));
    assert_int_equal(json_array_size(file), ROWS);
    assert_int_equal((int)program_number(json_array_get(file, 0), "tokens"), 3);

    assert_ok(sp_adapter_load(&adapter, program_path("run/adapter")));
    start(&run, &config, "model", "prompts.jsonl",
          json_pack("{s:s}", "validation_file", program_path("prompts.jsonl")));
    run.adapter = &adapter;
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, false, true));
    assert_ok(sp_run_build(&run, false, 0, 0));
    assert_ok(sp_evaluate(&again, &run));
    assert_true(again.loss == result.after.loss && again.scores[1] == result.after.scores[1]);
    finish(&run, &config);
    sp_adapter_release(&adapter);
    check_prediction();
}

/* A head whose rows are the embeddings is no target of a sparse delta; SpIEL grows one that is the model's own. */
static void test_heads(void **state)
{
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;

    (void)state;
    start(&run, &config, "tied", "prompts.jsonl",
          json_pack("{s:i, s:{s:i, s:[s]}}", "max_steps", 1, "sparse", "count", 50, "target_modules", "embed"));
    assert_error(sp_train(&result, &run), SP_ECONFIG, "a tied weight");
    finish(&run, &config);

    start(&run, &config, "model", "prompts.jsonl",
          json_pack("{s:s, s:i, s:f, s:{s:s, s:i, s:i, s:i, s:[s, s]}}", "validation_file",
                    program_path("prompts.jsonl"), "max_steps", 8, "learning_rate", 0.05, "sparse", "method", "spiel",
                    "count", 60, "reselection_steps", 3, "selection_accumulation_steps", 2, "target_modules", "layer",
                    "lm_head"));
    assert_ok(sp_train(&result, &run));
    assert_true(result.after.loss < result.before.loss);
    finish(&run, &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompts),  cmocka_unit_test(test_mostly_empty), cmocka_unit_test(test_named_columns),
        cmocka_unit_test(test_texts_and_ids), cmocka_unit_test(test_score_cache),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_models),        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_micro_batches), cmocka_unit_test(test_training), cmocka_unit_test(test_heads),
    };

    return cmocka_run_group_tests_name("causal_lm", tests, setup, teardown);
}
