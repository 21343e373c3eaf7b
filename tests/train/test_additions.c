/*
 * What a part adds to linear layers (runtime/op/addition.h) is in every pass of a run: steps and their recording,
 * scoring, evaluation, prediction, the search for numbers that are not finite. The part is the dense one with additions
 * of the test's hung beside it, x D^T on two layers, D fixed: a model with them is the one whose weights are W + D,
 * whose runs must be the same but for rounding.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/finite.h"
#include "runtime/base/fs.h"
#include "runtime/base/rng.h"
#include "runtime/train/mask.h"
#include "runtime/train/part.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <stdlib.h>

enum { ADDED = 2, SIZE = 37 * 20, STEPS = 6, OVERRIDES = 16 };

#define SCALE 0.3
#define NEAR 1e-4
#define FAR 5e-3

extern const struct sp_part __real_sp_part_dense;
struct sp_part __wrap_sp_part_dense; /* in the list of parts instead of that one */

struct added {
    struct sp_addition addition;
    const char *name; /* of the layer's weight */
    int out, in;
    float d[SIZE];
    size_t recorded, forwards, backwards, fixed, without_input; /* calls; the latter three of backward */
};

static struct added list[ADDED] = { { .name = "encoder.layer.0.attention.self.query.weight", .out = 20, .in = 20 },
                                    { .name = "encoder.layer.1.intermediate.dense.weight", .out = 37, .in = 20 } };
static bool adds; /* else the part is as it always is */
static bool only_attached; /* and only to the run's adapter, not to what it trains */
static size_t attached;

/* ---- the part ---------------------------------------------------------------------------------------------------- */

static float *read_floats(struct sp_buffer *buffer, int rows, int cols)
{
    float *out = calloc((size_t)(rows * cols), sizeof *out);

    assert_ok(sp_buffer_read(out, buffer, 0, (size_t)(rows * cols) * sizeof *out));
    return out;
}

static int forward(struct sp_addition *addition, struct sp_device *device, const struct sp_addition_input *in)
{
    struct added *a = (struct added *)addition;
    float *x, *y;

    a->recorded += sp_device_recording(device);
    if (sp_device_recording(device))
        return 0;
    a->forwards++;
    x = read_floats(in->x, in->tokens, in->in);
    y = read_floats(in->y, in->tokens, in->out);
    for (int t = 0; t < in->tokens; t++)
        for (int o = 0; o < in->out; o++)
            for (int i = 0; i < in->in; i++)
                y[t * in->out + o] += x[t * in->in + i] * a->d[o * in->in + i];
    assert_ok(sp_buffer_write(in->y, 0, y, (size_t)(in->tokens * in->out) * sizeof *y));
    free(y);
    free(x);
    return 0;
}

static int backward(struct sp_addition *addition, struct sp_device *device, const struct sp_addition_input *in)
{
    struct added *a = (struct added *)addition;
    float *dy, *dx;

    a->recorded += sp_device_recording(device);
    if (sp_device_recording(device))
        return 0;
    a->backwards++;
    a->fixed += in->fixed;
    a->without_input += !in->x;
    if (!in->dx)
        return 0;
    dy = read_floats(in->dy, in->tokens, in->out);
    dx = read_floats(in->dx, in->tokens, in->in);
    for (int t = 0; t < in->tokens; t++)
        for (int o = 0; o < in->out; o++)
            for (int i = 0; i < in->in; i++)
                dx[t * in->in + i] += dy[t * in->out + o] * a->d[o * in->in + i];
    assert_ok(sp_buffer_write(in->dx, 0, dx, (size_t)(in->tokens * in->in) * sizeof *dx));
    free(dx);
    free(dy);
    return 0;
}

static int find_not_finite(struct sp_addition *addition, char *name, size_t size)
{
    const struct added *a = (const struct added *)addition;
    size_t count = (size_t)(a->out * a->in);

    if (sp_first_not_finite(a->d, count) == count)
        return 0;
    snprintf(name, size, "D of %s", a->name);
    return 1;
}

static void add(struct sp_run *run)
{
    for (size_t i = 0; i < sp_plan_param_count(run->plan) && adds; i++)
        for (int k = 0; k < ADDED; k++)
            if (strcmp(sp_plan_param_at(run->plan, i)->name, list[k].name) == 0)
                sp_run_add(run, i, &list[k].addition);
}

static int hang(void *state, struct sp_trained *trained, struct sp_run *run)
{
    SP_TRY(__real_sp_part_dense.hang(state, trained, run));
    if (!only_attached)
        add(run);
    return 0;
}

static int attach(void **state, struct sp_run *run)
{
    *state = &attached;
    attached++;
    assert_true(run->batch.ids != NULL); /* the run's own memory is there, and its largest batch known */
    assert_true(run->limits.tokens > 0 && run->limits.sequences > 0);
    add(run);
    return 0;
}

static void detach(void *state)
{
    if (state)
        --*(size_t *)state;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

/* The reference model with D in its weights; returns its folder. */
static const char *changed_model(void)
{
    static const char *const files[] = { "config.json", "vocab.txt", "tokenizer_config.json" };
    struct sp_tensor_info tensors[128];
    struct sp_safetensors *file;
    size_t count;

    assert_ok(sp_fs_mkdirs(program_path("changed")));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *text;
        size_t length;

        assert_ok(sp_fs_read(&text, &length, program_source("tests/data/reference/binary/%s", files[i]), 1 << 20));
        assert_ok(sp_fs_write(program_path("changed/%s", files[i]), text, length));
        free(text);
    }
    assert_ok(sp_safetensors_open(&file, program_source("tests/data/reference/binary/model.safetensors")));
    count = sp_safetensors_count(file);
    for (size_t i = 0; i < count; i++) {
        tensors[i] = *sp_safetensors_at(file, i);
        for (int k = 0; k < ADDED; k++) {
            float *data = calloc(tensors[i].count, sizeof *data);

            if (strstr(tensors[i].name, list[k].name)) {
                for (size_t e = 0; e < tensors[i].count; e++)
                    data[e] = ((const float *)tensors[i].data)[e] + list[k].d[e];
                tensors[i].data = data;
            } else {
                free(data);
            }
        }
    }
    assert_ok(sp_safetensors_write(program_path("changed/model.safetensors"), tensors, count));
    for (size_t i = 0; i < count; i++)
        if (tensors[i].data != sp_safetensors_at(file, i)->data)
            free((void *)(uintptr_t)tensors[i].data);
    sp_safetensors_close(file);
    return program_path("changed");
}

/* A run of a model on the reference rows; `options` are set last, up to a NULL. */
static void open_run(struct sp_run *run, struct sp_config *config, const char *model, const char *const *options)
{
    const char *overrides[OVERRIDES] = { "max_seq_length=40", "per_device_train_batch_size=9", "max_steps=6",
                                         "logging_steps=1", "learning_rate=0.003" };
    char rows[2][512], path[512];
    size_t count = 5;

    snprintf(path, sizeof path, "model_name_or_path=%s", model);
    snprintf(rows[0], sizeof rows[0], "train_file=%s", program_source("tests/data/reference/binary/train.jsonl"));
    snprintf(rows[1], sizeof rows[1], "validation_file=%s", program_source("tests/data/reference/binary/eval.jsonl"));
    overrides[count++] = path;
    overrides[count++] = rows[0];
    overrides[count++] = rows[1];
    while (*options)
        overrides[count++] = *options++;
    assert_true(count <= OVERRIDES);
    assert_ok(sp_config_load(config, NULL, overrides, count));
    *run = (struct sp_run){ .config = config, .families = sp_model_families, .family_count = sp_model_family_count };
    for (int k = 0; k < ADDED; k++) {
        list[k].recorded = list[k].forwards = list[k].backwards = list[k].fixed = list[k].without_input = 0;
        list[k].addition.fixed = false;
    }
}

/* Trains into the folder `output`; returns the lines of its metrics.jsonl. */
static json_t *train(const char *model, const char *output, bool with)
{
    char dir[512];
    const char *const options[] = { dir, "sparse.metric=random", "sparse.target_modules=query, intermediate.dense",
                                    NULL };
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;

    snprintf(dir, sizeof dir, "output_dir=%s", program_path("%s", output));
    adds = with;
    open_run(&run, &config, model, options);
    assert_ok(sp_train(&result, &run));
    assert_int_equal(result.steps, STEPS);
    sp_run_close(&run);
    sp_config_release(&config);
    return program_lines(program_path("%s/metrics.jsonl", output));
}

static double largest_difference(const json_t *a, const json_t *b)
{
    static const char *const keys[] = { "loss", "grad_norm", "eval_loss" };
    double worst = 0;

    assert_int_equal(json_array_size(a), STEPS + 2); /* and two evaluations */
    assert_int_equal(json_array_size(b), STEPS + 2);
    for (size_t i = 0; i < STEPS + 2; i++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const json_t *x = json_object_get(json_array_get(a, i), keys[k]);
            const json_t *y = json_object_get(json_array_get(b, i), keys[k]);

            assert_int_equal(x != NULL, y != NULL);
            if (x)
                worst = fmax(worst, fabs(json_real_value(x) - json_real_value(y)));
        }
    return worst;
}

/* Evaluation after training and of the adapter that was loaded agree, in a plan with training and one without. */
static double evaluate(const char *output)
{
    struct sp_evaluation evaluation;
    struct sp_adapter adapter;
    struct sp_config config;
    struct sp_run run;

    adds = true;
    open_run(&run, &config, program_source("tests/data/reference/binary"), (const char *const[]){ NULL });
    assert_ok(sp_adapter_load(&adapter, program_path("%s/adapter", output)));
    run.adapter = &adapter;
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, false, true));
    assert_ok(sp_run_build(&run, false, 0, 0));
    assert_ok(sp_evaluate(&evaluation, &run));
    for (int k = 0; k < ADDED; k++) {
        assert_true(list[k].forwards > 0);
        assert_int_equal(list[k].backwards, 0);
    }
    assert_int_equal(attached, 1);
    sp_run_close(&run);
    assert_int_equal(attached, 0);
    sp_adapter_release(&adapter);
    sp_config_release(&config);
    return evaluation.loss;
}

static void test_training(void **state)
{
    const char *model = program_source("tests/data/reference/binary");
    json_t *added, *changed, *plain;
    double between;

    (void)state;
    added = train(model, "added", true);
    for (int k = 0; k < ADDED; k++) {
        assert_true(list[k].recorded >= 3); /* a step's two ways, and an evaluation's */
        assert_true(list[k].forwards > STEPS);
        assert_int_equal(list[k].backwards, STEPS);
        assert_int_equal(list[k].fixed + list[k].without_input, 0);
    }
    changed = train(changed_model(), "changed-run", false);
    plain = train(model, "plain", false);
    between = largest_difference(added, changed);
    if (between > NEAR)
        fail_msg("the runs with an addition and with its sum in the weights are %.3g apart", between);
    assert_true(largest_difference(added, plain) > FAR);
    assert_true(fabs(evaluate("added") - program_number(json_array_get(added, STEPS + 1), "eval_loss")) < 1e-6);
}

/* Positions that two masks have in common, as a share of either. */
static double common(const struct sp_mask *a, const struct sp_mask *b)
{
    size_t both = 0;

    assert_int_equal(a->entries, b->entries);
    for (size_t t = 0; t < a->count; t++)
        for (size_t i = 0, k = 0; i < a->tensors[t].count && k < b->tensors[t].count;) {
            uint32_t x = a->tensors[t].positions[i], y = b->tensors[t].positions[k];

            both += x == y;
            i += x <= y;
            k += y <= x;
        }
    return (double)both / (double)a->entries;
}

static void make_mask(struct sp_mask *mask, const char *model, const char *target, bool with)
{
    const char *const options[] = { target, "sparse.metric=snip", NULL };
    struct sp_adapter adapter;
    struct sp_config config;
    struct sp_run run;

    adds = with;
    open_run(&run, &config, model, options);
    assert_ok(sp_adapter_load(&adapter, program_path("head/adapter")));
    run.adapter = &adapter;
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_rows(&run, true));
    assert_ok(sp_run_build(&run, true, 0, 0));
    assert_ok(sp_mask_make(mask, &run, 0));
    sp_run_close(&run);
    sp_adapter_release(&adapter);
    sp_config_release(&config);
}

/* Scoring has no gradient of the addition: whether its layers are targets, or frozen, whose inputs are not kept. */
static void test_scoring(void **state)
{
    const char *model = program_source("tests/data/reference/binary"), *source;
    static const char *const targets[] = { "sparse.target_modules=value",
                                           "sparse.target_modules=value, query, intermediate.dense" };
    struct sp_mask added, changed, plain;
    struct sp_config config;
    struct sp_train_result result;
    struct sp_run run;
    char dir[512];

    (void)state;
    adds = false;
    snprintf(dir, sizeof dir, "output_dir=%s", program_path("head"));
    open_run(&run, &config, model, (const char *const[]){ dir, "sparse.method=head", NULL });
    assert_ok(sp_train(&result, &run)); /* an adapter that changes none of the weights to score */
    sp_run_close(&run);
    sp_config_release(&config);
    source = changed_model();
    for (int k = 0; k < 2; k++) {
        make_mask(&added, model, targets[k], true);
        for (int i = 0; i < ADDED; i++)
            assert_true(list[i].backwards == list[i].fixed && list[i].without_input == (k ? 0 : list[i].backwards));
        assert_true(list[1].backwards > 0); /* the lower one lies below the lowest target where it is none itself */
        make_mask(&changed, source, targets[0], false);
        make_mask(&plain, model, targets[0], false);
        if (k == 0) { /* snip of an added layer's own weight is of W alone */
            assert_true(common(&added, &changed) > 0.95);
            assert_true(common(&added, &plain) < 0.9);
        }
        sp_mask_release(&added);
        sp_mask_release(&changed);
        sp_mask_release(&plain);
    }
}

/* Trains over the adapter "head". */
static json_t *train_over(const char *model, const char *output, bool with)
{
    char dir[512];
    const char *const options[] = { dir, "sparse.metric=random", "sparse.target_modules=value", NULL };
    struct sp_train_result result;
    struct sp_adapter adapter;
    struct sp_config config;
    struct sp_run run;

    snprintf(dir, sizeof dir, "output_dir=%s", program_path("%s", output));
    adds = only_attached = with;
    open_run(&run, &config, model, options);
    assert_ok(sp_adapter_load(&adapter, program_path("head/adapter")));
    run.adapter = &adapter;
    assert_ok(sp_train(&result, &run));
    for (size_t i = 0, hung = 0; i < sp_plan_param_count(run.plan); i++) {
        hung += run.additions[i] != NULL;
        assert_true(i + 1 < sp_plan_param_count(run.plan) || hung == (with ? ADDED : 0));
    }
    sp_run_close(&run);
    sp_adapter_release(&adapter);
    sp_config_release(&config);
    only_attached = false;
    return program_lines(program_path("%s/metrics.jsonl", output));
}

/* What an adapter adds stays while something else is trained over it, and after that; it is not trained, so that its
 * layers may be frozen. */
static void test_over(void **state)
{
    json_t *added, *changed, *plain;

    (void)state;
    added = train_over(program_source("tests/data/reference/binary"), "over", true);
    for (int k = 0; k < ADDED; k++)
        assert_true(list[k].forwards > STEPS && list[k].backwards == list[k].fixed);
    assert_int_equal(list[1].backwards, STEPS);
    changed = train_over(program_path("changed"), "over-changed", false);
    plain = train_over(program_source("tests/data/reference/binary"), "over-plain", false);
    assert_true(largest_difference(added, changed) < NEAR);
    assert_true(largest_difference(added, plain) > FAR);
}

/* What an addition makes not finite is found at its layer, and in its own parameters, whose name it says. */
static void test_not_finite(void **state)
{
    float kept = list[1].d[5];
    char dir[512];
    const char *const options[] = { dir, "sparse.metric=random", "sparse.target_modules=query, intermediate.dense",
                                    NULL };

    (void)state;
    adds = true;
    snprintf(dir, sizeof dir, "output_dir=%s", program_path("infinite"));
    for (int k = 0; k < 2; k++) {
        struct sp_train_result result;
        struct sp_config config;
        struct sp_run run;

        list[1].d[5] = k ? INFINITY : 3e38f;
        open_run(&run, &config, program_source("tests/data/reference/binary"), options);
        assert_int_equal(sp_train(&result, &run), SP_ENUMERIC);
        assert_contains(sp_error_message(), "encoder.layer.1.intermediate.dense.weight");
        assert_int_equal(strstr(sp_error_message(), ": D of ") != NULL, k);
        sp_run_close(&run);
        sp_config_release(&config);
    }
    list[1].d[5] = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_scoring),
        cmocka_unit_test(test_over),
        cmocka_unit_test(test_not_finite),
    };

    __wrap_sp_part_dense = __real_sp_part_dense;
    __wrap_sp_part_dense.hang = hang;
    __wrap_sp_part_dense.attach = attach;
    __wrap_sp_part_dense.detach = detach;
    for (int k = 0; k < ADDED; k++) {
        list[k].addition = (struct sp_addition){ .forward = forward,
                                                  .backward = backward,
                                                  .find_not_finite = find_not_finite };
        for (size_t i = 0; i < SIZE; i++)
            list[k].d[i] = (float)(SCALE * (2 * sp_rng_uniform(5, SP_RNG_SKETCH, (uint32_t)k, i) - 1));
    }
    return cmocka_run_group_tests_name("additions", tests, program_setup, program_teardown);
}
