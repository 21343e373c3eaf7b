/*
 * The memory that a run is told to take, before its weights are loaded, beside what it took: of every method, optimizer
 * and kind of score, on an encoder and on a decoder. And what does not fit is refused with these numbers.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/log.h"
#include "runtime/train/ledger.h"
#include "runtime/train/trainer.h"

#include <stdio.h>
#include <string.h>

static char told[512]; /* the line of the log */

static void listen(enum sp_log_level level, const char *text, void *user)
{
    (void)level, (void)user;
    if (strncmp(text, "memory: ", strlen("memory: ")) == 0)
        snprintf(told, sizeof told, "%s", text);
}

/* A run of eight steps; the run stays open. */
static void train(struct sp_train_result *result, struct sp_run *run, struct sp_config *config, const char *model,
                  json_t *sparse, json_t *options)
{
    json_t *all = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:o}", "model_name_or_path",
                            program_source("tests/data/reference/%s", model), "train_file",
                            program_source("tests/data/reference/%s/train.jsonl", model), "output_dir",
                            program_path("run"), "max_seq_length", 40, "per_device_train_batch_size", 9, "max_steps", 8,
                            "sparse", sparse);

    assert_non_null(all);
    json_object_update(all, options);
    assert_ok(sp_config_load(config, program_write("config.json", all), NULL, 0));
    json_decref(all);
    json_decref(options);
    *run = (struct sp_run){ .config = config, .families = sp_model_families, .family_count = sp_model_family_count };
    told[0] = '\0';
    assert_ok(sp_train(result, run));
}

/* The sum is what the device had at most, within 1 %: ends of parts, and words such as losses, are not in it. */
static void check(const char *model, json_t *sparse, json_t *options)
{
    struct sp_train_result result;
    struct sp_ledger ledger;
    struct sp_config config;
    struct sp_run run;
    char said[64];
    double total;

    train(&result, &run, &config, model, sparse, options);
    assert_ok(sp_ledger_make(&ledger, &run));
    total = (double)sp_ledger_total(&ledger);
    snprintf(said, sizeof said, "memory: %.1f MiB of the device's ", total / (1 << 20));
    assert_ptr_equal(strstr(told, said), told);
    if ((double)result.device_peak > 1.01 * total || (double)result.device_peak < 0.99 * total)
        fail_msg("%s: %zu bytes, and said were %.0f (%s)", model, result.device_peak, total, told);
    sp_run_close(&run);
    sp_config_release(&config);
}

/* The scores' gradients are the largest of what comes and goes, or the optimizer's state is. */
static void test_static(void **state)
{
    static const char *const metrics[] = { "gradient", "magnitude", "fisher", "wanda", "synflow", "grasp" };

    (void)state;
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        check("decoders/llama",
              json_pack("{s:s, s:i, s:[s]}", "metric", metrics[i], "count", i % 2 ? 20000 : 200, "target_modules",
                        "all-linear"),
              json_object());
    check("binary", json_pack("{s:f}", "density", 0.9), json_pack("{s:s}", "optimizer", "sm3"));
}

static void test_dense(void **state)
{
    (void)state;
    check("decoders/llama", json_pack("{s:s}", "method", "full"), json_object());
    check("binary", json_pack("{s:s}", "method", "full"), json_pack("{s:s}", "optimizer", "sm3"));
    check("binary", json_pack("{s:s}", "method", "head"), json_object());
}

static void test_moving(void **state)
{
    static const char *const growths[] = { "ag", "ma" };

    (void)state;
    check("decoders/llama",
          json_pack("{s:s, s:i, s:f, s:[s]}", "method", "dynamic", "interval", 3, "density", 0.5, "target_modules",
                    "all-linear"),
          json_object());
    for (size_t i = 0; i < 2; i++)
        check("decoders/llama",
              json_pack("{s:s, s:s, s:i, s:i, s:f, s:[s]}", "method", "spiel", "growth", growths[i],
                        "reselection_steps", 4, "selection_accumulation_steps", 2, "density", 0.5, "target_modules",
                        "all-linear"),
              json_object());
}

static void test_too_much(void **state)
{
    struct sp_train_result result;
    struct sp_device_info *info;
    struct sp_config config;
    struct sp_run run;

    (void)state;
    train(&result, &run, &config, "binary", json_pack("{s:s}", "method", "head"), json_object());
    info = (struct sp_device_info *)(uintptr_t)sp_device_info(run.device);
    info->global_memory = 1 << 16;
    assert_error(sp_ledger_tell(&run), SP_ELIMIT, "has 0.1 MiB: use a smaller batch");
    sp_run_close(&run);
    sp_config_release(&config);
}

static int setup(void **state)
{
    sp_log_set_sink(listen, NULL);
    return program_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_moving),
        cmocka_unit_test(test_too_much),
    };

    return cmocka_run_group_tests_name("ledger", tests, setup, program_teardown);
}
