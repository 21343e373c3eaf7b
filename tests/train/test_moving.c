/*
 * Masks that move, and SM3: tests/data/reference/<model>/moving.json, which PyTorch computed. Each run of 20 steps from
 * inside, so that the mask is seen after each move: losses, masks position by position, what metrics.jsonl says of
 * them, metrics and logits at the end. And for every run: an entry outside the adapter is the pretrained weight bit for
 * bit, one inside it that weight plus its value.
 */
#include "tests/model/program.h"
#include "tests/train/weights.h"
#include "tests/unit/device_support.h"
#include "tests/unit/near.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/base/interrupt.h"
#include "runtime/train/mask.h"
#include "runtime/train/method.h"
#include "runtime/train/trainer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define TOLERANCE 1e-4
#define TESTS_MAX 64

struct subject {
    const char *model, *item;
};

/* A run under observation. */
struct watch {
    const struct subject *subject;
    const json_t *expected;    /* of moving.json; NULL: nothing is compared */
    struct sp_config config;
    struct sp_run run;
    struct sp_train_result result;
    size_t moves, stop_at;     /* masks seen; step at which to interrupt, 0 for none */
};

static const char *const models[] = { "binary", "regression", "multiclass" };

static const char *file_of(const struct subject *s, const char *name)
{
    return program_source("tests/data/reference/%s/%s", s->model, name);
}

static const char *output_of(const struct subject *s)
{
    return program_path("%s-%s", s->model, s->item);
}

/* ---- while it runs ----------------------------------------------------------------------------------------------- */

static void check_indices(const struct sp_run *run, const struct sp_mask *mask, const json_t *indices)
{
    assert_int_equal(mask->count, json_object_size(indices));
    for (size_t t = 0; t < mask->count; t++) {
        const struct sp_mask_tensor *m = &mask->tensors[t];
        const json_t *list = json_object_get(indices, sp_run_param_name(run, m->param));

        assert_int_equal(m->count, json_array_size(list));
        for (size_t k = 0; k < m->count; k++)
            assert_int_equal(m->positions[k], json_integer_value(json_array_get(list, k)));
    }
}

static void see_mask(void *user, size_t done, const struct sp_mask *mask)
{
    struct watch *w = user;
    const json_t *move = json_array_get(json_object_get(w->expected, "moves"), w->moves++);

    for (size_t t = 0; t < mask->count; t++)
        for (size_t k = 1; k < mask->tensors[t].count; k++)
            assert_true(mask->tensors[t].positions[k - 1] < mask->tensors[t].positions[k]);
    if (!w->expected)
        return;
    assert_non_null(move);
    assert_int_equal(done, json_integer_value(json_object_get(json_object_get(move, "line"), "step")));
    check_indices(&w->run, mask, json_object_get(move, "indices"));
}

static void see_step(void *user, const char *phase, size_t step, size_t total, double loss, double rate, bool logged)
{
    struct watch *w = user;

    (void)total, (void)rate, (void)logged;
    if (strcmp(phase, "train") != 0)
        return;
    if (w->expected)
        assert_near(loss, json_number_value(json_array_get(json_object_get(w->expected, "losses"), step - 1)),
                    TOLERANCE);
    if (w->stop_at == step)
        sp_interrupt();
}

/* Loads a run's configuration, with the options given over it. */
static void prepare(struct watch *w, const json_t *run, const json_t *options)
{
    json_t *config = json_deep_copy(json_object_get(run, "config"));
    const struct subject *s = w->subject;

    json_object_set_new(config, "model_name_or_path", json_string(file_of(s, "")));
    json_object_set_new(config, "train_file", json_string(file_of(s, "train.jsonl")));
    json_object_set_new(config, "validation_file", json_string(file_of(s, "eval.jsonl")));
    json_object_set_new(config, "output_dir", json_string(output_of(s)));
    if (options)
        json_object_update(config, (json_t *)(uintptr_t)options);
    assert_ok(sp_config_load(&w->config, program_write("config.json", config), NULL, 0));
    json_decref(config);
    w->run = (struct sp_run){ .config = &w->config,
                              .families = sp_model_families,
                              .family_count = sp_model_family_count,
                              .observer = { see_step, w, see_mask } };
}

static void release(struct watch *w)
{
    sp_run_close(&w->run);
    sp_config_release(&w->config);
}

static const json_t *run_of(const struct subject *s)
{
    return json_object_get(json_object_get(program_json(file_of(s, "moving.json")), "runs"), s->item);
}

/* ---- after it ---------------------------------------------------------------------------------------------------- */

/* The adapter has the last mask, or with merge every position that was touched. */
static void check_adapter(const struct watch *w, const json_t *run)
{
    const json_t *moves = json_object_get(run, "moves"), *list, *indices = json_object_get(run, "touched");
    const char *name, *method = json_string_value(
                          json_object_get(json_object_get(json_object_get(run, "config"), "sparse"), "method"));
    struct sp_adapter a;

    if (json_array_size(moves) && strncmp(w->subject->item, "dynamic_merge", 13) != 0)
        indices = json_object_get(json_array_get(moves, json_array_size(moves) - 1), "indices");
    assert_ok(sp_adapter_load(&a, program_path("%s-%s/adapter", w->subject->model, w->subject->item)));
    assert_string_equal(a.method, method);
    json_object_foreach((json_t *)(uintptr_t)indices, name, list) {
        const struct sp_adapter_sparse *sparse = sp_adapter_find_sparse(&a, name);

        assert_int_equal(sparse ? sparse->count : 0, json_array_size(list));
        for (size_t k = 0; k < json_array_size(list); k++)
            assert_int_equal(sparse->indices[k], json_integer_value(json_array_get(list, k)));
    }
    weights_check_adapter(&w->run, &a);
    sp_adapter_release(&a);
}

/* metrics.jsonl: each mask's line as it must be, its keys in order, and the evaluations before and after. */
static void check_lines(const struct watch *w, const json_t *run)
{
    const json_t *lines = program_lines(program_path("%s-%s/metrics.jsonl", w->subject->model, w->subject->item)),
                 *value;
    const json_t *moves = json_object_get(run, "moves"), *last = json_array_get(lines, json_array_size(lines) - 1);
    const char *key;
    size_t seen = 0;

    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);

        if (!json_object_get(line, "mask_size"))
            continue;
        if (!json_equal(line, json_object_get(json_array_get(moves, seen++), "line")))
            fail_msg("line %zu: %s", i, json_dumps(line, 0));
    }
    assert_int_equal(seen, json_array_size(moves));
    assert_int_equal(w->moves, seen);
    json_object_foreach(json_object_get(run, "metrics"), key, value) {
        char name[64];

        snprintf(name, sizeof name, "eval_%s", key);
        assert_near(program_number(last, name), json_number_value(value), TOLERANCE);
    }
}

static void check_logits(const struct subject *s, const json_t *rows)
{
    const char *out = program_path("predictions.jsonl");
    const json_t *lines;

    program_do("predict", "--model", file_of(s, ""), "--input", file_of(s, "eval.jsonl"), "--output", out, "--adapter",
               program_path("%s-%s/adapter", s->model, s->item), "--set", "max_seq_length=40", NULL);
    lines = program_lines(out);
    assert_int_equal(json_array_size(lines), json_array_size(rows));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *got = json_object_get(json_array_get(lines, i), "logits"), *row = json_array_get(rows, i);

        for (size_t k = 0; k < json_array_size(row); k++)
            assert_near(json_number_value(json_array_get(got, k)), json_number_value(json_array_get(row, k)),
                        TOLERANCE);
    }
}

static void test_run(void **state)
{
    const struct subject *s = *state;
    struct watch w = { .subject = s, .expected = run_of(s) };

    assert_non_null(w.expected);
    prepare(&w, w.expected, NULL);
    assert_ok(sp_train(&w.result, &w.run));
    assert_int_equal(w.result.steps, json_array_size(json_object_get(w.expected, "losses")));
    check_lines(&w, w.expected);
    check_adapter(&w, w.expected);
    check_logits(s, json_object_get(w.expected, "logits"));
    release(&w);
}

/* ---- properties -------------------------------------------------------------------------------------------------- */

/* The bytes of an adapter's values. */
static char *adapter_bytes(const struct subject *s, size_t *length)
{
    char *bytes;

    assert_ok(
        sp_fs_read(&bytes, length, program_path("%s-%s/adapter/adapter.safetensors", s->model, s->item), 1 << 24));
    return bytes;
}

static const char *const moving[] = { "dynamic_merge", "dynamic_revert", "spiel_ag", "spiel_ag_clip", "spiel_ma" };
enum { MOVING = sizeof moving / sizeof *moving };

/* The same seed gives the same bits, another one others; options that the reference lacks: shuffling and dropout. */
static void test_same_bits(void **state)
{
    static const int seeds[] = { 5, 5, 6 };

    (void)state;
    for (size_t i = 0; i < MOVING; i++) {
        const struct subject s = { "binary", moving[i] };
        char *bytes[3];
        size_t lengths[3];

        for (int k = 0; k < 3; k++) {
            struct watch w = { .subject = &s };
            json_t *options = json_pack("{s:i, s:b, s:f}", "seed", seeds[k], "shuffle", 1, "dropout", 0.1);

            prepare(&w, run_of(&s), options);
            assert_ok(sp_train(&w.result, &w.run));
            bytes[k] = adapter_bytes(&s, &lengths[k]);
            release(&w);
            json_decref(options);
        }
        assert_int_equal(lengths[0], lengths[1]);
        assert_memory_equal(bytes[0], bytes[1], lengths[0]);
        assert_true(lengths[2] != lengths[0] || memcmp(bytes[0], bytes[2], lengths[0]) != 0);
        for (int k = 0; k < 3; k++)
            free(bytes[k]);
    }
}

/* A run that ends before its mask would move. */
static void test_short_runs(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOVING; i++) {
        const struct subject s = { "binary", moving[i] };
        struct watch w = { .subject = &s };
        json_t *options = json_pack("{s:i}", "max_steps", 1); /* warned of: no mask moves */

        prepare(&w, run_of(&s), options);
        assert_ok(sp_train(&w.result, &w.run));
        assert_int_equal(w.moves, 0);
        release(&w);
        json_decref(options);
    }
}

static size_t files_in(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void see_random_mask(void *user, size_t done, const struct sp_mask *mask)
{
    struct watch *w = user;
    const long long *interval = sp_config_value(&w->config, "sparse.interval");
    struct sp_mask expected;

    w->moves++;
    assert_ok(sp_mask_make(&expected, &w->run, (uint32_t)(done / (size_t)*interval)));
    for (size_t t = 0; t < mask->count; t++) {
        assert_int_equal(mask->tensors[t].count, expected.tensors[t].count);
        assert_memory_equal(mask->tensors[t].positions, expected.tensors[t].positions, 4 * expected.tensors[t].count);
    }
    sp_mask_release(&expected);
}

/* method dynamic makes its masks as rounds 1, 2, ...: seen by random, whose draws differ in each. */
static void test_rounds(void **state)
{
    const struct subject s = { "binary", "dynamic_merge" };
    struct watch w = { .subject = &s };
    json_t *sparse = json_deep_copy(json_object_get(json_object_get(run_of(&s), "config"), "sparse"));
    json_t *options = json_pack("{s:o}", "sparse", sparse);

    (void)state;
    json_object_set_new(sparse, "metric", json_string("random"));
    prepare(&w, run_of(&s), options);
    w.run.observer.mask = see_random_mask;
    assert_ok(sp_train(&w.result, &w.run));
    assert_int_equal(w.moves, 3);
    release(&w);
    json_decref(options);
}

/* No mask is made with the last step, though the schedule has one due then: nothing would be trained with it. */
static void test_last_step(void **state)
{
    static const struct {
        const char *run;
        int steps;
        size_t moves;
    } cases[] = { { "dynamic_merge", 12, 1 }, { "dynamic_revert", 7, 0 }, { "dynamic_revert", 14, 1 }, { "spiel_ag",
        8, 1 },
                  { "spiel_ma", 8, 1 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct subject s = { "binary", cases[i].run };
        struct watch w = { .subject = &s };
        json_t *options = json_pack("{s:i}", "max_steps", cases[i].steps);

        prepare(&w, run_of(&s), options);
        assert_ok(sp_train(&w.result, &w.run));
        assert_int_equal(w.moves, cases[i].moves);
        release(&w);
        json_decref(options);
    }
}

/* The lines of metrics.jsonl on masks, each of which must have added something. */
static json_t *mask_lines(const struct subject *s)
{
    const json_t *lines = program_lines(program_path("%s-%s/metrics.jsonl", s->model, s->item));
    json_t *moves = json_array();

    for (size_t i = 0; i < json_array_size(lines); i++)
        if (json_object_get(json_array_get(lines, i), "mask_size")) {
            assert_true(program_number(json_array_get(lines, i), "mask_added") > 0);
            json_array_append(moves, json_array_get(lines, i));
        }
    return moves;
}

/* Scores that are kept change nothing in a run: it goes without a cache, writes one, and reads it. Later scorings, of
 * weights that have changed, are neither kept nor read, whether the rows come in the same order or not. */
static void check_cache(const struct subject *s, bool shuffle)
{
    json_t *sparse = json_deep_copy(json_object_get(json_object_get(run_of(s), "config"), "sparse")), *moves[3];
    json_t *options = json_pack("{s:o, s:b}", "sparse", sparse, "shuffle", shuffle);
    const char *cache = program_path("scores-%d", shuffle);
    char *bytes[3];
    size_t lengths[3];

    for (int k = 0; k < 3; k++) {
        struct watch w = { .subject = s };

        if (k == 1)
            json_object_set_new(sparse, "score_cache", json_string(cache));
        prepare(&w, run_of(s), options);
        assert_ok(sp_train(&w.result, &w.run));
        bytes[k] = adapter_bytes(s, &lengths[k]);
        moves[k] = mask_lines(s);
        release(&w);
    }
    assert_int_equal(json_array_size(moves[0]), 3);
    for (int k = 1; k < 3; k++) {
        assert_true(json_equal(moves[0], moves[k]));
        assert_int_equal(lengths[0], lengths[k]);
        assert_memory_equal(bytes[0], bytes[k], lengths[0]);
    }
    assert_int_equal(files_in(cache), 1);
    for (int k = 0; k < 3; k++) {
        json_decref(moves[k]);
        free(bytes[k]);
    }
    json_decref(options);
}

static void test_cache(void **state)
{
    static const struct subject s = { "binary", "dynamic_merge" };

    (void)state;
    for (int shuffle = 0; shuffle < 2; shuffle++)
        check_cache(&s, shuffle);
}

/* Interrupted after a move: the adapter is whole, and the weights are what it says. The flag stays up: this is the last
 * test. */
static void test_interrupted(void **state)
{
    const struct subject s = { "binary", "dynamic_merge" };
    struct watch w = { .subject = &s, .stop_at = 9 }; /* told of it, the tenth being on its way */
    struct sp_adapter a;
    size_t entries = 0, touched = (size_t)program_number(
        json_object_get(json_array_get(json_object_get(run_of(&s), "moves"), 0), "line"), "mask_touched");

    (void)state;
    prepare(&w, run_of(&s), NULL);
    assert_int_equal(sp_train(&w.result, &w.run), SP_EINTR);
    assert_int_equal(w.result.steps, 10);
    assert_ok(sp_adapter_load(&a, program_path("%s-%s/adapter", s.model, s.item)));
    for (size_t t = 0; t < a.sparse_count; t++)
        entries += a.sparse[t].count;
    assert_int_equal(entries, touched);
    weights_check_adapter(&w.run, &a);
    sp_adapter_release(&a);
    release(&w);
}

/* ---- what a method says of itself -------------------------------------------------------------------------------- */

const struct sp_method *__real_sp_config_method(const struct sp_config *config);
const struct sp_method *__wrap_sp_config_method(const struct sp_config *config);

static const struct sp_method *instead; /* of the configuration's; NULL: that */
static size_t looked, seen_moving;

const struct sp_method *__wrap_sp_config_method(const struct sp_config *config)
{
    return instead ? instead : __real_sp_config_method(config);
}

static int look(void *state, struct sp_trained *trained, struct sp_run *run, size_t done,
                struct sp_mask_change *change)
{
    (void)state, (void)run, (void)done, (void)change;
    looked++;
    for (size_t i = 0; i < trained->view_count; i++)
        seen_moving += trained->views[i].moving;
    return 0;
}

static int train_with(const struct sp_method *method)
{
    const struct subject s = { "binary", "dynamic_revert" };
    struct watch w = { .subject = &s };
    json_t *options = json_pack("{s:i}", "max_steps", 9);
    int rc;

    prepare(&w, run_of(&s), options);
    instead = method;
    looked = seen_moving = 0;
    rc = sp_train(&w.result, &w.run);
    instead = NULL;
    release(&w);
    json_decref(options);
    return rc;
}

/* A mask moves where its method says so, whatever hooks it has, and nowhere else. */
static void test_says_so(void **state)
{
    struct sp_method stays = sp_method_static, moves = sp_method_dynamic, quiet = sp_method_dynamic;

    (void)state;
    stays.after_step = look;
    assert_ok(train_with(&stays));
    assert_true(looked == 9 && seen_moving == 0);
    moves.after_step = look;
    assert_ok(train_with(&moves));
    assert_true(looked == 9 && seen_moving > 0);
    quiet.moves = false;
    assert_int_equal(train_with(&quiet), SP_EINVAL);
    assert_non_null(strstr(sp_error_message(), "method dynamic moves the mask and did not say it would"));
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static struct CMUnitTest tests[TESTS_MAX];
static struct subject subjects[TESTS_MAX];
static char names[TESTS_MAX][64];
static size_t count;

static void add_model(const char *model)
{
    char path[4096];
    const char *srcdir = getenv("srcdir"), *key;
    json_t *document, *value;

    snprintf(path, sizeof path, "%s/tests/data/reference/%s/moving.json", srcdir ? srcdir : ".", model);
    document = json_load_file(path, 0, NULL);
    json_object_foreach(json_object_get(document, "runs"), key, value) {
        subjects[count] = (struct subject){ model, strdup(key) };
        snprintf(names[count], sizeof names[count], "%s, %s", model, key);
        tests[count] = (struct CMUnitTest){ .name = names[count],
                                            .test_func = test_run,
                                            .initial_state = &subjects[count] };
        count++;
    }
    json_decref(document);
}

int main(void)
{
    const char *driver = getenv("SPEFT_TEST_DRIVER");
    bool few = driver && strcmp(driver, "intel") == 0;

    for (size_t i = 0; i < (few ? 1 : sizeof models / sizeof *models); i++)
        add_model(models[i]);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_same_bits);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_short_runs);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_last_step);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_rounds);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_cache);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_says_so);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_interrupted); /* last: there is no way back */
    return _cmocka_run_group_tests("moving", tests, count, program_setup, program_teardown);
}
