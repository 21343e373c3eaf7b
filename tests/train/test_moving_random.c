/*
 * What holds of every mask that moves, over random configurations of spiel and dynamic, each trained twice on the small
 * binary model. The linker's --wrap puts functions of this file before some of the program's, so that both sides of
 * each move are seen: the support keeps its size, and its positions are sorted and there once; entries that stay keep
 * value and optimizer state, those that come begin anew; what is outside the support has its pretrained bits back, and
 * a merge changes no weight. No step of spiel waits for a compiler: every kernel is built before the first. At the end
 * the adapter is what the weights are, and the second run's has the same bytes. A test's name is its configuration.
 */
#include "tests/model/program.h"
#include "tests/train/weights.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/base/rng.h"
#include "runtime/kernel/build.h"
#include "runtime/kernel/launch.h"
#include "runtime/optim/optimizer.h"
#include "runtime/train/method.h"
#include "runtime/train/part_sparse.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <stdlib.h>

enum { CASES = 24, TARGETS = 6, SIZE = 400, STATES = 3, BIRTH = 2 };

/* A target before the move. */
struct target {
    size_t count, place[SIZE]; /* place: of each position in the support, from 1; 0: outside */
    float values[SIZE], held[SIZE], accumulators[2 * SIZE];
    bool touched[SIZE];
};

static struct watch {
    struct sp_run run;
    struct sp_config config;
    struct target targets[TARGETS];
    bool merge, seeded, ready; /* ready: kernels that were recorded are built */
    uint32_t age;
    size_t views, moves; /* targets whose optimizer state has moved in this move; moves so far */
} watch;

static bool by_sm3(void)
{
    return strcmp(watch.config.optimizer, "sm3") == 0;
}

/* ---- the kernels ------------------------------------------------------------------------------------------------- */

int __real_sp_kernel_build_recorded(struct sp_device *device);
int __wrap_sp_kernel_build_recorded(struct sp_device *device);
int __real_sp_build_program(struct sp_device *device, struct sp_table *table, size_t position);
int __wrap_sp_build_program(struct sp_device *device, struct sp_table *table, size_t position);

int __wrap_sp_kernel_build_recorded(struct sp_device *device)
{
    int rc = __real_sp_kernel_build_recorded(device);
    watch.ready = true;
    return rc;
}

int __wrap_sp_build_program(struct sp_device *device, struct sp_table *table, size_t position)
{
    if (watch.ready && sp_config_method(&watch.config) == &sp_method_spiel)
        assert_non_null(table->programs[position].program);
    return __real_sp_build_program(device, table, position);
}

/* ---- the optimizer's state --------------------------------------------------------------------------------------- */

static void read_words(uint32_t words[SIZE], const struct sp_buffer *buffer, size_t count)
{
    assert_true(count <= SIZE);
    if (count)
        assert_ok(sp_buffer_read(words, (struct sp_buffer *)(uintptr_t)buffer, 0, count * sizeof *words));
}

/* AdamW's move: mean, mean square and birth follow their entries; new ones are as old as the window that they are
 * from. */
static int move_adamw(struct sp_optim_state *state, const struct sp_optim_move *move, const struct sp_optim_step *step)
{
    const struct target *old = &watch.targets[watch.views++];
    uint32_t before[STATES][SIZE], after[SIZE], positions[SIZE];

    for (int i = 0; i < STATES; i++)
        read_words(before[i], state->kept[i], state->view.count);
    assert_ok(sp_optimizer_adamw.move(state, move, step));
    read_words(positions, move->view.positions, move->view.count);
    for (int i = 0; i < STATES; i++) {
        read_words(after, state->kept[i], move->view.count);
        for (size_t k = 0; k < move->view.count; k++) {
            size_t place = watch.merge || positions[k] >= SIZE ? 0 : old->place[positions[k]];

            if (place)
                assert_int_equal(after[k], before[i][place - 1]);
            else if (i == BIRTH)
                assert_int_equal(after[k], step->number - watch.age);
            else if (!watch.seeded)
                assert_int_equal(after[k], 0);
        }
    }
    return 0;
}

const struct sp_optimizer *__real_sp_optimizer_find(const char *name);
const struct sp_optimizer *__wrap_sp_optimizer_find(const char *name);

const struct sp_optimizer *__wrap_sp_optimizer_find(const char *name)
{
    static struct sp_optimizer watched;

    if (strcmp(name, "adamw") != 0)
        return __real_sp_optimizer_find(name);
    watched = sp_optimizer_adamw;
    watched.move = move_adamw;
    return &watched;
}

/* SM3's accumulators belong to rows and columns: they stay, and are cleared when all starts anew. */
static void check_accumulators(const struct target *old, struct sp_trained *t, size_t i)
{
    const struct sp_param *p = sp_plan_param_at(watch.run.plan, sp_sparse_of(t)->mask.tensors[i].param);
    float now[2 * SIZE];

    assert_ok(sp_optim_accumulators(now, t->optim, i));
    for (int k = 0; k < p->rows + p->cols; k++)
        assert_true(now[k] == (watch.merge ? 0 : old->accumulators[k]));
}

/* ---- mask, values and weights ------------------------------------------------------------------------------------ */

static void remember(struct target *old, struct sp_trained *t, size_t i)
{
    const struct sp_mask_tensor *m = &sp_sparse_of(t)->mask.tensors[i];

    old->count = m->count;
    memset(old->place, 0, sizeof old->place);
    for (size_t k = 0; k < m->count; k++) {
        old->place[m->positions[k]] = k + 1;
        old->touched[m->positions[k]] = true;
    }
    assert_ok(sp_delta_read(old->values, sp_sparse_of(t)->delta, i));
    assert_ok(sp_gemm_weight_read(old->held, &sp_plan_param_at(watch.run.plan, m->param)->weight));
    if (by_sm3())
        assert_ok(sp_optim_accumulators(old->accumulators, t->optim, i));
}

static void check_target(struct target *old, struct sp_trained *t, size_t i, struct sp_mask_change *change)
{
    const struct sp_mask_tensor *m = &sp_sparse_of(t)->mask.tensors[i];
    float values[SIZE], *expected = weights_pretrained(&watch.run, m->param);
    size_t kept = 0;

    assert_ok(sp_delta_read(values, sp_sparse_of(t)->delta, i));
    for (size_t k = 0; k < m->count; k++) {
        uint32_t position = m->positions[k];
        size_t place = position < SIZE ? old->place[position] : 0;
        float value = place && !watch.merge ? old->values[place - 1] : 0;

        assert_true(position < SIZE && (k == 0 || position > m->positions[k - 1]));
        assert_memory_equal(&values[k], &value, sizeof value);
        expected[position] += value;
        old->touched[position] = true;
        kept += place != 0;
    }
    weights_check(&watch.run, m->param, watch.merge ? old->held : expected);
    if (watch.config.sparse.scope != SP_CONFIG_SCOPE_GLOBAL)
        assert_int_equal(m->count, old->count);
    if (by_sm3())
        check_accumulators(old, t, i);
    for (size_t p = 0; p < SIZE; p++)
        change->touched -= old->touched[p];
    change->kept -= kept;
    change->dropped -= old->count - kept;
    change->added -= m->count - kept;
    change->size -= m->count;
    free(expected);
}

/* One vector has the gradients of everything that is trained: filled with ones from outside, their norm is the root of
 * their count. The next step stores all of them. */
static void check_gradient(struct sp_trained *t)
{
    uint32_t one = 0x3f800000;
    size_t count = 0;
    float norm;

    for (size_t i = 0; i < t->view_count; i++)
        count += t->views[i].count;
    assert_int_equal(count, t->count);
    assert_ok(sp_buffer_fill(t->gradient, 0, one, sp_buffer_size(t->gradient)));
    assert_ok(sp_optim_norm(t->optim, NULL, 0));
    assert_ok(sp_buffer_read(&norm, sp_optim_norm_buffer(t->optim), 0, sizeof norm));
    assert_true(fabs((double)norm - sqrt((double)count)) < 1e-5 * (double)norm);
}

int __real_sp_sparse_move(struct sp_trained *t, struct sp_run *run, const struct sp_sparse_move *move,
                          struct sp_mask_change *change);
int __wrap_sp_sparse_move(struct sp_trained *t, struct sp_run *run, const struct sp_sparse_move *move,
                          struct sp_mask_change *change);

int __wrap_sp_sparse_move(struct sp_trained *t, struct sp_run *run, const struct sp_sparse_move *move,
                          struct sp_mask_change *change)
{
    size_t entries = sp_sparse_of(t)->mask.entries;
    struct sp_mask_change rest;

    assert_int_equal(sp_sparse_of(t)->mask.count, TARGETS);
    watch.merge = move->merge;
    watch.seeded = move->seeds != NULL;
    watch.age = watch.seeded ? (uint32_t)*(const long long *)sp_config_value(
                                   &watch.config, "sparse.selection_accumulation_steps")
                             : 0;
    watch.views = 0;
    watch.moves++;
    for (size_t i = 0; i < TARGETS; i++)
        remember(&watch.targets[i], t, i);
    assert_ok(__real_sp_sparse_move(t, run, move, change));
    assert_int_equal(watch.views, by_sm3() ? 0 : TARGETS);
    assert_int_equal(sp_sparse_of(t)->mask.entries, entries);
    check_gradient(t);
    rest = *change;
    for (size_t i = 0; i < TARGETS; i++)
        check_target(&watch.targets[i], t, i, &rest);
    assert_int_equal(rest.kept | rest.dropped | rest.added | rest.size | rest.touched, 0);
    return 0;
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

/* The adapter is what the weights are, and has what was ever in a mask that merges. */
static void check_end(void)
{
    struct sp_adapter a;
    size_t entries = 0, touched = 0;

    assert_ok(sp_adapter_load(&a, program_path("run/adapter")));
    weights_check_adapter(&watch.run, &a);
    for (size_t i = 0; i < TARGETS; i++)
        for (size_t p = 0; p < SIZE; p++)
            touched += watch.targets[i].touched[p];
    for (size_t t = 0; t < a.sparse_count; t++)
        entries += a.sparse[t].count;
    if (watch.merge)
        assert_int_equal(entries, touched);
    sp_adapter_release(&a);
}

static char *train(size_t *length, const char *config)
{
    struct sp_train_result result;
    char *bytes;

    watch = (struct watch){ 0 };
    assert_ok(sp_config_load(&watch.config, config, NULL, 0));
    watch.run = (struct sp_run){ .config = &watch.config,
                                 .families = sp_model_families,
                                 .family_count = sp_model_family_count };
    assert_ok(sp_train(&result, &watch.run));
    assert_true(watch.moves > 0);
    check_end();
    assert_ok(sp_fs_read(&bytes, length, program_path("run/adapter/adapter.safetensors"), 1 << 24));
    sp_run_close(&watch.run);
    sp_config_release(&watch.config);
    return bytes;
}

static void test_case(void **state)
{
    json_t *options = json_deep_copy(*state);
    const char *config, *source = program_source("tests/data/reference/binary");
    char *first, *second;
    size_t lengths[2];

    json_object_set_new(options, "model_name_or_path", json_string(source));
    json_object_set_new(options, "train_file", json_sprintf("%s/train.jsonl", source));
    json_object_set_new(options, "output_dir", json_string(program_path("run")));
    json_object_set_new(options, "max_seq_length", json_integer(40));
    json_object_set_new(options, "per_device_train_batch_size", json_integer(9));
    config = program_write("config.json", options);
    first = train(&lengths[0], config);
    second = train(&lengths[1], config);
    assert_int_equal(lengths[0], lengths[1]);
    assert_memory_equal(first, second, lengths[0]);
    free(first);
    free(second);
    json_decref(options);
}

/* ---- the configurations ------------------------------------------------------------------------------------------ */

/* Draw `index` of case c: numbered, as the order in which a call's arguments are evaluated is the compiler's. */
static json_int_t draw(uint32_t c, uint32_t index, json_int_t below)
{
    return (json_int_t)((uint64_t)sp_rng_u32(c, SP_RNG_SKETCH, 0, index) * (uint64_t)below >> 32);
}

/* A few entries of each of the targets, or any number up to all. */
static json_int_t draw_count(uint32_t c)
{
    return TARGETS + draw(c, 0, c % 3 ? 300 : TARGETS * (SIZE - 1) + 1);
}

static json_t *draw_spiel(uint32_t c)
{
    json_int_t steps = 2 + draw(c, 10, 5);

    return json_pack("{s:s, s:I, s:s, s:I, s:I, s:f, s:s, s:s}", "method", "spiel", "count", draw_count(c), "growth",
                     draw(c, 11, 3) ? "ag" : "ma", "reselection_steps", steps, "selection_accumulation_steps",
                     1 + draw(c, 12, steps - 1), "initial_replacement", (double)(1 + draw(c, 13, 20)) / 20,
                     "replacement_schedule", draw(c, 14, 2) ? "linear" : "cosine", "drop",
                     draw(c, 15, 2) ? "delta" : "delta_change");
}

static json_t *draw_dynamic(uint32_t c)
{
    static const char *const metrics[] = { "gradient", "magnitude", "random", "snip" };
    static const char *const scopes[] = { "global", "tensor", "uniform_count" };

    return json_pack("{s:s, s:I, s:s, s:s, s:I, s:s, s:i}", "method", "dynamic", "count", draw_count(c), "metric",
                     metrics[draw(c, 20, 4)], "scope", scopes[draw(c, 21, 3)], "interval", 1 + draw(c, 22, 5),
                     "on_drop", draw(c, 23, 2) ? "merge" : "revert", "scoring_examples", 20);
}

static json_t *draw_case(uint32_t c)
{
    json_t *sparse = c % 2 ? draw_spiel(c) : draw_dynamic(c);
    const char *growth = json_string_value(json_object_get(sparse, "growth"));
    bool sm3 = (growth && strcmp(growth, "ma") == 0) || draw(c, 1, 3) == 0;

    return json_pack("{s:o, s:s, s:I, s:I, s:I, s:f, s:I, s:I}", "sparse", sparse, "optimizer", sm3 ? "sm3" : "adamw",
                     "seed", draw(c, 2, 1000), "max_steps", 7 + draw(c, 3, 8), "gradient_accumulation_steps",
                     1 + draw(c, 4, 2), "learning_rate", 0.01, "weight_decay", draw(c, 5, 2), "max_grad_norm",
                     draw(c, 6, 2));
}

int main(void)
{
    struct CMUnitTest tests[CASES];
    char *names[CASES];
    int rc;

    for (uint32_t c = 0; c < CASES; c++) {
        json_t *options = draw_case(c);

        names[c] = json_dumps(options, JSON_COMPACT | JSON_REAL_PRECISION(3));
        tests[c] = (struct CMUnitTest){ .name = names[c], .test_func = test_case, .initial_state = options };
    }
    rc = _cmocka_run_group_tests("moving at random", tests, CASES, program_setup, program_teardown);
    for (uint32_t c = 0; c < CASES; c++) {
        json_decref(tests[c].initial_state);
        free(names[c]);
    }
    return rc;
}
