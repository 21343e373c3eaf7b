/* Making a mask, from inside: scoring in groups for want of memory changes nothing, and leaves nothing on the device. */
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/mem.h"
#include "runtime/train/mask.h"

#include <stdlib.h>

enum { EXAMPLES = 20, BATCHES = 3 };

/* A run of the binary reference model, its plan compiled. */
static void open_run(struct sp_run *run, struct sp_config *config)
{
    const char *srcdir = getenv("srcdir");
    char *overrides[] = {
        sp_asprintf("model_name_or_path=%s/tests/data/reference/binary", srcdir ? srcdir : "."),
        sp_asprintf("train_file=%s/tests/data/reference/binary/train.jsonl", srcdir ? srcdir : "."),
        sp_asprintf("max_seq_length=40"),
        sp_asprintf("per_device_train_batch_size=9"),
        sp_asprintf("sparse.scoring_examples=%d", EXAMPLES),
        sp_asprintf("sparse.target_modules=query, value, intermediate.dense"),
    };

    assert_ok(sp_config_load(config, NULL, (const char *const *)overrides, sizeof overrides / sizeof *overrides));
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++)
        free(overrides[i]);
    *run = (struct sp_run){ .config = config, .families = sp_model_families, .family_count = sp_model_family_count };
    assert_ok(sp_run_open(run));
    assert_ok(sp_run_load_data(run, true, false));
    assert_ok(sp_run_build(run, true, 0, 0));
}

/* How many batches the scoring said that it takes. */
static void note_total(void *user, const char *phase, size_t step, size_t total, double loss, double tokens_per_second, bool logged)
{
    (void)step;
    (void)loss;
    (void)tokens_per_second;
    (void)logged;
    assert_string_equal(phase, "score");
    *(size_t *)user = total;
}

static void test_groups(void **state)
{
    struct sp_config config;
    struct sp_run run;
    struct sp_mask whole, parts;
    size_t total = 0, before;

    (void)state;
    open_run(&run, &config);
    run.observer = (struct sp_observer){ .progress = note_total, .user = &total };
    before = sp_device_memory(run.device);
    assert_ok(sp_mask_make(&whole, &run));
    assert_int_equal(total, BATCHES);
    config.sparse.scoring_memory = 0; /* a group has one target at least */
    assert_ok(sp_mask_make(&parts, &run));
    assert_int_equal(total, 9 * BATCHES);
    assert_int_equal(sp_device_memory(run.device), before);
    assert_int_equal(whole.count, 9);
    assert_int_equal(whole.entries, parts.entries);
    for (size_t t = 0; t < whole.count; t++) {
        assert_null(sp_plan_param_at(run.plan, whole.tensors[t].param)->sink);
        assert_int_equal(whole.tensors[t].param, parts.tensors[t].param);
        assert_int_equal(whole.tensors[t].count, parts.tensors[t].count);
        assert_memory_equal(whole.tensors[t].positions, parts.tensors[t].positions, 4 * whole.tensors[t].count);
    }
    sp_mask_release(&whole);
    sp_mask_release(&parts);
    sp_run_close(&run);
    sp_config_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_groups) };

    return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
