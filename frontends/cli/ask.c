#include "frontends/cli/ask.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/device/guard.h"
#include "runtime/device/limit.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX = 1 << 22 };

int sp_ask_start(struct sp_child *child, const char *const *arguments)
{
    const struct sp_child_setup setup = {
        .arguments = arguments,
        .in = SP_CHILD_SAME,
        .out = SP_CHILD_SOCKET,
        .err = SP_CHILD_SAME,
    };

    return sp_child_start(child, &setup);
}

FILE *sp_ask_report(void)
{
    int fd = dup(STDOUT_FILENO);
    FILE *report = fd < 0 ? NULL : fdopen(fd, "w");

    if (report && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
        return report;
    if (report)
        fclose(report);
    return NULL;
}

void sp_ask_unguarded(void)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        signal(faults[i], SIG_DFL);
    sp_device_guard_end();
    setenv(SP_DRIVER_VARIABLE, "0", 1);
}

/* Takes all that comes until the worker is done; false when that takes too long. */
static bool receive(struct sp_answer *answer, int fd, const struct sp_question *question)
{
    double began = sp_clock_now();
    bool said = question->limit == 0;
    char part[4096];
    ssize_t n = 1;

    while (n != 0 && !sp_interrupted()) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        double waited = sp_clock_now() - began;

        if (poll(&ready, 1, 100) > 0) {
            n = read(fd, part, sizeof part);
            if (n > 0 && sp_buf_append(&answer->bytes, part, (size_t)n) < 0)
                return true;
        } else if (question->limit > 0 && waited > question->limit) {
            return false;
        } else if (!said && waited > question->limit / 10.0) {
            said = true;
            sp_log(SP_LOG_INFO, "waiting for %s, for %d seconds at most (%s)", question->wait, question->limit,
                   question->limit_name);
        }
    }
    return true;
}

int sp_ask(struct sp_answer *answer, const struct sp_question *question)
{
    struct sp_child child;
    bool in_time;
    int status;

    *answer = (struct sp_answer){ .bytes = SP_BUF(ANSWER_MAX) };
    SP_TRY(sp_ask_start(&child, question->arguments));
    in_time = receive(answer, child.fd, question);
    if (!in_time || sp_interrupted())
        sp_child_kill(&child, &status);
    else
        sp_child_wait(&child, -1, &status);
    if (sp_interrupted())
        return sp_error(SP_EINTR, "interrupted");
    if (!in_time)
        snprintf(answer->how, sizeof answer->how, "%s after %d second%s (%s)", question->late, question->limit,
                 question->limit > 1 ? "s" : "", question->limit_name);
    else if (WIFSIGNALED(status))
        snprintf(answer->how, sizeof answer->how, "crashes (signal %d) %s", WTERMSIG(status), question->when);
    else if (answer->bytes.length < question->least)
        snprintf(answer->how, sizeof answer->how, "ends the process %s", question->when);
    return 0;
}
