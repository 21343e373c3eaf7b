/*
 * A step whose norm or loss is not finite is found out when the next one is on its way already. All the same the run
 * stops as one that looks at each step before the next does (which sp_observer.between brings about): in the same
 * words, with the same lines in metrics.jsonl, and with the weights of the step before, to the bit.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/train/trainer.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 6, BAD = 3, PARAMS = 128 };

struct late_case {
    const char *name, *options, *label; /* the label of one row of step BAD */
    int rows, bad;                      /* of a step; that one's place among them */
    const char *said;
};

/* A number's square and a gradient's overflow: 2e19 in a mean over nine rows has a loss that is not finite and a
 * gradient whose square is; 1.2e19 alone has it the other way round. */
#define LOSS "the loss of step 3 is not finite; the first tensor that is not: the loss itself, as the square"
#define GRADIENT "the gradient of step 3 is not finite; the first tensor that is not: the gradient of "
#define NINE "\"per_device_train_batch_size\": 9, "
#define SPIEL                                                                                                          \
    "\"method\": \"spiel\", \"rank_equivalent\": 1, \"reselection_steps\": 20, \"selection_accumulation_steps\": 5"

static const struct late_case cases[] = {
    { "a loss whose gradient is finite", "{" NINE "\"sparse\": {\"method\": \"head\"}}", "2e19", 9, 4, LOSS },
    { "the same by sm3", "{" NINE "\"optimizer\": \"sm3\", \"sparse\": {\"method\": \"head\"}}", "2e19", 9, 4, LOSS },
    { "a gradient whose loss is finite", "{\"sparse\": {\"method\": \"head\"}}", "1.2e19", 1, 0,
      GRADIENT "classifier.weight" },
    { "static", "{\"dropout\": 0.1, \"sparse\": {\"rank_equivalent\": 1}}", "1.2e19", 1, 0, GRADIENT },
    { "full, by sm3", "{\"dropout\": 0.1, \"optimizer\": \"sm3\", \"sparse\": {\"method\": \"full\"}}", "1.2e19", 1, 0,
      GRADIENT },
    { "full, the first of two micro-batches",
      "{\"dropout\": 0.1, \"gradient_accumulation_steps\": 2, \"max_grad_norm\": 0, "
      "\"sparse\": {\"method\": \"full\"}}",
      "4e19", 2, 0, LOSS },
    { "full, the second", "{\"gradient_accumulation_steps\": 2, \"sparse\": {\"method\": \"full\"}}", "4e19", 2, 1,
      LOSS },
    { "in a window of spiel's", "{\"dropout\": 0.1, \"sparse\": {" SPIEL "}}", "1.2e19", 1, 0, GRADIENT },
    { "as dynamic's mask moves", "{\"sparse\": {\"method\": \"dynamic\", \"rank_equivalent\": 1, \"interval\": 3}}",
      "1.2e19", 1, 0, GRADIENT },
};

/* What a run left. */
struct outcome {
    int rc;
    size_t steps, count;
    char message[1024];
    json_t *lines;
    float *params[PARAMS];
    size_t bytes[PARAMS];
};

static int look(void *user, size_t done, struct sp_train_loop *loop)
{
    (void)user, (void)done, (void)loop;
    return 0;
}

static void read_params(struct outcome *o, const struct sp_run *run)
{
    o->count = sp_plan_param_count(run->plan);
    assert_true(o->count <= PARAMS);
    for (size_t i = 0; i < o->count; i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);

        o->bytes[i] = sp_param_elements(p) * sizeof(float);
        o->params[i] = malloc(o->bytes[i]);
        assert_non_null(o->params[i]);
        if (p->kind == SP_PARAM_LINEAR)
            assert_ok(sp_gemm_weight_read(o->params[i], &p->weight));
        else
            assert_ok(sp_buffer_read(o->params[i], p->value, 0, o->bytes[i]));
    }
}

static void train(struct outcome *o, const struct late_case *c, int steps, bool looks)
{
    json_t *options = json_loads(c->options, 0, NULL);
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;
    const char *output = program_path(steps == STEPS ? "run" : "before");
    json_t *line;
    size_t i;

    json_object_update_missing_new(options,
                                   json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:s, s:f}", "model_name_or_path",
                                             program_source("tests/data/reference/regression"), "train_file",
                                             program_path("rows.tsv"), "output_dir", output, "task", "regression",
                                             "per_device_train_batch_size", 1, "max_steps", steps, "logging_steps", 1,
                                             "shuffle", 0, "lr_scheduler_type", "constant", "learning_rate", 0.01));
    assert_ok(sp_config_load(&config, program_write("config.json", options), NULL, 0));
    json_decref(options);
    run = (struct sp_run){ .config = &config, .families = sp_model_families, .family_count = sp_model_family_count,
                           .observer = { .between = looks ? look : NULL } };
    *o = (struct outcome){ .rc = sp_train(&result, &run), .steps = result.steps };
    if (o->rc < 0)
        snprintf(o->message, sizeof o->message, "%s", sp_error_message());
    read_params(o, &run);
    o->lines = json_deep_copy(program_lines(program_path("%s/metrics.jsonl", strrchr(output, '/') + 1)));
    json_array_foreach(o->lines, i, line)
        json_object_del(line, "tokens_per_second");
    sp_run_close(&run);
    sp_config_release(&config);
}

static void release(struct outcome *o)
{
    for (size_t i = 0; i < o->count; i++)
        free(o->params[i]);
    json_decref(o->lines);
}

static void compare(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->steps, b->steps);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        if (memcmp(a->params[i], b->params[i], a->bytes[i]) != 0)
            fail_msg("parameter %zu differs", i);
}

static void write_rows(const struct late_case *c)
{
    static const char *const texts[] = { "a b", "c d e", "f", "b a c", "d" };
    char text[4096] = "text\tlabel\n";

    for (int i = 0; i < STEPS * c->rows; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\t%s\n", texts[i % 5],
                 i == (BAD - 1) * c->rows + c->bad ? c->label : i % 2 ? "0.5" : "-0.25");
    assert_ok(sp_fs_write(program_path("rows.tsv"), text, strlen(text)));
}

static void test_case(void **state)
{
    const struct late_case *c = *state;
    struct outcome late, looked, before;

    write_rows(c);
    train(&late, c, STEPS, false);
    assert_int_equal(late.rc, SP_ENUMERIC);
    assert_contains(late.message, c->said);
    assert_contains(late.message, "nothing was saved");
    assert_false(sp_fs_exists(program_path("run/adapter")));
    train(&looked, c, STEPS, true);
    assert_string_equal(late.message, looked.message);
    compare(&late, &looked);
    train(&before, c, BAD - 1, false);
    assert_int_equal(before.rc, 0);
    compare(&late, &before);
    if (!json_equal(late.lines, looked.lines) || !json_equal(late.lines, before.lines))
        fail_msg("%s, and %s, and %s", json_dumps(late.lines, 0), json_dumps(looked.lines, 0),
                 json_dumps(before.lines, 0));
    assert_int_equal(json_array_size(late.lines), BAD - 1);
    release(&late);
    release(&looked);
    release(&before);
}

int main(void)
{
    enum { COUNT = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[COUNT];

    for (int i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){ cases[i].name, test_case, NULL, NULL, (void *)(uintptr_t)&cases[i] };
    return cmocka_run_group_tests_name("late", tests, program_setup, program_teardown);
}
