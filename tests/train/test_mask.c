/*
 * Making a mask, from inside: scoring in groups for want of memory changes nothing, and leaves nothing behind; shares
 * of the budget, scores of zero, and scores kept for other runs.
 */
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/metric.h"
#include "runtime/train/mask.h"
#include "runtime/train/part_sparse.h"
#include "runtime/train/roles.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXAMPLES = 20, BATCHES = 3 };

/* A run of the binary reference model, its plan compiled; `options` are set last, up to a NULL. */
static void open_run_with(struct sp_run *run, struct sp_config *config, const char *const *options)
{
    const char *srcdir = getenv("srcdir");
    char *overrides[16] = {
        sp_asprintf("model_name_or_path=%s/tests/data/reference/binary", srcdir ? srcdir : "."),
        sp_asprintf("train_file=%s/tests/data/reference/binary/train.jsonl", srcdir ? srcdir : "."),
        sp_asprintf("max_seq_length=40"),
        sp_asprintf("per_device_train_batch_size=9"),
        sp_asprintf("sparse.scoring_examples=%d", EXAMPLES),
        sp_asprintf("sparse.target_modules=query, value, intermediate.dense"),
    };
    size_t count = 6;

    for (; *options; options++)
        overrides[count++] = sp_strdup(*options);
    assert_ok(sp_config_load(config, NULL, (const char *const *)overrides, count));
    for (size_t i = 0; i < count; i++)
        free(overrides[i]);
    *run = (struct sp_run){ .config = config, .families = sp_model_families, .family_count = sp_model_family_count };
    assert_ok(sp_run_open(run));
    assert_ok(sp_run_load_data(run, true, false));
    assert_ok(sp_run_build(run, true, 0, 0));
}

static void open_run(struct sp_run *run, struct sp_config *config)
{
    open_run_with(run, config, (const char *const[]){ NULL });
}

/* How many batches the scoring said that it takes. */
static void note_total(void *user, const char *phase, size_t step, size_t total, double loss, double tokens_per_second,
                       bool logged)
{
    (void)loss;
    (void)tokens_per_second;
    (void)logged;
    assert_string_equal(phase, "score");
    assert_true(step <= total);
    *(size_t *)user = total;
}

static void close_run(struct sp_run *run, struct sp_config *config)
{
    sp_run_close(run);
    sp_config_release(config);
}

static void set_metric(struct sp_config *config, const char *metric)
{
    free(config->sparse.metric);
    config->sparse.metric = strdup(metric);
}

static bool same(const struct sp_mask *a, const struct sp_mask *b)
{
    bool all = a->count == b->count && a->entries == b->entries;

    for (size_t t = 0; all && t < a->count; t++)
        all = a->tensors[t].param == b->tensors[t].param && a->tensors[t].count == b->tensors[t].count &&
              memcmp(a->tensors[t].positions, b->tensors[t].positions, 4 * a->tensors[t].count) == 0;
    return all;
}

/* ---- what scoring leaves behind ---------------------------------------------------------------------------------- */

/* Every byte of the parameters on the device, layouts and paddings too. */
static unsigned char *read_params(const struct sp_run *run, size_t *size)
{
    unsigned char *all = NULL;

    *size = 0;
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);
        struct sp_buffer *const buffers[] = { p->value, p->weight.forward, p->weight.backward };

        for (int k = 0; k < 3; k++) {
            size_t bytes = buffers[k] ? sp_buffer_size(buffers[k]) : 0;

            all = realloc(all, *size + bytes + 1);
            if (bytes)
                assert_ok(sp_buffer_read(all + *size, buffers[k], 0, bytes));
            *size += bytes;
        }
    }
    return all;
}

/* Every metric: in one group and with one target at a time the mask is the same; afterwards parameters and the device's
 * memory are as they were. */
static void test_every_metric(void **state)
{
    static const size_t passes[] = { 1, 3 };
    struct sp_config config;
    struct sp_run run;

    (void)state;
    open_run(&run, &config);
    for (size_t m = 0; m < sp_metric_count; m++) {
        unsigned needs = sp_metrics[m]->needs;
        size_t total = 0, before = sp_device_memory(run.device), size;
        unsigned char *params = read_params(&run, &size), *after;
        struct sp_mask whole, parts;

        set_metric(&config, sp_metrics[m]->name);
        run.observer = (struct sp_observer){ .progress = note_total, .user = &total };
        config.sparse.scoring_memory = 1024;
        assert_ok(sp_mask_make(&whole, &run, 0));
        if (needs & SP_NEED_DATA)
            assert_int_equal(total,
                             (needs & SP_NEED_SQUARES ? EXAMPLES : BATCHES) * passes[(needs & SP_NEED_HESSIAN) != 0]);
        config.sparse.scoring_memory = 0; /* a group has one target at least */
        assert_ok(sp_mask_make(&parts, &run, 0));
        if (needs & SP_NEED_GRADIENT)
            assert_int_equal(total, 9 * BATCHES);
        assert_int_equal(whole.count, 9);
        assert_true(same(&whole, &parts));
        assert_int_equal(sp_device_memory(run.device), before);
        after = read_params(&run, &size);
        if (memcmp(params, after, size) != 0)
            fail_msg("%s changed a parameter", sp_metrics[m]->name);
        free(params);
        free(after);
        sp_mask_release(&whole);
        sp_mask_release(&parts);
    }
    close_run(&run, &config);
}

/* ---- which weights and rows -------------------------------------------------------------------------------------- */

static void write_weight(struct sp_run *run, size_t param, const float *values)
{
    struct sp_param *p = sp_plan_param_at(run->plan, param);
    struct sp_buffer *plain;

    assert_ok(sp_buffer_create(&plain, run->device, (size_t)p->rows * (size_t)p->cols * sizeof *values));
    assert_ok(sp_buffer_write(plain, 0, values, (size_t)p->rows * (size_t)p->cols * sizeof *values));
    assert_ok(sp_gemm_weight_pack(&p->weight, plain));
    sp_buffer_free(plain);
}

/* The weights scored are those on the device; later rounds draw and read others. */
static void test_rounds(void **state)
{
    struct sp_config config;
    struct sp_run run;
    struct sp_mask mask, first, second;
    float weight[400];

    (void)state;
    open_run(&run, &config);
    set_metric(&config, "magnitude");
    config.sparse.rank_equivalent = -1;
    config.sparse.count = 1;
    assert_ok(sp_mask_make(&mask, &run, 0));
    assert_ok(sp_gemm_weight_read(weight, &sp_plan_param_at(run.plan, mask.tensors[4].param)->weight));
    weight[123] = -1e6f;
    write_weight(&run, mask.tensors[4].param, weight);
    sp_mask_release(&mask);
    assert_ok(sp_mask_make(&mask, &run, 3));
    assert_int_equal(mask.tensors[4].count, 1);
    assert_int_equal(mask.tensors[4].positions[0], 123);
    sp_mask_release(&mask);

    config.sparse.count = 100;
    for (int k = 0; k < 2; k++) {
        set_metric(&config, k ? "gradient" : "random");
        assert_ok(sp_mask_make(&first, &run, 0));
        assert_ok(sp_mask_make(&second, &run, 1));
        assert_false(same(&first, &second));
        sp_mask_release(&first);
        sp_mask_release(&second);
    }
    close_run(&run, &config);
}

/* ---- shares and zeros -------------------------------------------------------------------------------------------- */

/* Six tensors of 400 entries and three of 740. */
static void test_uniform_count(void **state)
{
    static const struct {
        long long budget;
        size_t small, large;
    } cases[] = { { 9, 1, 1 }, { 100, 11, 11 }, { 3600, 400, 400 }, { 3610, 400, 403 }, { 4619, 400, 739 }, { 4620,
        400, 740 } };
    struct sp_config config;
    struct sp_run run;

    (void)state;
    open_run(&run, &config);
    set_metric(&config, "random");
    config.sparse.scope = SP_CONFIG_SCOPE_UNIFORM_COUNT;
    config.sparse.rank_equivalent = -1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sp_mask mask;

        config.sparse.count = cases[i].budget;
        assert_ok(sp_mask_make(&mask, &run, 0));
        for (size_t t = 0; t < mask.count; t++)
            assert_int_equal(mask.tensors[t].count, t % 3 == 2 ? cases[i].large : cases[i].small);
        sp_mask_release(&mask);
    }
    close_run(&run, &config);
}

static void test_zeros(void **state)
{
    static const float zeros[740];
    struct sp_config config;
    struct sp_run run;
    struct sp_mask mask, targets;

    (void)state;
    open_run(&run, &config);
    set_metric(&config, "magnitude");
    assert_ok(sp_mask_make(&targets, &run, 0));
    write_weight(&run, targets.tensors[3].param, zeros);
    assert_ok(sp_mask_make(&mask, &run, 0));
    assert_int_equal(mask.tensors[3].count, 0);
    sp_mask_release(&mask);
    config.sparse.scope = SP_CONFIG_SCOPE_TENSOR;
    assert_error(sp_mask_make(&mask, &run, 0), SP_ENUMERIC,
                 "all scores of bert.encoder.layer.1.attention.self.query.weight by magnitude");
    set_metric(&config, "magnitude_bottom"); /* zeros are its first choice */
    assert_ok(sp_mask_make(&mask, &run, 0));
    assert_true(mask.tensors[3].count > 0);
    sp_mask_release(&mask);
    set_metric(&config, "magnitude");
    config.sparse.scope = SP_CONFIG_SCOPE_GLOBAL;
    for (size_t t = 0; t < targets.count; t++)
        write_weight(&run, targets.tensors[t].param, zeros);
    assert_error(sp_mask_make(&mask, &run, 0), SP_ENUMERIC, "all scores by magnitude are zero");
    set_metric(&config, "grasp"); /* nothing to be relative to, and no division by it */
    assert_error(sp_mask_make(&mask, &run, 0), SP_ENUMERIC, "all scores by grasp are zero");
    sp_mask_release(&targets);
    close_run(&run, &config);
}

/* Every value of the parameter so called times a power of two. */
static void scale_weight(struct sp_run *run, const char *name, float factor)
{
    float weight[400];

    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);

        if (strcmp(p->name, name) != 0)
            continue;
        assert_true(p->rows * p->cols <= 400);
        assert_ok(sp_gemm_weight_read(weight, &p->weight));
        for (int k = 0; k < p->rows * p->cols; k++)
            weight[k] *= factor;
        write_weight(run, i, weight);
    }
}

/* Flows that leave fp32's range, in either direction, give the mask of those that do not. */
static void test_flow_range(void **state)
{
    struct sp_config config;
    struct sp_run run;
    struct sp_mask plain, mask;

    (void)state;
    open_run(&run, &config);
    set_metric(&config, "synflow");
    assert_ok(sp_mask_make(&plain, &run, 0));
    for (int sign = 1; sign >= -1; sign -= 2) {
        scale_weight(&run, "classifier.weight", exp2f(100.0f * (float)sign));
        scale_weight(&run, "pooler.dense.weight", exp2f(60.0f * (float)sign));
        assert_ok(sp_mask_make(&mask, &run, 0));
        assert_true(same(&plain, &mask));
        sp_mask_release(&mask);
        scale_weight(&run, "classifier.weight", exp2f(-100.0f * (float)sign));
        scale_weight(&run, "pooler.dense.weight", exp2f(-60.0f * (float)sign));
    }
    sp_mask_release(&plain);
    close_run(&run, &config);
}

/* ---- kept scores ------------------------------------------------------------------------------------------------- */

/* Files in the folder; the name of one of them in *path. */
static size_t files_in(const char *folder, char path[512])
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            snprintf(path, 512, "%s/%.200s", folder, entry->d_name);
            count++;
        }
    closedir(dir);
    return count;
}

static void remove_folder(const char *folder)
{
    char path[512];

    while (files_in(folder, path))
        assert_int_equal(remove(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Replaces the file by its first `length` bytes, one of them changed. */
static void damage(const char *path, size_t length, size_t at)
{
    char *data;
    size_t size;

    assert_ok(sp_fs_read(&data, &size, path, 1 << 20));
    data[at < size ? at : size - 1] ^= 1;
    assert_ok(sp_fs_write(path, data, length < size ? length : size));
    free(data);
}

/* Makes a mask; whether a batch was scored for it. */
static bool scored(struct sp_mask *mask, struct sp_run *run)
{
    size_t total = 0;

    run->observer = (struct sp_observer){ .progress = note_total, .user = &total };
    assert_ok(sp_mask_make(mask, run, 0));
    return total > 0;
}

static void test_cache(void **state)
{
    static const size_t damages[][2] = { { SIZE_MAX, SIZE_MAX }, { SIZE_MAX, 5000 }, { 3000, 9 }, { 0, 0 } };
    char folder[] = "speft-scores-XXXXXX", path[512];
    struct sp_config config;
    struct sp_run run;
    struct sp_mask fresh, again;

    (void)state;
    assert_non_null(mkdtemp(folder));
    open_run(&run, &config);
    assert_true(scored(&fresh, &run));
    config.sparse.score_cache = sp_asprintf("%s/below", folder);
    assert_true(scored(&again, &run));
    assert_int_equal(files_in(config.sparse.score_cache, path), 1);
    assert_true(same(&fresh, &again));
    sp_mask_release(&again);
    assert_false(scored(&again, &run));
    assert_true(same(&fresh, &again));
    sp_mask_release(&again);

    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) { /* a damaged file is replaced */
        damage(path, damages[i][0], damages[i][1]);
        assert_true(scored(&again, &run));
        assert_true(same(&fresh, &again));
        sp_mask_release(&again);
        assert_false(scored(&again, &run));
        sp_mask_release(&again);
    }
    sp_mask_release(&fresh);

    config.learning_rate = 7; /* what does not matter for scores */
    config.sparse.scoring_memory = 1;
    config.sparse.rank_equivalent = 1;
    config.sparse.scope = SP_CONFIG_SCOPE_TENSOR;
    assert_false(scored(&again, &run));
    sp_mask_release(&again);
    assert_ok(sp_mask_make(&again, &run, 1)); /* later rounds are neither kept nor read */
    sp_mask_release(&again);
    assert_int_equal(files_in(config.sparse.score_cache, path), 1);
    for (int k = 0; k < 4; k++) { /* what does */
        config.seed += k == 0;
        config.per_device_train_batch_size -= k == 1;
        config.sparse.scoring_examples -= k == 2;
        if (k == 3)
            set_metric(&config, "snip");
        assert_true(scored(&again, &run));
        sp_mask_release(&again);
        assert_int_equal(files_in(config.sparse.score_cache, path), 2 + k);
    }
    remove_folder(config.sparse.score_cache);
    assert_int_equal(rmdir(folder), 0);

    assert_ok(sp_fs_write(folder, "x", 1)); /* a file where the folder should be: a warning */
    assert_true(scored(&again, &run));
    sp_mask_release(&again);
    assert_int_equal(remove(folder), 0);
    close_run(&run, &config);
}

/* Copies of the reference's files, each `old` replaced by a `new` of its length; where that is NULL, the last byte is
 * changed. */
static void copy_changed(const char *folder)
{
    static const struct {
        const char *from, *to, *old, *new;
    } files[] = {
        { "train.jsonl", "labels.jsonl", "1], \"label\": \"rejected\"", "1], \"label\": \"accepted\"" },
        { "train.jsonl", "names.jsonl", "\"accepted\"", "\"xccepted\"" }, /* the same classes for a new head */
        { "train.jsonl", "tokens.jsonl", " 52,", " 53," },
        { "train.jsonl", "types.jsonl", "\"token_type_ids\": [0", "\"token_type_ids\": [1" },
        { "../regression/train.jsonl", "numbers.jsonl", "", "" },
        { "../regression/train.jsonl", "mean.jsonl", "\"label\": 1.5", "\"label\": 2.5" },
        { "config.json", "config/config.json", "1e-12", "1e-11" },
        { "model.safetensors", "config/model.safetensors", "", "" },
        { "vocab.txt", "config/vocab.txt", "", "" },
        { "config.json", "weights/config.json", "", "" },
        { "vocab.txt", "weights/vocab.txt", "", "" },
        { "model.safetensors", "weights/model.safetensors", NULL, NULL },
    };
    const char *srcdir = getenv("srcdir");

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *from = sp_asprintf("%s/tests/data/reference/binary/%s", srcdir ? srcdir : ".", files[i].from);
        char *to = sp_asprintf("%s/%s", folder, files[i].to), *data, *at;
        size_t size;

        assert_ok(sp_fs_read(&data, &size, from, 1 << 20));
        if (!files[i].old)
            data[size - 1] ^= 1;
        for (at = data; files[i].old && files[i].old[0] && (at = strstr(at, files[i].old));)
            memcpy(at, files[i].new, strlen(files[i].new));
        assert_ok(sp_fs_write(to, data, size));
        free(data);
        free(to);
        free(from);
    }
}

/* The mask by a metric with another option; how many files the cache has then. */
static size_t files_after(const char *cache, const char *metric, const char *change)
{
    char *folder = sp_asprintf("sparse.score_cache=%s", cache), *name = sp_asprintf("sparse.metric=%s", metric),
         path[512];
    struct sp_config config;
    struct sp_run run;
    struct sp_mask mask;

    open_run_with(&run, &config, (const char *const[]){ folder, name, change, NULL });
    assert_ok(sp_mask_make(&mask, &run, 0));
    sp_mask_release(&mask);
    close_run(&run, &config);
    free(name);
    free(folder);
    return files_in(cache, path);
}

/* Whatever decides about scores has a part in their name. Each option changes no other part by the way: lift reads no
 * rows, so that their order cannot stand in for the seed. */
static void test_cache_key(void **state)
{
    static const char *const metrics[] = { "lift", "gradient", "grasp" };
    static const struct {
        const char *metric, *option, *file; /* file: the option's value, of the changed ones */
    } cases[] = {
        { "lift", "seed=43", NULL },
        { "lift", "sparse.lift_rank=3", NULL },
        { "lift", "sparse.target_modules=key, value, intermediate.dense", NULL },
        { "lift", "model_name_or_path=", "weights" },
        { "gradient", "model_name_or_path=", "config" },
        { "gradient", "train_file=", "labels.jsonl" },
        { "gradient", "train_file=", "names.jsonl" },
        { "gradient", "train_file=", "tokens.jsonl" },
        { "gradient", "train_file=", "types.jsonl" },
        { "gradient", "label_smoothing_factor=0.1", NULL },
        { "gradient", "shuffle=false", NULL },
        { "gradient", "max_seq_length=20", NULL },
        { "gradient", "per_device_train_batch_size=8", NULL },
        { "gradient", "sparse.scoring_examples=19", NULL },
        { "gradient", "gemm=tiled", NULL },
        { "grasp", "sparse.sign=code", NULL },
        { "lift", "train_file=", "numbers.jsonl" },
        { "lift", "train_file=", "mean.jsonl" }, /* the start of the new head's bias */
    };
    char folder[] = "speft-keys-XXXXXX", *cache, *config, *weights;
    size_t files = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    cache = sp_asprintf("%s/scores", folder);
    config = sp_asprintf("%s/config", folder);
    weights = sp_asprintf("%s/weights", folder);
    assert_ok(sp_fs_mkdirs(config));
    assert_ok(sp_fs_mkdirs(weights));
    copy_changed(folder);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        assert_int_equal(files_after(cache, metrics[i], NULL), ++files);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *change = cases[i].file ? sp_asprintf("%s%s/%s", cases[i].option, folder, cases[i].file)
                                     : sp_strdup(cases[i].option);

        if (files_after(cache, cases[i].metric, change) != ++files)
            fail_msg("%s, %s: the scores are those that were kept before", cases[i].metric, change);
        free(change);
    }
    assert_int_equal(files_after(cache, "lift", NULL), files);
    remove_folder(cache);
    remove_folder(config);
    remove_folder(weights);
    remove_folder(folder);
    free(weights);
    free(config);
    free(cache);
}

/* A model of another family is refused with the names of all that there are. */
static void test_unknown_family(void **state)
{
    static const char *const types[] = { "another", NULL };
    static const struct sp_model_family other = { .model_types = types };
    const struct sp_model_family *const families[] = { sp_model_families[0], &other };
    const char *srcdir = getenv("srcdir");
    char folder[] = "/tmp/speft-family-XXXXXX", *file, *model, *weights, *source, *real;
    struct sp_config config;
    struct sp_run run;

    (void)state;
    assert_non_null(mkdtemp(folder));
    file = sp_asprintf("%s/config.json", folder);
    model = sp_asprintf("model_name_or_path=%s", folder);
    weights = sp_asprintf("%s/model.safetensors", folder);
    source = sp_asprintf("%s/tests/data/reference/binary/model.safetensors", srcdir ? srcdir : ".");
    real = realpath(source, NULL);
    assert_int_equal(symlink(real, weights), 0);
    assert_ok(sp_fs_write(file, "{\"model_type\": \"gpt9\"}", 22));
    assert_ok(sp_config_load(&config, NULL, (const char *const *)&model, 1));
    run = (struct sp_run){ .config = &config, .families = families, .family_count = 2 };
    assert_true(sp_run_open(&run) < 0);
    if (!strstr(sp_error_message(), "\"gpt9\"; this version of speft-cl knows: bert, another"))
        fail_msg("%s", sp_error_message());
    sp_run_close(&run);
    sp_config_release(&config);
    unlink(file);
    unlink(weights);
    rmdir(folder);
    free(real);
    free(source);
    free(weights);
    free(model);
    free(file);
}

/* ---- what can be a target ---------------------------------------------------------------------------------------- */

/* Of a weight that is a table, too, a delta would train and write but the half. */
static void test_tied(void **state)
{
    static const char *const own[] = { "above", "query", NULL };
    static const struct sp_model_family family = { .targets = own };
    char first[] = "all-linear", second[] = "decoder", *targets[] = { first, second };
    char word[] = "auto", *automatic = word;
    struct sp_config config = { .sparse.target_modules = { targets, 1 } };
    struct sp_run run = { .config = &config, .model.family = &family };
    int words, above;

    (void)state;
    assert_ok(sp_plan_create(&run.plan));
    words = sp_plan_param(run.plan, SP_PARAM_LINEAR, 9, 4, "lm.decoder.weight");
    above = sp_plan_param(run.plan, SP_PARAM_LINEAR, 4, 4, "lm.above.weight");
    sp_nn_cross_entropy(run.plan,
                        sp_nn_linear(run.plan,
                                     sp_nn_linear(run.plan, sp_nn_embedding(run.plan, words, -1, -1, -1), above, -1,
                                                  SP_ACTIVATION_NONE),
                                     words, -1, SP_ACTIVATION_NONE),
                        0);
    run.weights = calloc(2, sizeof *run.weights);
    assert_ok(sp_sparse_assign(&run));
    assert_int_equal(sp_plan_param_at(run.plan, (size_t)above)->role, SP_PARAM_SPARSE);
    assert_int_equal(sp_plan_param_at(run.plan, (size_t)words)->role, SP_PARAM_FROZEN);
    config.sparse.target_modules.count = 2;
    assert_error(sp_sparse_assign(&run), SP_ECONFIG,
                 "'decoder' is lm.decoder.weight, whose rows are the model's embeddings, too");
    config.sparse.target_modules = (struct sp_string_list){ &automatic, 1 };
    assert_error(sp_sparse_assign(&run), SP_ECONFIG, "no linear layer of the model ends in 'query'");
    assert_ok(sp_roles_of_all(&run)); /* whole it can be trained */
    free(run.weights);
    sp_plan_free(run.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_metric), cmocka_unit_test(test_rounds), cmocka_unit_test(test_uniform_count),
        cmocka_unit_test(test_zeros),        cmocka_unit_test(test_flow_range), cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_key),    cmocka_unit_test(test_unknown_family), cmocka_unit_test(test_tied),
    };

    return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
