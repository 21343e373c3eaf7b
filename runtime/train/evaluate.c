#include "runtime/train/evaluate.h"

#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/op/op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GUESSING 0.95 /* of the loss that guessing gives */
#define CONSTANT 0.01 /* of the labels' spread */

uint32_t sp_argmax(const float *logits, size_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* The forward pass of rows from .. from + count - 1, their logits, and their share in the sum of the losses. */
static int forward(float *logits, double *sum, struct sp_run *run, const struct sp_dataset *dataset, const uint32_t *order, size_t from,
                   size_t count)
{
    const struct sp_plan_pass pass = { .loss_scale = 1 };
    double mean;

    SP_TRY(sp_run_set_batch(run, dataset, order, from, count));
    SP_TRY(sp_plan_forward(run->plan, &pass));
    if (sum) {
        SP_TRY(sp_plan_loss(run->plan, &mean));
        *sum += mean * (double)count;
    }
    return sp_plan_logits(run->plan, logits);
}

int sp_logits(double *loss, struct sp_run *run, const struct sp_dataset *dataset, sp_logits_fn *take, void *user)
{
    size_t batch = (size_t)run->config->per_device_eval_batch_size, outputs = (size_t)sp_plan_outputs(run->plan);
    size_t batches = (dataset->count + batch - 1) / batch, largest = dataset->count < batch ? dataset->count : batch;
    uint32_t *order = sp_calloc(dataset->count, sizeof *order);
    float *logits = sp_calloc(largest * outputs, sizeof *logits);
    double sum = 0;
    int rc = order && logits ? 0 : SP_ENOMEM;

    if (rc == 0)
        sp_data_order(order, dataset->count, 0, 0, false);
    for (size_t b = 0; rc == 0 && b < batches && isfinite(sum); b++) { /* a batch whose loss is not finite stays in the plan */
        size_t from = b * batch, count = dataset->count - from < batch ? dataset->count - from : batch;

        if (sp_interrupted())
            rc = sp_error(SP_EINTR, "interrupted while evaluating");
        if (rc == 0)
            rc = forward(logits, loss ? &sum : NULL, run, dataset, order, from, count);
        if (rc == 0)
            rc = take(user, logits, from, count, outputs);
        if (rc == 0 && run->observer.progress)
            run->observer.progress(run->observer.user, "eval", b + 1, batches, NAN, 0, false);
    }
    if (loss && rc == 0)
        *loss = sum / (double)dataset->count;
    free(logits);
    free(order);
    return rc;
}

int sp_evaluate(struct sp_evaluation *out, struct sp_run *run)
{
    return sp_evaluate_rows(out, NULL, run);
}

/* What an evaluation keeps of the logits: counts for each class, or in regression the values, whose ranks need them all. */
struct scores {
    const struct sp_dataset *dataset;
    struct sp_class_counts counts;
    float *predictions; /* [rows], NULL where nobody needs them */
};

static int score_rows(void *user, const float *logits, size_t from, size_t rows, size_t outputs)
{
    struct scores *s = user;

    for (size_t i = 0; i < rows; i++) {
        uint32_t class = sp_argmax(logits + i * outputs, outputs);

        if (s->counts.classes)
            sp_class_counts_add(&s->counts, class, s->dataset->classes[from + i]);
        if (s->predictions)
            s->predictions[from + i] = s->counts.classes ? (float)class : logits[i];
    }
    return 0;
}

int sp_evaluate_rows(struct sp_evaluation *out, float *predictions, struct sp_run *run)
{
    const struct sp_dataset *d = &run->validation;
    bool regression = run->task == SP_TASK_REGRESSION;
    float *values = regression && !predictions ? sp_calloc(d->count, sizeof *values) : NULL;
    struct scores s = { .dataset = d, .predictions = values ? values : predictions };
    int rc = regression && !s.predictions ? SP_ENOMEM : 0;

    *out = (struct sp_evaluation){ .rows = d->count };
    if (rc == 0 && !regression)
        rc = sp_class_counts_init(&s.counts, (size_t)sp_plan_outputs(run->plan));
    if (rc == 0)
        rc = sp_logits(&out->loss, run, d, score_rows, &s);
    if (rc == 0 && !isfinite(out->loss))
        rc = sp_error(SP_ENUMERIC, "the loss on %s is not finite", run->config->validation_file);
    if (rc == 0 && regression)
        rc = sp_score_values(&out->values, s.predictions, d->values, d->count);
    else if (rc == 0)
        sp_score_classes(&out->classes, &s.counts);
    sp_class_counts_release(&s.counts);
    free(values);
    return rc;
}

void sp_evaluation_tell_guessing(const struct sp_evaluation *e, const struct sp_run *run)
{
    const struct sp_class_scores *c = &e->classes;
    const struct sp_value_scores *v = &e->values;

    if (run->task == SP_TASK_CLASSIFICATION && c->one && e->loss >= GUESSING * c->guess)
        sp_log(SP_LOG_WARNING, "%s: all %zu rows are predicted as \"%s\" with a loss of %.4g, and guessing gives %.4g: the model does not "
                               "tell the classes apart. A lower learning_rate or more steps may help", run->config->validation_file,
               e->rows, run->labels.names[c->said], e->loss, c->guess);
    if (run->task == SP_TASK_REGRESSION && v->variance > 0 && v->spread < CONSTANT && v->mse >= GUESSING * v->variance)
        sp_log(SP_LOG_WARNING, "%s: all %zu rows are predicted as nearly one number with a mean squared error of %.4g, and guessing gives "
                               "%.4g: the model does not tell the rows apart. A lower learning_rate or more steps may help",
               run->config->validation_file, e->rows, v->mse, v->variance);
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
