#include "frontends/cli/report.h"

#include "frontends/cli/progress.h"
#include "models/models.h"
#include "runtime/train/task.h"

#include <stdio.h>

static void show(void *user, const char *phase, size_t step, size_t total, double loss, double tokens_per_second,
                 bool logged)
{
    (void)user;
    sp_progress_show(&(struct sp_progress){ .phase = phase,
                                            .step = (long long)step,
                                            .total = (long long)total,
                                            .loss = loss,
                                            .tokens_per_second = tokens_per_second,
                                            .logged = logged });
    if (step == total)
        sp_progress_end();
}

struct sp_run sp_report_run(const struct sp_config *config)
{
    return (struct sp_run){ .config = config,
                            .families = sp_model_families,
                            .family_count = sp_model_family_count,
                            .observer = { .progress = show } };
}

void sp_report_metrics(char *out, size_t size, const struct sp_evaluation *e, const struct sp_task *task)
{
    char number[SP_SCORE_TEXT];
    size_t length = 0;

    for (size_t i = 0; i < task->score_count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s %s, ", task->scores[i].label,
                                   sp_score_text(number, e->scores[i]));
    if (length < size)
        snprintf(out + length, size - length, "loss %s", sp_score_text(number, e->loss));
}
