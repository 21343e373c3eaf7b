/* A study while it runs: on a terminal a table of the current data set that is drawn over itself, elsewhere a line a run. */
#include "frontends/cli/study.h"

#include "frontends/cli/terminal.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.5
#define LINE_SIZE 256

void sp_study_view_open(struct sp_study_view *view, const struct sp_study *study, bool quiet)
{
    const char *term = getenv("TERM");

    *view = (struct sp_study_view){ .study = study, .quiet = quiet, .started = sp_clock_now() };
    view->terminal = !quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

void sp_study_cell_line(char *out, size_t size, const struct sp_study *study, const struct sp_study_cell *cell)
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

static void erase(struct sp_study_view *view)
{
    if (view->lines)
        fprintf(stderr, "\r\033[%zuA\033[J", view->lines);
    view->lines = 0;
}

static void put(struct sp_study_view *view, const char *text, size_t width)
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
static void headline(char *out, size_t size, const struct sp_study_view *view)
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

static void draw(struct sp_study_view *view, const char *line)
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
        sp_study_cell_line(text + 2, sizeof text - 2, study, &study->cells[i]);
        put(view, text, width);
    }
    snprintf(text, sizeof text, "  seed %lld: %.200s", study->runs[view->current].config.seed, line);
    put(view, text, width);
}

void sp_study_view_tick(void *user, const char *line)
{
    struct sp_study_view *view = user;
    double now = sp_clock_now();

    if (!view->terminal || now - view->drawn < REDRAW_SECONDS)
        return;
    view->drawn = now;
    draw(view, line);
}

void sp_study_view_done(struct sp_study_view *view)
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

void sp_study_view_close(struct sp_study_view *view)
{
    erase(view);
}
