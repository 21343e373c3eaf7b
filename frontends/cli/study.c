/* speft-cl study: runs a grid of methods, budgets, learning rates and seeds, and reports which differences are beyond
 * noise. */
#include "frontends/cli/command.h"
#include "frontends/cli/terminal.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/lock.h"
#include "runtime/base/log.h"
#include "runtime/io/checkpoint.h"
#include "runtime/study/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.5
#define LINE_SIZE 256

/* ---- the live table on a terminal, drawn over itself; elsewhere a line a run ---- */

struct view {
    const struct sp_study *study;
    bool quiet, terminal;
    size_t current; /* the running run */
    size_t ran;     /* in this call */
    double started, drawn;
    size_t lines; /* that stand on the terminal */
};

static void open_view(struct view *view, const struct sp_study *study, bool quiet)
{
    const char *term = getenv("TERM");

    *view = (struct view){ .study = study, .quiet = quiet, .started = sp_clock_now() };
    view->terminal = !quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* A cell's line of a table: method, budget, rate, seeds, score, time, memory. */
static void cell_line(char *out, size_t size, const struct sp_study *study, const struct sp_study_cell *cell)
{
    const struct sp_study_run *run = &study->runs[cell->first];
    struct sp_study_summary s = sp_study_summarize(study, cell);
    char score[64] = "", cost[64] = "", rate[32];

    if (s.done && !isnan(s.deviation))
        snprintf(score, sizeof score, "%.4f +- %.4f", s.score, s.deviation);
    else if (s.done)
        snprintf(score, sizeof score, "%.4f", s.score);
    if (s.done)
        snprintf(cost, sizeof cost, "%6.0f s  %6.0f MiB", s.seconds, s.peak_memory / 1048576);
    snprintf(rate, sizeof rate, "%g", run->config.learning_rate);
    snprintf(out, size, "%-18s %-20s %-8s %zu/%zu%s  %-17s %s", sp_study_method_name(study, run->method),
             run->budget == SP_STUDY_NONE ? "" : study->budgets[run->budget].label, rate, s.done, cell->count,
             s.failed ? " failed" : "", score, cost);
}

static void erase(struct view *view)
{
    if (view->lines)
        fprintf(stderr, "\r\033[%zuA\033[J", view->lines);
    view->lines = 0;
}

static void put(struct view *view, const char *text, size_t width)
{
    char shown[2 * LINE_SIZE];
    size_t length = sp_terminal_escape(shown, sizeof shown, text, strlen(text));

    fprintf(stderr, "%.*s\n", (int)(length < width ? length : width), shown);
    view->lines++;
}

static size_t count_done(const struct sp_study *study)
{
    size_t done = 0;

    for (size_t i = 0; i < study->run_count; i++)
        done += study->runs[i].result != NULL;
    return done;
}

/* "study glue: 37 of 180 runs done, about 62 min left" */
static void headline(char *out, size_t size, const struct view *view)
{
    const struct sp_study *study = view->study;
    size_t done = count_done(study), length;

    snprintf(out, size, "study %s: %zu of %zu runs done", study->name, done, study->run_count);
    length = strlen(out);
    if (view->ran && length < size) {
        double left = (sp_clock_now() - view->started) / (double)view->ran * (double)(study->run_count - done);

        snprintf(out + length, size - length, ", about %.0f min left", ceil(left / 60));
    }
}

static void draw(struct view *view, const char *line)
{
    const struct sp_study *study = view->study;
    size_t data = study->runs[view->current].data, current = 0, first = 0, room, width, end;
    struct winsize window;
    char text[LINE_SIZE];
    bool sized = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 6 && window.ws_col > 20;

    room = sized ? window.ws_row - 5u : 19;
    width = sized ? window.ws_col - 1u : 79;
    while (current + 1 < study->cell_count && study->cells[current + 1].first <= view->current)
        current++;
    while (study->runs[study->cells[first].first].data != data)
        first++;
    if (current - first >= room)
        first = current - room + 1;
    end = first + room;
    erase(view);
    headline(text, sizeof text, view);
    put(view, text, width);
    snprintf(text, sizeof text, "  %s", sp_study_data_name(study, data));
    put(view, text, width);
    for (size_t i = first; i < end && i < study->cell_count && study->runs[study->cells[i].first].data == data; i++) {
        text[0] = i == current ? '>' : ' ';
        text[1] = ' ';
        cell_line(text + 2, sizeof text - 2, study, &study->cells[i]);
        put(view, text, width);
    }
    snprintf(text, sizeof text, "  seed %lld: %.200s", study->runs[view->current].config.seed, line);
    put(view, text, width);
}

/* `line` is what the running run says. */
static void tick(void *user, const char *line)
{
    struct view *view = user;
    double now = sp_clock_now();

    if (!view->terminal || now - view->drawn < REDRAW_SECONDS)
        return;
    view->drawn = now;
    draw(view, line);
}

static void finish_run(struct view *view)
{
    const struct sp_study *study = view->study;
    const struct sp_study_run *run = &study->runs[view->current];
    char text[LINE_SIZE];

    view->ran++;
    sp_study_describe(text, sizeof text, study, run);
    if (run->error) {
        erase(view);
        sp_log(SP_LOG_WARNING, "run %zu of %zu failed: %s, %s: %s", view->current + 1, study->run_count,
               sp_study_data_name(study, run->data), text, run->error);
    } else if (!view->terminal) {
        sp_log(SP_LOG_INFO, "run %zu of %zu: %s, %s: %s %.4f in %.1f s", view->current + 1, study->run_count,
               sp_study_data_name(study, run->data), text, sp_study_score_name(study, run), sp_study_score(study, run),
               sp_study_number(run, "total_seconds"));
    }
}

static void close_view(struct view *view)
{
    erase(view);
}

/* ---- the command ---- */

/* What every run needs, before the first one starts. */
static int check_inputs(const struct sp_study *study)
{
    for (size_t i = 0; i < study->run_count; i++) {
        const struct sp_config *c = &study->runs[i].config;
        const char *data = sp_study_data_name(study, study->runs[i].data);
        char *model;

        if (i > 0 && study->runs[i].data == study->runs[i - 1].data)
            continue;
        for (size_t k = 0; sp_config_input(k); k++)
            if (sp_config_require(c, sp_config_input(k)) < 0)
                return sp_error_context(SP_ECONFIG, "data set %s", data);
        if (sp_checkpoint_resolve(&model, c->model_name_or_path) < 0)
            return sp_error_context(SP_ECONFIG, "data set %s", data);
        free(model);
        if (!sp_fs_exists(c->train_file) || !sp_fs_exists(c->validation_file))
            return sp_error(SP_ECONFIG,
                            "data set %s: there is no file %s: name it in the study, or with --set data.%s.%s=FILE",
                            data, sp_fs_exists(c->train_file) ? c->validation_file : c->train_file, data,
                            sp_fs_exists(c->train_file) ? "validation_file" : "train_file");
    }
    return 0;
}

static void list(const struct sp_study *study)
{
    size_t done = 0;
    char text[256];

    for (size_t i = 0; i < study->run_count; i++) {
        const struct sp_study_run *run = &study->runs[i];

        sp_study_describe(text, sizeof text, study, run);
        sp_terminal_print("%-6s %s: %s  %s", run->result ? "done" : run->error ? "failed" : "-",
                          sp_study_data_name(study, run->data), text, run->config.output_dir);
        done += run->result != NULL;
    }
    printf("%zu of %zu runs are done\n", done, study->run_count);
}

/* Every run that is not done. */
static int train_all(struct sp_study *study, bool quiet)
{
    struct view view;
    size_t done = 0;
    int rc = 0;

    open_view(&view, study, quiet);
    for (size_t i = 0; rc == 0 && i < study->run_count; i++) {
        if (study->runs[i].result)
            continue;
        view.current = i;
        rc = sp_interrupted() ? SP_EINTR : sp_study_train(study, &study->runs[i], tick, &view);
        if (rc == 0)
            rc = sp_study_check_metric(study, &study->runs[i]);
        if (rc == 0)
            finish_run(&view);
    }
    close_view(&view);
    for (size_t i = 0; i < study->run_count; i++)
        done += study->runs[i].result != NULL;
    if (rc == SP_EINTR)
        return sp_error(SP_EINTR, "interrupted with %zu of %zu runs done; the same command goes on", done,
                        study->run_count);
    return rc;
}

static void print_tables(const struct sp_study *study)
{
    char line[256];

    for (size_t i = 0; i < study->cell_count; i++) {
        const struct sp_study_run *run = &study->runs[study->cells[i].first];

        if (i == 0 || run->data != study->runs[study->cells[i - 1].first].data)
            printf("%s%s (%s)\n", i ? "\n" : "", sp_study_data_name(study, run->data), sp_study_score_name(study, run));
        cell_line(line, sizeof line, study, &study->cells[i]);
        sp_terminal_print("  %s", line);
    }
    printf("\n");
    sp_terminal_print("report: %s/report%s.html (and report%s.md, results%s.jsonl)", study->output_dir, study->suffix,
                      study->suffix, study->suffix);
}

/* A failed run fails the study once the others are done; so does one, when all were to be made, that is not done at the
 * end. */
static int failures(const struct sp_study *study, bool made_all)
{
    const struct sp_study_run *first = NULL;
    size_t count = 0, changed = 0;
    char text[256];

    for (size_t i = 0; i < study->run_count; i++) {
        count += study->runs[i].error != NULL;
        changed += !study->runs[i].error && !study->runs[i].result;
        if (study->runs[i].error && !first)
            first = &study->runs[i];
    }
    if (!first && changed && made_all)
        return sp_error(SP_EINVAL,
                        "%zu of %zu runs are of a model or of data that have changed since; the same command makes "
                        "them again",
                        changed, study->run_count);
    if (!first)
        return 0;
    sp_study_describe(text, sizeof text, study, first);
    return sp_error(SP_EINVAL, "%zu of %zu runs failed; the first: %s, %s: %s (%s/log.txt)", count, study->run_count,
                    sp_study_data_name(study, first->data), text, first->error, first->config.output_dir);
}

static int check_runs(struct sp_study *study)
{
    for (size_t i = 0; i < study->run_count; i++)
        SP_TRY(sp_study_check(study, &study->runs[i]));
    return 0;
}

static int check_metrics(const struct sp_study *study)
{
    for (size_t i = 0; i < study->run_count; i++)
        SP_TRY(sp_study_check_metric(study, &study->runs[i]));
    return 0;
}

/* Makes the runs that are missing, with the folder locked until its report is written. */
static int train_and_report(struct sp_study *study, bool quiet)
{
    struct sp_lock lock; /* one study at a time in a folder */
    int rc;

    SP_TRY(check_inputs(study));
    SP_TRY(sp_study_report_spare_inputs(study));
    SP_TRY(sp_lock_take(&lock, study->output_dir, SP_STUDY_LOCK, "study"));
    SP_GO(sp_study_report_check(study));
    SP_GO(check_runs(study));
    SP_GO(check_metrics(study));
    SP_GO(train_all(study, quiet));
    sp_study_forget_inputs(study); /* what was done first may be of a model or of data that have changed since */
    SP_GO(check_runs(study));
    SP_GO(sp_study_report(study));
out:
    sp_lock_release(&lock);
    return rc;
}

static int report(const struct sp_study *study)
{
    bool any = false;

    for (size_t i = 0; i < study->run_count; i++)
        any = any || study->runs[i].result;
    if (!any)
        return sp_error(SP_EINVAL,
                        "none of the %zu runs is done, so there is nothing to report on; without --report they are "
                        "made",
                        study->run_count);
    SP_TRY(check_metrics(study));
    SP_TRY(sp_study_report_spare_inputs(study));
    return sp_study_report(study);
}

static int work(struct sp_study *study, const struct sp_arguments *arguments)
{
    bool only_list = sp_argument(arguments, "list") != NULL, only_report = sp_argument(arguments, "report") != NULL;

    if (only_list && only_report)
        return sp_error(SP_ECONFIG, "--list and --report: give one of them");
    if (only_list || only_report)
        SP_TRY(check_runs(study));
    if (only_list) {
        list(study);
        return 0;
    }
    SP_TRY(only_report ? report(study) : train_and_report(study, arguments->quiet));
    print_tables(study);
    return failures(study, !only_report);
}

static int run_study(const struct sp_arguments *arguments)
{
    struct sp_study study;
    int rc = sp_study_load(&study, arguments->positional[0], (const char *const *)arguments->overrides,
                           arguments->override_count);

    if (rc == 0)
        rc = work(&study, arguments);
    sp_study_release(&study);
    return rc;
}

static const struct sp_flag flags[] = {
    { "list", NULL, "list the runs and which of them are done, and run none", NULL },
    { "report", NULL, "report on the runs that are done, and run none", NULL },
    SP_FLAG_SET,
    SP_FLAG_DEVICE,
    SP_FLAG_OUTPUT_DIR,
    SP_FLAG_END,
};

const struct sp_command sp_command_study = {
    .name = "study",
    .usage = "STUDY [--list | --report] [--set KEY=VALUE]... [--device SPEC] [--output-dir DIR]",
    .summary = "compare methods, budgets, learning rates and seeds over data sets, and report",
    .flags = flags,
    .positional = 1,
    .run = run_study,
};
