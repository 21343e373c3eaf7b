/*
 * The whole program against what PyTorch computed: tests/data/reference. For each model: the logits of the checkpoint
 * as it is, every mask, and runs of 20 steps with the losses, norms and learning rates on the way and the metrics and
 * logits after them. On Intel's runtime a part of it; other GEMM families have a run each.
 */
#include "tests/model/program.h"
#include "tests/unit/near.h"

#include "runtime/base/error.h"
#include "runtime/io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-4
#define TESTS_MAX 64

/* A test's argument. */
struct subject {
    const char *model, *item, *gemm;
};

static const char *const models[] = { "binary", "regression", "multiclass", "roberta" };

static json_t *expected_of(const struct subject *s)
{
    return program_json(program_source("tests/data/reference/%s/expected.json", s->model));
}

static const char *model_dir(const struct subject *s)
{
    return program_source("tests/data/reference/%s", s->model);
}

/* ---- logits ------------------------------------------------------------------------------------------------------ */

static size_t largest(const json_t *row)
{
    size_t best = 0;

    for (size_t i = 1; i < json_array_size(row); i++)
        if (json_number_value(json_array_get(row, i)) > json_number_value(json_array_get(row, best)))
            best = i;
    return best;
}

/* The label of a prediction: the class as the model's head or, with an adapter, the training rows call it, or the value
 * itself. */
static void check_label(const struct subject *s, bool adapter, const json_t *line, const json_t *logits)
{
    const json_t *label = json_object_get(line, "label");
    static const char *const names[] = { "rejected", "accepted" };

    if (strcmp(s->model, "regression") == 0)
        assert_near(json_number_value(label), json_number_value(json_array_get(logits, 0)), TOLERANCE);
    else if (strcmp(s->model, "binary") == 0 || strcmp(s->model, "roberta") == 0)
        assert_string_equal(json_string_value(label), names[largest(logits)]);
    else if (adapter) /* whose rows have integers */
        assert_int_equal(json_is_integer(label) ? json_integer_value(label) : -1, largest(logits));
    else
        assert_string_equal(json_string_value(label),
                            ((const char *const[]){ "neutral", "entailment", "contradiction" })[largest(logits)]);
}

/* Predicts eval.jsonl and compares with an array of rows. */
static void check_logits(const struct subject *s, const char *adapter, const json_t *rows)
{
    const char *out = program_path("%s-predictions.jsonl", s->model);
    const char *input = program_source("tests/data/reference/%s/eval.jsonl", s->model);
    const json_t *lines;

    if (adapter)
        program_do("predict", "--model", model_dir(s), "--input", input, "--output", out, "--adapter", adapter, "--set",
                   "max_seq_length=40", NULL);
    else
        program_do("predict", "--model", model_dir(s), "--input", input, "--output", out, "--set", "max_seq_length=40",
                   NULL);
    lines = program_lines(out);
    assert_int_equal(json_array_size(lines), json_array_size(rows));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *line = json_array_get(lines, i), *got = json_object_get(line, "logits"),
                     *row = json_array_get(rows, i);

        assert_int_equal(json_array_size(got), json_array_size(row));
        for (size_t k = 0; k < json_array_size(row); k++)
            assert_near(json_number_value(json_array_get(got, k)), json_number_value(json_array_get(row, k)),
                        TOLERANCE);
        check_label(s, adapter != NULL, line, row);
    }
}

static void test_logits(void **state)
{
    const struct subject *s = *state;

    check_logits(s, NULL, json_object_get(expected_of(s), "logits"));
}

/* ---- masks ------------------------------------------------------------------------------------------------------- */

/* A configuration file from an object of expected.json and the model's own files. */
static const char *write_config(const struct subject *s, const json_t *options)
{
    json_t *config = json_copy((json_t *)(uintptr_t)options);
    const char *path;

    json_object_set_new(config, "model_name_or_path", json_string(model_dir(s)));
    json_object_set_new(config, "train_file",
                        json_string(program_source("tests/data/reference/%s/train.jsonl", s->model)));
    json_object_set_new(config, "validation_file",
                        json_string(program_source("tests/data/reference/%s/eval.jsonl", s->model)));
    if (s->gemm)
        json_object_set_new(config, "gemm", json_string(s->gemm));
    path = program_write("config.yaml", config);
    json_decref(config);
    return path;
}

/* A file with `<name>.indices` for every name of `indices` must hold exactly those positions. Returns its number of
 * tensors. */
static size_t check_positions(const char *path, const json_t *indices)
{
    struct sp_safetensors *file;
    const char *name;
    json_t *list;
    size_t count;

    if (sp_safetensors_open(&file, path) < 0)
        fail_msg("%s", sp_error_message());
    json_object_foreach((json_t *)(uintptr_t)indices, name, list) {
        char full[256];
        const struct sp_tensor_info *tensor;

        snprintf(full, sizeof full, "%s.indices", name);
        tensor = sp_safetensors_find(file, full);
        if (!tensor || tensor->dtype != SP_U32 || tensor->rank != 1 || tensor->count != json_array_size(list))
            fail_msg("%s: %s is not %zu positions", path, full, json_array_size(list));
        for (size_t i = 0; i < tensor->count; i++) {
            uint32_t position;

            memcpy(&position, (const char *)tensor->data + 4 * i, sizeof position);
            assert_int_equal(position, json_integer_value(json_array_get(list, i)));
        }
    }
    count = sp_safetensors_count(file);
    sp_safetensors_close(file);
    return count;
}

static void test_mask(void **state)
{
    const struct subject *s = *state;
    const json_t *expected = expected_of(s), *mask = json_object_get(json_object_get(expected, "masks"), s->item);
    const json_t *indices = json_object_get(mask, "indices");
    json_t *options = json_pack("{s:O, s:O, s:b, s:i, s:i}", "sparse", json_object_get(mask, "sparse"),
                                "per_device_train_batch_size", json_object_get(expected, "batch_size"), "shuffle", 0,
                                "max_seq_length", 40, "seed", 1);
    const char *out = program_path("mask.safetensors");

    program_do("mask", write_config(s, options), "--output", out, NULL);
    json_decref(options);
    assert_int_equal(check_positions(out, indices), json_object_size(indices));
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

/* metrics.jsonl: a line a step, an evaluation before and one after. Returns the last. */
static const json_t *check_steps(const json_t *lines, const json_t *run)
{
    const json_t *losses = json_object_get(run, "losses"), *norms = json_object_get(run, "grad_norms"),
                 *rates = json_object_get(run, "learning_rates");
    size_t steps = json_array_size(losses);

    assert_int_equal(json_array_size(lines), steps + 2);
    for (size_t i = 0; i < steps; i++) {
        const json_t *line = json_array_get(lines, i + 1);
        double norm = json_number_value(json_array_get(norms, i)), rate = json_number_value(json_array_get(rates, i));

        assert_int_equal(json_integer_value(json_object_get(line, "step")), i + 1);
        assert_near(program_number(line, "loss"), json_number_value(json_array_get(losses, i)), TOLERANCE);
        assert_near(program_number(line, "grad_norm"), norm, TOLERANCE * (1 + norm));
        assert_near(program_number(line, "learning_rate"), rate, 1e-8 * rate);
    }
    return json_array_get(lines, steps + 1);
}

static void check_metrics(const json_t *got, const char *prefix, const json_t *metrics)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)metrics, name, value) {
        char key[64];

        snprintf(key, sizeof key, "%s%s", prefix, name);
        assert_near(program_number(got, key), json_number_value(value), TOLERANCE);
    }
}

/* `eval` says what the end of training said, to the last digit. */
static void check_eval(const char *config, const char *adapter, const json_t *last)
{
    const char *key;
    json_t *line, *value;

    program_do("eval", config, "--adapter", adapter, "--json", NULL);
    line = program_json(program_path("out"));
    assert_int_equal(json_object_size(line), json_object_size(last)); /* rows here, the step there */
    assert_int_equal(json_integer_value(json_object_get(line, "rows")), 17);
    json_object_foreach((json_t *)(uintptr_t)last, key, value)
        if (strncmp(key, "eval_", 5) == 0)
            assert_true(program_number(line, key + 5) == json_number_value(value));
}

static void test_run(void **state)
{
    const struct subject *s = *state;
    const json_t *expected = expected_of(s), *run = json_object_get(json_object_get(expected, "runs"), s->item);
    const char *config = write_config(s, json_object_get(run, "config")), *output = program_path("output");
    const char *adapter = program_path("output/adapter");
    char trained[64];
    const json_t *lines, *last;

    program_do("train", config, "--output-dir", output, NULL);
    snprintf(trained, sizeof trained, "%lld of ", (long long)json_integer_value(json_object_get(run, "trained")));
    if (!strstr(program_text("out"), trained))
        fail_msg("expected \"%s\" in: %s", trained, program_text("out"));
    lines = program_lines(program_path("output/metrics.jsonl"));
    check_metrics(json_array_get(lines, 0), "eval_", json_object_get(expected, "metrics"));
    last = check_steps(lines, run);
    check_metrics(last, "eval_", json_object_get(run, "metrics"));
    if (s->gemm && strcmp(s->gemm, "clblast") == 0)
        return; /* each process that starts CLBlast compiles its kernels anew */
    check_eval(config, adapter, last);
    check_logits(s, adapter, json_object_get(run, "logits"));
    if (strcmp(s->item, "sparse") == 0)
        check_positions(program_path("output/adapter/adapter.safetensors"),
                        json_object_get(json_object_get(json_object_get(expected, "masks"), "gradient_global"), "indice"
                                                                                                                "s"));
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static struct CMUnitTest tests[TESTS_MAX];
static struct subject subjects[TESTS_MAX];
static char names[TESTS_MAX][96];
static size_t count;

static void add(CMUnitTestFunction function, const char *kind, struct subject s)
{
    subjects[count] = s;
    snprintf(names[count], sizeof names[count], "%s, %s%s%s%s%s", s.model, kind, s.item ? " " : "",
             s.item ? s.item : "", s.gemm ? ", gemm " : "", s.gemm ? s.gemm : "");
    tests[count] = (struct CMUnitTest){ .name = names[count],
                                        .test_func = function,
                                        .initial_state = &subjects[count] };
    count++;
}

/* Every mask and every run of a model's expected.json. */
static void add_model(const char *model)
{
    char path[4096];
    const char *srcdir = getenv("srcdir"), *key;
    json_t *expected, *value;

    snprintf(path, sizeof path, "%s/tests/data/reference/%s/expected.json", srcdir ? srcdir : ".", model);
    expected = json_load_file(path, 0, NULL);
    add(test_logits, "logits", (struct subject){ .model = model });
    json_object_foreach(json_object_get(expected, "masks"), key, value)
        add(test_mask, "mask", (struct subject){ model, strdup(key), NULL });
    json_object_foreach(json_object_get(expected, "runs"), key, value)
        add(test_run, "run", (struct subject){ model, strdup(key), NULL });
    json_decref(expected);
}

int main(void)
{
    const char *driver = getenv("SPEFT_TEST_DRIVER");

    if (driver && strcmp(driver, "intel") == 0) {
        add(test_logits, "logits", (struct subject){ .model = "regression" });
        add(test_run, "run", (struct subject){ "regression", "sparse", NULL });
    } else {
        for (size_t i = 0; i < sizeof models / sizeof *models; i++)
            add_model(models[i]);
        add(test_run, "run", (struct subject){ "binary", "sparse", "tiled" });
        add(test_run, "run", (struct subject){ "regression", "sparse", "clblast" });
    }
    return _cmocka_run_group_tests("reference", tests, count, program_setup, program_teardown);
}
