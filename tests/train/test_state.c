/*
 * A run's state (runtime/tensor/state.h) is all that its coming steps depend on: kept in memory between two steps of
 * one run and restored in another, after steps of its own there, that goes on as the first did, in every bit of its
 * losses, norms and adapter. Every method, both optimizers, several micro-batches, dropout; masks that have moved, and
 * SpIEL's window open and closed.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/train/trainer.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES = 1024, STEPS = 11, SLOW = 100000 };

struct kept {
    char *name;
    void *data;
    size_t bytes;
};

/* Keeps the pieces, or restores them. */
struct memory {
    struct sp_state state;
    struct kept pieces[PIECES];
    size_t count, next;
};

struct state_case {
    const char *name, *options;
    size_t at, own; /* steps after which the state is kept; of the other run before it is restored there */
};

#define DYNAMIC "{\"method\": \"dynamic\", \"rank_equivalent\": 2, \"interval\": 3"
#define SPIEL                                                                                                          \
    "{\"method\": \"spiel\", \"rank_equivalent\": 2, \"reselection_steps\": 4, \"selection_accumulation_steps\": 2"

static const struct state_case cases[] = {
    { "static", "{\"sparse\": {\"rank_equivalent\": 2}}", 5, 4 },
    { "static by sm3",
      "{\"optimizer\": \"sm3\", \"gradient_accumulation_steps\": 3, \"sparse\": {\"rank_equivalent\": 2, \"metric\": "
      "\"magnitude\"}}",
      5, 4 },
    { "dynamic that merges", "{\"sparse\": " DYNAMIC "}}", 7, 4 },
    { "dynamic that merges, before it moves", "{\"sparse\": " DYNAMIC "}}", 1, 7 },
    { "dynamic that merges, by sm3",
      "{\"optimizer\": \"sm3\", \"weight_decay\": 0.1, \"sparse\": " DYNAMIC ", \"scope\": \"tensor\"}}", 9, 4 },
    { "dynamic that reverts", "{\"sparse\": " DYNAMIC ", \"on_drop\": \"revert\"}}", 7, 4 },
    { "spiel, window open", "{\"sparse\": " SPIEL "}}", 5, 4 },
    { "spiel, window closed", "{\"gradient_accumulation_steps\": 2, \"sparse\": " SPIEL "}}", 7, 4 },
    { "spiel, window open, change of delta", "{\"sparse\": " SPIEL ", \"drop\": \"delta_change\"}}", 9, 4 },
    { "spiel by accumulators",
      "{\"optimizer\": \"sm3\", \"sparse\": " SPIEL ", \"growth\": \"ma\", \"drop\": \"delta_change\"}}", 7, 4 },
    { "full", "{\"sparse\": {\"method\": \"full\"}}", 5, 4 },
    { "full by sm3", "{\"optimizer\": \"sm3\", \"sparse\": {\"method\": \"full\"}}", 4, 2 },
    { "head", "{\"sparse\": {\"method\": \"head\"}}", 5, 0 },
};

/* ---- the visitor ------------------------------------------------------------------------------------------------- */

static int keep(struct sp_state *state, const char *name, void *data, size_t bytes)
{
    struct memory *m = (struct memory *)state;
    struct kept *k = &m->pieces[m->count++];

    assert_true(m->count < PIECES);
    for (size_t i = 0; i + 1 < m->count; i++)
        assert_string_not_equal(m->pieces[i].name, name);
    *k = (struct kept){ strdup(name), malloc(bytes), bytes };
    memcpy(k->data, data, bytes);
    return 0;
}

static int restore(struct sp_state *state, const char *name, void *data, size_t bytes)
{
    struct memory *m = (struct memory *)state;
    const struct kept *k = &m->pieces[m->next++];

    assert_true(m->next <= m->count);
    assert_string_equal(k->name, name);
    assert_int_equal(k->bytes, bytes);
    memcpy(data, k->data, bytes);
    if (strcmp(name, "window_seconds") == 0) { /* of the lines' speed; here as if the first run had been slow */
        assert_true(*(double *)data > 0 && *(double *)data < 500);
        *(double *)data = SLOW;
    }
    return 0;
}

static void release(struct memory *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->pieces[i].name);
        free(m->pieces[i].data);
    }
}

/* ---- the runs ---------------------------------------------------------------------------------------------------- */

struct watch {
    const struct state_case *subject;
    struct memory *memory;
    bool restores;
};

static int between(void *user, size_t done, struct sp_train_loop *loop)
{
    struct watch *w = user;
    struct memory *m = w->memory;

    if (w->restores ? m->next > 0 || done != w->subject->own : done != w->subject->at)
        return 0;
    m->state = (struct sp_state){ .restores = w->restores, .piece = w->restores ? restore : keep };
    return sp_train_visit(loop, &m->state);
}

static const char *output_of(const struct state_case *c, bool restores)
{
    return program_path("%zu-%s", (size_t)(c - cases), restores ? "second" : "first");
}

static void train(const struct state_case *c, struct memory *memory, bool restores)
{
    const char *source = program_source("tests/data/reference/binary"), *file;
    json_t *options = json_loads(c->options, 0, NULL);
    struct watch watch = { c, memory, restores };
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;

    json_object_set_new(options, "model_name_or_path", json_string(source));
    json_object_set_new(options, "train_file", json_sprintf("%s/train.jsonl", source));
    json_object_set_new(options, "output_dir", json_string(output_of(c, restores)));
    json_object_set_new(options, "max_seq_length", json_integer(40));
    json_object_set_new(options, "per_device_train_batch_size", json_integer(4));
    json_object_set_new(options, "max_steps", json_integer(STEPS));
    json_object_set_new(options, "learning_rate", json_real(0.01));
    json_object_set_new(options, "dropout", json_real(0.1));
    json_object_set_new(options, "logging_steps", json_integer(2));
    file = program_write("config.json", options);
    assert_ok(sp_config_load(&config, file, NULL, 0));
    run = (struct sp_run){ .config = &config, .families = sp_model_families, .family_count = sp_model_family_count,
                           .observer = { .user = &watch, .between = between } };
    assert_ok(sp_train(&result, &run));
    assert_int_equal(result.steps, STEPS);
    sp_run_close(&run);
    sp_config_release(&config);
    json_decref(options);
}

/* ---- the comparison ---------------------------------------------------------------------------------------------- */

static void compare_files(const struct state_case *c)
{
    char *bytes[2];
    size_t lengths[2];

    for (int k = 0; k < 2; k++)
        assert_ok(sp_fs_read(&bytes[k], &lengths[k], program_path("%s/adapter/adapter.safetensors", output_of(c, k)),
                             1 << 24));
    assert_int_equal(lengths[0], lengths[1]);
    if (memcmp(bytes[0], bytes[1], lengths[0]) != 0)
        fail_msg("%s: the adapters differ", c->name);
    free(bytes[0]);
    free(bytes[1]);
}

/* What metrics.jsonl says of the steps after the one at which the state was kept, speeds aside; a line may be of steps
 * before it, too. */
static void compare_lines(const struct state_case *c)
{
    json_t *first = program_lines(program_path("%s/metrics.jsonl", output_of(c, false)));
    json_t *second = program_lines(program_path("%s/metrics.jsonl", output_of(c, true)));
    size_t from[2] = { json_array_size(first), json_array_size(second) }, count = 0, speeds = 0;

    while (from[0] > 0 && program_number(json_array_get(first, from[0] - 1), "step") > (double)c->at)
        from[0]--, count++;
    assert_true(count > 0 && from[1] >= count);
    from[1] -= count;
    for (size_t i = 0; i < count; i++) {
        json_t *a = json_array_get(first, from[0] + i), *b = json_array_get(second, from[1] + i);

        if (json_object_get(b, "tokens_per_second")) /* the restored line's is of both runs' time, and no other's */
            assert_int_equal(program_number(b, "tokens_per_second") < 1, speeds++ == 0);
        json_object_del(a, "tokens_per_second");
        json_object_del(b, "tokens_per_second");
        if (!json_equal(a, b))
            fail_msg("%s: %s in the run that was restored, %s in the other", c->name, json_dumps(b, 0),
                     json_dumps(a, 0));
    }
}

static void test_case(void **state)
{
    const struct state_case *c = *state;
    struct memory memory = { .count = 0 };

    train(c, &memory, false);
    assert_true(memory.count > 0);
    train(c, &memory, true);
    assert_int_equal(memory.next, memory.count);
    compare_lines(c);
    compare_files(c);
    release(&memory);
}

int main(void)
{
    enum { COUNT = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[COUNT];

    for (int i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){ cases[i].name, test_case, NULL, NULL, (void *)(uintptr_t)&cases[i] };
    return cmocka_run_group_tests_name("state", tests, program_setup, program_teardown);
}
