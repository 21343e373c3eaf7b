/*
 * Decoders against what PyTorch computed: tests/data/reference/decoders, a model of each family, attention variant and
 * head. For each: the log-probabilities or logits of the checkpoint as it is, every metric's mask, and runs of 20 steps
 * with their losses, norms and moving masks, and the outputs after them. On Intel's runtime a part of it. Rows of
 * different lengths in one batch, which has no padding, must be as they are one by one, and so must a step over them.
 */
#include "tests/model/program.h"
#include "tests/unit/near.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-4
#define COMPANY 1e-6 /* what other rows of a batch may change, relative to a number */
#define TESTS_MAX 256

/* A test's argument. */
struct subject {
    const char *model, *item;
};

static const char *const models[] = {
    "llama",         "llama3",         "llama-linear",    "llama-yarn",    "mistral",       "qwen2",
    "qwen3",         "gemma2",         "opt",             "opt-projected", "llama-classes", "llama3-classes",
    "qwen2-classes", "qwen3-classes",  "mistral-classes", "opt-classes",   "gemma2-classes", "opt-projected-classes",
};

static const char *file_of(const struct subject *s, const char *name)
{
    return program_source("tests/data/reference/decoders/%s/%s", s->model, name);
}

static const json_t *expected_of(const struct subject *s)
{
    return program_json(file_of(s, "expected.json"));
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

static const json_t *predict(const struct subject *s, const char *model, const char *adapter, const char *batch)
{
    const char *out = program_path("out.jsonl");

    program_do("predict", "--model", model, "--input", file_of(s, "eval.jsonl"), "--output", out, "--set",
               "max_seq_length=40", "--set", batch, adapter ? "--adapter" : NULL, adapter, NULL);
    return program_lines(out);
}

static const char *key_of(const json_t *expected)
{
    return json_object_get(expected, "logprobs") ? "logprobs" : "logits";
}

/* Predicts eval.jsonl and compares with the rows of an object's "logprobs" or "logits". */
static void check_outputs(const struct subject *s, const char *model, const char *adapter, const json_t *expected)
{
    const char *key = key_of(expected);
    const json_t *rows = json_object_get(expected, key);
    const json_t *lines = predict(s, model, adapter, "per_device_eval_batch_size=32");

    assert_int_equal(json_array_size(lines), json_array_size(rows));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *got = json_object_get(json_array_get(lines, i), key), *row = json_array_get(rows, i);

        assert_int_equal(json_array_size(got), json_array_size(row));
        for (size_t k = 0; k < json_array_size(row); k++)
            assert_near(json_number_value(json_array_get(got, k)), json_number_value(json_array_get(row, k)),
                        TOLERANCE);
    }
}

static void test_outputs(void **state)
{
    const struct subject *s = *state;

    check_outputs(s, file_of(s, ""), NULL, expected_of(s));
}

/* The same bits where the same kernels run, as PoCL's on AVX2; but how a driver's compiler ends a row of vectors is its
 * own affair. */
static void test_company(void **state)
{
    const struct subject *s = *state;
    const char *key = key_of(expected_of(s));
    const json_t *together = predict(s, file_of(s, ""), NULL, "per_device_eval_batch_size=32");
    const json_t *alone = predict(s, file_of(s, ""), NULL, "per_device_eval_batch_size=1");
    size_t lengths = 0;

    assert_true(json_array_size(together) > 2);
    for (size_t i = 0; i < json_array_size(together); i++) {
        const json_t *a = json_object_get(json_array_get(together, i), key);
        const json_t *b = json_object_get(json_array_get(alone, i), key);

        lengths |= json_array_size(a);
        assert_int_equal(json_array_size(a), json_array_size(b));
        for (size_t k = 0; k < json_array_size(a); k++) {
            double value = json_number_value(json_array_get(b, k));

            assert_near(json_number_value(json_array_get(a, k)), value, COMPANY * (1 + fabs(value)));
        }
    }
    assert_true(strcmp(key, "logits") == 0 || (lengths & (lengths - 1))); /* they differ */
}

/* The same of a config.json whose "tie_word_embeddings" contradicts the weights, which know better. */
static void test_contradicted(void **state)
{
    const struct subject *s = *state;
    json_t *config = json_copy(program_json(file_of(s, "config.json")));
    bool tied = json_is_true(json_object_get(config, "tie_word_embeddings"));
    size_t length;
    char *weights;

    json_object_set_new(config, "tie_word_embeddings", json_boolean(!tied));
    assert_int_equal(sp_fs_mkdirs(program_path("contradicted")), 0);
    program_write("contradicted/config.json", config);
    json_decref(config);
    assert_int_equal(sp_fs_read(&weights, &length, file_of(s, "model.safetensors"), 1 << 20), 0);
    assert_int_equal(sp_fs_write(program_path("contradicted/model.safetensors"), weights, length), 0);
    free(weights);
    check_outputs(s, program_path("contradicted"), NULL, expected_of(s));
    assert_non_null(strstr(program_text("err"), tied ? "there is no lm_head.weight: it is tied to "
                                                     : "embed_tokens.weight: they are not tied"));
}

/* ---- masks ------------------------------------------------------------------------------------------------------- */

static const char *write_config(const struct subject *s, const json_t *options)
{
    json_t *config = json_copy((json_t *)(uintptr_t)options);
    const char *path;

    json_object_set_new(config, "model_name_or_path", json_string(file_of(s, "")));
    json_object_set_new(config, "train_file", json_string(file_of(s, "train.jsonl")));
    json_object_set_new(config, "validation_file", json_string(file_of(s, "eval.jsonl")));
    path = program_write("config.yaml", config);
    json_decref(config);
    return path;
}

static void test_mask(void **state)
{
    const struct subject *s = *state;
    const json_t *expected = expected_of(s), *mask = json_object_get(json_object_get(expected, "masks"), s->item);
    json_t *options = json_pack("{s:O, s:O, s:b, s:i, s:i}", "sparse", json_object_get(mask, "sparse"),
                                "per_device_train_batch_size", json_object_get(expected, "batch_size"), "shuffle", 0,
                                "max_seq_length", 40, "seed", 1),
           *list;
    const char *out = program_path("mask.safetensors"), *name;
    struct sp_safetensors *file;

    program_do("mask", write_config(s, options), "--output", out, NULL);
    json_decref(options);
    if (sp_safetensors_open(&file, out) < 0)
        fail_msg("%s", sp_error_message());
    json_object_foreach(json_object_get(mask, "indices"), name, list) {
        const struct sp_tensor_info *tensor;
        char full[256];

        snprintf(full, sizeof full, "%s.indices", name);
        tensor = sp_safetensors_find(file, full);
        if (!tensor || tensor->dtype != SP_U32 || tensor->count != json_array_size(list))
            fail_msg("%s is not %zu positions", full, json_array_size(list));
        for (size_t i = 0; i < tensor->count; i++) {
            uint32_t position;

            memcpy(&position, (const char *)tensor->data + 4 * i, sizeof position);
            assert_int_equal(position, json_integer_value(json_array_get(list, i)));
        }
    }
    sp_safetensors_close(file);
}

/* GraSP by a difference of gradients is not what PyTorch differentiates twice where a ReLU bends. */
static void test_relu(void **state)
{
    const struct subject *s = *state;
    json_t *options = json_pack("{s:{s:s, s:i, s:[s]}, s:i}", "sparse", "metric", s->item, "count", 301,
                                "target_modules", "all-linear", "max_seq_length", 40);

    assert_int_equal(program_run("mask", write_config(s, options), "--output", program_path("mask.safetensors"), NULL),
                     2);
    json_decref(options);
    if (!strstr(program_text("err"), "sparse.metric: grasp takes the second derivative"))
        fail_msg("%s", program_text("err"));
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void check_metrics(const json_t *line, const json_t *metrics)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)metrics, name, value) {
        double expected = json_number_value(value);
        char key[64];

        snprintf(key, sizeof key, "eval_%s", name);
        assert_near(program_number(line, key), expected, TOLERANCE * (1 + expected));
    }
}

/* metrics.jsonl: a line a step, one where a mask moved, an evaluation before and one after. */
static void check_lines(const json_t *lines, const json_t *run, const json_t *expected)
{
    const json_t *losses = json_object_get(run, "losses"), *norms = json_object_get(run, "grad_norms");
    const json_t *moves = json_object_get(run, "moves");
    size_t steps = 0, moved = 0, last = json_array_size(lines) - 1;

    for (size_t i = 0; i <= last; i++) {
        const json_t *line = json_array_get(lines, i);

        if (json_object_get(line, "mask_size")) {
            if (!json_equal(line, json_object_get(json_array_get(moves, moved++), "line")))
                fail_msg("line %zu: %s", i, json_dumps(line, 0));
        } else if (json_object_get(line, "grad_norm")) {
            double norm = json_number_value(json_array_get(norms, steps));

            assert_near(program_number(line, "loss"), json_number_value(json_array_get(losses, steps)), TOLERANCE);
            assert_near(program_number(line, "grad_norm"), norm, TOLERANCE * (1 + norm));
            steps++;
        }
    }
    assert_int_equal(steps, json_array_size(losses));
    assert_int_equal(moved, json_array_size(moves));
    check_metrics(json_array_get(lines, 0), json_object_get(expected, "metrics"));
    check_metrics(json_array_get(lines, last), json_object_get(run, "metrics"));
}

static void test_run(void **state)
{
    const struct subject *s = *state;
    const json_t *expected = expected_of(s), *run = json_object_get(json_object_get(expected, "runs"), s->item);

    program_do("train", write_config(s, json_object_get(run, "config")), "--output-dir", program_path("output"), NULL);
    check_lines(program_lines(program_path("output/metrics.jsonl")), run, expected);
    check_outputs(s, file_of(s, ""), program_path("output/adapter"), run);
}

/* The first step's loss and norm of gradients, of eight rows in batches of that size, without dropout, which goes by a
 * token's place in its batch. */
static void first_step(double *loss, double *norm, const struct subject *s, int batch)
{
    json_t *options = json_pack("{s:i, s:i, s:i, s:i, s:b, s:i, s:f, s:{s:s}}", "per_device_train_batch_size", batch,
                                "gradient_accumulation_steps", 8 / batch, "max_steps", 1, "logging_steps", 1,
                                "shuffle", 0, "max_seq_length", 40, "dropout", 0.0, "sparse", "method", "full");
    const json_t *line;

    program_do("train", write_config(s, options), "--output-dir", program_path("output"), NULL);
    json_decref(options);
    line = json_array_get(program_lines(program_path("output/metrics.jsonl")), 0);
    for (size_t i = 1; !json_object_get(line, "grad_norm"); i++)
        line = json_array_get(program_lines(program_path("output/metrics.jsonl")), i);
    *loss = program_number(line, "loss");
    *norm = program_number(line, "grad_norm");
}

static void test_step(void **state)
{
    double loss[2], norm[2];

    first_step(&loss[0], &norm[0], *state, 8);
    first_step(&loss[1], &norm[1], *state, 1);
    assert_near(loss[0], loss[1], COMPANY * (1 + loss[1]));
    assert_near(norm[0], norm[1], 10 * COMPANY * (1 + norm[1])); /* its sums are in another order */
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static struct CMUnitTest tests[TESTS_MAX];
static struct subject subjects[TESTS_MAX];
static char names[TESTS_MAX][96];
static size_t count;

static void add(CMUnitTestFunction function, const char *kind, const char *model, const char *item)
{
    if (count == TESTS_MAX)
        abort();
    subjects[count] = (struct subject){ model, strdup(item) };
    snprintf(names[count], sizeof names[count], "%s, %s %s", model, kind, item);
    tests[count] = (struct CMUnitTest){ .name = names[count],
                                        .test_func = function,
                                        .initial_state = &subjects[count] };
    count++;
}

static void add_model(const char *model)
{
    char path[4096];
    const char *srcdir = getenv("srcdir"), *key;
    json_t *expected, *value;

    snprintf(path, sizeof path, "%s/tests/data/reference/decoders/%s/expected.json", srcdir ? srcdir : ".", model);
    expected = json_load_file(path, 0, NULL);
    add(test_outputs, "outputs", model, "");
    add(test_company, "outputs", model, "together");
    if (json_object_get(expected, "logprobs") && json_object_get(expected, "runs"))
        add(test_step, "step", model, "together");
    json_object_foreach(json_object_get(expected, "masks"), key, value)
        add(test_mask, "mask", model, key);
    json_object_foreach(json_object_get(expected, "runs"), key, value)
        add(test_run, "run", model, key);
    json_decref(expected);
}

int main(void)
{
    const char *driver = getenv("SPEFT_TEST_DRIVER");

    if (driver && strcmp(driver, "intel") == 0) {
        add(test_outputs, "outputs", "gemma2", "");
        add(test_run, "run", "gemma2", "spiel_ag");
    } else {
        add(test_relu, "refused mask", "opt", "grasp");
        for (size_t i = 0; i < sizeof models / sizeof *models; i++)
            add_model(models[i]);
        add(test_contradicted, "contradicted", "llama", "");
        add(test_contradicted, "contradicted", "llama3", "");
        add(test_contradicted, "contradicted", "opt", "");
    }
    return _cmocka_run_group_tests("decoders", tests, count, program_setup, program_teardown);
}
