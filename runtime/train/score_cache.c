#include "runtime/train/score_cache.h"

#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/private.h"
#include "runtime/base/process.h"
#include "runtime/train/load.h"
#include "runtime/train/result.h"
#include "runtime/train/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2: gradients are means over rows; 3: the name is made otherwise */
#define FORMAT "speft-cl " PACKAGE_VERSION " scores 3"
#define SUFFIX ".safetensors"
#define DIGEST "digest"
#define DIGEST_SIZE (SP_HASH_HEX - 1)

struct cache {
    struct sp_run *run;
    const struct sp_salience *what;
    sp_salience_take *take;
    void *user;
    struct sp_private folder;
    char name[SP_HASH_HEX + sizeof SUFFIX];
    struct sp_tensor_info *tensors; /* of the targets, then the digest */
    struct sp_safetensors_writer writer;
    struct sp_hash hash;
    bool writing;
};

/* ---- the name ---------------------------------------------------------------------------------------------------- */

static void hash_number(struct sp_hash *hash, double number)
{
    sp_hash_update(hash, &number, sizeof number);
}

/* The rows that scoring reads. */
static int hash_rows(struct sp_hash *hash, const struct sp_run *run, const struct sp_salience *what)
{
    const struct sp_dataset *d = &run->train;
    uint32_t *order;
    size_t count;

    SP_TRY(sp_salience_order(&order, &count, run, what));
    hash_number(hash, (double)count);
    hash_number(hash, (double)run->config->per_device_train_batch_size);
    for (size_t i = 0; i < count; i++) {
        size_t row = order[i], first = d->offsets[row], length = d->offsets[row + 1] - first;

        hash_number(hash, (double)length);
        sp_hash_update(hash, d->ids + first, length * sizeof *d->ids);
        sp_hash_update(hash, d->types + first, length * sizeof *d->types);
        if (what->metric->needs & SP_NEED_LABELS) {
            const uint32_t *targets;
            size_t words = sp_dataset_targets(&targets, d, row);

            sp_hash_update(hash, targets, words * sizeof *targets);
        }
    }
    free(order);
    return 0;
}

/* The values of a descriptor's own options, but for where its rows lie. */
static int hash_options(struct sp_hash *hash, const struct sp_option_rows *rows, const struct sp_config *config)
{
    const struct sp_option_part none = { NULL, 0 }, *part = sp_option_part_of(sp_config_options(), rows);
    const struct sp_option_part parts[] = { part ? *part : none, none };
    const struct sp_option_table table = { .parts = parts };
    json_t *values = NULL;
    int rc = sp_option_write_json(&table, config, &values);
    char *text;

    for (size_t i = 0; i < rows->count; i++)
        if (rows->rows[i].type == SP_OPTION_COLUMN)
            json_object_del(values, rows->rows[i].key);
    text = rc == 0 ? json_dumps(values, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (rc == 0 && !text)
        rc = sp_error(SP_ENOMEM, "out of memory");
    if (rc == 0)
        sp_hash_update_string(hash, text);
    free(text);
    json_decref(values);
    return rc;
}

static int hash_model(struct sp_hash *hash, const struct sp_run *run)
{
    const struct sp_device_info *device = sp_device_info(run->device);
    const struct sp_config *c = run->config;
    char model[SP_HASH_HEX];

    SP_TRY(sp_train_model_checksum(model, run->checkpoint, "")); /* the rows' ids are what a tokenizer made */
    sp_hash_update_string(hash, model);
    sp_hash_update_string(hash, device->name);
    sp_hash_update_string(hash, device->driver);
    sp_hash_update_string(hash, device->version);
    hash_number(hash, (double)c->seed); /* of a new head, random scores, lift's start */
    sp_hash_update_string(hash, run->task->name);
    hash_number(hash, run->keep_head);
    hash_number(hash, run->keep_head ? 0 : sp_load_head_bias(run));
    hash_number(hash, sp_plan_outputs(run->plan));
    return hash_options(hash, &run->task->options, c);
}

/* Fails where memory is out, or the model was written to since it was opened. */
static int name_of(char hex[SP_HASH_HEX], const struct cache *cache)
{
    const struct sp_run *run = cache->run;
    struct sp_hash hash;

    sp_hash_init(&hash);
    sp_hash_update_string(&hash, FORMAT);
    SP_TRY(hash_model(&hash, run));
    sp_hash_update_string(&hash, cache->what->metric->name);
    SP_TRY(hash_options(&hash, &cache->what->metric->options, run->config));
    for (size_t t = 0; t < cache->what->count; t++) {
        sp_hash_update_string(&hash, cache->tensors[t].name);
        sp_hash_update_string(&hash, sp_plan_param_at(run->plan, cache->what->params[t])->weight.family->name);
    }
    if (cache->what->metric->needs & SP_NEED_DATA)
        SP_TRY(hash_rows(&hash, run, cache->what));
    sp_hash_final(&hash, hex);
    return 0;
}

/* The tensors that the file has, and its name. */
static int prepare(struct cache *cache)
{
    const struct sp_run *run = cache->run;
    char hex[SP_HASH_HEX];

    cache->tensors = sp_calloc(cache->what->count + 1, sizeof *cache->tensors);
    if (!cache->tensors)
        return SP_ENOMEM;
    for (size_t t = 0; t < cache->what->count; t++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, cache->what->params[t]);

        cache->tensors[t] = (struct sp_tensor_info){ .name = sp_run_param_name(run, cache->what->params[t]),
                                                     .dtype = SP_F32,
                                                     .rank = 2,
                                                     .shape = { (size_t)p->rows, (size_t)p->cols } };
    }
    cache->tensors[cache->what->count] =
        (struct sp_tensor_info){ .name = DIGEST, .dtype = SP_U8, .rank = 1, .shape = { DIGEST_SIZE } };
    SP_TRY(name_of(hex, cache));
    snprintf(cache->name, sizeof cache->name, "%s" SUFFIX, hex);
    return 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Whether the file holds what it should, all of it. */
static bool is_whole(const struct cache *cache, const struct sp_safetensors *file)
{
    struct sp_hash hash;
    char hex[SP_HASH_HEX];

    if (sp_safetensors_count(file) != cache->what->count + 1)
        return false;
    sp_hash_init(&hash);
    for (size_t t = 0; t <= cache->what->count; t++) {
        const struct sp_tensor_info *wanted = &cache->tensors[t], *found = sp_safetensors_find(file, wanted->name);

        if (!found || found->dtype != wanted->dtype || !sp_tensor_has_shape(found, wanted->rank, wanted->shape))
            return false;
        if (t < cache->what->count)
            sp_hash_update(&hash, found->data, found->bytes);
    }
    sp_hash_final(&hash, hex);
    return memcmp(sp_safetensors_find(file, DIGEST)->data, hex, DIGEST_SIZE) == 0;
}

static int read_scores(const struct cache *cache, const struct sp_safetensors *file)
{
    size_t largest = 0;
    float *scores;
    int rc = 0;

    for (size_t t = 0; t < cache->what->count; t++) {
        const struct sp_tensor_info *tensor = sp_safetensors_find(file, cache->tensors[t].name);

        largest = tensor->count > largest ? tensor->count : largest;
    }
    scores = sp_calloc(largest, sizeof *scores);
    if (!scores)
        return SP_ENOMEM;
    for (size_t t = 0; rc == 0 && t < cache->what->count; t++) {
        const struct sp_tensor_info *tensor = sp_safetensors_find(file, cache->tensors[t].name);

        rc = sp_tensor_read_f32(scores, tensor, 0, tensor->count);
        if (rc == 0)
            rc = cache->take(cache->user, t, scores);
    }
    free(scores);
    return rc;
}

/* 1 when the scores came from the file, 0 when it is of no use, or an error of taking them. */
static int try_reading(const struct cache *cache)
{
    struct sp_safetensors *file = NULL;
    char *path = sp_fs_join(cache->folder.path, cache->name); /* for messages */
    int fd, rc = path ? sp_private_entry(&fd, &cache->folder, cache->name) : SP_ENOMEM;

    if (rc == 0)
        rc = sp_safetensors_open_fd(&file, fd, path);
    free(path);
    if (rc == SP_ENOTFOUND)
        return 0;
    if (rc < 0) {
        sp_log(SP_LOG_WARNING, "scoring anew: %s", sp_error_message());
        return 0;
    }
    if (is_whole(cache, file)) {
        sp_log(SP_LOG_INFO, "scores from %s/%s", cache->folder.path, cache->name);
        rc = read_scores(cache, file);
        rc = rc < 0 ? rc : 1;
    } else {
        sp_log(SP_LOG_INFO, "scoring anew: %s/%s is damaged", cache->folder.path, cache->name);
    }
    sp_safetensors_close(file);
    return rc;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void stop_writing(struct cache *cache)
{
    sp_log(SP_LOG_WARNING, "the scores are not kept: %s", sp_error_message());
    sp_safetensors_writer_abandon(&cache->writer);
    cache->writing = false;
}

/* Hands scores on, and to the file. */
static int take_both(void *user, size_t t, const float *scores)
{
    struct cache *cache = user;
    size_t bytes = cache->tensors[t].shape[0] * cache->tensors[t].shape[1] * sizeof *scores;

    SP_TRY(cache->take(cache->user, t, scores));
    if (cache->writing) {
        sp_hash_update(&cache->hash, scores, bytes);
        if (sp_safetensors_put(&cache->writer, scores, bytes) < 0)
            stop_writing(cache);
    }
    return 0;
}

static int score_and_write(struct cache *cache)
{
    struct sp_fs_writer file;
    char hex[SP_HASH_HEX];

    sp_hash_init(&cache->hash);
    cache->writing = true;
    sp_process_clear(cache->folder.fd, NULL);
    if (sp_private_writer_open(&file, &cache->folder, cache->name) < 0 ||
        sp_safetensors_writer_begin(&cache->writer, &file, cache->tensors, cache->what->count + 1) < 0)
        stop_writing(cache);
    SP_TRY(sp_salience_score(cache->run, cache->what, take_both, cache));
    if (!cache->writing)
        return 0;
    sp_hash_final(&cache->hash, hex);
    if (sp_safetensors_put(&cache->writer, hex, DIGEST_SIZE) < 0 || sp_safetensors_writer_commit(&cache->writer) < 0)
        stop_writing(cache);
    return 0;
}

int sp_score_cache_score(struct sp_run *run, const struct sp_salience *what, sp_salience_take *take, void *user)
{
    struct cache cache = { .run = run, .what = what, .take = take, .user = user };
    const char *folder = run->config->sparse.score_cache;
    int rc;

    if (!folder || what->metric->cheap || what->round > 0 || run->adapter)
        return sp_salience_score(run, what, take, user);
    if (sp_private_open(&cache.folder, folder, true) < 0) {
        sp_log(SP_LOG_WARNING, "sparse.score_cache is not used: %s", sp_error_message());
        sp_private_close(&cache.folder);
        return sp_salience_score(run, what, take, user);
    }
    rc = prepare(&cache);
    if (rc == 0)
        rc = try_reading(&cache);
    if (rc == 0)
        rc = score_and_write(&cache);
    sp_safetensors_writer_abandon(&cache.writer);
    free(cache.tensors);
    sp_private_close(&cache.folder);
    return rc < 0 ? rc : 0;
}
