/*
 * Generation: the greedy tokens of each decoder family are PyTorch's (tests/data/reference/decoders), alone and with
 * other texts in fewer places than there are texts, in passes smaller than a prompt, and without anything kept; and
 * what is drawn at random follows the options and not the company.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"
#include "tests/unit/near.h"

#include "models/models.h"
#include "runtime/base/interrupt.h"
#include "runtime/train/generate.h"
#include "runtime/train/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 3, NEW = 12, LONGEST = 64 };

static const char *const models[] = { "llama", "llama3",  "llama-linear", "llama-yarn", "mistral",
                                      "qwen2", "qwen3",   "gemma2",       "opt",        "opt-projected" };

/* ---- a model and its prompts ------------------------------------------------------------------------------------- */

struct subject {
    struct sp_config config;
    struct sp_run run;
    struct sp_generate_limits limits;
    uint32_t prompts[PROMPTS][LONGEST], expected[PROMPTS][NEW], tokens[PROMPTS][NEW];
    size_t lengths[PROMPTS], counts[PROMPTS];
};

static size_t read_ids(uint32_t *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    return json_array_size(list);
}

static void open_model(struct subject *s, const char *model, size_t texts, size_t pass)
{
    const char *folder = program_source("tests/data/reference/decoders/%s", model);
    const json_t *list = json_object_get(program_json(program_source("tests/data/reference/decoders/%s/expected.json",
                                                                     model)), "generations");
    json_t *config = json_pack("{s:s}", "model_name_or_path", folder);

    memset(s, 0, sizeof *s);
    assert_int_equal(json_array_size(list), PROMPTS);
    for (size_t i = 0; i < PROMPTS; i++) {
        s->lengths[i] = read_ids(s->prompts[i], json_object_get(json_array_get(list, i), "prompt"));
        s->counts[i] = read_ids(s->expected[i], json_object_get(json_array_get(list, i), "tokens"));
    }
    s->limits = (struct sp_generate_limits){ .texts = texts, .longest = 40, .pass = pass };
    assert_ok(sp_config_load(&s->config, program_write("config.json", config), NULL, 0));
    json_decref(config);
    s->run = (struct sp_run){ .config = &s->config,
                              .families = sp_model_families,
                              .family_count = sp_model_family_count };
    assert_ok(sp_run_open(&s->run));
    assert_ok(sp_generate_open(&s->run, &s->limits));
}

static void close_model(struct subject *s)
{
    sp_run_close(&s->run);
    sp_config_release(&s->config);
}

/* The texts' prompts as they are, for `most` new tokens each. */
static void set_texts(struct sp_generation *texts, struct subject *s, size_t most)
{
    for (size_t i = 0; i < PROMPTS; i++)
        texts[i] = (struct sp_generation){ .prompt = s->prompts[i],
                                           .prompt_length = s->lengths[i],
                                           .max_new_tokens = most,
                                           .tokens = s->tokens[i] };
}

/* The expected tokens end with the end token, which is left out of what is made, where there are fewer than NEW. */
static void check_tokens(const struct subject *s, const struct sp_generation *texts, size_t i, uint32_t end)
{
    size_t count = s->counts[i];
    bool ended = s->expected[i][count - 1] == end;

    assert_int_equal(texts[i].ended, ended);
    assert_int_equal(texts[i].count, ended ? count - 1 : NEW);
    assert_memory_equal(texts[i].tokens, s->expected[i], texts[i].count * sizeof(uint32_t));
}

static struct sp_generate_options greedy_until(const uint32_t *end)
{
    return (struct sp_generate_options){ .sample = { .top_p = 1 }, .end = end, .end_count = 1 };
}

/* ---- greedy ------------------------------------------------------------------------------------------------------ */

/* Each token from the whole text before it, in one pass, with nothing kept of an earlier one. */
static void check_nothing_kept(struct subject *s, size_t i, uint32_t end)
{
    struct sp_generate_options options = greedy_until(&end);
    struct sp_generation texts[PROMPTS];

    for (size_t step = 0; step < s->counts[i]; step++) {
        set_texts(texts, s, 1);
        memcpy(s->prompts[i] + s->lengths[i], s->expected[i], step * sizeof(uint32_t));
        texts[i].prompt_length += step;
        assert_ok(sp_generate(&s->run, &s->limits, texts + i, 1, &options));
        assert_int_equal(texts[i].ended ? end : s->tokens[i][0], s->expected[i][step]);
    }
}

/* In the order in which they are done. */
struct done {
    size_t order[PROMPTS], count;
};

static int note_done(void *user, size_t i)
{
    struct done *done = user;

    done->order[done->count++] = i;
    return 0;
}

static void check_model(const char *model, size_t together, size_t pass)
{
    struct done done = { .count = 0 };
    struct sp_generation texts[PROMPTS];
    struct sp_generate_options options;
    struct subject s;
    uint32_t *end;
    size_t ends;

    open_model(&s, model, together, pass);
    assert_ok(sp_train_end_tokens(&end, &ends, &s.run));
    assert_int_equal(ends, 1);
    options = greedy_until(end);
    options.done = note_done;
    options.user = &done;
    set_texts(texts, &s, NEW);
    assert_ok(sp_generate(&s.run, &s.limits, texts, PROMPTS, &options));
    assert_int_equal(done.count, PROMPTS);
    for (size_t i = 0; i < PROMPTS; i++) {
        assert_true(texts[done.order[i]].done && (together > 1 || done.order[i] == i));
        check_tokens(&s, texts, i, *end);
    }
    if (together == 1)
        check_nothing_kept(&s, 2, *end);
    free(end);
    close_model(&s);
}

static void test_greedy(void **state)
{
    const char *model = *state;

    check_model(model, 1, 40);
    check_model(model, 2, 5); /* a prompt takes several passes, and a place is taken again */
}

static void test_limits(void **state)
{
    struct sp_generation texts[PROMPTS];
    struct sp_generate_options options = greedy_until((const uint32_t[]){ 3 });
    struct subject s;

    (void)state;
    open_model(&s, "gemma2", 1, 40);
    set_texts(texts, &s, NEW);
    texts[1].max_new_tokens = 41 - texts[1].prompt_length;
    assert_int_equal(sp_generate(&s.run, &s.limits, texts, PROMPTS, &options), SP_EINVAL);
    texts[1].max_new_tokens = 0;
    assert_int_equal(sp_generate(&s.run, &s.limits, texts, PROMPTS, &options), SP_EINVAL);
    close_model(&s);
}

/* ---- random ------------------------------------------------------------------------------------------------------ */

enum { V = 7, DRAWS = 20000 };
static const float logits[V] = { 0.5f, 2, -1, 1, 1, -8, 0 };

/* How often each token was drawn, as a share. */
static void draw(double share[V], struct sp_sample_options options)
{
    struct sp_sampler s;

    memset(share, 0, V * sizeof *share);
    assert_ok(sp_sampler_init(&s, &options, V));
    for (uint64_t i = 0; i < DRAWS; i++) {
        uint32_t token;

        assert_ok(sp_sampler_next(&token, &s, logits, 1, i));
        assert_true(token < V);
        share[token] += 1.0 / DRAWS;
    }
    sp_sampler_release(&s);
}

/* The shares are those of softmax(logits / temperature) over the tokens in `left`, within 4 deviations. */
static void check_shares(struct sp_sample_options options, const char *left)
{
    double share[V], total = 0;

    draw(share, options);
    for (size_t i = 0; i < V; i++)
        total += left[i] == '1' ? exp((double)logits[i] / options.temperature) : 0;
    for (size_t i = 0; i < V; i++) {
        double p = left[i] == '1' ? exp((double)logits[i] / options.temperature) / total : 0;

        assert_near(share[i], p, 4 * sqrt(p * (1 - p) / DRAWS) + 1e-9);
    }
}

static void test_sample(void **state)
{
    (void)state;
    check_shares((struct sp_sample_options){ .temperature = 1, .top_p = 1, .seed = 5 }, "1111111");
    check_shares((struct sp_sample_options){ .temperature = 0.5, .top_p = 1, .seed = 5 }, "1111111");
    check_shares((struct sp_sample_options){ .temperature = 1, .top_k = 1, .top_p = 1 }, "0100000");
    check_shares((struct sp_sample_options){ .temperature = 1, .top_k = 2, .top_p = 1 }, "0101100"); /* two are equal */
    check_shares((struct sp_sample_options){ .temperature = 1, .top_k = 99, .top_p = 1 }, "1111111");
    check_shares((struct sp_sample_options){ .temperature = 1, .top_p = 0.5 }, "0101000");
    check_shares((struct sp_sample_options){ .temperature = 1, .top_p = 0.01 }, "0100000");
    check_shares((struct sp_sample_options){ .temperature = 2, .top_k = 3, .top_p = 0.7 }, "0101000");
}

static void test_not_numbers(void **state)
{
    static const float none[V] = { -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY };
    static const float nan[V] = { 0, NAN };
    struct sp_sampler s;
    uint32_t token;

    (void)state;
    assert_ok(sp_sampler_init(&s, &(struct sp_sample_options){ .top_p = 1 }, V));
    assert_int_equal(sp_sampler_next(&token, &s, none, 0, 0), SP_ENUMERIC);
    assert_int_equal(sp_sampler_next(&token, &s, nan, 0, 0), SP_ENUMERIC);
    sp_sampler_release(&s);
}

/* The same text draws the same tokens alone and beside others; another seed others. */
static void test_company(void **state)
{
    struct sp_generation texts[PROMPTS];
    struct sp_generate_options options = { .sample = { .temperature = 1, .top_p = 1, .seed = 9 } };
    struct subject s;
    uint32_t alone[NEW];

    (void)state;
    open_model(&s, "llama", 1, 40);
    set_texts(texts, &s, NEW);
    assert_ok(sp_generate(&s.run, &s.limits, texts, 1, &options));
    memcpy(alone, s.tokens[0], sizeof alone);
    close_model(&s);

    open_model(&s, "llama", 3, 9);
    set_texts(texts, &s, NEW);
    assert_ok(sp_generate(&s.run, &s.limits, texts, PROMPTS, &options));
    assert_memory_equal(s.tokens[0], alone, sizeof alone);
    options.sample.seed = 10;
    set_texts(texts, &s, NEW);
    assert_ok(sp_generate(&s.run, &s.limits, texts, PROMPTS, &options));
    assert_memory_not_equal(s.tokens[0], alone, sizeof alone);
    close_model(&s);
}

int main(void)
{
    enum { MODELS = sizeof models / sizeof *models };
    struct CMUnitTest tests[MODELS + 4] = {
        [MODELS] = cmocka_unit_test(test_limits), cmocka_unit_test(test_sample),
        cmocka_unit_test(test_not_numbers), cmocka_unit_test(test_company),
    };

    for (size_t i = 0; i < MODELS; i++)
        tests[i] = (struct CMUnitTest){ .name = models[i],
                                        .test_func = test_greedy,
                                        .initial_state = (void *)(uintptr_t)models[i] };
    return cmocka_run_group_tests_name("generate", tests, program_setup, program_teardown);
}
