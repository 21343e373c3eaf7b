/*
 * What the parts of a study's report share (layer 6). An *entry* is a data set, method and budget at its best learning
 * rate.
 *
 *     report.c       the tables of results, and the files
 *     differences.c  means over the data sets, and which differences are beyond noise
 *     overlaps.c     what the masks have in common
 *     entries.c      what all three ask
 */
#ifndef SP_STUDY_REPORT_PRIV_H
#define SP_STUDY_REPORT_PRIV_H

#include "runtime/study/document.h"
#include "runtime/study/study.h"

struct sp_study_entry {
    size_t data, method, budget, rates; /* how many learning rates were tried */
    const struct sp_study_cell *cell;   /* of the best */
    struct sp_study_summary summary;
};

struct sp_study_report {
    const struct sp_study *study;
    struct sp_document d;
    struct sp_study_entry *entries;
    size_t entry_count;
    long long *seeds; /* each once */
    size_t seed_count;
};

/* Cells become entries, the learning rates of one lying side by side. */
int sp_study_make_entries(struct sp_study_report *report);

/* Whether the best of a metric ("loss") is its least. */
bool sp_study_lower_is_better(const char *metric);

/* "rank_equivalent 8", or "-" for SP_STUDY_NONE. */
const char *sp_study_budget_label(const struct sp_study *study, size_t budget);

/* The name of the metric that a data set's runs are judged by; "score" while none is done. */
const char *sp_study_report_metric(const struct sp_study_report *report, size_t data);

/* A method's entry with that budget, or with none of the study's; NULL when there is none. */
const struct sp_study_entry *sp_study_find_entry(const struct sp_study_report *report, size_t data, size_t method,
                                                 size_t budget);

/* An entry's run with that seed; NULL when there is none, or no entry. */
const struct sp_study_run *sp_study_run_at(const struct sp_study_report *report, const struct sp_study_entry *entry,
                                           long long seed);

/* The standard error of a score that comes from `rows` rows: binomial for an accuracy, the large-sample one of a
 * correlation; NaN for metrics without a simple one. */
double sp_study_sampling_error(const char *metric, double score, double rows);

/* The rows that a done run was evaluated on. */
double sp_study_rows(const struct sp_study_run *run);

/* The parts of the report that stand in files of their own. */
int sp_study_report_averages(struct sp_study_report *report);
int sp_study_report_differences(struct sp_study_report *report);
int sp_study_report_overlaps(struct sp_study_report *report);

#endif
