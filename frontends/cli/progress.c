#include "frontends/cli/progress.h"

#include "frontends/cli/terminal.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_MAX_SIZE 256
#define REDRAW_SECONDS 0.1

static struct {
    pthread_mutex_t lock;
    bool quiet, terminal;
    char line[LINE_MAX_SIZE]; /* what stands on the terminal's last line; "" for nothing */
    const char *phase;
    long long first_step;
    double first_time, drawn;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void erase(void)
{
    if (state.line[0])
        fputs("\r\033[K", stderr);
}

static void log_sink(enum sp_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == SP_LOG_DEBUG || (state.quiet && level < SP_LOG_WARNING))
        return;
    pthread_mutex_lock(&state.lock);
    erase();
    sp_terminal_say(level == SP_LOG_WARNING ? "speft-cl: warning: " : "speft-cl: ", text, strlen(text));
    if (state.line[0])
        fputs(state.line, stderr);
    pthread_mutex_unlock(&state.lock);
}

void sp_progress_install(bool quiet)
{
    const char *term = getenv("TERM");

    state.quiet = quiet;
    state.terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    sp_log_set_sink(log_sink, NULL);
}

/* Appends to the line, cutting it at its end. */
__attribute__((format(printf, 2, 3)))
static void add(char line[LINE_MAX_SIZE], const char *format, ...)
{
    size_t length = strlen(line);
    va_list args;

    va_start(args, format);
    vsnprintf(line + length, LINE_MAX_SIZE - length, format, args);
    va_end(args);
}

static void add_time_left(char line[LINE_MAX_SIZE], const struct sp_progress *p, double now)
{
    long long done = p->step - state.first_step, seconds;

    if (done <= 0 || p->step > p->total)
        return;
    seconds = llround((now - state.first_time) / (double)done * (double)(p->total - p->step));
    if (seconds >= 3600)
        add(line, "  %lld:%02lld:%02lld left", seconds / 3600, seconds / 60 % 60, seconds % 60);
    else
        add(line, "  %lld:%02lld left", seconds / 60, seconds % 60);
}

static size_t terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;
}

void sp_progress_show(const struct sp_progress *p)
{
    char line[LINE_MAX_SIZE];
    double now = sp_clock_now();

    if (state.quiet)
        return;
    if (!state.phase || strcmp(state.phase, p->phase) != 0) {
        state.phase = p->phase;
        state.first_step = p->step;
        state.first_time = now;
        state.drawn = 0;
    }
    if (state.terminal ? now - state.drawn < REDRAW_SECONDS && p->step < p->total : !p->logged)
        return;
    state.drawn = now;
    snprintf(line, sizeof line, "%s %lld/%lld", p->phase, p->step, p->total);
    if (!isnan(p->loss))
        add(line, "  loss %.4f", p->loss);
    if (p->tokens_per_second > 0)
        add(line, "  %.0f tokens/s", p->tokens_per_second);
    add_time_left(line, p, now);
    pthread_mutex_lock(&state.lock);
    if (state.terminal) {
        size_t width = terminal_width();

        if (width < sizeof line)
            line[width] = '\0';
        memcpy(state.line, line, sizeof line);
        fprintf(stderr, "\r%s\033[K", line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
    pthread_mutex_unlock(&state.lock);
}

void sp_progress_end(void)
{
    pthread_mutex_lock(&state.lock);
    if (state.line[0])
        fputc('\n', stderr);
    state.line[0] = '\0';
    state.phase = NULL;
    pthread_mutex_unlock(&state.lock);
}
