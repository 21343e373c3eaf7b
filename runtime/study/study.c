/* What is asked of a study that was read: names, the metric, its runs' numbers. */
#include "runtime/study/file_priv.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/statistics.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Whether it names a score of the task, or of any (NULL). */
bool sp_study_is_metric(const struct sp_yaml_node *node, const struct sp_task *task)
{
    return node->kind == SP_YAML_SCALAR && sp_task_score(task, node->text);
}

/* "accuracy, f1, loss": the scores of the task, or of all (NULL). */
int sp_study_list_metrics(struct sp_buf *out, const struct sp_task *task)
{
    for (size_t i = 0; sp_tasks[i]; i++)
        for (size_t k = 0; (!task || task == sp_tasks[i]) && k < sp_tasks[i]->score_count; k++)
            SP_TRY(sp_buf_printf(out, "%s, ", sp_tasks[i]->scores[k].name));
    return sp_buf_puts(out, "loss");
}

const char *sp_study_data_name(const struct sp_study *study, size_t data)
{
    return study->data[data].name;
}

const char *sp_study_method_name(const struct sp_study *study, size_t method)
{
    return study->methods[method].name;
}

const char *sp_study_metric(const struct sp_study *study, size_t data)
{
    const struct sp_yaml_node *metric = study->data[data].metric.node;

    return metric ? metric->text : NULL;
}

int sp_study_check_metric(const struct sp_study *study, const struct sp_study_run *run)
{
    struct sp_study_part metric = study->data[run->data].metric;
    const struct sp_task *task = sp_study_task(run);
    struct sp_buf fitting = SP_BUF(1024);
    int rc;

    if (!metric.node || !task || sp_study_is_metric(metric.node, task))
        return 0;
    rc = sp_study_list_metrics(&fitting, task);
    if (rc == 0)
        rc = sp_source_error(SP_ECONFIG, metric.source, metric.node->place,
                             "metric: found \"%s\", but the task of data set %s is %s: expected one of %s",
                             metric.node->text, study->data[run->data].name, task->name, fitting.data);
    sp_buf_free(&fitting);
    return rc;
}

void sp_study_describe(char *out, size_t size, const struct sp_study *study, const struct sp_study_run *run)
{
    bool budget = run->budget != SP_STUDY_NONE;

    snprintf(out, size, "%s%s%s, learning rate %g, seed %lld", study->methods[run->method].name, budget ? ", " : "",
             budget ? study->budgets[run->budget].label : "", run->config.learning_rate, run->config.seed);
}

void sp_study_forget_inputs(struct sp_study *study)
{
    for (size_t i = 0; i < study->input_count; i++) {
        free(study->inputs[i].name);
        free(study->inputs[i].checksum);
    }
    study->input_count = 0;
}

double sp_study_number(const struct sp_study_run *run, const char *key)
{
    const json_t *value = json_object_get(run->result, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

const struct sp_task *sp_study_task(const struct sp_study_run *run)
{
    const char *name = json_string_value(json_object_get(run->result, "task"));

    return name ? sp_task_find(name) : sp_config_task(&run->config);
}

const char *sp_study_score_name(const struct sp_study *study, const struct sp_study_run *run)
{
    const char *name = sp_study_metric(study, run->data);
    const struct sp_task *task = sp_study_task(run);

    return name ? name : task ? task->scores[0].name : sp_tasks[0]->scores[0].name;
}

double sp_study_score(const struct sp_study *study, const struct sp_study_run *run)
{
    const json_t *value = json_object_get(json_object_get(run->result, "after"), sp_study_score_name(study, run));

    return json_is_number(value) ? json_number_value(value) : NAN;
}

struct sp_study_summary sp_study_summarize(const struct sp_study *study, const struct sp_study_cell *cell)
{
    struct sp_study_summary s = { .score = NAN, .deviation = NAN };
    double *scores = sp_calloc(cell->count, sizeof *scores);

    for (size_t i = 0; scores && i < cell->count; i++) {
        const struct sp_study_run *run = &study->runs[cell->first + i];

        s.failed += run->error != NULL;
        if (!run->result)
            continue;
        scores[s.done++] = sp_study_score(study, run);
        s.seconds += sp_study_number(run, "total_seconds");
        s.tokens_per_second += sp_study_number(run, "tokens_per_second");
        s.peak_memory += sp_study_number(run, "peak_memory");
    }
    if (s.done) {
        s.score = sp_statistics_mean(scores, s.done);
        s.deviation = sp_statistics_deviation(scores, s.done);
        s.seconds /= (double)s.done;
        s.tokens_per_second /= (double)s.done;
        s.peak_memory /= (double)s.done;
    }
    free(scores);
    return s;
}
