/*
 * The report of a study: its tables of results here, what is beyond noise in differences.c, the masks in overlaps.c
 * (doc/study.md).
 */
#include "runtime/study/file_priv.h"
#include "runtime/study/report_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/train/inputs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- results ---- */

static void results(struct sp_study_report *r, size_t data)
{
    struct sp_document *d = &r->d;
    const char *metric = sp_study_report_metric(r, data);
    char title[256];

    snprintf(title, sizeof title, "%s: %s", sp_study_data_name(r->study, data), metric);
    sp_document_heading(d, title);
    sp_document_header(d, (const char *const[]){ "method", "budget", "learning rate", "seeds", "mean", "deviation",
                                                 "rows' error", "trained", "seconds", "tokens/s", "peak MiB", NULL });
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct sp_study_entry *e = &r->entries[i];
        const struct sp_study_run *run = &r->study->runs[e->cell->first];
        const struct sp_study_summary *s = &e->summary;

        if (e->data != data)
            continue;
        for (size_t k = 0; k < e->cell->count && !run->result; k++)
            run = &r->study->runs[e->cell->first + k];
        sp_document_cell(d, "%s", sp_study_method_name(r->study, e->method));
        sp_document_cell(d, "%s", sp_study_budget_label(r->study, e->budget));
        sp_document_cell(d, "%g%s", r->study->runs[e->cell->first].config.learning_rate, e->rates > 1 ? " (best)" : "");
        sp_document_cell(d, "%zu of %zu", s->done, e->cell->count);
        sp_document_number(d, 4, s->score);
        sp_document_number(d, 4, s->deviation);
        sp_document_number(d, 4, s->done ? sp_study_sampling_error(metric, s->score, sp_study_rows(run)) : NAN);
        sp_document_number(d, 0, sp_study_number(run, "trained"));
        sp_document_number(d, 1, s->done ? s->seconds : NAN);
        sp_document_number(d, 0, s->done ? s->tokens_per_second : NAN);
        sp_document_number(d, 0, s->done ? s->peak_memory / 1048576 : NAN);
        sp_document_row(d);
    }
    sp_document_table_end(d);
}

/* Every learning rate, where several were tried. */
static void learning_rates(struct sp_study_report *r)
{
    bool several = false;

    for (size_t i = 0; i < r->entry_count; i++)
        several = several || r->entries[i].rates > 1;
    if (!several)
        return;
    sp_document_heading(&r->d, "Learning rates");
    sp_document_text(&r->d, "The best rate of each method was chosen by the same validation rows that it is judged by "
                            "here, so the figures of methods with several rates flatter them a little, and more the "
                            "more rates there are.");
    sp_document_header(&r->d, (const char *const[]){ "data set", "method", "budget", "learning rate", "seeds", "mean",
                                                     "deviation", NULL });
    for (size_t i = 0; i < r->study->cell_count; i++) {
        const struct sp_study_cell *cell = &r->study->cells[i];
        const struct sp_study_run *run = &r->study->runs[cell->first];
        struct sp_study_summary s = sp_study_summarize(r->study, cell);

        sp_document_cell(&r->d, "%s", sp_study_data_name(r->study, run->data));
        sp_document_cell(&r->d, "%s", sp_study_method_name(r->study, run->method));
        sp_document_cell(&r->d, "%s", sp_study_budget_label(r->study, run->budget));
        sp_document_cell(&r->d, "%g", run->config.learning_rate);
        sp_document_cell(&r->d, "%zu of %zu", s.done, cell->count);
        sp_document_number(&r->d, 4, s.score);
        sp_document_number(&r->d, 4, s.deviation);
        sp_document_row(&r->d);
    }
    sp_document_table_end(&r->d);
}

/* ---- the whole ---- */

static const char *device_of(const struct sp_study_run *run)
{
    const char *name = json_string_value(json_object_get(run->result, "device"));

    return name ? name : "";
}

/* Each device with its runs: times and memory of several do not compare. */
static void devices(struct sp_study_report *r)
{
    const struct sp_study *study = r->study;

    for (size_t i = 0; i < study->run_count; i++) {
        bool seen = false;
        size_t count = 0;

        for (size_t k = 0; study->runs[i].result && k < study->run_count; k++)
            if (study->runs[k].result && strcmp(device_of(&study->runs[k]), device_of(&study->runs[i])) == 0) {
                seen = seen || k < i;
                count++;
            }
        if (count && !seen)
            sp_document_item(&r->d, "%zu on %s", count, device_of(&study->runs[i]));
    }
}

static void introduce(struct sp_study_report *r)
{
    const struct sp_study *study = r->study;
    size_t done = 0;
    char text[256];

    for (size_t i = 0; i < study->run_count; i++)
        done += study->runs[i].result != NULL;
    sp_document_text(&r->d, "%s%s%s: %zu of %zu runs are done, by speft-cl %s:", study->path,
                     study->suffix[0] ? ", the part of it called " : "", study->suffix + (study->suffix[0] == '-'),
                     done, study->run_count, PACKAGE_VERSION);
    devices(r);
    sp_document_text(&r->d, "Scores are of the validation file after training. deviation: the standard deviation over "
                            "the seeds. rows' error: the standard error that a score has from so few rows. seconds: of "
                            "the whole run, start and evaluation included; tokens/s: of the training loop. Peak memory "
                            "is the process's.");
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
    json_t *line = json_pack("{s:s, s:s, s:o, s:f, s:I, s:s, s:s, s:o, s:s?, s:O?}", "data",
                             sp_study_data_name(study, run->data), "method", sp_study_method_name(study, run->method),
                             "budget", b ? json_pack("{s:f}", b->key, b->value) : json_null(), "learning_rate",
                             run->config.learning_rate, "seed", (json_int_t)run->config.seed, "output_dir",
                             run->config.output_dir, "metric", sp_study_score_name(study, run), "score",
                             isnan(score) ? json_null() : json_real(score), "error", run->error, "result", run->result);
    char *text = line ? sp_json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
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

static int write_all(struct sp_study_report *r)
{
    char title[256];

    snprintf(title, sizeof title, "Study %s", r->study->name);
    sp_document_open(&r->d, title);
    SP_TRY(sp_study_make_entries(r));
    introduce(r);
    for (size_t i = 0; i < r->study->data_count; i++)
        results(r, i);
    SP_TRY(sp_study_report_averages(r));
    learning_rates(r);
    SP_TRY(sp_study_report_differences(r));
    return sp_study_report_overlaps(r);
}

static char *file_path(const struct sp_study *study, size_t i)
{
    static const char *const kinds[3][2] = { { "report", "md" }, { "report", "html" }, { "results", "jsonl" } };

    return sp_asprintf("%s/%s%s.%s", study->output_dir, kinds[i][0], study->suffix, kinds[i][1]);
}

static int spare_texts(const struct sp_study *study, const char *path)
{
    for (size_t i = 0; i < study->texts->count; i++) /* and what --set gives, which no file is called as */
        SP_TRY(sp_inputs_spare_file(study->texts->list[i]->path, "of the study", "output_dir", path, "the study"));
    return 0;
}

static int spare_inputs(const struct sp_study *study, const char *const paths[5])
{
    const char *model = "";

    for (size_t i = 0; paths[i]; i++) {
        SP_TRY(spare_texts(study, paths[i]));
        for (size_t r = 0; r < study->run_count; r++)
            SP_TRY(sp_inputs_spare_named(&study->runs[r].config, "output_dir", paths[i], "the study"));
    }
    for (size_t r = 0; r < study->run_count; r++) {
        const struct sp_config *config = &study->runs[r].config;

        if (strcmp(config->model_name_or_path, model) != 0) /* many runs in a row are of one */
            SP_TRY(sp_inputs_spare_model(config, "output_dir", paths, "the study"));
        model = config->model_name_or_path;
    }
    return 0;
}

int sp_study_report_spare_inputs(const struct sp_study *study)
{
    char *paths[5] = { NULL };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < 4; i++) {
        paths[i] = i < 3 ? file_path(study, i) : sp_fs_join(study->output_dir, SP_STUDY_LOCK);
        rc = paths[i] ? 0 : SP_ENOMEM;
    }
    if (rc == 0)
        rc = spare_inputs(study, (const char *const *)paths);
    for (size_t i = 0; i < 4; i++)
        free(paths[i]);
    return rc;
}

int sp_study_report_check(const struct sp_study *study)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < 3; i++) {
        char *path = file_path(study, i);

        rc = path ? sp_fs_check_writable(path) : SP_ENOMEM;
        free(path);
    }
    return rc;
}

/* Replaces the three files, the first only when what is to become of each is written. */
static int save(const struct sp_study *study, const struct sp_buf *const texts[3])
{
    struct sp_fs_writer writers[3] = { { .file = NULL } };
    char *path = NULL;
    int rc = 0;

    for (size_t i = 0; i < 3; i++) {
        free(path);
        path = file_path(study, i);
        SP_GO(path ? sp_fs_writer_open(&writers[i], path) : SP_ENOMEM);
        if (sp_fs_writer_put(&writers[i], texts[i]->data, texts[i]->length) < 0 || fflush(writers[i].file) != 0) {
            errno = writers[i].reason ? writers[i].reason : errno;
            SP_GO(sp_fs_error("write", path)); /* by the report's own name, be it a link */
        }
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
    struct sp_study_report r = { .study = study };
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
