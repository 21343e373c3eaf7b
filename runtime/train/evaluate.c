#include "runtime/train/evaluate.h"

#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/mem.h"
#include "runtime/op/op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t sp_argmax(const float *logits, size_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

int sp_logits(float *out, double *loss, struct sp_run *run, const struct sp_dataset *dataset)
{
    size_t batch = (size_t)run->config->per_device_eval_batch_size, outputs = (size_t)sp_plan_outputs(run->plan);
    size_t batches = (dataset->count + batch - 1) / batch;
    uint32_t *order = sp_calloc(dataset->count, sizeof *order);
    struct sp_plan_pass pass = { .loss_scale = 1 };
    double sum = 0, mean;
    int rc = order ? 0 : SP_ENOMEM;

    if (rc == 0)
        sp_data_order(order, dataset->count, 0, 0, false);
    for (size_t b = 0; rc == 0 && b < batches; b++) {
        size_t from = b * batch, count = dataset->count - from < batch ? dataset->count - from : batch;

        if (sp_interrupted())
            rc = sp_error(SP_EINTR, "interrupted while evaluating");
        if (rc == 0)
            rc = sp_run_set_batch(run, dataset, order, from, count);
        if (rc == 0)
            rc = sp_plan_forward(run->plan, &pass);
        if (rc == 0 && loss && (rc = sp_plan_loss(run->plan, &mean)) == 0)
            sum += mean * (double)count;
        if (rc == 0)
            rc = sp_plan_logits(run->plan, out + from * outputs);
        if (rc == 0 && run->observer.progress)
            run->observer.progress(run->observer.user, "eval", b + 1, batches, NAN, 0, false);
    }
    if (loss)
        *loss = sum / (double)dataset->count;
    free(order);
    return rc;
}

int sp_evaluate(struct sp_evaluation *out, struct sp_run *run)
{
    return sp_evaluate_rows(out, NULL, run);
}

int sp_evaluate_rows(struct sp_evaluation *out, float *predictions, struct sp_run *run)
{
    const struct sp_dataset *d = &run->validation;
    size_t outputs = (size_t)sp_plan_outputs(run->plan);
    float *logits = sp_calloc(d->count * outputs, sizeof *logits);
    uint32_t *predicted = sp_calloc(d->count, sizeof *predicted);
    int rc = logits && predicted ? 0 : SP_ENOMEM;

    *out = (struct sp_evaluation){ .rows = d->count };
    if (rc == 0)
        rc = sp_logits(logits, &out->loss, run, d);
    if (rc == 0 && !isfinite(out->loss))
        rc = sp_error(SP_ENUMERIC, "the loss on %s is not finite", run->config->validation_file);
    if (rc == 0 && run->task == SP_TASK_REGRESSION)
        rc = sp_score_values(&out->values, logits, d->values, d->count);
    for (size_t i = 0; rc == 0 && i < d->count; i++)
        predicted[i] = sp_argmax(logits + i * outputs, outputs);
    if (rc == 0 && run->task == SP_TASK_CLASSIFICATION)
        rc = sp_score_classes(&out->classes, predicted, d->classes, d->count, outputs);
    for (size_t i = 0; rc == 0 && predictions && i < d->count; i++)
        predictions[i] = run->task == SP_TASK_REGRESSION ? logits[i] : (float)predicted[i];
    free(predicted);
    free(logits);
    return rc;
}

static int put(json_t *object, const char *prefix, const char *name, double value)
{
    char key[64];

    snprintf(key, sizeof key, "%s%s", prefix, name);
    return json_object_set_new(object, key, json_real(value));
}

int sp_evaluation_json(json_t *object, const struct sp_evaluation *e, enum sp_task task, const char *prefix)
{
    int failed = put(object, prefix, "loss", e->loss);

    if (task == SP_TASK_CLASSIFICATION) {
        failed |= put(object, prefix, "accuracy", e->classes.accuracy);
        failed |= put(object, prefix, "f1", e->classes.f1);
        failed |= put(object, prefix, "matthews_correlation", e->classes.matthews_correlation);
    } else {
        failed |= put(object, prefix, "pearson", e->values.pearson);
        failed |= put(object, prefix, "spearman", e->values.spearman);
        failed |= put(object, prefix, "mse", e->values.mse);
    }
    return failed ? sp_error(SP_ENOMEM, "out of memory") : 0;
}
