/*
 * gradient_accumulation_steps: what a step of several micro-batches learns is what one batch of all their rows would
 * teach, whatever their sizes, against PyTorch's gradients of such a batch (tests/data/reference); and each micro-batch
 * draws its own dropout.
 */
#include "tests/model/program.h"
#include "tests/unit/near.h"

#include "runtime/base/fs.h"
#include "runtime/io/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 9 }; /* of the batch whose gradients are kept */

/* Trains with the options, which are taken; returns metrics.jsonl. */
static const json_t *train(const char *model, const char *output, json_t *options)
{
    json_t *config = json_pack("{s:s, s:s, s:i, s:i, s:b, s:f}", "model_name_or_path",
                               program_source("tests/data/reference/%s", model), "train_file",
                               program_source("tests/data/reference/%s/train.jsonl", model), "max_seq_length", 40,
                               "logging_steps", 1, "shuffle", 0, "dropout", 0.0);

    assert_non_null(options);
    json_object_update(config, options);
    program_do("train", program_write("config.yaml", config), "--output-dir", program_path("%s", output), "--quiet",
               NULL);
    json_decref(config);
    json_decref(options);
    return program_lines(program_path("%s/metrics.jsonl", output));
}

static double loss_of(const json_t *lines, size_t i)
{
    return program_number(json_array_get(lines, i), "loss");
}

static float *values_of(const struct sp_tensor_info *tensor)
{
    float *values = calloc(tensor->count, sizeof *values);

    assert_non_null(values);
    assert_int_equal(sp_tensor_read_f32(values, tensor, 0, tensor->count), 0);
    return values;
}

/* With epsilon and rate 1 the first step of AdamW is w - g / (|g| + 1), which tells every g apart. */
static void check_tensor(const struct sp_adapter_dense *trained, const struct sp_tensor_info *weight,
                         const struct sp_tensor_info *gradient)
{
    float *w = values_of(weight), *g = values_of(gradient);

    for (size_t i = 0; i < gradient->count; i++) {
        double expected = (double)w[i] - (double)g[i] / (fabs((double)g[i]) + 1);

        if (!(fabs((double)trained->data[i] - expected) <= 2e-6 * (1 + fabs((double)w[i]))))
            fail_msg("%s[%zu] is %.8g, expected %.8g", gradient->name, i, (double)trained->data[i], expected);
    }
    free(w);
    free(g);
}

static void check_step(const char *model, int batch)
{
    const json_t *expected = json_object_get(program_json(
                                                 program_source("tests/data/reference/%s/expected.json", model)),
                                             "runs");
    const json_t *lines = train(model, "step",
                                json_pack("{s:i, s:i, s:i, s:i, s:f, s:f, s:s, s:i, s:{s:s}}", "max_train_samples",
                                          ROWS, "per_device_train_batch_size", batch, "gradient_accumulation_steps",
                                          (ROWS + batch - 1) / batch, "max_steps", 1, "learning_rate", 1.0,
                                          "adam_epsilon", 1.0, "lr_scheduler_type", "constant", "max_grad_norm", 0,
                                          "sparse", "method", "full"));
    struct sp_safetensors *gradients, *weights;
    struct sp_adapter a;

    assert_near(loss_of(lines, 0),
                json_number_value(json_array_get(json_object_get(json_object_get(expected, "full"), "losses"), 0)),
                1e-6);
    assert_int_equal(sp_adapter_load(&a, program_path("step/adapter")), 0);
    assert_int_equal(sp_safetensors_open(&gradients,
                                         program_source("tests/data/reference/%s/gradients.safetensors", model)),
                     0);
    assert_int_equal(sp_safetensors_open(&weights, program_source("tests/data/reference/%s/model.safetensors", model)),
                     0);
    assert_int_equal(a.dense_count, sp_safetensors_count(gradients));
    for (size_t i = 0; i < a.dense_count; i++) {
        const char *name = a.dense[i].name;

        check_tensor(&a.dense[i], sp_safetensors_find(weights, name), sp_safetensors_find(gradients, name));
    }
    sp_safetensors_close(weights);
    sp_safetensors_close(gradients);
    sp_adapter_release(&a);
}

/* One batch; 5 + 4, 4 + 4 + 1 and 2 + 2 + 2 + 2 + 1 rows. */
static void test_rows_weigh(void **state)
{
    static const int batches[] = { 9, 5, 4, 2 };

    (void)state;
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        check_step("binary", batches[i]);
        check_step("regression", batches[i]);
    }
}

/* Groups of 21, 21 and 1 of the 43 rows, in micro-batches of 7: the same as in one batch. */
static void test_last_group(void **state)
{
    const json_t *grouped = train("binary", "grouped",
                                  json_pack("{s:i, s:i, s:i, s:f}", "per_device_train_batch_size", 7,
                                            "gradient_accumulation_steps", 3, "max_steps", 3, "learning_rate", 0.0));
    const json_t *whole = train("binary", "whole",
                                json_pack("{s:i, s:i, s:f}", "per_device_train_batch_size", 21, "max_steps", 3,
                                          "learning_rate", 0.0));

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_near(loss_of(grouped, i), loss_of(whole, i), 1e-6);
        assert_near(program_number(json_array_get(grouped, i), "grad_norm"),
                    program_number(json_array_get(whole, i), "grad_norm"), 1e-5);
    }
}

/* Two micro-batches of the same row are two draws: without learning, a step of both has the mean loss of two steps of
 * one. */
static void test_dropout(void **state)
{
    /* is not reached: there must be two classes */
    static const char other[] = "{\"input_ids\": [9], \"label\": \"rejected\"}\n";
    static const char row[] = "{\"input_ids\": [5, 6, 7, 8], \"label\": \"accepted\"}\n";
    char rows[4 * sizeof row + sizeof other];
    const char *path = program_path("same.jsonl");
    const json_t *single, *pairs;

    (void)state;
    snprintf(rows, sizeof rows, "%s%s%s%s%s", row, row, row, row, other);
    assert_int_equal(sp_fs_write(path, rows, strlen(rows)), 0);
    single = train("binary", "ones",
                   json_pack("{s:s, s:i, s:i, s:f, s:f}", "train_file", path, "per_device_train_batch_size", 1,
                             "max_steps", 4, "learning_rate", 0.0, "dropout", 0.3));
    pairs = train("binary", "pairs",
                  json_pack("{s:s, s:i, s:i, s:i, s:f, s:f}", "train_file", path, "per_device_train_batch_size", 1,
                            "gradient_accumulation_steps", 2, "max_steps", 2, "learning_rate", 0.0, "dropout", 0.3));
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(loss_of(single, i) != loss_of(single, k));
    for (size_t i = 0; i < 2; i++)
        assert_near(loss_of(pairs, i), (loss_of(single, 2 * i) + loss_of(single, 2 * i + 1)) / 2, 1e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_weigh),
        cmocka_unit_test(test_last_group),
        cmocka_unit_test(test_dropout),
    };

    return cmocka_run_group_tests_name("accumulation", tests, program_setup, program_teardown);
}
