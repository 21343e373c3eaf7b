/*
 * How prompts are put to a causal model: what of a row in a chat form is learnt, which adapter goes with which form,
 * and what a run says to its sample_prompt before and after, which is what the model says by itself, and changes
 * nothing; and that its memory is in what the run says.
 * The model is a LLaMA of tests/data/reference with a tokenizer of single characters, a newline and ChatML's marks.
 */
#include "tests/model/program.h"
#include "tests/train/said.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/train/generate.h"
#include "runtime/train/ledger.h"
#include "runtime/train/prompt.h"
#include "runtime/train/task.h"
#include "runtime/train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { VOCAB = 88, END = 3, TURN = 4, TURN_END = 5, BLANK = 6, NEWLINE = 7, FIRST = 8, NEW = 12 };

/* Token FIRST + i is the i-th of them. */
static const char characters[] = "abcdefghijklmnopqrstuvwxyz0123456789?!.,:;-+()";

/* ---- the model --------------------------------------------------------------------------------------------------- */

static json_t *tokenizer(void)
{
    static const char *const special[] = { "<pad>", "<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>" };
    json_t *added = json_array(), *vocabulary = json_object();

    for (int i = 0; i < BLANK; i++) {
        json_array_append_new(added, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", i, "content", special[i],
                                               "special", true, "single_word", false, "lstrip", false, "rstrip", false,
                                               "normalized", false));
        json_object_set_new(vocabulary, special[i], json_integer(i));
    }
    json_object_set_new(vocabulary, "\xc4\xa0", json_integer(BLANK));
    json_object_set_new(vocabulary, "\xc4\x8a", json_integer(NEWLINE));
    for (int i = FIRST; i < VOCAB; i++) {
        char token[8];

        snprintf(token, sizeof token, "x%d", i);
        if ((size_t)(i - FIRST) < strlen(characters))
            snprintf(token, sizeof token, "%c", characters[i - FIRST]);
        json_object_set_new(vocabulary, token, json_integer(i));
    }
    /* <s> before every text but one that has all around it */
    return json_pack("{s:o, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[], "
                     "s:{s:{s:s, s:[i], s:[s]}}}, s:{s:s}, s:{s:s, s:s, s:o, s:[]}}",
                     "added_tokens", added, "normalizer", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space",
                     false, "trim_offsets", true, "use_regex", true, "post_processor", "type", "TemplateProcessing",
                     "single", "SpecialToken", "id", "<s>", "type_id", 0, "Sequence", "id", "A", "type_id", 0, "pair",
                     "special_tokens", "<s>", "id", "<s>", "ids", 2, "tokens", "<s>", "decoder", "type", "ByteLevel",
                     "model", "type", "BPE", "unk_token", "<unk>", "vocab", vocabulary, "merges");
}

/* A copy of the reference's, with such a chat template (NULL: none). */
static void write_model(const char *name, const char *template)
{
    static const char *const files[] = { "config.json", "model.safetensors" };
    char path[64];
    json_t *document;

    assert_int_equal(mkdir(program_path("%s", name), 0700), 0);
    for (int i = 0; i < 2; i++) {
        char *bytes;
        size_t size;

        assert_ok(sp_fs_read(&bytes, &size, program_source("tests/data/reference/decoders/llama/%s", files[i]),
                             (size_t)1 << 20));
        assert_ok(sp_fs_write(program_path("%s/%s", name, files[i]), bytes, size));
        free(bytes);
    }
    document = tokenizer();
    assert_non_null(document);
    snprintf(path, sizeof path, "%s/tokenizer.json", name);
    program_write(path, document);
    json_decref(document);
    document = json_pack("{s:s?}", "chat_template", template);
    snprintf(path, sizeof path, "%s/tokenizer_config.json", name);
    program_write(path, document);
    json_decref(document);
}

static int setup(void **state)
{
    static const char turns[] = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                                "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
                                "{{ '<|im_start|>assistant\\n' }}{% endif %}";
    static const char rows[] = "{\"prompt\": \"ab?\", \"completion\": \"yes\"}\n"
                               "{\"prompt\": \"cd\", \"completion\": \"no. no\"}\n"
                               "{\"prompt\": \"a\", \"completion\": \"hm\"}\n";
    static const char texts[] = "{\"text\": \"ab\"}\n", ids[] = "{\"input_ids\": [8, 9]}\n";

    if (program_setup(state) != 0)
        return -1;
    write_model("model", turns);
    write_model("bare", NULL);
    assert_ok(sp_fs_write(program_path("rows.jsonl"), rows, strlen(rows)));
    assert_ok(sp_fs_write(program_path("texts.jsonl"), texts, strlen(texts)));
    assert_ok(sp_fs_write(program_path("ids.jsonl"), ids, strlen(ids)));
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

struct subject {
    struct sp_config config;
    struct sp_run run;
};

/* A run of the model on the rows, with more options. */
static void start(struct subject *s, const char *model, const char *rows, json_t *more)
{
    json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:{s:s, s:[s], s:i}}", "task", "causal_lm",
                            "model_name_or_path", program_path("%s", model), "train_file", program_path("%s", rows),
                            "output_dir", program_path("run"), "per_device_train_batch_size", 2, "max_steps", 4,
                            "learning_rate", 0.2, "sparse", "metric", "magnitude", "target_modules", "down_proj",
                            "count", 1000);

    assert_int_equal(json_object_update(all, more), 0);
    assert_ok(sp_config_load(&s->config, program_write("config.json", all), NULL, 0));
    json_decref(all);
    json_decref(more);
    s->run = (struct sp_run){ .config = &s->config,
                              .families = sp_model_families,
                              .family_count = sp_model_family_count };
    said_clear();
}

static void finish(struct subject *s)
{
    sp_run_close(&s->run);
    sp_config_release(&s->config);
}

/* The tokens of a text: of characters, and of <|im_start|> where it has a {, <|im_end|> where it has a }. */
static size_t tokens_of(uint32_t *out, const char *text)
{
    size_t n = 0;

    for (; text[n]; n++)
        out[n] = text[n] == '{'    ? TURN
                 : text[n] == '}'  ? TURN_END
                 : text[n] == ' '  ? BLANK
                 : text[n] == '\n' ? NEWLINE
                                   : (uint32_t)(FIRST + (strchr(characters, text[n]) - characters));
    return n;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Row i is this text, of which the last `learnt` tokens are learnt. */
static void check_row(const struct sp_dataset *d, size_t i, const char *text, size_t learnt)
{
    uint32_t ids[64];
    const uint32_t *targets;
    size_t count = tokens_of(ids, text);

    assert_int_equal(sp_dataset_length(d, i), count);
    assert_memory_equal(d->ids + d->offsets[i], ids, count * sizeof *ids);
    assert_int_equal(sp_dataset_targets(&targets, d, i), count);
    for (size_t t = 0; t < count; t++)
        assert_int_equal(targets[t], t + 1 < count && t + 1 >= count - learnt ? ids[t + 1] : (uint32_t)SP_NO_TARGET);
    assert_int_equal(d->terms[i], learnt);
}

/* The completion and the turn's end, and nothing else. */
static void test_rows(void **state)
{
    struct subject s;

    (void)state;
    start(&s, "model", "rows.jsonl", json_pack("{s:s}", "template", "model"));
    assert_ok(sp_run_open(&s.run));
    assert_ok(sp_run_load_data(&s.run, true, false));
    check_row(&s.run.train, 0, "{user\nab?}\n{assistant\nyes}", 4);
    check_row(&s.run.train, 1, "{user\ncd}\n{assistant\nno. no}", 7);
    assert_non_null(strstr(said, "prompts are put into the model's chat form: ChatML; system message: none"));
    finish(&s);

    start(&s, "model", "rows.jsonl", json_object()); /* as they stand, as a text of the tokenizer's */
    assert_ok(sp_run_open(&s.run));
    assert_ok(sp_run_load_data(&s.run, true, false));
    assert_int_equal(sp_dataset_length(&s.run.train, 0), 1 + 6 + 1);
    assert_int_equal(s.run.train.ids[0], END - 1);
    assert_int_equal(s.run.train.ids[7], END);
    assert_null(said ? strstr(said, "chat form") : NULL);
    finish(&s);
}

static void check_refused(const char *model, const char *rows, json_t *more, int rc, const char *why)
{
    struct subject s;

    start(&s, model, rows, more);
    assert_ok(sp_run_open(&s.run));
    assert_error(sp_run_load_data(&s.run, true, false), rc, why);
    finish(&s);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("model", "texts.jsonl", json_pack("{s:s}", "template", "model"), SP_ECONFIG,
                  "texts.jsonl:1: template puts prompts into a chat form, before their completions, and this row has a "
                  "text alone: give it a `prompt` and a `completion`, or set template: raw");
    check_refused("model", "ids.jsonl", json_pack("{s:s, s:b}", "template", "model", "skip_bad_rows", true), SP_ECONFIG,
                  "this row has token ids");
    check_refused("bare", "rows.jsonl", json_pack("{s:s}", "template", "model"), SP_ENOTFOUND,
                  "has no chat template: leave --chat, or template: model, out");
    check_refused("model", "rows.jsonl", json_pack("{s:s, s:i}", "sample_prompt", "ab", "sample_max_new_tokens", 62),
                  SP_ELIMIT, "sample_prompt has 3 tokens, and sample_max_new_tokens asks for 62 more");
}

/* ---- the sample -------------------------------------------------------------------------------------------------- */

/* What the model says to these tokens, with this adapter (NULL: none), in a run of its own. */
static void generate(char **out, const char *prompt, bool in_chat, const char *dir)
{
    uint32_t ids[64], tokens[NEW], ends[] = { END, TURN_END };
    size_t length = tokens_of(ids + !in_chat, prompt) + !in_chat;
    struct sp_generate_limits limits = { .texts = 1, .longest = length + NEW, .pass = length };
    struct sp_generation text = { .prompt = ids, .prompt_length = length, .max_new_tokens = NEW, .tokens = tokens };
    struct sp_generate_options options = { .sample = { .top_p = 1 }, .end = ends, .end_count = in_chat ? 2 : 1 };
    struct sp_buf buffer = SP_BUF(1 << 12);
    struct sp_adapter adapter = { 0 };
    struct subject s;

    if (!in_chat)
        ids[0] = END - 1;
    start(&s, "model", "rows.jsonl", json_object());
    if (dir)
        assert_ok(sp_adapter_load(&adapter, dir));
    s.run.adapter = dir ? &adapter : NULL;
    assert_ok(sp_run_open(&s.run));
    assert_ok(sp_generate_open(&s.run, &limits));
    assert_ok(sp_generate(&s.run, &limits, &text, 1, &options));
    assert_ok(sp_tokenizer_decode(&buffer, s.run.tokenizer, tokens, text.count, true));
    *out = strndup(buffer.data ? buffer.data : "", buffer.length);
    sp_buf_free(&buffer);
    finish(&s);
    sp_adapter_release(&adapter);
}

/* A training whose sample is what the model says without it, and with its adapter; `asked` are the prompt's tokens. */
static void check_sample(const char *template, const char *asked)
{
    const char *dir = program_path("run/adapter");
    struct sp_train_result result;
    char *before, *after;
    json_t *shown;
    struct subject s;

    start(&s, "model", "rows.jsonl", json_pack("{s:s, s:s, s:i}", "template", template, "sample_prompt", "ab?",
                                               "sample_max_new_tokens", NEW));
    assert_ok(sp_train(&result, &s.run));
    assert_string_equal(s.run.sample.asked, "ab?");
    shown = json_object_get(program_json(program_path("run/result.json")), "sample");
    assert_string_equal(json_string_value(json_object_get(shown, "prompt")), "ab?");
    assert_string_equal(json_string_value(json_object_get(shown, "before")), s.run.sample.before);
    assert_string_equal(json_string_value(json_object_get(shown, "after")), s.run.sample.after);
    assert_non_null(strstr(said, "to \"ab?\" the model says, before training: "));
    before = strdup(s.run.sample.before);
    after = strdup(s.run.sample.after);
    finish(&s);

    assert_string_not_equal(before, after);
    for (int trained = 0; trained < 2; trained++) {
        char *alone;

        generate(&alone, asked, strcmp(template, "model") == 0, trained ? dir : NULL);
        assert_string_equal(trained ? after : before, alone);
        free(alone);
    }
    free(before);
    free(after);
}

static void test_sample(void **state)
{
    (void)state;
    check_sample("model", "{user\nab?}\n{assistant\n");
    check_sample("raw", "ab?");
}

/* The same bits with a sample and without. */
static void test_nothing_changed(void **state)
{
    char *adapters[2];
    size_t sizes[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sp_train_result result;
        struct subject s;

        start(&s, "model", "rows.jsonl",
              i ? json_pack("{s:s, s:i}", "sample_prompt", "ab", "sample_max_new_tokens", NEW) : json_object());
        assert_ok(sp_train(&result, &s.run));
        finish(&s);
        assert_ok(sp_fs_read(&adapters[i], &sizes[i], program_path("run/adapter/adapter.safetensors"), 1 << 20));
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(adapters[0], adapters[1], sizes[0]);
    free(adapters[0]);
    free(adapters[1]);
}

/* The device's peak and what was said of it, in a run with an answer of so many tokens. */
static void measure(double *peak, double *said_before, const char *sparse, int tokens)
{
    struct sp_train_result result;
    struct sp_ledger ledger;
    struct subject s;

    start(&s, "model", "rows.jsonl",
          json_pack("{s:s, s:i, s:i, s:o}", "sample_prompt", "abc?", "sample_max_new_tokens", tokens,
                    "per_device_train_batch_size", 1, "sparse", json_loads(sparse, 0, NULL)));
    assert_ok(sp_train(&result, &s.run));
    assert_ok(sp_ledger_make(&ledger, &s.run));
    *peak = (double)result.device_peak;
    *said_before = (double)sp_ledger_total(&ledger);
    assert_true(tokens < 59 || (double)ledger.sample > 0.02 * *said_before); /* it is no small part of it */
    finish(&s);
}

/* What the answer takes of the device's memory is in what the run says before, beside what a method keeps. */
static void test_memory(void **state)
{
    static const char moving[] = "{\"method\": \"spiel\", \"growth\": \"ag\", \"density\": 0.5, "
                                 "\"reselection_steps\": 2, \"selection_accumulation_steps\": 1, "
                                 "\"target_modules\": [\"down_proj\"]}";
    double peak, total, less_peak, less;

    (void)state;
    measure(&peak, &total, "{\"metric\": \"magnitude\", \"count\": 50, \"target_modules\": [\"down_proj\"]}", 59);
    if (peak > 1.01 * total || peak < 0.99 * total)
        fail_msg("%.0f bytes, and said were %.0f", peak, total);
    measure(&peak, &total, moving, 59);
    measure(&less_peak, &less, moving, 9);
    assert_true(total > less);
    assert_int_equal(peak - less_peak, total - less);
}

/* ---- adapters ---------------------------------------------------------------------------------------------------- */

/* How prompts are put with an adapter whose configuration has `kept`, and an option (NULL: none). */
static void check_settled(const char *kept, const char *option, bool in_chat, const char *message)
{
    json_t *config = json_pack("{s:s?}", "template", kept);
    struct sp_adapter adapter = { .dir = (char *)(uintptr_t)"the adapter",
                                  .task = (char *)(uintptr_t)"causal_lm",
                                  .config = config };
    struct subject s;

    start(&s, "model", "rows.jsonl", json_object());
    s.run.adapter = &adapter;
    assert_ok(sp_run_open(&s.run));
    said_clear();
    assert_ok(sp_prompt_settle(&s.run, option, NULL));
    assert_int_equal(s.run.chat != NULL, in_chat);
    assert_int_equal(s.run.end_token, in_chat ? TURN_END : END);
    assert_true(message ? said && strstr(said, message) : !said);
    finish(&s);
    json_decref(config);
}

static void test_adapters(void **state)
{
    json_t *config = json_pack("{s:s}", "template", "alpaca");
    struct sp_adapter adapter = { .dir = (char *)(uintptr_t)"the adapter", .config = config };
    struct sp_run run = { .adapter = &adapter };

    (void)state;
    check_settled(NULL, NULL, false, NULL); /* as of an earlier version */
    check_settled("model", NULL, true, "chat form, as the adapter was trained: ChatML");
    check_settled("model", "raw", false, "template is raw, though the adapter was trained with model");
    check_settled("raw", "model", true, "template is model, though the adapter was trained with raw");
    check_settled("model", "model", true, "prompts are put into the model's chat form: ChatML");
    assert_error(sp_prompt_settle(&run, NULL, NULL), SP_EFORMAT,
                 "the adapter/adapter.json: \"template\" is \"alpaca\", which this version does not know");
    json_decref(config);
}

/* What failed is not settled. */
static void test_failed(void **state)
{
    struct subject s;
    int vocabulary;

    (void)state;
    start(&s, "model", "rows.jsonl", json_object());
    assert_ok(sp_run_open(&s.run));
    vocabulary = s.run.model.vocab_size;
    s.run.model.vocab_size = TURN_END; /* as if it had none that ends a turn */
    for (int i = 0; i < 2; i++) {
        assert_error(sp_prompt_settle(&s.run, "model", i ? "Be brief." : NULL), SP_EFORMAT,
                     "<|im_end|> is no token of the model's");
        assert_null(s.run.chat);
    }
    s.run.model.vocab_size = vocabulary;
    assert_ok(sp_prompt_settle(&s.run, "model", NULL));
    assert_non_null(s.run.chat);
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_refused),         cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_failed),  cmocka_unit_test(test_memory),
        cmocka_unit_test(test_sample),  cmocka_unit_test(test_nothing_changed),
    };

    return cmocka_run_group_tests_name("prompt", tests, setup, teardown);
}
