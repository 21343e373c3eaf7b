/*
 * Questions to drivers in a process of their own (layer 7): a worker, which is this very program started anew, answers
 * on what was its standard output when it started, and a driver that crashes, hangs or ends the process takes only the
 * worker with it. Ownership: an answer's bytes are the caller's, also after a failure. Threading: one question at a
 * time.
 */
#ifndef SP_CLI_ASK_H
#define SP_CLI_ASK_H

#include "runtime/base/buf.h"
#include "runtime/base/child.h"

#include <stddef.h>
#include <stdio.h>

struct sp_question {
    const char *const *arguments; /* the worker's command line; NULL ends it */
    size_t least;                 /* bytes that a whole answer has */
    int limit;                    /* seconds that it may take; 0: as long as it takes */
    const char *limit_name;       /* "--timeout" */
    const char *wait;             /* "the drivers to list their devices": said after a tenth of that time */
    const char *late;             /* "has not listed its devices" */
    const char *when;             /* "when it is asked for its devices" */
};

struct sp_answer {
    struct sp_buf bytes;
    char how[160]; /* "" where there is an answer; else what became of the driver: "crashes (signal 11) when ..." */
};

/* SP_EINTR when the user wants to stop. */
int sp_ask(struct sp_answer *answer, const struct sp_question *question);

/* Starts a worker; its fd gives what it reports. */
int sp_ask_start(struct sp_child *child, const char *const *arguments);

/* In a worker: where it reports, as what drivers print goes to standard error from then on. NULL when that cannot
 * be. */
FILE *sp_ask_report(void);

/* In a worker that answers a question: its crash is told, and its time taken, by who asked. */
void sp_ask_unguarded(void);

#endif
