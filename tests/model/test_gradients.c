/* Every parameter's gradient of one batch against PyTorch's, dropout off: tests/data/reference. */
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/mem.h"
#include "runtime/io/safetensors.h"
#include "runtime/train/part_dense.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The files' folder under srcdir. */
static char *path_of(const char *model, const char *file)
{
    const char *srcdir = getenv("srcdir");

    return sp_asprintf("%s/tests/data/reference/%s%s%s", srcdir ? srcdir : ".", model, file[0] ? "/" : "", file);
}

static void load_config(struct sp_config *config, const char *model)
{
    char *dir = path_of(model, ""), *rows = path_of(model, "train.jsonl");
    char *overrides[] = { sp_asprintf("model_name_or_path=%s", dir), sp_asprintf("train_file=%s", rows),
                          sp_asprintf("max_seq_length=40"), sp_asprintf("per_device_train_batch_size=9"),
                          sp_asprintf("sparse.method=full") };

    assert_ok(sp_config_load(config, NULL, (const char *const *)overrides, 5));
    for (size_t i = 0; i < 5; i++)
        free(overrides[i]);
    free(dir);
    free(rows);
}

/* One parameter's gradient; it must be near, measured by the largest entry of the tensor. */
static void check(struct sp_run *run, const struct sp_dense_tensor *d, const struct sp_safetensors *file)
{
    const char *name = sp_run_param_name(run, d->param);
    const struct sp_tensor_info *tensor = sp_safetensors_find(file, name);
    float *got, *expected;
    double largest = 0, worst = 0;

    if (!tensor)
        fail_msg("there is no gradient of %s", name);
    assert_int_equal(sp_buffer_size(d->gradient), tensor->bytes);
    got = calloc(tensor->count, sizeof *got);
    expected = calloc(tensor->count, sizeof *expected);
    assert_ok(sp_tensor_read_f32(expected, tensor, 0, tensor->count));
    assert_ok(sp_buffer_read(got, d->gradient, 0, tensor->bytes));
    for (size_t i = 0; i < tensor->count; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        worst = fmax(worst, fabs((double)got[i] - (double)expected[i]));
        assert_true(isfinite(got[i]));
    }
    if (worst > 1e-6 + 1e-5 * largest)
        fail_msg("%s: off by %.3g, the largest entry is %.3g", name, worst, largest);
    free(got);
    free(expected);
}

static void test_gradients(void **state)
{
    const char *model = *state;
    char *path = path_of(model, "gradients.safetensors");
    struct sp_plan_pass pass;
    struct sp_config config;
    struct sp_run run;
    struct sp_trained trained;
    const struct sp_dense_part *dense;
    struct sp_safetensors *file;
    uint32_t order[9];

    load_config(&config, model);
    run = (struct sp_run){ .config = &config, .families = sp_model_families, .family_count = sp_model_family_count };
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_ok(sp_run_build(&run, true, 0, 0));
    assert_ok(sp_trained_create(&trained, &run, 1));
    pass = sp_run_scoring_pass(&run, run.gradients);
    sp_data_order(order, 9, 0, 0, false);
    assert_ok(sp_run_set_batch(&run, &run.train, order, 0, 9));
    assert_ok(sp_plan_forward(run.plan, &pass));
    assert_ok(sp_plan_backward(run.plan, &pass));
    assert_ok(sp_safetensors_open(&file, path));
    dense = sp_trained_part(&trained, &sp_part_dense);
    assert_int_equal(dense->count, sp_safetensors_count(file));
    for (size_t i = 0; i < dense->count; i++)
        check(&run, &dense->tensors[i], file);
    sp_safetensors_close(file);
    sp_trained_release(&trained, &run);
    sp_run_close(&run);
    sp_config_release(&config);
    free(path);
}

/* Intel's runtime has one decoder, of the most kinds of nodes; nothing of theirs is a kernel's own there. */
static const char *const models[] = {
    "binary",
    "regression",
    "roberta",
    "decoders/gemma2",
    "decoders/llama",
    "decoders/llama3",
    "decoders/llama-linear",
    "decoders/llama-yarn",
    "decoders/mistral",
    "decoders/qwen2",
    "decoders/qwen3",
    "decoders/opt",
    "decoders/opt-projected",
    "decoders/llama-classes",
    "decoders/llama3-classes",
    "decoders/mistral-classes",
    "decoders/qwen2-classes",
    "decoders/qwen3-classes",
    "decoders/gemma2-classes",
    "decoders/opt-classes",
    "decoders/opt-projected-classes",
};

int main(void)
{
    enum { COUNT = sizeof models / sizeof *models };
    const char *driver = getenv("SPEFT_TEST_DRIVER");
    size_t count = driver && strcmp(driver, "intel") == 0 ? 4 : COUNT;
    struct CMUnitTest tests[COUNT];

    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){ .name = models[i],
                                        .test_func = test_gradients,
                                        .initial_state = (void *)(uintptr_t)models[i] };
    return _cmocka_run_group_tests("gradients", tests, count, NULL, NULL);
}
