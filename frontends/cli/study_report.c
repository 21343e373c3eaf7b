/*
 * The report of a study. An *entry* is a data set, method and budget at its best learning rate. Two entries are compared seed
 * by seed: the same seed gives both the same order of rows, dropout and start of the head, so their difference holds less noise
 * than either. The mean difference is judged by Student's t over the seeds, corrected by Holm for the comparisons of one table,
 * and by the standard error that an evaluation set of so many rows has (doc/study.md).
 */
#include "frontends/cli/document.h"
#include "frontends/cli/heatmap.h"
#include "frontends/cli/overlap.h"
#include "frontends/cli/study.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/statistics.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 0.05 /* of all comparisons of a table together */
#define NORMAL_POINT 1.96
#define AVERAGE ((size_t)-2) /* as a data set: the mean over all of them */
#define SVG_LIMIT ((size_t)16 << 20)

struct entry {
    size_t data, method, budget, rates; /* how many learning rates were tried */
    const struct sp_study_cell *cell;   /* of the best */
    struct sp_study_summary summary;
};

struct report {
    const struct sp_study *study;
    struct sp_document d;
    struct entry *entries;
    size_t entry_count;
    long long *seeds; /* each once */
    size_t seed_count;
};

/* One method's scores by seed, NaN where a run is missing. */
struct series {
    double *scores;
    double mean, deviation, error; /* of those that are there; the evaluation set's standard error */
    size_t count;
};

static bool lower_is_better(const char *metric)
{
    return strcmp(metric, "loss") == 0 || strcmp(metric, "mse") == 0;
}

static const char *budget_label(const struct sp_study *study, size_t budget)
{
    return budget == SP_STUDY_NONE ? "-" : study->budgets[budget].label;
}

static const char *metric_of(const struct report *r, size_t data)
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

/* Cells become entries, the learning rates of one lying side by side. */
static int make_entries(struct report *r)
{
    const struct sp_study *study = r->study;

    r->entries = sp_calloc(study->cell_count, sizeof *r->entries);
    r->seeds = sp_calloc(study->run_count, sizeof *r->seeds);
    if (!r->entries || !r->seeds)
        return SP_ENOMEM;
    for (size_t i = 0; i < study->cell_count; i++) {
        const struct sp_study_run *run = &study->runs[study->cells[i].first];
        struct entry *e = r->entry_count ? &r->entries[r->entry_count - 1] : NULL;
        struct entry new = { run->data, run->method,      run->budget,
                             1,         &study->cells[i], sp_study_summarize(study, &study->cells[i]) };

        if (!e || e->data != new.data || e->method != new.method || e->budget != new.budget) {
            r->entries[r->entry_count++] = new;
            continue;
        }
        new.rates = e->rates + 1;
        e->rates = new.rates;
        if (better(&new.summary, &e->summary, lower_is_better(metric_of(r, new.data))))
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

/* A method's entry with that budget, or with none of the study's. */
static const struct entry *find(const struct report *r, size_t data, size_t method, size_t budget)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct entry *e = &r->entries[i];

        if (e->data == data && e->method == method && (e->budget == budget || e->budget == SP_STUDY_NONE))
            return e;
    }
    return NULL;
}

static const struct sp_study_run *run_at(const struct report *r, const struct entry *e, long long seed)
{
    for (size_t i = 0; e && i < e->cell->count; i++)
        if (r->study->runs[e->cell->first + i].config.seed == seed)
            return &r->study->runs[e->cell->first + i];
    return NULL;
}

/* The standard error of a score that comes from `rows` rows: binomial for an accuracy, the large-sample one of a correlation;
 * NaN for metrics without a simple one. */
static double sampling_error(const char *metric, double score, double rows)
{
    if (strcmp(metric, "accuracy") == 0)
        return sqrt(score * (1 - score) / rows);
    if (strcmp(metric, "pearson") == 0 || strcmp(metric, "spearman") == 0)
        return (1 - score * score) / sqrt(rows - 1);
    return NAN;
}

static double rows_of(const struct sp_study_run *run)
{
    return json_number_value(json_object_get(json_object_get(run->result, "after"), "rows"));
}

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

static int series_of(struct series *out, const struct report *r, size_t data, size_t method, size_t budget)
{
    size_t first = data == AVERAGE ? 0 : data, last = data == AVERAGE ? r->study->data_count - 1 : data;
    double squares = 0, parts = (double)(last - first + 1);

    *out = (struct series){ .scores = sp_calloc(r->seed_count, sizeof *out->scores) };
    if (!out->scores)
        return SP_ENOMEM;
    for (size_t d = first; d <= last; d++) {
        const struct entry *e = find(r, d, method, budget);
        double rows = 0;

        for (size_t s = 0; s < r->seed_count; s++) {
            const struct sp_study_run *run = run_at(r, e, r->seeds[s]);

            out->scores[s] += run && run->result ? sp_study_score(r->study, run) / parts : NAN;
            rows = run && run->result ? rows_of(run) : rows;
        }
        squares += e ? pow(sampling_error(metric_of(r, d), e->summary.score, rows), 2) : NAN;
    }
    out->error = sqrt(squares) / parts;
    finish_series(out, r->seed_count);
    return 0;
}

static void cell_number(struct sp_document *d, int digits, double value)
{
    if (isnan(value))
        sp_document_cell(d, "-");
    else
        sp_document_cell(d, "%.*f", digits, value);
}

static void header(struct sp_document *d, const char *const *names)
{
    sp_document_table(d);
    for (; *names; names++)
        sp_document_cell(d, "%s", *names);
    sp_document_row(d);
}

/* ---- results ---- */

static void results(struct report *r, size_t data)
{
    struct sp_document *d = &r->d;
    const char *metric = metric_of(r, data);
    char title[256];

    snprintf(title, sizeof title, "%s: %s", sp_study_data_name(r->study, data), metric);
    sp_document_heading(d, title);
    header(d, (const char *const[]){ "method", "budget", "learning rate", "seeds", "mean", "deviation", "rows' error",
                                     "trained", "seconds", "tokens/s", "peak MiB", NULL });
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct entry *e = &r->entries[i];
        const struct sp_study_run *run = &r->study->runs[e->cell->first];
        const struct sp_study_summary *s = &e->summary;

        if (e->data != data)
            continue;
        for (size_t k = 0; k < e->cell->count && !run->result; k++)
            run = &r->study->runs[e->cell->first + k];
        sp_document_cell(d, "%s", sp_study_method_name(r->study, e->method));
        sp_document_cell(d, "%s", budget_label(r->study, e->budget));
        sp_document_cell(d, "%g%s", r->study->runs[e->cell->first].config.learning_rate, e->rates > 1 ? " (best)" : "");
        sp_document_cell(d, "%zu of %zu", s->done, e->cell->count);
        cell_number(d, 4, s->score);
        cell_number(d, 4, s->deviation);
        cell_number(d, 4, s->done ? sampling_error(metric, s->score, rows_of(run)) : NAN);
        cell_number(d, 0, sp_study_number(run, "trained"));
        cell_number(d, 1, s->done ? s->seconds : NAN);
        cell_number(d, 0, s->done ? s->tokens_per_second : NAN);
        cell_number(d, 0, s->done ? s->peak_memory / 1048576 : NAN);
        sp_document_row(d);
    }
    sp_document_table_end(d);
}

/* Every learning rate, where several were tried. */
static void learning_rates(struct report *r)
{
    bool several = false;

    for (size_t i = 0; i < r->entry_count; i++)
        several = several || r->entries[i].rates > 1;
    if (!several)
        return;
    sp_document_heading(&r->d, "Learning rates");
    sp_document_text(&r->d,
                     "The best rate of each method was chosen by the same validation rows that it is judged by here, so the "
                     "figures of methods with several rates flatter them a little, and more the more rates there are.");
    header(&r->d, (const char *const[]){ "data set", "method", "budget", "learning rate", "seeds", "mean", "deviation", NULL });
    for (size_t i = 0; i < r->study->cell_count; i++) {
        const struct sp_study_cell *cell = &r->study->cells[i];
        const struct sp_study_run *run = &r->study->runs[cell->first];
        struct sp_study_summary s = sp_study_summarize(r->study, cell);

        sp_document_cell(&r->d, "%s", sp_study_data_name(r->study, run->data));
        sp_document_cell(&r->d, "%s", sp_study_method_name(r->study, run->method));
        sp_document_cell(&r->d, "%s", budget_label(r->study, run->budget));
        sp_document_cell(&r->d, "%g", run->config.learning_rate);
        sp_document_cell(&r->d, "%zu of %zu", s.done, cell->count);
        cell_number(&r->d, 4, s.score);
        cell_number(&r->d, 4, s.deviation);
        sp_document_row(&r->d);
    }
    sp_document_table_end(&r->d);
}

static bool has_average(const struct report *r)
{
    for (size_t i = 0; i < r->study->data_count; i++)
        if (lower_is_better(metric_of(r, i)))
            return false;
    return r->study->data_count > 1;
}

static int averages(struct report *r)
{
    struct sp_document *d = &r->d;

    if (!has_average(r))
        return 0;
    sp_document_heading(d, "Mean over the data sets");
    header(d, (const char *const[]){ "method", "budget", "seeds", "mean", "deviation", NULL });
    for (size_t i = 0; i < r->entry_count && r->entries[i].data == r->entries[0].data; i++) {
        const struct entry *e = &r->entries[i];
        struct series s;

        SP_TRY(series_of(&s, r, AVERAGE, e->method, e->budget));
        sp_document_cell(d, "%s", sp_study_method_name(r->study, e->method));
        sp_document_cell(d, "%s", budget_label(r->study, e->budget));
        sp_document_cell(d, "%zu", s.count);
        cell_number(d, 4, s.mean);
        cell_number(d, 4, s.deviation);
        sp_document_row(d);
        free(s.scores);
    }
    sp_document_table_end(d);
    return 0;
}

/* ---- differences ---- */

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
static double rows_error(const struct report *r, size_t data, size_t method, size_t budget)
{
    size_t first = data == AVERAGE ? 0 : data, last = data == AVERAGE ? r->study->data_count - 1 : data;
    const struct sp_study_run **runs = sp_calloc(2 * r->seed_count, sizeof *runs);
    double squares = 0;

    for (size_t d = first; runs && d <= last; d++) {
        const struct entry *e = find(r, d, method, budget), *reference = find(r, d, r->study->reference, budget);
        size_t pairs = 0;

        for (size_t s = 0; s < r->seed_count; s++) {
            const struct sp_study_run *a = run_at(r, e, r->seeds[s]), *b = run_at(r, reference, r->seeds[s]);

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

static void write_differences(struct report *r, const struct difference *list, size_t count)
{
    struct sp_document *d = &r->d;

    header(d, (const char *const[]){ "method", "seeds", "difference", "95 % interval", "p", "p by Holm", "rows' error",
                                     "beyond noise", NULL });
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
        cell_number(d, 4, x->p);
        cell_number(d, 4, x->adjusted);
        cell_number(d, 4, x->error);
        sp_document_cell(d, "%s", verdict(x));
        sp_document_row(d);
    }
    sp_document_table_end(d);
}

/* Every other method at that budget, or without one, against the reference. */
static int differences_at(struct report *r, size_t data, size_t budget)
{
    const struct sp_study *study = r->study;
    struct difference *list = sp_calloc(study->method_count, sizeof *list);
    double *p = sp_calloc(study->method_count, sizeof *p), *adjusted = sp_calloc(study->method_count, sizeof *adjusted);
    struct series reference = { .scores = NULL }, other;
    double error;
    size_t count = 0;
    int rc = list && p && adjusted ? 0 : SP_ENOMEM;

    if (rc == 0)
        rc = series_of(&reference, r, data, study->reference, budget);
    for (size_t m = 0; rc == 0 && m < study->method_count; m++) {
        if (m == study->reference || !find(r, data == AVERAGE ? 0 : data, m, budget))
            continue;
        rc = series_of(&other, r, data, m, budget);
        if (rc == 0) {
            list[count].method = m;
            compare(&list[count], &other, &reference, r->seed_count);
            error = rows_error(r, data, m, budget);
            list[count].error = isnan(error) ? list[count].error : error;
            p[count] = list[count].p;
            count++;
            free(other.scores);
        }
    }
    if (rc == 0 && count) {
        sp_statistics_holm(adjusted, p, count);
        for (size_t i = 0; i < count; i++)
            list[i].adjusted = adjusted[i];
        sp_document_text(&r->d, "%s%s%s:", data == AVERAGE ? "Mean over the data sets" : sp_study_data_name(study, data),
                         budget == SP_STUDY_NONE ? "" : ", ", budget == SP_STUDY_NONE ? "" : study->budgets[budget].label);
        write_differences(r, list, count);
    }
    free(reference.scores);
    free(adjusted);
    free(p);
    free(list);
    return rc;
}

static int differences(struct report *r)
{
    const struct sp_study *study = r->study;
    size_t last = study->data_count + has_average(r);

    if (study->method_count < 2)
        return 0;
    sp_document_heading(&r->d, "Differences beyond noise");
    sp_document_text(
        &r->d,
        "Each method against %s, at the same budget and seed by seed. p: Student's t of the differences over the seeds; "
        "p by Holm: corrected for the comparisons of its table; the interval is not. rows' error: the standard error of "
        "the difference that comes of judging by so few rows. beyond noise: yes, where p by Holm is below %.2f and the "
        "difference is more than "
        "%.2f such errors; on these rows only, where the seeds agree but another sample of rows could say otherwise.",
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

/* ---- overlap ---- */

/* The masks of one data set and budget: [entry][seed], path NULL where there is none. */
struct masks {
    const struct entry **entries;
    struct sp_positions *positions;
    char **paths;
    size_t count, seeds;
};

static void free_masks(struct masks *m)
{
    for (size_t i = 0; m->positions && m->paths && i < m->count * m->seeds; i++) {
        sp_positions_close(&m->positions[i]);
        free(m->paths[i]);
    }
    free(m->positions);
    free(m->paths);
    free(m->entries);
}

static int open_masks(struct masks *m, const struct report *r, size_t data, size_t budget)
{
    *m = (struct masks){ .seeds = r->seed_count };
    m->entries = sp_calloc(r->entry_count, sizeof *m->entries);
    for (size_t i = 0; m->entries && i < r->entry_count; i++)
        if (r->entries[i].data == data && r->entries[i].budget == budget)
            m->entries[m->count++] = &r->entries[i];
    m->positions = sp_calloc(m->count * m->seeds, sizeof *m->positions);
    m->paths = sp_calloc(m->count * m->seeds, sizeof *m->paths);
    if (!m->entries || !m->positions || !m->paths)
        return SP_ENOMEM;
    for (size_t i = 0; i < m->count * m->seeds; i++) {
        const struct sp_study_run *run = run_at(r, m->entries[i / m->seeds], r->seeds[i % m->seeds]);

        if (!run || !run->result)
            continue;
        m->paths[i] = sp_fs_join(run->config.output_dir, "adapter");
        if (!m->paths[i])
            return SP_ENOMEM;
        (void)sp_positions_open(&m->positions[i], m->paths[i]); /* full, head, or gone: no positions, shown as a gap */
    }
    return 0;
}

/* The mean Jaccard overlap of two entries with the same seed; of an entry with itself, between its seeds. */
static double mean_overlap(const struct masks *m, size_t a, size_t b)
{
    double sum = 0;
    size_t count = 0;

    for (size_t s = 0; s < m->seeds; s++)
        for (size_t t = a == b ? s + 1 : s; t < (a == b ? m->seeds : s + 1); t++) {
            const struct sp_positions *x = &m->positions[a * m->seeds + s], *y = &m->positions[b * m->seeds + t];

            if (!x->count || !y->count)
                continue;
            sum += sp_overlap_jaccard(sp_overlap_total(x, y));
            count++;
        }
    return count ? sum / (double)count : NAN;
}

static void write_overlaps(struct report *r, const char *title, const char *const *names, const double *values, size_t count)
{
    struct sp_heatmap map = { title, count, count, names, names, values };
    struct sp_buf svg = SP_BUF(SVG_LIMIT);

    sp_document_text(&r->d, "%s:", title);
    sp_document_table(&r->d);
    sp_document_cell(&r->d, "method");
    for (size_t i = 0; i < count; i++)
        sp_document_cell(&r->d, "%s", names[i]);
    sp_document_row(&r->d);
    for (size_t i = 0; i < count; i++) {
        sp_document_cell(&r->d, "%s", names[i]);
        for (size_t k = 0; k < count; k++)
            cell_number(&r->d, 3, values[i * count + k]);
        sp_document_row(&r->d);
    }
    sp_document_table_end(&r->d);
    if (sp_heatmap_svg(&svg, &map) == 0)
        sp_document_figure(&r->d, svg.data);
    sp_buf_free(&svg);
}

static int overlap_at(struct report *r, size_t data, size_t budget)
{
    struct masks m = { .count = 0 };
    const char **names = NULL;
    double *values = NULL;
    char title[256];
    size_t shown = 0;
    int rc;

    SP_GO(open_masks(&m, r, data, budget));
    for (size_t i = 0; i < m.count; i++) { /* those that have positions move to the front */
        bool any = false;

        for (size_t s = 0; s < m.seeds; s++)
            any = any || m.positions[i * m.seeds + s].count;
        if (!any)
            continue;
        for (size_t s = 0; s < m.seeds && shown < i; s++) {
            struct sp_positions keep = m.positions[shown * m.seeds + s];

            m.positions[shown * m.seeds + s] = m.positions[i * m.seeds + s];
            m.positions[i * m.seeds + s] = keep;
        }
        m.entries[shown++] = m.entries[i];
    }
    names = sp_calloc(shown, sizeof *names);
    values = sp_calloc(shown * shown, sizeof *values);
    SP_GO(names && values ? 0 : SP_ENOMEM);
    for (size_t i = 0; i < shown; i++) {
        names[i] = sp_study_method_name(r->study, m.entries[i]->method);
        for (size_t k = 0; k < shown; k++)
            values[i * shown + k] = mean_overlap(&m, i, k);
    }
    snprintf(title, sizeof title, "%s%s%s", sp_study_data_name(r->study, data), budget == SP_STUDY_NONE ? "" : ", ",
             budget == SP_STUDY_NONE ? "" : r->study->budgets[budget].label);
    if (shown)
        write_overlaps(r, title, names, values, shown);
out:
    free(names);
    free(values);
    free_masks(&m);
    return rc;
}

static int overlaps(struct report *r)
{
    sp_document_heading(&r->d, "Overlap of the masks");
    sp_document_text(
        &r->d,
        "Jaccard: positions that two adapters of the same seed both have, among those that either has; the mean over the "
        "seeds. On the diagonal: between the seeds of one method.");
    for (size_t data = 0; data < r->study->data_count; data++) {
        for (size_t b = 0; b < r->study->budget_count; b++)
            SP_TRY(overlap_at(r, data, b));
        SP_TRY(overlap_at(r, data, SP_STUDY_NONE));
    }
    return 0;
}

/* ---- the whole ---- */

static void introduce(struct report *r)
{
    const struct sp_study *study = r->study;
    const struct sp_study_run *one = NULL;
    size_t done = 0;
    char text[256];

    for (size_t i = 0; i < study->run_count; i++) {
        done += study->runs[i].result != NULL;
        one = study->runs[i].result ? &study->runs[i] : one;
    }
    sp_document_text(&r->d, "%s%s%s: %zu of %zu runs are done.", study->path,
                     study->suffix[0] ? ", the part of it called " : "", study->suffix + (study->suffix[0] == '-'), done,
                     study->run_count);
    if (one)
        sp_document_text(
            &r->d,
            "speft-cl %s on %s. Scores are of the validation file after training. deviation: the standard deviation over "
            "the seeds. rows' error: the standard error that a score has from so few rows. seconds: of the whole run, "
            "start and evaluation included; tokens/s: of the training loop. Peak memory is the process's.",
            json_string_value(json_object_get(one->result, "version")),
            json_string_value(json_object_get(one->result, "device")));
    for (size_t i = 0; i < study->run_count; i++) {
        if (!study->runs[i].error)
            continue;
        sp_study_describe(text, sizeof text, study, &study->runs[i]);
        sp_document_item(&r->d, "failed: %s, %s: %s", sp_study_data_name(study, study->runs[i].data), text,
                         study->runs[i].error);
    }
}

/* One line of results.jsonl. */
static int add_line(struct sp_buf *out, const struct sp_study *study, const struct sp_study_run *run)
{
    const struct sp_study_budget *b = run->budget == SP_STUDY_NONE ? NULL : &study->budgets[run->budget];
    double score = sp_study_score(study, run);
    json_t *line = json_pack(
        "{s:s, s:s, s:o, s:f, s:I, s:s, s:s, s:o, s:s?, s:O?}", "data", sp_study_data_name(study, run->data), "method",
        sp_study_method_name(study, run->method), "budget", b ? json_pack("{s:f}", b->key, b->value) : json_null(),
        "learning_rate", run->config.learning_rate, "seed", (json_int_t)run->config.seed, "output_dir", run->config.output_dir,
        "metric", sp_study_score_name(study, run), "score", isnan(score) ? json_null() : json_real(score),
        "error", run->error, "result", run->result);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    int rc = text ? sp_buf_printf(out, "%s\n", text) : sp_error(SP_EINVAL, "a result cannot be written as JSON");

    free(text);
    json_decref(line);
    return rc;
}

static int write_lines(struct sp_buf *out, const struct sp_study *study)
{
    for (size_t i = 0; i < study->run_count; i++)
        SP_TRY(add_line(out, study, &study->runs[i]));
    return 0;
}

static int write_all(struct report *r)
{
    char title[256];

    snprintf(title, sizeof title, "Study %s", r->study->name);
    sp_document_open(&r->d, title);
    SP_TRY(make_entries(r));
    introduce(r);
    for (size_t i = 0; i < r->study->data_count; i++)
        results(r, i);
    SP_TRY(averages(r));
    learning_rates(r);
    SP_TRY(differences(r));
    return overlaps(r);
}

/* Replaces the three files, the first only when what is to become of each is written. */
static int save(const struct sp_study *study, const struct sp_buf *const texts[3])
{
    static const char *const kinds[3][2] = { { "report", "md" }, { "report", "html" }, { "results", "jsonl" } };
    struct sp_fs_writer writers[3] = { { NULL, NULL, NULL } };
    char *path = NULL;
    int rc = 0;

    for (size_t i = 0; i < 3; i++) {
        free(path);
        path = sp_asprintf("%s/%s%s.%s", study->output_dir, kinds[i][0], study->suffix, kinds[i][1]);
        SP_GO(path ? sp_fs_writer_open(&writers[i], path) : SP_ENOMEM);
        if (fwrite(texts[i]->data, 1, texts[i]->length, writers[i].file) != texts[i]->length || fflush(writers[i].file) != 0)
            SP_GO(sp_error(SP_EIO, "cannot write %s: %s", path, strerror(errno)));
    }
    for (size_t i = 0; i < 3; i++)
        SP_GO(sp_fs_writer_commit(&writers[i]));
out:
    for (size_t i = 0; i < 3; i++)
        sp_fs_writer_abandon(&writers[i]);
    free(path);
    return rc;
}

int sp_study_report(const struct sp_study *study)
{
    struct report r = { .study = study };
    struct sp_buf lines = SP_BUF((size_t)1 << 30);
    int rc;

    SP_GO(write_all(&r));
    SP_GO(sp_document_end(&r.d));
    SP_GO(write_lines(&lines, study));
    SP_GO(sp_fs_mkdirs(study->output_dir));
    SP_GO(save(study, (const struct sp_buf *const[]){ &r.d.markdown, &r.d.html, &lines }));
out:
    sp_document_close(&r.d);
    sp_buf_free(&lines);
    free(r.entries);
    free(r.seeds);
    return rc;
}
