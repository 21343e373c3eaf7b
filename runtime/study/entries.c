/* What a report compares: the cells of a study, each method at its best learning rate, and how sure their scores
 * are. */
#include "runtime/study/report_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/train/task.h"

#include <math.h>
#include <string.h>

bool sp_study_lower_is_better(const char *metric)
{
    const struct sp_score *score = sp_task_score(NULL, metric);

    return score && score->lower_is_better;
}

const char *sp_study_budget_label(const struct sp_study *study, size_t budget)
{
    return budget == SP_STUDY_NONE ? "-" : study->budgets[budget].label;
}

const char *sp_study_report_metric(const struct sp_study_report *r, size_t data)
{
    for (size_t i = 0; i < r->study->run_count; i++)
        if (r->study->runs[i].data == data && r->study->runs[i].result)
            return sp_study_score_name(r->study, &r->study->runs[i]);
    return "score";
}

static bool better(const struct sp_study_summary *a, const struct sp_study_summary *b, bool lower)
{
    if (a->done != b->done)
        return a->done > b->done;
    if (isnan(b->score))
        return !isnan(a->score);
    return lower ? a->score < b->score : a->score > b->score;
}

int sp_study_make_entries(struct sp_study_report *r)
{
    const struct sp_study *study = r->study;

    r->entries = sp_calloc(study->cell_count, sizeof *r->entries);
    r->seeds = sp_calloc(study->run_count, sizeof *r->seeds);
    if (!r->entries || !r->seeds)
        return SP_ENOMEM;
    for (size_t i = 0; i < study->cell_count; i++) {
        const struct sp_study_run *run = &study->runs[study->cells[i].first];
        struct sp_study_entry *e = r->entry_count ? &r->entries[r->entry_count - 1] : NULL;
        struct sp_study_entry new = {
            run->data, run->method, run->budget, 1, &study->cells[i], sp_study_summarize(study, &study->cells[i]),
        };

        if (!e || e->data != new.data || e->method != new.method || e->budget != new.budget) {
            r->entries[r->entry_count++] = new;
            continue;
        }
        new.rates = e->rates + 1;
        e->rates = new.rates;
        if (better(&new.summary, &e->summary, sp_study_lower_is_better(sp_study_report_metric(r, new.data))))
            *e = new;
    }
    for (size_t i = 0; i < study->run_count; i++) {
        size_t s = 0;

        while (s < r->seed_count && r->seeds[s] != study->runs[i].config.seed)
            s++;
        r->seeds[s] = study->runs[i].config.seed;
        r->seed_count += s == r->seed_count;
    }
    return 0;
}

const struct sp_study_entry *sp_study_find_entry(const struct sp_study_report *r, size_t data, size_t method,
                                                 size_t budget)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct sp_study_entry *e = &r->entries[i];

        if (e->data == data && e->method == method && (e->budget == budget || e->budget == SP_STUDY_NONE))
            return e;
    }
    return NULL;
}

const struct sp_study_run *sp_study_run_at(const struct sp_study_report *r, const struct sp_study_entry *e,
                                           long long seed)
{
    for (size_t i = 0; e && i < e->cell->count; i++)
        if (r->study->runs[e->cell->first + i].config.seed == seed)
            return &r->study->runs[e->cell->first + i];
    return NULL;
}

double sp_study_sampling_error(const char *metric, double score, double rows)
{
    const struct sp_score *kept = sp_task_score(NULL, metric);

    switch (kept ? kept->kind : SP_SCORE_OTHER) {
    case SP_SCORE_SHARE:
        return sqrt(score * (1 - score) / rows);
    case SP_SCORE_CORRELATION:
    case SP_SCORE_RANK_CORRELATION:
        return (1 - score * score) / sqrt(rows - 1);
    default:
        return NAN;
    }
}

double sp_study_rows(const struct sp_study_run *run)
{
    return json_number_value(json_object_get(json_object_get(run->result, "after"), "rows"));
}
