#include "runtime/train/result.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/train/files.h"
#include "runtime/train/task.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>


int sp_train_model_checksum(char hex[SP_HASH_HEX], struct sp_checkpoint *checkpoint, const char *tokenizer)
{
    const char *weights;
    struct sp_hash hash;
    char *config;

    SP_TRY(sp_checkpoint_checksum(&weights, checkpoint));
    config = json_dumps(sp_checkpoint_config(checkpoint), JSON_COMPACT | JSON_SORT_KEYS);
    if (!config)
        return SP_ENOMEM;
    sp_hash_init(&hash);
    sp_hash_update_string(&hash, weights);
    sp_hash_update_string(&hash, config);
    sp_hash_update_string(&hash, tokenizer);
    sp_hash_final(&hash, hex);
    free(config);
    return 0;
}

/* The evaluation as an object under `key`. */
static int put_evaluation(json_t *object, const char *key, const struct sp_evaluation *e, const struct sp_task *task)
{
    json_t *metrics = json_pack("{s:I}", "rows", (json_int_t)e->rows);

    if (!metrics || sp_evaluation_json(metrics, e, task, "") < 0) {
        json_decref(metrics);
        return -1;
    }
    return json_object_set_new(object, key, metrics);
}

static json_t *divergence_json(const struct sp_train_divergence *d)
{
    return d->step ? json_pack("{s:I, s:f, s:f}", "step", (json_int_t)d->step, "loss", d->loss, "start", d->start)
                   : json_null();
}

int sp_train_result_save(const struct sp_train_result *r, const struct sp_run *run)
{
    char model[SP_HASH_HEX], *path;
    json_t *object;
    int rc;

    /* The weights' has been made by the adapter's save. */
    SP_TRY(sp_train_model_checksum(model, run->checkpoint, r->tokenizer_sha256));
    path = sp_fs_join(run->config->output_dir, SP_FILE_RESULT);
    object = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:s, s:s, s:s?, s:o}",
                       "version", PACKAGE_VERSION, "device", sp_device_info(run->device)->name, "task", run->task->name,
                       "steps", (json_int_t)r->steps, "tokens", (json_int_t)r->tokens, "seconds", r->seconds,
                       "tokens_per_second", (double)r->tokens / (r->seconds + 1e-9), "ready_seconds", r->ready_seconds,
                       "first_step_seconds", r->first_step_seconds, "total_seconds", r->total_seconds, "trained",
                       (json_int_t)r->trained, "parameters", (json_int_t)r->parameters, "peak_memory",
                       (json_int_t)r->host_peak, "device_peak_memory", (json_int_t)r->device_peak, "model_sha256",
                       model, "train_file_sha256", r->train_sha256, "validation_file_sha256",
                       r->validation_sha256[0] ? r->validation_sha256 : NULL, "diverged",
                       divergence_json(&r->divergence));
    rc = path && object ? 0 : sp_error(SP_ENOMEM, "out of memory while writing %s", SP_FILE_RESULT);
    if (rc == 0 && r->evaluated &&
        (put_evaluation(object, "before", &r->before, run->task) ||
         put_evaluation(object, "after", &r->after, run->task)))
        rc = sp_error(SP_ENOMEM, "out of memory while writing %s", path);
    if (rc == 0 && run->sample.asked &&
        json_object_set_new(object, "sample",
                            json_pack("{s:s, s:s, s:s}", "prompt", run->sample.asked, "before", run->sample.before,
                                      "after", run->sample.after)))
        rc = sp_error(SP_ENOMEM, "out of memory while writing %s", path);
    if (rc == 0)
        rc = sp_json_save(object, path);
    json_decref(object);
    free(path);
    return rc;
}

static int write_prediction(FILE *file, const struct sp_run *run, size_t row, float prediction, const char *path)
{
    json_t *line = run->task->outcome(run, &run->validation, row, prediction);
    char *text = line ? sp_json_text(line, JSON_REAL_PRECISION(9)) : NULL;
    int rc = 0;

    if (!text)
        rc = sp_error(SP_ENOMEM, "out of memory while writing %s", path);
    else if (fprintf(file, "%s\n", text) < 0)
        rc = sp_fs_error("write", path);
    free(text);
    json_decref(line);
    return rc;
}

int sp_train_predictions_save(const float *predictions, const struct sp_run *run)
{
    char *path = sp_fs_join(run->config->output_dir, SP_FILE_PREDICTIONS);
    struct sp_fs_writer writer = { 0 };
    int rc = path ? sp_fs_writer_open(&writer, path) : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < run->validation.count; i++)
        rc = write_prediction(writer.file, run, i, predictions[i], path);
    if (rc == 0)
        rc = sp_fs_writer_commit(&writer);
    else
        sp_fs_writer_abandon(&writer);
    free(path);
    return rc;
}

int sp_train_result_remove(const char *output_dir)
{
    static const char *const names[] = { SP_FILE_RESULT, SP_FILE_PREDICTIONS };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = sp_fs_join(output_dir, names[i]);
        int rc = path ? 0 : SP_ENOMEM;

        if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
            rc = sp_fs_error("remove", path);
        free(path);
        SP_TRY(rc);
    }
    return 0;
}
