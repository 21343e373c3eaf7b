/*
 * Progress and messages on standard error (layer 7). On a terminal one line is rewritten in place,
 * and messages are printed above it; elsewhere each logged step is a plain line. --quiet shows
 * neither progress nor information, only warnings. Threading: progress from one thread; messages
 * from any.
 */
#ifndef SP_CLI_PROGRESS_H
#define SP_CLI_PROGRESS_H

#include <stdbool.h>

struct sp_progress {
    const char *phase;        /* "train", "score", "eval" */
    long long step, total;    /* steps done, steps in all */
    double loss;              /* NaN: not shown */
    double tokens_per_second; /* 0: not shown */
    bool logged;              /* a step that is logged: shown where there is no terminal too */
};

/* Installs the log sink; call once before any command runs. */
void sp_progress_install(bool quiet);

/* Shows one step. The time left is reckoned from the steps seen since this phase's first call. */
void sp_progress_show(const struct sp_progress *progress);

/* Ends the line, so that what is printed next starts on its own. Safe when nothing was shown. */
void sp_progress_end(void);

#endif
