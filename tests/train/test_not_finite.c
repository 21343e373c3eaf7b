/*
 * Numbers that are not finite, or no longer of any use: in the model's file, in a loss, a gradient, SpIEL's window,
 * after the last step. The run stops, names the tensor, and saves nothing; a loss that explodes within fp32's range is
 * warned of. Each model here is a reference model with a few weights changed, so that exactly one thing goes wrong.
 */
#include "tests/model/program.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the binary model. */
enum { WIDTH = 20 };

/* `count` elements of a tensor from `first` on, `stride` apart. */
struct edit {
    const char *tensor;
    size_t first, count, stride;
    float value;
};

static void copy(const char *to, const char *model, const char *file)
{
    const char *from = program_source("tests/data/reference/%s/%s", model, file);
    char *text;
    size_t length;

    assert_int_equal(sp_fs_read(&text, &length, from, 1 << 20), 0);
    assert_int_equal(sp_fs_write(program_path("%s/%s", to, file), text, length), 0);
    free(text);
}

/* The tensor's data are `file`'s, or a copy that an earlier edit made. */
static void apply(struct sp_tensor_info *tensors, const struct sp_safetensors *file, const struct edit *e)
{
    size_t i = 0, count = sp_safetensors_count(file);
    float *data;

    while (i < count && strcmp(tensors[i].name, e->tensor) != 0)
        i++;
    assert_true(i < count);
    if (tensors[i].data == sp_safetensors_at(file, i)->data) {
        data = malloc(tensors[i].bytes);
        assert_non_null(data);
        memcpy(data, tensors[i].data, tensors[i].bytes);
        tensors[i].data = data;
    }
    data = (float *)(uintptr_t)tensors[i].data;
    for (size_t k = 0; k < e->count; k++)
        data[e->first + k * e->stride] = e->value;
}

/* The reference model with the edits, as the folder `name`; returns its path. */
static const char *edited(const char *name, const char *model, const struct edit *edits, size_t count)
{
    static const char *const files[] = { "config.json", "vocab.txt", "tokenizer_config.json" };
    struct sp_safetensors *file;
    struct sp_tensor_info tensors[128];
    size_t n;

    assert_int_equal(sp_fs_mkdirs(program_path("%s", name)), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        copy(name, model, files[i]);
    assert_int_equal(sp_safetensors_open(&file, program_source("tests/data/reference/%s/model.safetensors", model)), 0);
    n = sp_safetensors_count(file);
    assert_true(n <= sizeof tensors / sizeof *tensors);
    for (size_t i = 0; i < n; i++)
        tensors[i] = *sp_safetensors_at(file, i);
    for (size_t i = 0; i < count; i++)
        apply(tensors, file, &edits[i]);
    assert_int_equal(sp_safetensors_write(program_path("%s/model.safetensors", name), tensors, n), 0);
    for (size_t i = 0; i < n; i++)
        if (tensors[i].data != sp_safetensors_at(file, i)->data)
            free((void *)(uintptr_t)tensors[i].data);
    sp_safetensors_close(file);
    return program_path("%s", name);
}

/* Trains `model` with the options, which are taken, into the folder `output`; returns the exit status. */
static int train(const char *model, const char *output, json_t *options)
{
    json_t *config = json_pack("{s:s, s:s, s:i, s:i, s:i, s:b, s:i, s:i, s:s}", "model_name_or_path", model,
                               "train_file", program_source("tests/data/reference/binary/train.jsonl"),
                               "max_seq_length", 40, "per_device_train_batch_size", 9, "logging_steps", 1, "shuffle", 0,
                               "max_steps", 2, "dropout", 0, "lr_scheduler_type", "constant");
    int status;

    assert_non_null(options);
    json_object_update(config, options);
    status = program_run("train", program_write("config.yaml", config), "--output-dir", program_path("%s", output),
                         NULL);
    json_decref(config);
    json_decref(options);
    return status;
}

static void check_said(const char *text)
{
    if (!strstr(program_text("err"), text))
        fail_msg("'%s' is not in: %s", text, program_text("err"));
}

/* The last run failed, said the text, and left nothing that is final. */
static void check_stopped(int status, const char *output, const char *text)
{
    if (status != 1)
        fail_msg("status %d: %s", status, program_text("err"));
    check_said(text);
    check_said("nothing was saved");
    assert_int_not_equal(access(program_path("%s/adapter", output), F_OK), 0);
    assert_int_not_equal(access(program_path("%s/adapter.unevaluated", output), F_OK), 0);
    assert_int_not_equal(access(program_path("%s/result.json", output), F_OK), 0);
    assert_int_not_equal(access(program_path("%s/predictions.jsonl", output), F_OK), 0);
}

/* ---- at load ----------------------------------------------------------------------------------------------------- */

/* No row of the data has id 0, and no other weight is touched: only reading the file can tell. */
static void test_load(void **state)
{
    static const char *const methods[] = { "static", "dynamic", "spiel", "full", "head" };
    const struct edit edits[] = { { "bert.embeddings.word_embeddings.weight", 7, 1, 1, NAN } };
    const char *model = edited("damaged", "binary", edits, 1),
               *eval = program_source("tests/data/reference/binary/eval.jsonl");
    const char *said = "damaged/model.safetensors: tensor bert.embeddings.word_embeddings.weight: element 7 is nan";

    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        assert_int_equal(train(model, "unread", json_pack("{s:{s:s}}", "sparse", "method", methods[i])), 1);
        check_said(said);
        assert_int_not_equal(access(program_path("unread"), F_OK), 0);
    }
    assert_int_equal(program_run("predict", "--model", model, "--input", eval, "--output", program_path("rows"), NULL),
                     1);
    check_said(said);
}

/* Infinities too, in a weight that lies packed on the device. */
static void test_load_infinity(void **state)
{
    const struct edit edits[] = { { "bert.encoder.layer.2.output.dense.weight", 30, 1, 1, -INFINITY } };

    (void)state;
    assert_int_equal(train(edited("infinite", "binary", edits, 1), "unread", json_pack("{}")), 1);
    check_said("tensor bert.encoder.layer.2.output.dense.weight: element 30 is -inf");
}

/* A head that is replaced is not read, and need not be finite. */
static void test_unused(void **state)
{
    static const char rows[] = "text\tlabel\na b\tred\nc d\tgreen\ne f\tblue\nc c\tred\n";
    const struct edit edits[] = { { "classifier.weight", 0, 1, 1, NAN } };

    (void)state;
    assert_int_equal(sp_fs_write(program_path("rows.tsv"), rows, sizeof rows - 1), 0);
    if (train(edited("headless", "binary", edits, 1), "headless-out",
              json_pack("{s:s}", "train_file", program_path("rows.tsv"))) != 0)
        fail_msg("%s", program_text("err"));
}

/* ---- while training ---------------------------------------------------------------------------------------------- */

/*
 * A pooler of zeros gives logits that are the bias, whatever the head's weights: the loss is finite. Through those of
 * the largest size, of opposite signs, the gradient of the pooler's weight is beyond fp32.
 */
static const struct edit steep[] = { { "bert.pooler.dense.weight", 0, WIDTH * WIDTH, 1, 0 },
                                     { "bert.pooler.dense.bias", 0, WIDTH, 1, 0 },
                                     { "classifier.bias", 0, 2, 1, 0 },
                                     { "classifier.weight", 0, WIDTH, 1, 2e38f },
                                     { "classifier.weight", WIDTH, WIDTH, 1, -2e38f } };

static void test_gradient(void **state)
{
    const char *model = edited("steep", "binary", steep, 5);

    (void)state;
    check_stopped(train(model, "steep-out",
                        json_pack("{s:i, s:{s:s}}", "per_device_train_batch_size", 1, "sparse", "method", "full")),
                  "steep-out",
                  "the gradient of step 1 is not finite; the first tensor that is not: the gradient of "
                  "bert.pooler.dense.weight");
}

/* What an earlier run into the same folder has saved stays as it is. */
static void test_earlier_run(void **state)
{
    const char *good = program_source("tests/data/reference/binary"), *model = edited("again", "binary", steep, 5),
               *path;
    char *before, *after;
    size_t lengths[2];

    (void)state;
    assert_int_equal(train(good, "earlier", json_pack("{}")), 0);
    path = program_path("earlier/adapter/adapter.safetensors");
    assert_int_equal(sp_fs_read(&before, &lengths[0], path, 1 << 20), 0);
    assert_int_equal(train(model, "earlier",
                           json_pack("{s:i, s:{s:s}}", "per_device_train_batch_size", 1, "sparse", "method", "full")),
                     1);
    check_said("earlier/adapter is still an earlier run's: the gradient of step 1 is not finite");
    assert_int_not_equal(access(program_path("earlier/result.json"), F_OK), 0);
    assert_int_equal(sp_fs_read(&after, &lengths[1], path, 1 << 20), 0);
    assert_int_equal(lengths[0], lengths[1]);
    assert_memory_equal(before, after, lengths[0]);
    free(before);
    free(after);
}

/* A regression whose labels are `label` and -label, so that their mean is 0 and the rows' errors are near `label`. */
static json_t *far_labels(const char *label)
{
    char text[256];
    int length = snprintf(text, sizeof text, "text\tlabel\na b\t%s\nc d\t-%s\n", label, label);

    assert_int_equal(sp_fs_write(program_path("far.tsv"), text, (size_t)length), 0);
    return json_pack("{s:s, s:s, s:i, s:{s:s}}", "train_file", program_path("far.tsv"), "task", "regression",
                     "per_device_train_batch_size", 1, "sparse", "method", "head");
}

/* Numbers that are finite by themselves, their squares not. */
static void test_squares(void **state)
{
    const char *model = program_source("tests/data/reference/regression");
    json_t *options;

    (void)state;
    check_stopped(train(model, "squares", far_labels("1.2e19")), "squares",
                  "the gradient of step 1 is not finite; the first tensor that is not: the gradient of "
                  "classifier.weight, whose square is too large for fp32");
    check_stopped(train(model, "loss", far_labels("3e19")), "loss",
                  "the loss of step 1 is not finite; the first tensor that is not: the loss itself, as the square");
    options = far_labels("3e19");
    json_object_set_new(options, "validation_file", json_string(program_path("far.tsv")));
    check_stopped(train(model, "held-out", options), "held-out",
                  "far.tsv is not finite; the first tensor that is not: the loss itself, as the square");
    check_said("after 0 steps");
}

/* Before the first step no option of the run is to blame. */
static void test_output(void **state)
{
    const struct edit edits[] = { { "bert.encoder.layer.0.intermediate.dense.weight", 0, WIDTH, 1, 3e38f } };

    (void)state;
    check_stopped(train(edited("output", "binary", edits, 1), "output-out", json_pack("{s:{s:s}}", "sparse", "method",
        "full")),
                  "output-out",
                  "the loss of step 1 is not finite; the first tensor that is not: the output of "
                  "bert.encoder.layer.0.intermediate.dense.weight. No step was taken yet");
}

/* The same of the head's, whose weights are finite, in predict. */
static void test_predict(void **state)
{
    const struct edit edits[] = { { "classifier.weight", 0, 2 * WIDTH, 1, 3e38f } };
    const char *model = edited("far-head", "binary", edits, 1);

    (void)state;
    assert_int_equal(program_run("predict", "--model", model, "--input",
                                 program_source("tests/data/reference/binary/eval.jsonl"), "--output",
                                 program_path("far-rows"), NULL), 1);
    check_said("eval.jsonl: the prediction for row 1 is not a finite number; the first tensor that is not: the output "
               "of classifier.weight, which is too large for fp32");
    assert_int_not_equal(access(program_path("far-rows"), F_OK), 0);
}

/* While scoring, too, where it began, not the matrix that was to be scored: in an activation, in a gradient, by metrics
 * whose passes differ, and in another batch than the last. */
static void test_scoring(void **state)
{
    static const char *const metrics[] = { "gradient", "snip", "fisher", "grasp", "wanda" };
    const struct edit edits[] = { { "bert.encoder.layer.0.intermediate.dense.weight", 0, WIDTH, 1, 3e38f } };
    /* a position that only long rows have */
    const struct edit far[] = { { "bert.embeddings.position_embeddings.weight", 4 * WIDTH, 2, 1, 3e38f },
                                { "bert.embeddings.token_type_embeddings.weight", 0, 2, 1, 3e38f } };
    static const char rows[] = "text\tlabel\na b c d e\taccepted\na\trejected\nb\taccepted\n";
    const char *model = edited("scoring", "binary", edits, 1);
    json_t *options;

    (void)state;
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        assert_int_equal(train(model, "scored", json_pack("{s:{s:s}}", "sparse", "metric", metrics[i])), 1);
        check_said("the first tensor that is not finite: the output of bert.encoder.layer.0.intermediate.dense.weight: "
                   "the ");
        check_said(metrics[i]);
    }
    assert_int_equal(sp_fs_write(program_path("rows3.tsv"), rows, sizeof rows - 1), 0);
    options = json_pack("{s:i, s:s, s:{s:s}}", "per_device_train_batch_size", 1, "train_file",
                        program_path("rows3.tsv"), "sparse", "metric", "gradient");
    assert_int_equal(train(edited("scoring-far", "binary", far, 2), "scored", options), 1);
    check_said("while scoring by gradient; the first tensor that is not finite: embeddings: the score of ");
    options = json_pack("{s:i, s:{s:s, s:[s], s:i}}", "per_device_train_batch_size", 1, "sparse", "metric",
        "gradient", "target_modules",
                        "pooler.dense", "scoring_examples", 1);
    assert_int_equal(train(edited("scoring-steep", "binary", steep, 5), "scored", options), 1);
    check_said("error: the score of bert.pooler.dense.weight at position "); /* there it begins */
}

/* Weight decay makes a weight of the head infinite in the first step. The next loss is not a number: the weight is
 * named, not what was computed from it. */
static json_t *decay(int steps, const char *validation)
{
    return json_pack("{s:i, s:i, s:i, s:s?, s:{s:s}}", "max_steps", steps, "learning_rate", 1000, "weight_decay", 1000,
                     "validation_file", validation, "sparse", "method", "head");
}

static void test_weight(void **state)
{
    const struct edit edits[] = { { "classifier.weight", 3, 1, 1, 1e33f } };
    const char *model = edited("decaying", "binary", edits, 1);

    (void)state;
    check_stopped(train(model, "weight", decay(5, NULL)), "weight",
                  "the loss of step 2 is not finite; the first tensor that is not: classifier.weight.");
}

/* The same where no loss comes after the step, with held-out rows and without. */
static void test_last_step(void **state)
{
    const struct edit edits[] = { { "classifier.weight", 3, 1, 1, 1e33f } };
    const char *model = edited("last", "binary", edits, 1),
               *eval = program_source("tests/data/reference/binary/eval.jsonl");

    (void)state;
    for (int k = 0; k < 2; k++)
        check_stopped(train(model, "last-out", decay(1, k ? eval : NULL)), "last-out",
                      "the loss after the update of step 1 is not finite; the first tensor that is not: "
                      "classifier.weight.");
}

/* In the first of a step's two micro-batches, with the second one's rows on the device: the first is looked into
 * again. */
static void test_micro_batch(void **state)
{
    static const char rows[] = "text\tlabel\n$ % & $ %\trejected\na b\taccepted\n";
    const struct edit edits[] = { { "bert.embeddings.word_embeddings.weight", 77 * WIDTH, 20, WIDTH, 3e38f },
                                  { "bert.embeddings.position_embeddings.weight", 5 * WIDTH, 1, 1, 3e38f } };
    json_t *options = json_pack("{s:s, s:i, s:i, s:i, s:{s:s}}", "train_file", program_path("micro.tsv"),
                                "per_device_train_batch_size", 1, "gradient_accumulation_steps", 2, "max_steps", 1,
                                "sparse", "method", "head");

    (void)state;
    assert_int_equal(sp_fs_write(program_path("micro.tsv"), rows, strlen(rows)), 0);
    check_stopped(train(edited("micro", "binary", edits, 2), "micro-out", options), "micro-out",
                  "the loss of step 1 is not finite; the first tensor that is not: embeddings.");
}

/* And in a weight that no row uses: the adapter's own check. */
static void test_unused_weight(void **state)
{
    const struct edit edits[] = { { "bert.embeddings.word_embeddings.weight", 7, 1, 1, 1e36f } };
    json_t *options = decay(1, program_source("tests/data/reference/binary/eval.jsonl"));

    (void)state;
    json_object_set_new(options, "sparse", json_pack("{s:s}", "method", "full"));
    check_stopped(train(edited("rowless", "binary", edits, 1), "rowless-out", options), "rowless-out",
                  "bert.embeddings.word_embeddings.weight: element 7 is -inf");
}

/* Finite on the rows that were trained on, not on those held out: decay makes a word's and a later position's embedding
 * so large that their sum is not finite. That is no success either. */
static void test_evaluation(void **state)
{
    static const char marks[] = "text\tlabel\n$ % & $ %\trejected\na\taccepted\n",
                      letters[] = "text\tlabel\na b\trejected\nc\taccepted\n";
    const struct edit edits[] = { { "bert.embeddings.word_embeddings.weight", 77 * WIDTH, 20, WIDTH, 3e35f },
                                  { "bert.embeddings.position_embeddings.weight", 5 * WIDTH, 1, 1, 3e35f } };
    json_t *options = json_pack("{s:i, s:i, s:i, s:i, s:s, s:s, s:{s:s}}", "max_steps", 1, "learning_rate", 1000,
                                "weight_decay", 1, "per_device_eval_batch_size", 1, "train_file",
                                program_path("letters.tsv"), "validation_file", program_path("marks.tsv"), "sparse",
                                "method", "full");

    (void)state;
    assert_int_equal(sp_fs_write(program_path("marks.tsv"), marks, sizeof marks - 1), 0);
    assert_int_equal(sp_fs_write(program_path("letters.tsv"), letters, sizeof letters - 1), 0);
    check_stopped(train(edited("marks", "binary", edits, 2), "marks-out", options), "marks-out",
                  "marks.tsv is not finite; the first tensor that is not: embeddings");
}

/* ---- SpIEL's window ---------------------------------------------------------------------------------------------- */

/*
 * The pooler's input has one column of 1e37, which its weight ignores: the loss is finite, and the gradients of the
 * mask's entries are, as none lies in that column. But the candidates to grow are those of the largest gradients, which
 * there are beyond fp32. With 1e18 only their squares are.
 */
static void test_window(void **state)
{
    static const float inputs[] = { 1e37f, 1e18f };
    const struct edit head[] = { { "classifier.weight", 0, WIDTH, 1, 1e4f }, { "classifier.weight", WIDTH, WIDTH, 1,
        -1e4f } };
    json_t *options = json_pack("{s:i, s:i, s:i, s:{s:s, s:[s], s:i, s:i, s:i}}", "max_steps", 6, "seed", 3,
                                "max_grad_norm", 0, "sparse", "method", "spiel", "target_modules", "pooler.dense",
                                "count", 10, "reselection_steps", 4, "selection_accumulation_steps", 2);
    const struct sp_adapter_sparse *mask;
    struct edit edits[4] = { head[0], head[1] };
    struct sp_adapter a;
    size_t column = 0;

    (void)state;
    json_object_set_new(options, "learning_rate", json_real(1e-6));
    json_incref(options);
    json_object_set_new(options, "max_steps", json_integer(1));
    assert_int_equal(train(edited("pooler", "binary", edits, 2), "first", options), 0);
    assert_int_equal(sp_adapter_load(&a, program_path("first/adapter")), 0);
    mask = &a.sparse[0];
    assert_int_equal(mask->count, 10);
    for (size_t i = 0; i < mask->count; i++)
        if (mask->indices[i] % WIDTH == column) {
            column++;
            i = (size_t)-1;
        }
    assert_true(column < WIDTH);
    sp_adapter_release(&a);
    edits[2] = (struct edit){ "bert.pooler.dense.weight", column, WIDTH, WIDTH, 0 };
    json_object_set_new(options, "max_steps", json_integer(6));
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        edits[3] = (struct edit){ "bert.encoder.layer.2.output.LayerNorm.weight", column, 1, 1, inputs[i] };
        check_stopped(train(edited("column", "binary", edits, 4), "window", json_incref(options)), "window",
                      "the accumulated gradient of bert.pooler.dense.weight at position");
        check_said("after step 2");
    }
    json_decref(options);
}

/* Each step's norm is finite; SM3's accumulators, which add up squares, are not after many. */
static void test_accumulators(void **state)
{
    const struct edit head[] = { { "classifier.weight", 0, 48, 1, 10 } };
    const char *model = edited("accumulating", "regression", head, 1);
    json_t *options = far_labels("5e17");

    (void)state;
    json_object_set_new(options, "sparse", json_pack("{s:s, s:s, s:[s], s:i, s:i, s:i}", "method", "spiel", "growth",
        "ma", "target_modules",
                                                     "pooler.dense", "count", 10, "reselection_steps", 100,
                                                     "selection_accumulation_steps", 80));
    json_object_update_new(options, json_pack("{s:i, s:f, s:i, s:s}", "max_steps", 200, "learning_rate", 1e-6,
                                              "max_grad_norm", 0, "optimizer", "sm3"));
    check_stopped(train(model, "accumulators", options), "accumulators", "SM3's accumulator of ");
    check_said("of bert.pooler.dense.weight is not finite");
    check_said("after step 80");
    options = far_labels("1e18"); /* and where nobody grows by them, but an entry behind them stands still */
    json_object_update_new(options, json_pack("{s:i, s:f, s:i, s:s}", "max_steps", 120, "learning_rate", 1e-6,
                                              "max_grad_norm", 0, "optimizer", "sm3"));
    check_stopped(train(program_source("tests/data/reference/regression"), "stuck", options), "stuck",
                  "the optimizer's state of classifier.");
}

/* ---- an explosion ------------------------------------------------------------------------------------------------ */

static size_t times_said(const char *text)
{
    size_t count = 0;

    for (const char *at = program_text("err"); (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

static void test_explosion(void **state)
{
    const char *model = program_source("tests/data/reference/binary");
    const json_t *diverged;

    (void)state;
    assert_int_equal(train(model, "exploded",
                           json_pack("{s:i, s:f, s:{s:s}}", "max_steps", 60, "learning_rate", 100.0, "sparse", "method",
                                     "head")),
                     0);
    assert_int_equal(times_said("far above its start"), 1);
    check_said("the loss is far above its start and stays there");
    check_said("learning_rate: 100 may be too high");
    diverged = json_object_get(program_json(program_path("exploded/result.json")), "diverged");
    assert_true(program_number(diverged, "loss") > 1.5 * program_number(diverged, "start"));
    assert_true(program_number(diverged, "step") >= 30);
    if (!strstr(program_text("out"), "diverged:"))
        fail_msg("%s", program_text("out"));

    for (int steps = 1; steps <= 5; steps++) { /* too short to see it stay */
        assert_int_equal(train(model, "short",
                               json_pack("{s:i, s:f, s:{s:s}}", "max_steps", steps, "learning_rate", 100.0, "sparse",
                                         "method", "head")),
                         0);
        check_said("the loss ended far above its start");
        diverged = json_object_get(program_json(program_path("short/result.json")), "diverged");
        assert_true(program_number(diverged, "loss") > 2 * program_number(diverged, "start"));
        assert_true(program_number(diverged, "step") == steps);
    }

    assert_int_equal(train(model, "steady", json_pack("{s:i}", "max_steps", 60)), 0);
    assert_int_equal(times_said("far above its start"), 0);
    assert_true(json_is_null(json_object_get(program_json(program_path("steady/result.json")), "diverged")));
}

/* A model that says the same of all rows is told, by train and by eval, be its loss enormous or that of guessing; one
 * that tells them apart is not. */
static void test_guessing(void **state)
{
    static const struct {
        const char *model, *said;
    } tasks[] = { { "binary", "rows are predicted as \"accepted\" with a loss of" },
                  { "regression", "rows are predicted as nearly one number with a mean squared error of" } };
    const struct edit nothing[] = { { "classifier.weight", 0, 2 * WIDTH, 1, 0 },
                                    { "classifier.bias", 0, 1, 1, 0.01f },
                                    { "classifier.bias", 1, 1, 1, 0 } };
    json_t *options = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        const char *model = program_source("tests/data/reference/%s", tasks[i].model);

        json_decref(options);
        options = json_pack("{s:s, s:s, s:i, s:f, s:{s:s}}", "train_file", program_source("%s/train.jsonl", model),
                            "validation_file", program_source("%s/eval.jsonl", model), "max_steps", 4, "learning_rate",
                            0.0, "sparse", "method", "full");
        assert_int_equal(train(model, "sound", json_incref(options)), 0);
        assert_int_equal(times_said("rows are predicted as"), 0);
        json_object_set_new(options, "learning_rate", json_real(3));
        assert_int_equal(train(model, "guessing", json_incref(options)), 0);
        assert_int_equal(times_said(tasks[i].said), 1);
        assert_int_equal(program_run("eval", program_path("config.yaml"), "--adapter", program_path("guessing/adapter"),
                                     NULL),
                         0);
        assert_int_equal(times_said(tasks[i].said), 1);
        assert_int_equal(times_said("may help"), 0); /* eval trains nothing */
        assert_int_equal(program_run("eval", program_path("config.yaml"), "--adapter", program_path("guessing/adapter"),
                                     "--set", "max_eval_samples=5", NULL),
                         0);
        assert_int_equal(times_said("rows are predicted as"), 0); /* so few show nothing */
    }
    json_object_set_new(options, "learning_rate", json_real(0));
    json_object_set_new(options, "train_file", json_string(program_source("tests/data/reference/binary/train.jsonl")));
    json_object_set_new(options, "validation_file",
                        json_string(program_source("tests/data/reference/binary/eval.jsonl")));
    assert_int_equal(train(edited("headless", "binary", nothing, 3), "guessing", options), 0);
    check_said("loss of 0.69");
    assert_int_equal(times_said("rows are predicted as"), 1);
    assert_int_equal(times_said("far above its start"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),        cmocka_unit_test(test_load_infinity), cmocka_unit_test(test_unused),
        cmocka_unit_test(test_gradient),    cmocka_unit_test(test_earlier_run),   cmocka_unit_test(test_squares),
        cmocka_unit_test(test_weight),      cmocka_unit_test(test_last_step),     cmocka_unit_test(test_unused_weight),
        cmocka_unit_test(test_micro_batch), cmocka_unit_test(test_evaluation),    cmocka_unit_test(test_window),
        cmocka_unit_test(test_explosion),   cmocka_unit_test(test_guessing),      cmocka_unit_test(test_output),
        cmocka_unit_test(test_predict),     cmocka_unit_test(test_scoring),       cmocka_unit_test(test_accumulators),
    };

    return cmocka_run_group_tests_name("not finite", tests, program_setup, program_teardown);
}
