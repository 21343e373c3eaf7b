/*
 * Every metric against PyTorch (tests/data/reference: metrics.json, scores.safetensors): masks position by position,
 * through the program; scores, as sparse.score_cache keeps them, within bounds; and what holds between metrics.
 */
#include "tests/model/program.h"

#include "runtime/base/error.h"
#include "runtime/io/safetensors.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TESTS_MAX 64

/* A test's argument. */
struct subject {
    const char *model, *item;
};

static const char *const models[] = { "binary", "regression", "multiclass" };

static json_t *expected_of(const char *model)
{
    return program_json(program_source("tests/data/reference/%s/metrics.json", model));
}

/* Makes the mask of a `sparse` block at `name` of the scratch folder; returns its path. */
static const char *make_mask(const char *model, const json_t *sparse, long long batch, const char *name)
{
    json_t *config = json_pack("{s:O, s:I, s:b, s:i, s:i, s:s, s:s}", "sparse", sparse, "per_device_train_batch_size",
                               (json_int_t)batch, "shuffle", 0, "max_seq_length", 40, "seed", 1, "model_name_or_path",
                               program_source("tests/data/reference/%s", model), "train_file",
                               program_source("tests/data/reference/%s/train.jsonl", model));
    const char *out = program_path("%s", name);

    program_do("mask", program_write("config.yaml", config), "--output", out, NULL);
    json_decref(config);
    return out;
}

static struct sp_safetensors *open_file(const char *path)
{
    struct sp_safetensors *file;

    if (sp_safetensors_open(&file, path) < 0)
        fail_msg("%s", sp_error_message());
    return file;
}

static void test_mask(void **state)
{
    const struct subject *s = *state;
    json_t *expected = expected_of(s->model), *mask = json_object_get(json_object_get(expected, "masks"), s->item),
           *list;
    long long batch = json_integer_value(json_object_get(expected, "batch_size"));
    struct sp_safetensors *file = open_file(
        make_mask(s->model, json_object_get(mask, "sparse"), batch, "mask.safetensors"));
    const char *name;

    json_object_foreach(json_object_get(mask, "indices"), name, list) {
        const struct sp_tensor_info *tensor;
        char full[256];

        snprintf(full, sizeof full, "%s.indices", name);
        tensor = sp_safetensors_find(file, full);
        if (!tensor || tensor->dtype != SP_U32 || tensor->count != json_array_size(list))
            fail_msg("%s is not %zu positions", full, json_array_size(list));
        for (size_t i = 0; i < tensor->count; i++) {
            uint32_t position;

            memcpy(&position, (const char *)tensor->data + 4 * i, sizeof position);
            assert_int_equal(position, json_integer_value(json_array_get(list, i)));
        }
    }
    sp_safetensors_close(file);
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* The one file in the folder `name` of the scratch folder. */
static struct sp_safetensors *open_cached(const char *name)
{
    DIR *dir = opendir(program_path("%s", name));
    const struct dirent *entry;
    struct sp_safetensors *file = NULL;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (strstr(entry->d_name, ".safetensors")) {
            assert_null(file);
            file = open_file(program_path("%s/%s", name, entry->d_name));
        }
    closedir(dir);
    assert_non_null(file);
    return file;
}

/* The scores of the binary model by `metric`, for `examples` rows in batches of `batch`: a file of the cache. */
static struct sp_safetensors *score(const char *metric, long long examples, long long batch)
{
    const char *folder = program_path("scores-%s-%lld-%lld", metric, examples, batch);
    json_t *sparse = json_pack("{s:s, s:I, s:s, s:i}", "metric", metric, "scoring_examples", (json_int_t)examples,
                               "score_cache", folder, "count", 90);

    make_mask("binary", sparse, batch, "scored.safetensors");
    json_decref(sparse);
    return open_cached(strrchr(folder, '/') + 1);
}

static float at(const struct sp_tensor_info *tensor, size_t i)
{
    float value;

    memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
    return value;
}

/* The Euclidean distance to PyTorch's scores over their norm. grasp's product is a central difference, the one of
 * PyTorch exact. */
static void test_scores(void **state)
{
    const struct subject *s = *state;
    struct sp_safetensors *file = score(s->item, 20, 9);
    struct sp_safetensors *expected = open_file(program_source("tests/data/reference/binary/scores.safetensors"));
    double away = 0, norm = 0, bound = strcmp(s->item, "grasp") == 0 ? 5e-4 : 1e-5;
    char full[256];

    for (size_t t = 0; t + 1 < sp_safetensors_count(file); t++) { /* the last is the digest */
        const struct sp_tensor_info *got = sp_safetensors_at(file, t), *wanted;

        snprintf(full, sizeof full, "%s.%s", s->item, got->name);
        wanted = sp_safetensors_find(expected, full);
        assert_non_null(wanted);
        assert_int_equal(wanted->count, got->count);
        for (size_t i = 0; i < got->count; i++) {
            double x = (double)at(got, i), y = (double)at(wanted, i);

            away += (x - y) * (x - y);
            norm += y * y;
        }
    }
    if (!(away <= bound * bound * norm))
        fail_msg("%s: %g of the norm away", s->item, sqrt(away / norm));
    sp_safetensors_close(expected);
    sp_safetensors_close(file);
}

/* Scores are means over rows, however they fall into batches: 20 in one, or 9, 9 and 2. grasp's are a difference of
 * such means. */
static void test_batches(void **state)
{
    static const char *const metrics[] = { "gradient", "snip", "fisher", "wanda", "grasp" };

    (void)state;
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        struct sp_safetensors *whole = score(metrics[m], 20, 20), *parts = score(metrics[m], 20, 9);
        double away = 0, norm = 0, bound = strcmp(metrics[m], "grasp") == 0 ? 5e-4 : 1e-5;

        for (size_t t = 0; t + 1 < sp_safetensors_count(whole); t++) { /* the last is the digest */
            const struct sp_tensor_info *a = sp_safetensors_at(whole, t), *b = sp_safetensors_find(parts, a->name);

            for (size_t i = 0; i < a->count; i++) {
                away += ((double)at(a, i) - (double)at(b, i)) * ((double)at(a, i) - (double)at(b, i));
                norm += (double)at(a, i) * (double)at(a, i);
            }
        }
        if (!(away <= bound * bound * norm))
            fail_msg("%s: %g of the norm away", metrics[m], sqrt(away / norm));
        sp_safetensors_close(whole);
        sp_safetensors_close(parts);
    }
}

/* fisher over one row is its gradient's square, to fp32's rounding. */
static void test_fisher_of_one(void **state)
{
    struct sp_safetensors *fisher = score("fisher", 1, 9), *gradient = score("gradient", 1, 9);

    (void)state;
    for (size_t t = 0; t + 1 < sp_safetensors_count(fisher); t++) {
        const struct sp_tensor_info *squares = sp_safetensors_at(fisher, t),
                                    *g = sp_safetensors_find(gradient, squares->name);

        for (size_t i = 0; i < squares->count; i++)
            if (at(squares, i) != at(g, i) * at(g, i))
                fail_msg("%s at %zu: %g is not the square of %g", squares->name, i, (double)at(squares, i),
                         (double)at(g, i));
    }
    sp_safetensors_close(fisher);
    sp_safetensors_close(gradient);
}

/* Position by position in every tensor. */
static void test_taylor_is_snip(void **state)
{
    struct sp_safetensors *files[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        json_t *sparse = json_pack("{s:s, s:i, s:s}", "metric", i ? "snip" : "taylor_fo", "count", 333, "scope",
                                   "tensor");

        files[i] = open_file(make_mask("multiclass", sparse, 12, i ? "snip" : "taylor_fo"));
        json_decref(sparse);
    }
    assert_true(sp_safetensors_count(files[0]) > 1);
    assert_int_equal(sp_safetensors_count(files[0]), sp_safetensors_count(files[1]));
    for (size_t t = 0; t < sp_safetensors_count(files[0]); t++) {
        const struct sp_tensor_info *taylor = sp_safetensors_at(files[0], t), *snip = sp_safetensors_at(files[1], t);

        assert_string_equal(taylor->name, snip->name);
        assert_int_equal(taylor->bytes, snip->bytes);
        assert_memory_equal(taylor->data, snip->data, taylor->bytes);
    }
    for (int i = 0; i < 2; i++)
        sp_safetensors_close(files[i]);
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static struct CMUnitTest tests[TESTS_MAX];
static struct subject subjects[TESTS_MAX];
static char names[TESTS_MAX][96];
static size_t count;

static void add(CMUnitTestFunction function, const char *kind, const char *model, const char *item)
{
    subjects[count] = (struct subject){ model, item };
    snprintf(names[count], sizeof names[count], "%s, %s of %s", item, kind, model);
    tests[count] = (struct CMUnitTest){ .name = names[count],
                                        .test_func = function,
                                        .initial_state = &subjects[count] };
    count++;
}

int main(void)
{
    static const char *const scored[] = { "synflow", "wanda", "fisher", "grasp" };
    const char *srcdir = getenv("srcdir"), *driver = getenv("SPEFT_TEST_DRIVER"), *key;
    json_t *value;

    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[4096];
        json_t *expected;

        if (driver && strcmp(driver, "intel") == 0 && i > 0)
            break;
        snprintf(path, sizeof path, "%s/tests/data/reference/%s/metrics.json", srcdir ? srcdir : ".", models[i]);
        expected = json_load_file(path, 0, NULL);
        json_object_foreach(json_object_get(expected, "masks"), key, value)
            add(test_mask, "mask", models[i], strdup(key));
        json_decref(expected);
    }
    for (size_t i = 0; i < sizeof scored / sizeof *scored; i++)
        add(test_scores, "scores", "binary", scored[i]);
    add(test_batches, "scores", "binary", "several metrics");
    add(test_fisher_of_one, "scores", "binary", "fisher and gradient");
    add(test_taylor_is_snip, "mask", "multiclass", "taylor_fo and snip");
    return _cmocka_run_group_tests("metrics", tests, count, program_setup, program_teardown);
}
