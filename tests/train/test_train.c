/*
 * What a training run writes, looked into: metrics.jsonl, config.resolved.yaml, the adapter; steps, epochs, schedules,
 * windows and heads. Numbers are compared with PyTorch's in tests/model; here it is about their form and place.
 */
#include "tests/model/program.h"
#include "tests/unit/near.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/adapter.h"
#include "runtime/train/config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The binary reference model: 43 training rows, 17 for evaluation, 3 layers of width 20. */
enum { ROWS = 43, BATCH = 9, BATCHES = 5, WIDTH = 20 };

static const char *model_file(const char *name)
{
    return program_source("tests/data/reference/binary/%s", name);
}

/* A run of the options over the usual ones; returns its output folder. The object is taken. */
static const char *train(const char *name, json_t *options)
{
    json_t *config = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:i, s:{s:s, s:i}}", "model_name_or_path",
                               model_file(""), "train_file", model_file("train.jsonl"), "validation_file",
                               model_file("eval.jsonl"), "max_seq_length", 40, "per_device_train_batch_size", BATCH,
                               "logging_steps", 1, "shuffle", 0, "max_steps", 2, "sparse", "metric", "magnitude",
                               "count", 200);
    const char *output = program_path("%s", name);

    assert_non_null(options);
    json_object_update(config, options);
    program_do("train", program_write("config.yaml", config), "--output-dir", output, "--quiet", NULL);
    json_decref(config);
    json_decref(options);
    return output;
}

static json_t *metrics_of(const char *output)
{
    return program_lines(program_path("%s/metrics.jsonl", strrchr(output, '/') + 1));
}

/* The object's keys, in their order, are exactly these, separated by spaces. */
static void check_keys(const json_t *object, const char *expected)
{
    char found[1024] = "";
    const char *key;
    json_t *value;
    size_t length = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        length += (size_t)snprintf(found + length, sizeof found - length, "%s%s", length ? " " : "", key);
    assert_string_equal(found, expected);
}

/* The names in a folder, sorted, separated by spaces. */
static const char *names_in(const char *folder)
{
    static char text[1024];
    struct dirent **list;
    int count = scandir(folder, &list, NULL, alphasort);
    size_t length = 0;

    assert_true(count >= 0);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? " " : "", list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return text;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void test_files(void **state)
{
    const char *output = train("files", json_pack("{}"));
    const json_t *lines = metrics_of(output);

    (void)state;
    assert_string_equal(names_in(output), "adapter config.resolved.yaml metrics.jsonl predictions.jsonl result.json");
    assert_string_equal(names_in(program_path("files/adapter")), "adapter.json adapter.safetensors");
    assert_int_equal(json_array_size(lines), 4);
    for (size_t i = 1; i < 3; i++)
        check_keys(json_array_get(lines, i), "step epoch loss learning_rate grad_norm tokens_per_second");
    for (size_t i = 0; i < 4; i += 3)
        check_keys(json_array_get(lines, i), "step eval_loss eval_accuracy eval_f1 eval_matthews_correlation");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, i), "step")), i == 3 ? 2 : i);
    assert_near(program_number(json_array_get(lines, 1), "epoch"), 1.0 / BATCHES, 1e-8);
}

static void test_regression_keys(void **state)
{
    json_t *options = json_pack("{s:s, s:s, s:s}", "model_name_or_path",
                                program_source("tests/data/reference/regression"), "train_file",
                                program_source("tests/data/reference/regression/train.jsonl"), "validation_file",
                                program_source("tests/data/reference/regression/eval.jsonl"));
    const json_t *document;

    (void)state;
    check_keys(json_array_get(metrics_of(train("regression", options)), 0),
               "step eval_loss eval_pearson eval_spearman eval_mse");
    document = program_json(program_path("regression/adapter/adapter.json"));
    assert_string_equal(json_string_value(json_object_get(document, "task")), "regression");
    assert_true(json_is_null(json_object_get(document, "labels")));
}

static void load_adapter(struct sp_adapter *adapter, const char *name)
{
    /* positions sorted, values finite, nothing else */
    if (sp_adapter_load(adapter, program_path("%s/adapter", name)) < 0)
        fail_msg("%s", sp_error_message());
}

/* A new head of regression begins at the mean of the labels: here the model's own has two classes. */
static void test_regression_start(void **state)
{
    const char *file = program_source("tests/data/reference/regression/train.jsonl");
    const struct sp_adapter_dense *bias;
    struct sp_adapter a;
    double mean = 0;
    json_t *rows;
    size_t i;
    const json_t *row;

    (void)state;
    train("start", json_pack("{s:s, s:n, s:f, s:i}", "train_file", file, "validation_file", "learning_rate", 1e-10,
                             "max_steps", 1));
    load_adapter(&a, "start");
    bias = sp_adapter_find_dense(&a, "classifier.bias");
    assert_non_null(bias);
    rows = program_lines(file);
    json_array_foreach(rows, i, row)
        mean += program_number(row, "label") / (double)json_array_size(rows);
    assert_near(bias->data[0], mean, 1e-5);
    sp_adapter_release(&a);
}

static void test_sparse_adapter(void **state)
{
    struct sp_adapter a;
    size_t entries = 0;

    (void)state;
    train("sparse", json_pack("{s:i}", "max_steps", 5));
    load_adapter(&a, "sparse");
    assert_string_equal(a.method, "static");
    assert_string_equal(a.task, "classification");
    assert_int_equal(strlen(a.base_checksum), 64);
    assert_int_equal(a.sparse_count, 6);
    assert_int_equal(a.dense_count, 2);
    for (size_t i = 0; i < a.sparse_count; i++) {
        size_t moved = 0;

        assert_true(strstr(a.sparse[i].name, ".query.weight") || strstr(a.sparse[i].name, ".value.weight"));
        assert_true(a.sparse[i].rows == WIDTH && a.sparse[i].cols == WIDTH);
        for (size_t k = 0; k < a.sparse[i].count; k++)
            moved += a.sparse[i].values[k] != 0;
        assert_int_equal(moved, a.sparse[i].count);
        entries += a.sparse[i].count;
    }
    assert_int_equal(entries, 200);
    assert_true(sp_adapter_find_dense(&a, "classifier.weight")->shape[0] == 2);
    assert_true(sp_adapter_find_dense(&a, "classifier.weight")->shape[1] == WIDTH);
    assert_true(sp_adapter_find_dense(&a, "classifier.bias")->rank == 1);
    /* as the checkpoint's head has them */
    assert_string_equal(json_string_value(json_array_get(a.labels, 0)), "rejected");
    assert_string_equal(json_string_value(json_array_get(a.labels, 1)), "accepted");
    sp_adapter_release(&a);
}

static void test_dense_adapters(void **state)
{
    struct sp_adapter a;

    (void)state;
    train("full", json_pack("{s:{s:s}}", "sparse", "method", "full"));
    load_adapter(&a, "full");
    assert_string_equal(a.method, "full");
    assert_int_equal(a.sparse_count, 0);
    assert_int_equal(a.dense_count, 3 + 2 + 3 * 16 + 2 + 2); /* tables, norm, layers, pooler, head */
    assert_non_null(sp_adapter_find_dense(&a, "bert.embeddings.word_embeddings.weight"));
    sp_adapter_release(&a);
    train("head", json_pack("{s:{s:s}}", "sparse", "method", "head"));
    load_adapter(&a, "head");
    assert_string_equal(a.method, "head");
    assert_int_equal(a.sparse_count, 0);
    assert_int_equal(a.dense_count, 2);
    sp_adapter_release(&a);
}

/* config.resolved.yaml says every option, and the adapter has the same configuration. */
static void test_resolved(void **state)
{
    const char *output = train("resolved", json_pack("{s:f}", "warmup_steps", 0.25));
    const char *path = program_path("resolved/config.resolved.yaml");
    const struct sp_option_table *table = sp_config_options();
    struct sp_config config;
    json_t *loaded, *document = program_json(program_path("resolved/adapter/adapter.json"));
    char *text;
    size_t length;

    (void)state;
    assert_int_equal(sp_config_load(&config, path, NULL, 0), 0);
    assert_string_equal(config.output_dir, output);
    assert_int_equal(sp_config_json(&config, &loaded), 0);
    if (!json_equal(loaded, json_object_get(document, "config")))
        fail_msg("%s and adapter.json differ", path);
    json_decref(loaded);
    sp_config_release(&config);
    assert_int_equal(sp_fs_read(&text, &length, path, 1 << 20), 0);
    for (size_t i = 0; i < sp_option_count(table); i++) {
        const char *dot = strchr(sp_option_at(table, i)->key, '.');

        if (!strstr(text, dot ? dot + 1 : sp_option_at(table, i)->key))
            fail_msg("%s does not say %s", path, sp_option_at(table, i)->key);
    }
    free(text);
}

/* A second run into the same folder replaces what the first wrote, and nothing else. */
static void test_again(void **state)
{
    (void)state;
    train("again", json_pack("{s:i}", "max_steps", 4));
    assert_int_equal(sp_fs_write(program_path("again/notes.txt"), "mine", 4), 0);
    assert_int_equal(sp_fs_write(program_path("again/adapter/README.md"), "mine", 4), 0);
    assert_int_equal(json_array_size(metrics_of(train("again", json_pack("{s:i}", "max_steps", 1)))), 3);
    assert_string_equal(names_in(program_path("again")),
                        "adapter config.resolved.yaml metrics.jsonl notes.txt predictions.jsonl result.json");
    assert_string_equal(names_in(program_path("again/adapter")), "README.md adapter.json adapter.safetensors");
    train("again", json_pack("{s:i, s:n}", "max_steps", 1, "validation_file"));
    assert_string_equal(names_in(program_path("again")),
                        "adapter config.resolved.yaml metrics.jsonl notes.txt result.json");
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* How many lines have the key, and the step of the last of them. */
static size_t count_lines(const json_t *lines, const char *key, long long *last)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);

        if (!json_object_get(line, key))
            continue;
        count++;
        *last = json_integer_value(json_object_get(line, "step"));
    }
    return count;
}

static void check_steps(json_t *options, size_t steps, double epochs)
{
    const json_t *lines = metrics_of(train("steps", options));
    long long last;

    assert_int_equal(count_lines(lines, "loss", &last), steps);
    assert_int_equal(last, steps);
    assert_near(program_number(json_array_get(lines, json_array_size(lines) - 2), "epoch"), epochs, 1e-8);
}

static void test_steps(void **state)
{
    (void)state;
    check_steps(json_pack("{s:i, s:i}", "max_steps", 0, "num_train_epochs", 2), 2 * BATCHES, 2);
    check_steps(json_pack("{s:i, s:f}", "max_steps", 0, "num_train_epochs", 0.5), 3, 0.6); /* 2.5 steps, rounded up */
    check_steps(json_pack("{s:i, s:i}", "max_steps", 7, "num_train_epochs", 1), 7, 1.4);
    check_steps(json_pack("{s:i, s:i, s:i}", "max_steps", 0, "num_train_epochs", 2, "gradient_accumulation_steps", 2),
                6, 2);
    check_steps(json_pack("{s:i, s:i, s:i}", "max_steps", 0, "num_train_epochs", 1, "max_train_samples", 10), 2, 1);
}

static void test_evaluations(void **state)
{
    static const struct {
        const char *strategy;
        int every, steps;
        size_t expected;
    } cases[] = { { "no", 0, 6, 2 }, { "steps", 2, 6, 4 }, { "steps", 4, 6, 3 }, { "epoch", 0, 11, 4 }, { "epoch", 0,
        5, 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *options = json_pack("{s:i, s:s}", "max_steps", cases[i].steps, "eval_strategy", cases[i].strategy);
        long long last;

        if (cases[i].every)
            json_object_set_new(options, "eval_steps", json_integer(cases[i].every));
        assert_int_equal(count_lines(metrics_of(train("evaluations", options)), "eval_loss", &last), cases[i].expected);
        assert_int_equal(last, cases[i].steps);
    }
}

static void test_schedules(void **state)
{
    static const struct {
        const char *name;
        double warmup, expected[5];
    } cases[] = {
        { "linear", 0, { 1, 0.8, 0.6, 0.4, 0.2 } },
        { "linear", 2, { 0, 0.5, 1, 2.0 / 3, 1.0 / 3 } },
        { "constant", 0.3, { 0, 0.5, 1, 1, 1 } }, /* 1.5 steps, rounded up */
        { "cosine", 1, { 0, 1, 0.853553391, 0.5, 0.146446609 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const json_t *lines = metrics_of(
            train("schedules", json_pack("{s:i, s:s, s:f, s:f}", "max_steps", 5, "lr_scheduler_type", cases[i].name,
                                         "warmup_steps", cases[i].warmup, "learning_rate", 0.01)));

        for (size_t k = 0; k < 5; k++)
            assert_near(program_number(json_array_get(lines, k + 1), "learning_rate"), 0.01 * cases[i].expected[k],
                        1e-9);
    }
}

/* With logging_steps 3 a line's loss is the mean of its three steps; the last step always has a line. */
static void test_windows(void **state)
{
    const json_t *single = metrics_of(train("single", json_pack("{s:i, s:i}", "max_steps", 7, "dropout", 0)));
    const json_t *lines = metrics_of(
        train("window", json_pack("{s:i, s:i, s:i}", "max_steps", 7, "dropout", 0, "logging_steps", 3)));
    static const size_t ends[] = { 0, 3, 6, 7 };

    (void)state;
    assert_int_equal(json_array_size(lines), 5);
    for (size_t i = 1; i <= 3; i++) {
        const json_t *line = json_array_get(lines, i);
        double mean = 0;

        for (size_t step = ends[i - 1] + 1; step <= ends[i]; step++)
            mean += program_number(json_array_get(single, step), "loss") / (double)(ends[i] - ends[i - 1]);
        assert_int_equal(json_integer_value(json_object_get(line, "step")), ends[i]);
        assert_near(program_number(line, "loss"), mean, 1e-7);
        assert_near(program_number(line, "grad_norm"), program_number(json_array_get(single, ends[i]), "grad_norm"),
                    1e-7);
    }
}

/* The last group of an epoch is smaller: its gradients are averaged over the batches that it has. */
static void test_uneven_groups(void **state)
{
    const json_t *lines = metrics_of(
        train("uneven", json_pack("{s:i, s:i, s:i, s:f}", "max_steps", 3, "dropout", 0, "gradient_accumulation_steps",
                                  4, "learning_rate", 0.0)));
    const json_t *single = metrics_of(
        train("even", json_pack("{s:i, s:i, s:f}", "max_steps", 5, "dropout", 0, "learning_rate", 0.0)));
    double mean = 0;

    (void)state;
    for (size_t step = 1; step <= 4; step++)
        mean += program_number(json_array_get(single, step), "loss") / 4;
    assert_near(program_number(json_array_get(lines, 1), "loss"), mean, 1e-6);
    /* the fifth batch alone */
    assert_near(program_number(json_array_get(lines, 2), "loss"), program_number(json_array_get(single, 5), "loss"),
                1e-6);
    assert_near(program_number(json_array_get(lines, 2), "grad_norm"),
                program_number(json_array_get(single, 5), "grad_norm"), 1e-6);
    assert_near(program_number(json_array_get(lines, 3), "loss"), mean, 1e-6);
}

/* ---- heads and randomness ---------------------------------------------------------------------------------------- */

/* The first numbers of the classifier in an adapter. */
static float head_value(const char *name)
{
    struct sp_adapter a;
    float value;

    load_adapter(&a, name);
    value = sp_adapter_find_dense(&a, "classifier.weight")->data[3];
    sp_adapter_release(&a);
    return value;
}

/* Rows whose labels are not the checkpoint's get a head of their own: labels sorted, values from the seed. */
static void test_new_head(void **state)
{
    static const char rows[] = "text\tlabel\na b\tred\nc d\tgreen\ne f\tblue\nc c\tred\n";
    const char *path = program_path("rows.tsv"), *label;
    struct sp_adapter a;
    float value;

    (void)state;
    assert_int_equal(sp_fs_write(path, rows, sizeof rows - 1), 0);
    train("new", json_pack("{s:s, s:n, s:f}", "train_file", path, "validation_file", "learning_rate", 0.0));
    load_adapter(&a, "new");
    assert_int_equal(json_array_size(a.labels), 3);
    for (size_t i = 0; i < 3; i++) {
        label = json_string_value(json_array_get(a.labels, i));
        assert_string_equal(label, ((const char *const[]){ "blue", "green", "red" })[i]);
    }
    assert_int_equal(sp_adapter_find_dense(&a, "classifier.weight")->shape[0], 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(sp_adapter_find_dense(&a, "classifier.bias")->data[i] == 0);
    sp_adapter_release(&a);

    value = head_value("new");
    assert_true(value != 0 && value > -0.2f && value < 0.2f); /* ten times initializer_range */
    train("new", json_pack("{s:s, s:n, s:f}", "train_file", path, "validation_file", "learning_rate", 0.0));
    assert_true(head_value("new") == value);
    train("new",
          json_pack("{s:s, s:n, s:f, s:i}", "train_file", path, "validation_file", "learning_rate", 0.0, "seed", 7));
    assert_true(head_value("new") != value);
}

/* Dropout acts in training, not in evaluation; the order of rows is the seed's, and the file's without shuffling. */
static void test_randomness(void **state)
{
    static const char *const names[] = { "plain", "dropout", "shuffled", "reseeded" };
    json_t *options[] = { json_pack("{s:i}", "dropout", 0), json_pack("{s:f}", "dropout", 0.3),
                          json_pack("{s:i, s:b}", "dropout", 0, "shuffle", 1),
                          json_pack("{s:i, s:b, s:i}", "dropout", 0, "shuffle", 1, "seed", 5) };
    double loss[4], before[4];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const json_t *lines = metrics_of(train(names[i], options[i]));

        before[i] = program_number(json_array_get(lines, 0), "eval_loss");
        loss[i] = program_number(json_array_get(lines, 1), "loss");
        assert_true(before[i] == before[0]);
        for (size_t k = 0; k < i; k++)
            assert_true(loss[i] != loss[k]);
    }
}

/* The losses of the first `count` steps without learning. */
static void losses_of(double *losses, size_t count, json_t *options)
{
    const json_t *lines;

    json_object_set_new(options, "learning_rate", json_real(0));
    json_object_set_new(options, "max_steps", json_integer((json_int_t)count));
    lines = metrics_of(train("losses", options));
    for (size_t i = 0; i < count; i++)
        losses[i] = program_number(json_array_get(lines, i + 1), "loss");
}

/* Each step drops other elements; each epoch has another order, or the file's. */
static void test_steps_differ(void **state)
{
    double losses[2 * BATCHES];

    (void)state;
    losses_of(losses, 2, json_pack("{s:i, s:f}", "max_train_samples", BATCH, "dropout", 0.3));
    assert_true(losses[0] != losses[1]);
    losses_of(losses, 2 * BATCHES, json_pack("{s:i}", "dropout", 0));
    for (size_t i = 0; i < BATCHES; i++)
        assert_true(losses[i] == losses[BATCHES + i]);
    losses_of(losses, 2 * BATCHES, json_pack("{s:i, s:b}", "dropout", 0, "shuffle", 1));
    for (size_t i = 0; i < BATCHES; i++)
        assert_true(losses[i] != losses[BATCHES + i]);
}

/* Smoothing reaches the loss. */
static void test_label_smoothing(void **state)
{
    const json_t *plain = metrics_of(train("hard", json_pack("{s:i}", "dropout", 0)));
    const json_t *smooth = metrics_of(
        train("smooth", json_pack("{s:i, s:f}", "dropout", 0, "label_smoothing_factor", 0.2)));

    (void)state;
    assert_true(fabs(program_number(json_array_get(plain, 1), "loss") -
                     program_number(json_array_get(smooth, 1), "loss")) > 1e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_regression_keys),
        cmocka_unit_test(test_regression_start),
        cmocka_unit_test(test_sparse_adapter),
        cmocka_unit_test(test_dense_adapters),
        cmocka_unit_test(test_resolved),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_evaluations),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_uneven_groups),
        cmocka_unit_test(test_new_head),
        cmocka_unit_test(test_randomness),
        cmocka_unit_test(test_steps_differ),
        cmocka_unit_test(test_label_smoothing),
    };

    return cmocka_run_group_tests_name("train", tests, program_setup, program_teardown);
}
