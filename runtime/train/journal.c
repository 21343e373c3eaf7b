#include "runtime/train/journal.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/train/files.h"
#include "runtime/train/mask.h"
#include "runtime/train/task.h"

#include <stdlib.h>

/* One line of metrics.jsonl; takes the object. */
static int write_line(struct sp_journal *j, json_t *line)
{
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    int rc = 0;

    if (!text)
        rc = sp_error(SP_ENOMEM, "out of memory");
    else if (fprintf(j->metrics, "%s\n", text) < 0 || fflush(j->metrics) != 0)
        rc = sp_fs_error("write", j->path);
    free(text);
    json_decref(line);
    return rc;
}

int sp_journal_open(struct sp_journal *j)
{
    j->path = sp_fs_join(j->run->config->output_dir, SP_FILE_METRICS);
    if (!j->path)
        return SP_ENOMEM;
    return sp_fs_open_in_place(&j->metrics, j->path);
}

int sp_journal_release(struct sp_journal *j, int rc)
{
    if (j->metrics && fclose(j->metrics) != 0 && rc == 0)
        rc = sp_fs_error("write", j->path);
    j->metrics = NULL;
    free(j->path);
    j->path = NULL;
    return rc;
}

void sp_journal_begin(struct sp_journal *j, size_t total, size_t steps_per_epoch)
{
    j->total = total;
    j->steps_per_epoch = steps_per_epoch;
    sp_loss_watch_init(&j->watch, j->run->task->guess(j->run), total);
}

/* ---- whether the loss is astray ---------------------------------------------------------------------------------- */

static void note_divergence(struct sp_journal *j, size_t step)
{
    const struct sp_loss_watch *w = &j->watch;
    struct sp_train_divergence *d = &j->result->divergence;

    if (!sp_loss_watch_is_astray(w))
        *d = (struct sp_train_divergence){ 0 };
    else
        *d = (struct sp_train_divergence){ d->step ? d->step : step, w->last, w->start };
}

static void watch_loss(struct sp_journal *j, size_t step, double loss)
{
    const struct sp_loss_watch *w = &j->watch;

    if (sp_loss_watch_add(&j->watch, loss))
        sp_log(SP_LOG_WARNING,
               "step %zu: the loss is far above its start and stays there: %.4g over the last %zu steps, %.4g at the "
               "start. learning_rate: %g may be too high; try a tenth of it",
               step, w->last, SP_LOSS_WATCH_WINDOWS * w->window, w->start, j->run->config->learning_rate);
    note_divergence(j, step);
}

static void tell_end(struct sp_journal *j, bool astray)
{
    if (astray)
        sp_log(SP_LOG_WARNING,
               "step %zu: the loss ended far above its start: about %.4g, and %.4g at the start. learning_rate: %g may "
               "be too high; try a tenth of it",
               j->result->steps, j->watch.last, j->watch.start, j->run->config->learning_rate);
    note_divergence(j, j->result->steps);
}

void sp_journal_end(struct sp_journal *j, double first, double last)
{
    tell_end(j, sp_loss_watch_end(&j->watch, j->first_loss, first, last));
}

void sp_journal_held_out(struct sp_journal *j)
{
    tell_end(j, sp_loss_watch_held_out(&j->watch, j->result->before.loss, j->result->after.loss));
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

int sp_journal_step(struct sp_journal *j, const struct sp_journal_step *step)
{
    const struct sp_config *c = j->run->config;
    double now = sp_clock_now(), rate, loss;
    bool logged = step->number % (size_t)c->logging_steps == 0 || step->number == j->total;

    watch_loss(j, step->number, step->loss);
    j->window_loss += step->loss;
    j->window_tokens += step->tokens;
    j->window_steps++;
    rate = (double)j->window_tokens / (now - j->window_start + 1e-9);
    loss = j->window_loss / (double)j->window_steps;
    if (j->run->observer.progress)
        j->run->observer.progress(j->run->observer.user, "train", step->number, j->total, loss, rate, logged);
    if (!logged)
        return 0;
    SP_TRY(write_line(j, json_pack("{s:I, s:f, s:f, s:f, s:f, s:f}", "step", (json_int_t)step->number, "epoch",
                                   (double)step->number / (double)j->steps_per_epoch, "loss", loss, "learning_rate",
                                   step->learning_rate, "grad_norm", step->norm, "tokens_per_second", rate)));
    j->window_loss = 0;
    j->window_tokens = j->window_steps = 0;
    j->window_start = now;
    return 0;
}

int sp_journal_mask(struct sp_journal *j, size_t step, const struct sp_mask_change *c)
{
    const struct sp_observer *observer = &j->run->observer;

    if (observer->mask)
        observer->mask(observer->user, step, c->mask);
    sp_log(SP_LOG_INFO, "step %zu: the mask moved: %zu kept, %zu dropped, %zu added, %zu of %zu ever in it", step,
           c->kept, c->dropped, c->added, c->touched, c->mask->targeted);
    return write_line(j, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "step", (json_int_t)step, "mask_kept",
                                   (json_int_t)c->kept, "mask_dropped", (json_int_t)c->dropped, "mask_added",
                                   (json_int_t)c->added, "mask_touched", (json_int_t)c->touched, "mask_size",
                                   (json_int_t)c->size));
}

int sp_journal_evaluation(struct sp_journal *j, size_t step, const struct sp_evaluation *evaluation, double began)
{
    const struct sp_task *task = j->run->task;
    char loss[SP_SCORE_TEXT], score[SP_SCORE_TEXT];
    json_t *line = json_pack("{s:I}", "step", (json_int_t)step);

    if (!line || sp_evaluation_json(line, evaluation, task, "eval_") < 0) {
        json_decref(line);
        return sp_error(SP_ENOMEM, "out of memory");
    }
    SP_TRY(write_line(j, line));
    sp_log(SP_LOG_INFO, "step %zu: eval loss %s, %s %s", step, sp_score_text(loss, evaluation->loss),
           task->scores[0].name, sp_score_text(score, evaluation->scores[0]));
    j->window_start += sp_clock_now() - began;
    return 0;
}

int sp_journal_visit(struct sp_journal *j, struct sp_state *visitor)
{
    double now = sp_clock_now(), spent = now - j->window_start; /* the clock itself means nothing to another process */

    SP_TRY(sp_state_host(visitor, &j->result->divergence, sizeof j->result->divergence, "divergence"));
    SP_TRY(sp_state_host(visitor, &j->watch, sizeof j->watch, "loss_watch"));
    SP_TRY(sp_state_host(visitor, &j->first_loss, sizeof j->first_loss, "first_loss"));
    SP_TRY(sp_state_host(visitor, &j->window_loss, sizeof j->window_loss, "window_loss"));
    SP_TRY(sp_state_host(visitor, &j->window_tokens, sizeof j->window_tokens, "window_tokens"));
    SP_TRY(sp_state_host(visitor, &spent, sizeof spent, "window_seconds"));
    j->window_start = now - spent;
    return sp_state_host(visitor, &j->window_steps, sizeof j->window_steps, "window_steps");
}
