/* speft-cl doctor: every op on every device against double precision, and what each device can do. */
#include "frontends/cli/doctor.h"

#include "frontends/cli/ask.h"
#include "frontends/cli/command.h"
#include "frontends/cli/devices.h"
#include "frontends/cli/terminal.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/device/device.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* after so many crashes, or a hang, the rest of a device's cases is not tried */
enum { LINE_SIZE = 8192, FIELDS = 4, CRASHES = 3 };

/* A device's examination. */
struct patient {
    const struct sp_device_info *info;
    bool all;
    int limit; /* seconds for a case */
    struct sp_child child;
    char line[LINE_SIZE];
    size_t length;             /* of what has come of the next line */
    size_t cases, done, wrong; /* cases there are, are judged, are bad */
    size_t other;              /* those of `done` that are not for this device */
    size_t next;               /* the case to begin with after a crash */
    int crashes;
    bool building; /* kernels, ahead of their cases */
    char name[256]; /* the case of now; "" between cases */
    bool ended, failed, hangs;
};

static int start(struct patient *p)
{
    char index[16], first[24];
    const char *const arguments[] = { "speft-cl", SP_DOCTOR_WORKER, index, p->info->name, first, p->all ? "1" : "0",
                                      p->crashes ? "0" : "1", NULL };

    snprintf(index, sizeof index, "%d", p->info->index);
    snprintf(first, sizeof first, "%zu", p->next);
    SP_TRY(sp_ask_start(&p->child, arguments));
    p->length = 0;
    p->name[0] = '\0';
    p->building = false;
    return 0;
}

/* Ends the worker; what it ended with. One that has come to its end has the driver left to close, which may hang,
 * too. */
static int stop(struct patient *p)
{
    double began = sp_clock_now();
    bool over = false;
    int status = 0;

    while (p->ended && !p->hangs && !over && !sp_interrupted()) {
        over = sp_child_wait(&p->child, 0.1, &status);
        p->hangs = !over && sp_clock_now() - began > p->limit;
    }
    if (!over)
        sp_child_kill(&p->child, &status);
    return status;
}

static void print_speed(const char *name, const char *number, const char *unit, const char *words)
{
    sp_terminal_print("   %-7s %s %s (%s)", name, number, unit, words);
}

/* One line of the worker's. */
static void take(struct patient *p, char *line)
{
    const char *field[FIELDS] = { line, "", "", "" };

    for (int i = 1; i < FIELDS && (line = strchr(line, '\t')); i++) {
        *line++ = '\0';
        field[i] = line;
    }
    if (strcmp(field[0], "count") == 0) {
        p->cases = strtoull(field[1], NULL, 10);
    } else if (strcmp(field[0], "build") == 0) {
        p->building = true;
    } else if (strcmp(field[0], "case") == 0) {
        p->building = false;
        snprintf(p->name, sizeof p->name, "%s", field[2]);
        p->next = strtoull(field[1], NULL, 10) + 1;
    } else if (strcmp(field[0], "speed") == 0) {
        print_speed("speed", field[1], "GFLOPS", field[2]);
    } else if (strcmp(field[0], "stream") == 0) {
        print_speed("memory", field[1], "GB/s", field[2]);
    } else if (strcmp(field[0], "failed") == 0) {
        sp_terminal_print("   failed: %s", field[1]);
        p->failed = true;
    } else if (strcmp(field[0], "end") == 0) {
        p->ended = true;
    } else {
        bool good = strcmp(field[0], "good") == 0, wrong = strcmp(field[0], "wrong") == 0;

        if (wrong)
            sp_terminal_print("   WRONG   %s; kernels: %s", field[3], field[2]);
        else if (p->all)
            sp_terminal_print("   %-7s %s; %s%s", good ? "good" : "other", p->name,
                              good ? "kernels: " : "not for this device: ", field[2]);
        p->done++;
        p->wrong += wrong;
        p->other += !good && !wrong;
        p->name[0] = '\0';
    }
    fflush(stdout);
}

/* Takes what has come; false when the worker's end is closed. */
static bool receive(struct patient *p)
{
    ssize_t n = read(p->child.fd, p->line + p->length, sizeof p->line - 1 - p->length);
    char *line = p->line, *end;

    if (n < 0)
        return errno == EINTR;
    if (n == 0)
        return false;
    p->length += (size_t)n;
    p->line[p->length] = '\0';
    while ((end = strchr(line, '\n'))) {
        *end = '\0';
        take(p, line);
        line = end + 1;
    }
    p->length = (size_t)(p->line + p->length - line);
    if (p->length == sizeof p->line - 1)
        p->length = 0; /* no line of a worker's is so long */
    memmove(p->line, line, p->length);
    return true;
}

/* What the worker has in hand. */
static const char *doing(const struct patient *p)
{
    return p->name[0]    ? p->name
           : p->building ? "building kernels or measuring"
           : p->cases    ? "outside the cases"
                         : "opening it";
}

/* When it crashed or hung. */
static void lose(struct patient *p, const char *how)
{
    p->crashes++;
    if (p->building && p->crashes == 1) { /* the case that needs the kernel will tell more */
        p->hangs = false;
        return;
    }
    sp_terminal_print("   WRONG   %s: %s", doing(p), how);
    fflush(stdout);
    p->done += p->name[0] != '\0';
    p->wrong++;
    p->failed = p->failed || !p->name[0];
}

/* Follows a worker to its end, or to that of the driver. */
static int follow(struct patient *p)
{
    double heard = sp_clock_now();
    bool open = true, said = false;
    char how[96];
    int status;

    while (open && !p->hangs && !p->ended && !sp_interrupted()) {
        struct pollfd ready = { .fd = p->child.fd, .events = POLLIN };

        if (poll(&ready, 1, 100) > 0) {
            open = receive(p);
            heard = sp_clock_now();
            said = false;
        } else if (!said && sp_clock_now() - heard > p->limit / 10.0) {
            said = true;
            sp_log(SP_LOG_INFO, "waiting for device %d, %s: %s, for %d seconds at most (--timeout)", p->info->index,
                   p->info->name, doing(p), p->limit);
        }
        p->hangs = sp_clock_now() - heard > p->limit;
    }
    status = stop(p);
    if (sp_interrupted())
        return sp_error(SP_EINTR, "interrupted");
    if (p->ended && WIFEXITED(status))
        return 0;
    if (p->hangs)
        snprintf(how, sizeof how, "not done after %d seconds (--timeout)", p->limit);
    else if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "the driver crashed (signal %d)", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "the driver crashed or ended the process");
    lose(p, how);
    return 0;
}

/* Examines one device; *bad says whether something is wrong with it. */
static int examine(bool *bad, const struct sp_device_info *info, bool all, int limit)
{
    struct patient p = { .info = info, .all = all, .limit = limit };

    sp_terminal_print("%d: %s (%s %s)", info->index, info->name, info->platform, info->driver);
    fflush(stdout);
    do {
        SP_TRY(start(&p));
        SP_TRY(follow(&p));
    } while (!p.ended && !p.failed && !p.hangs && p.crashes < CRASHES);
    *bad = p.wrong > 0 || p.failed;
    if (p.wrong && p.cases)
        sp_terminal_print("   verdict do not use it: %zu of %zu cases are wrong%s", p.wrong, p.cases,
               p.done < p.cases ? ", and the rest was not tried" : "");
    else if (p.wrong || p.failed)
        sp_terminal_print("   verdict do not use it");
    else
        sp_terminal_print("   verdict good: %zu cases agree with double precision", p.done - p.other);
    fflush(stdout);
    return 0;
}

static int read_limit(int *out, const char *text)
{
    long long seconds = 300; /* llvmpipe takes minutes to compile one kernel */

    if (text && (!sp_text_int(text, &seconds) || seconds < 1 || seconds > 86400))
        return sp_error(SP_ECONFIG, "--timeout is \"%s\"; it takes seconds, from 1 to 86400", text);
    *out = (int)seconds;
    return 0;
}

static int examine_all(const struct sp_device_info *list, size_t count, const struct sp_arguments *arguments, int limit)
{
    const char *spec = sp_argument(arguments, "device");
    size_t chosen = count, examined = 0, bad_devices = 0;

    if (spec)
        SP_TRY(sp_device_choose(&chosen, list, count, spec));
    for (size_t i = 0; i < count; i++) {
        bool bad;

        if (spec && i != chosen)
            continue;
        SP_TRY(examine(&bad, &list[i], sp_argument(arguments, "all") != NULL, limit));
        examined++;
        bad_devices += bad;
    }
    if (bad_devices)
        return sp_error(SP_ENUMERIC,
                        "%zu of %zu device%s cannot be trusted; see above. Update the driver, or choose another device "
                        "with --device",
                        bad_devices, examined, examined > 1 ? "s" : "");
    return 0;
}

/* The drivers that could not be asked are an error, whatever came of the others' devices. */
static int add_fault(int rc, const char *fault)
{
    char *message = rc < 0 ? sp_strdup(sp_error_message()) : NULL;

    if (rc == SP_EINTR || (rc < 0 && !message)) {
        free(message);
        return rc;
    }
    rc = sp_error(SP_EDEVICE, "%s%s%s", fault, message ? ". Besides, " : "", message ? message : "");
    free(message);
    return rc;
}

static int run_doctor(const struct sp_arguments *arguments)
{
    struct sp_doctor_devices devices;
    int rc, limit = 0;

    SP_TRY(read_limit(&limit, sp_argument(arguments, "timeout")));
    rc = sp_doctor_list(&devices, limit); /* its message says what to install */
    if (rc == 0 && devices.count)
        rc = examine_all(devices.list, devices.count, arguments, limit);
    if (rc != SP_EINTR && devices.faults && !devices.fault && !sp_argument(arguments, "device")) {
        sp_devices_tell_faults(devices.faults, false);
        if (rc == 0 && devices.broken)
            rc = sp_error(SP_EDEVICE, "a driver that is installed does not work; see above");
    }
    if (devices.fault)
        rc = add_fault(rc, devices.fault);
    sp_doctor_list_release(&devices);
    return rc;
}

static const struct sp_flag flags[] = {
    { "device", "SPEC", "examine this device only; all of them otherwise", NULL },
    { "all", NULL, "run the large cases too, and print a line for each case and its kernels", NULL },
    { "timeout", "SECONDS", "how long one case, or listing the devices, may take before its driver is given up (300)",
      NULL },
    SP_FLAG_END,
};

const struct sp_command sp_command_doctor = {
    .name = "doctor",
    .usage = "[--device SPEC] [--all] [--timeout SECONDS]",
    .summary = "check every kernel on every device, and measure the devices",
    .status = "0: all is well, or a driver's hardware is not there; 1: a device computes wrong numbers or fails, an "
              "installed driver does not work or may not open its hardware, or there is no device. With --device that "
              "device alone counts",
    .flags = flags,
    .run = run_doctor,
};
