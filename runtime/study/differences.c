/*
 * Which differences between the methods of a study are beyond noise. Two entries are compared seed by seed: the same
 * seed gives both the same order of rows, dropout and start of the head, so their difference holds less noise than
 * either. The mean difference is judged by Student's t over the seeds, corrected by Holm for the comparisons of one
 * table, and by the standard error that an evaluation set of so many rows has.
 */
#include "runtime/study/report_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LEVEL 0.05 /* of all comparisons of a table together */
#define NORMAL_POINT 1.96
#define AVERAGE ((size_t)-2) /* as a data set: the mean over all of them */

/* One method's scores by seed, NaN where a run is missing. */
struct series {
    double *scores;
    double mean, deviation, error; /* of those that are there; the evaluation set's standard error */
    size_t count;
};

static void finish_series(struct series *s, size_t seeds)
{
    double *there = sp_calloc(seeds, sizeof *there);

    s->mean = s->deviation = NAN;
    for (size_t i = 0; there && i < seeds; i++)
        if (!isnan(s->scores[i]))
            there[s->count++] = s->scores[i];
    if (s->count) {
        s->mean = sp_statistics_mean(there, s->count);
        s->deviation = sp_statistics_deviation(there, s->count);
    }
    free(there);
}

static int series_of(struct series *out, const struct sp_study_report *r, size_t data, size_t method, size_t budget)
{
    size_t first = data == AVERAGE ? 0 : data, last = data == AVERAGE ? r->study->data_count - 1 : data;
    double squares = 0, parts = (double)(last - first + 1);

    *out = (struct series){ .scores = sp_calloc(r->seed_count, sizeof *out->scores) };
    if (!out->scores)
        return SP_ENOMEM;
    for (size_t d = first; d <= last; d++) {
        const struct sp_study_entry *e = sp_study_find_entry(r, d, method, budget);
        double rows = 0;

        for (size_t s = 0; s < r->seed_count; s++) {
            const struct sp_study_run *run = sp_study_run_at(r, e, r->seeds[s]);

            out->scores[s] += run && run->result ? sp_study_score(r->study, run) / parts : NAN;
            rows = run && run->result ? sp_study_rows(run) : rows;
        }
        squares += e ? pow(sp_study_sampling_error(sp_study_report_metric(r, d), e->summary.score, rows), 2) : NAN;
    }
    out->error = sqrt(squares) / parts;
    finish_series(out, r->seed_count);
    return 0;
}

static bool has_average(const struct sp_study_report *r)
{
    for (size_t i = 0; i < r->study->data_count; i++)
        if (sp_study_lower_is_better(sp_study_report_metric(r, i)))
            return false;
    return r->study->data_count > 1;
}

int sp_study_report_averages(struct sp_study_report *r)
{
    struct sp_document *d = &r->d;

    if (!has_average(r))
        return 0;
    sp_document_heading(d, "Mean over the data sets");
    sp_document_header(d, (const char *const[]){ "method", "budget", "seeds", "mean", "deviation", NULL });
    for (size_t i = 0; i < r->entry_count && r->entries[i].data == r->entries[0].data; i++) {
        const struct sp_study_entry *e = &r->entries[i];
        struct series s;

        SP_TRY(series_of(&s, r, AVERAGE, e->method, e->budget));
        sp_document_cell(d, "%s", sp_study_method_name(r->study, e->method));
        sp_document_cell(d, "%s", sp_study_budget_label(r->study, e->budget));
        sp_document_cell(d, "%zu", s.count);
        sp_document_number(d, 4, s.mean);
        sp_document_number(d, 4, s.deviation);
        sp_document_row(d);
        free(s.scores);
    }
    sp_document_table_end(d);
    return 0;
}

/* One method against the reference. */
struct difference {
    size_t method, pairs;
    double mean, half; /* half of the 95 % interval's width */
    double p, adjusted, error;
};

static void compare(struct difference *out, const struct series *a, const struct series *b, size_t seeds)
{
    double *differences = sp_calloc(seeds, sizeof *differences), error;

    out->mean = out->half = out->p = NAN;
    out->error = sqrt(a->error * a->error + b->error * b->error);
    for (size_t s = 0; differences && s < seeds; s++)
        if (!isnan(a->scores[s]) && !isnan(b->scores[s]))
            differences[out->pairs++] = a->scores[s] - b->scores[s];
    if (out->pairs)
        out->mean = sp_statistics_mean(differences, out->pairs);
    if (out->pairs > 1) {
        double freedom = (double)(out->pairs - 1);

        error = sp_statistics_deviation(differences, out->pairs) / sqrt((double)out->pairs);
        out->half = error * sp_statistics_t_critical(LEVEL, freedom);
        if (error > 1e-12) /* else every seed gives the same, and there is no noise to measure by */
            out->p = sp_statistics_t_tails(out->mean / error, freedom);
        else if (fabs(out->mean) < 1e-12)
            out->p = 1;
    }
    free(differences);
}

/* The rows' error of the difference to the reference, from the rows themselves; NaN where they are not there. */
static double rows_error(const struct sp_study_report *r, size_t data, size_t method, size_t budget)
{
    size_t first = data == AVERAGE ? 0 : data, last = data == AVERAGE ? r->study->data_count - 1 : data;
    const struct sp_study_run **runs = sp_calloc(2 * r->seed_count, sizeof *runs);
    double squares = 0;

    for (size_t d = first; runs && d <= last; d++) {
        const struct sp_study_entry *e = sp_study_find_entry(r, d, method, budget);
        const struct sp_study_entry *reference = sp_study_find_entry(r, d, r->study->reference, budget);
        size_t pairs = 0;

        for (size_t s = 0; s < r->seed_count; s++) {
            const struct sp_study_run *a = sp_study_run_at(r, e, r->seeds[s]),
                                      *b = sp_study_run_at(r, reference, r->seeds[s]);

            if (!a || !b || !a->result || !b->result)
                continue;
            runs[pairs] = a;
            runs[r->seed_count + pairs++] = b;
        }
        squares += pow(sp_study_rows_error(r->study, runs, runs + r->seed_count, pairs), 2);
    }
    free(runs);
    return sqrt(squares) / (double)(last - first + 1);
}

static const char *verdict(const struct difference *x)
{
    if (x->pairs < 2)
        return "needs two seeds";
    if (isnan(x->p))
        return "no noise seen";
    if (!(x->adjusted < LEVEL))
        return "no";
    return isnan(x->error) || fabs(x->mean) > NORMAL_POINT * x->error ? "yes" : "on these rows only";
}

static void write_differences(struct sp_study_report *r, const struct difference *list, size_t count)
{
    struct sp_document *d = &r->d;

    sp_document_header(d, (const char *const[]){ "method", "seeds", "difference", "95 % interval", "p", "p by Holm",
                                                 "rows' error", "beyond noise", NULL });
    for (size_t i = 0; i < count; i++) {
        const struct difference *x = &list[i];

        sp_document_cell(d, "%s", sp_study_method_name(r->study, x->method));
        sp_document_cell(d, "%zu", x->pairs);
        if (x->pairs)
            sp_document_cell(d, "%+.4f", fabs(x->mean) < 5e-5 ? 0 : x->mean); /* no -0.0000 */
        else
            sp_document_cell(d, "-");
        if (x->pairs > 1)
            sp_document_cell(d, "%+.4f to %+.4f", x->mean - x->half, x->mean + x->half);
        else
            sp_document_cell(d, "-");
        sp_document_number(d, 4, x->p);
        sp_document_number(d, 4, x->adjusted);
        sp_document_number(d, 4, x->error);
        sp_document_cell(d, "%s", verdict(x));
        sp_document_row(d);
    }
    sp_document_table_end(d);
}

/* One method at that budget, or without one, against the reference's series. */
static int compare_method(struct difference *out, const struct sp_study_report *r, const struct series *reference,
                          size_t data, size_t method, size_t budget)
{
    struct series series;
    double error;

    SP_TRY(series_of(&series, r, data, method, budget));
    out->method = method;
    compare(out, &series, reference, r->seed_count);
    free(series.scores);
    error = rows_error(r, data, method, budget);
    out->error = isnan(error) ? out->error : error;
    return 0;
}

/* Holm's correction over the table. */
static int adjust(struct difference *list, size_t count)
{
    double *p = sp_calloc(count, sizeof *p), *adjusted = sp_calloc(count, sizeof *adjusted);
    bool there = p && adjusted;

    for (size_t i = 0; there && i < count; i++)
        p[i] = list[i].p;
    if (there)
        sp_statistics_holm(adjusted, p, count);
    for (size_t i = 0; there && i < count; i++)
        list[i].adjusted = adjusted[i];
    free(p);
    free(adjusted);
    return there ? 0 : SP_ENOMEM;
}

/* Every other method against the reference. */
static int differences_at(struct sp_study_report *r, size_t data, size_t budget)
{
    const struct sp_study *study = r->study;
    struct difference *list = sp_calloc(study->method_count, sizeof *list);
    struct series reference = { .scores = NULL };
    size_t count = 0, there = data == AVERAGE ? 0 : data;
    char title[256];
    int rc;

    SP_GO(list ? 0 : SP_ENOMEM);
    snprintf(title, sizeof title, "%s%s%s",
             data == AVERAGE ? "Mean over the data sets" : sp_study_data_name(study, data),
             budget == SP_STUDY_NONE ? "" : ", ", budget == SP_STUDY_NONE ? "" : study->budgets[budget].label);
    if (!sp_study_find_entry(r, there, study->reference, budget)) {
        sp_document_text(&r->d, "%s: %s has no run with this budget, so that nothing is compared with it.", title,
                         sp_study_method_name(study, study->reference));
        goto out;
    }
    SP_GO(series_of(&reference, r, data, study->reference, budget));
    for (size_t m = 0; m < study->method_count; m++)
        if (m != study->reference && sp_study_find_entry(r, there, m, budget))
            SP_GO(compare_method(&list[count++], r, &reference, data, m, budget));
    if (count) {
        SP_GO(adjust(list, count));
        sp_document_text(&r->d, "%s:", title);
        write_differences(r, list, count);
    }
out:
    free(reference.scores);
    free(list);
    return rc;
}

int sp_study_report_differences(struct sp_study_report *r)
{
    const struct sp_study *study = r->study;
    size_t last = study->data_count + has_average(r);

    if (study->method_count < 2)
        return 0;
    sp_document_heading(&r->d, "Differences beyond noise");
    sp_document_text(&r->d,
                     "Each method against %s, at the same budget and seed by seed. p: Student's t of the differences "
                     "over the seeds; p by Holm: corrected for the comparisons of its table; the interval is not. "
                     "rows' error: the standard error of the difference that comes of judging by so few rows. beyond "
                     "noise: yes, where p by Holm is below %.2f and the difference is more than %.2f such errors; on "
                     "these rows only, where the seeds agree but another sample of rows could say otherwise.",
                     sp_study_method_name(study, study->reference), LEVEL, NORMAL_POINT);
    if (r->seed_count > 1)
        sp_document_text(
            &r->d,
            "With %zu seeds a single difference must be %.1f times its standard error over the seeds to have p below "
            "%.2f, and more where several are compared: few seeds can show large differences only.",
            r->seed_count, sp_statistics_t_critical(LEVEL, (double)(r->seed_count - 1)), LEVEL);
    for (size_t i = 0; i < last; i++) {
        size_t data = i < study->data_count ? i : AVERAGE;

        for (size_t b = 0; b < study->budget_count; b++)
            SP_TRY(differences_at(r, data, b));
        if (!study->budget_count)
            SP_TRY(differences_at(r, data, SP_STUDY_NONE));
    }
    return 0;
}
