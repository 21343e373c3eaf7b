/*
 * A study (layer 6): a grid of data sets, methods, budgets, learning rates and seeds over one base configuration, read
 * from STUDY.yaml (doc/study.md), run one after the other in processes of their own, and reported.
 *
 *     file.c         reads the file
 *     grid.c         every run with its resolved configuration
 *     run.c          what is done, and doing one run
 *     report.c       report.md, report.html, results.jsonl
 *     differences.c  its part on differences beyond noise
 *     overlaps.c     its part on the masks' overlap
 *     rows.c         the noise of the validation rows
 *
 * Runs lie in the order data, method, budget, learning rate, seed: the seeds of one cell are neighbours. Threading: one
 * thread.
 */
#ifndef SP_STUDY_H
#define SP_STUDY_H

#include "runtime/base/json.h"
#include "runtime/train/config.h"

#include <stdbool.h>
#include <stddef.h>

#define SP_STUDY_NONE ((size_t)-1) /* a method without a budget of the study's */

/* A data set or a method. */
struct sp_study_item;

struct sp_study_budget {
    const char *key; /* "rank_equivalent" */
    double value;
    char label[64]; /* "rank_equivalent 8" */
};

struct sp_study_run {
    size_t data, method, budget; /* numbers in the study's lists */
    struct sp_config config;     /* resolved; output_dir is the run's folder */
    json_t *result;              /* result.json, NULL until it is done */
    char *error;                 /* why it failed, or NULL */
};

/* The runs of one data set, method, budget and learning rate: one for each seed. */
struct sp_study_cell {
    size_t first, count;
};

/* A base model or a data file as it is now. */
struct sp_study_input {
    char *name, *checksum; /* checksum NULL: it cannot be read */
    bool is_model;
};

struct sp_study {
    char *path, *name; /* the file, and its name without folder and suffix */
    char *output_dir;
    char suffix[128]; /* of the report's files: "", or "-seeds-9" where --set asks for another grid than the file's */
    struct sp_study_item *data, *methods;
    size_t data_count, method_count;
    size_t reference; /* the method that the others are compared with */
    struct sp_study_budget *budgets;
    size_t budget_count, budget_capacity;
    struct sp_study_run *runs;
    size_t run_count, run_capacity;
    struct sp_study_cell *cells;
    size_t cell_count, cell_capacity;
    struct sp_study_input *inputs; /* that runs were held against, with their checksums */
    size_t input_count, input_capacity;
    struct sp_study_texts *texts; /* what the file and those that it names hold */
};

/* Reads the file and lays out the grid; overrides as --set gives them. Mistakes are SP_ECONFIG with their place.
 * Release in any case. */
int sp_study_load(struct sp_study *out, const char *path, const char *const *overrides, size_t count);
void sp_study_release(struct sp_study *study);

const char *sp_study_data_name(const struct sp_study *study, size_t data);
const char *sp_study_method_name(const struct sp_study *study, size_t method);

/* The metric that the data set is compared by, NULL for the task's own (accuracy, pearson). */
const char *sp_study_metric(const struct sp_study *study, size_t data);

/* SP_ECONFIG with the metric's place when the run's task, as its result or its configuration says, does not have
 * the metric. */
int sp_study_check_metric(const struct sp_study *study, const struct sp_study_run *run);

/* "gradient, rank_equivalent 8, learning rate 0.001, seed 42", for people. */
void sp_study_describe(char *out, size_t size, const struct sp_study *study, const struct sp_study_run *run);

/* Loads the run's result when it is there with its adapter, was made by this version of the program from the model and
 * the data files as they are now, and its folder's configuration is the run's (but for paths); else the error that it
 * ended with, if it failed. A model or a data file that cannot be read cannot speak against a result. */
int sp_study_check(struct sp_study *study, struct sp_study_run *run);

/* The next check reads models and data files anew. */
void sp_study_forget_inputs(struct sp_study *study);

/* Trains in a child process; `tick` is called several times a second with the last line that it wrote. A run that fails
 * leaves run->error and returns 0; SP_EINTR when it was interrupted. */
int sp_study_train(struct sp_study *study, struct sp_study_run *run, void (*tick)(void *user, const char *line),
                   void *user);

/* The name of the run's metric, and its value on the validation file; NaN without a result. */
const char *sp_study_score_name(const struct sp_study *study, const struct sp_study_run *run);

/* The task of a run that is done, else its configuration's; NULL: not known yet. */
const struct sp_task *sp_study_task(const struct sp_study_run *run);
double sp_study_score(const struct sp_study *study, const struct sp_study_run *run);

/* A number of result.json ("seconds"), NaN without a result. */
double sp_study_number(const struct sp_study_run *run, const char *key);

/* Means over the done runs of a cell. */
struct sp_study_summary {
    size_t done, failed;
    double score, deviation; /* NaN where there is none */
    double seconds, tokens_per_second, peak_memory;
};
struct sp_study_summary sp_study_summarize(const struct sp_study *study, const struct sp_study_cell *cell);

/* The standard error, over the validation rows, of the mean difference of `pairs` runs a[i] and b[i] of one data set;
 * NaN where the metric is neither accuracy nor pearson, or the rows' predictions are not there. */
double sp_study_rows_error(const struct sp_study *study, const struct sp_study_run *const *a,
                           const struct sp_study_run *const *b, size_t pairs);

/* Writes report.md, report.html and results.jsonl, with the suffix in their names, to the study's folder: all or
 * none. */
int sp_study_report(const struct sp_study *study);

#define SP_STUDY_LOCK "study.lock" /* of the study's folder (runtime/base/lock.h) */

/* SP_ECONFIG where a file of the study's own folder, its lock too, would replace what it or its runs read: the study
 * and what it names, configurations, data, models. */
int sp_study_report_spare_inputs(const struct sp_study *study);

/* Whether the report could be written, before the runs. */
int sp_study_report_check(const struct sp_study *study);

#endif
