#include "runtime/kernel/worker.h"

#include "runtime/base/child.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/device/limit.h"
#include "runtime/device/listing.h"
#include "runtime/device/program.h"
#include "runtime/kernel/cache.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENT "--build-worker" /* the whole command line of a worker */
#define WORKERS_MAX 8
#define BLOCK_MAX ((size_t)256 << 20)
#define POLL_MILLISECONDS 200
#define CLOSE_SECONDS 10 /* for a driver to close its device */

/* Opens the very device that the parent has: the list's order is the loader's, and it may change. */
static int open_same(struct sp_device **out, const struct sp_device_info *wanted)
{
    const struct sp_device_info *info;
    char spec[16];

    snprintf(spec, sizeof spec, "%d", wanted->index);
    SP_TRY(sp_device_open(out, spec));
    info = sp_device_info(*out);
    if (strcmp(info->platform_version, wanted->platform_version) == 0 &&
        strcmp(info->name, wanted->name) == 0 && strcmp(info->driver, wanted->driver) == 0)
        return 0;
    sp_device_close(*out);
    *out = NULL;
    return sp_error(SP_ENOTFOUND, "the device changed");
}

/* One job on the worker's side. */
static bool serve(int fd, struct sp_device *device, const char *name)
{
    struct sp_program *program = NULL;
    void *options = NULL, *text = NULL, *binary = NULL;
    size_t size = 0;
    bool alive = sp_child_receive_block(fd, &options, &size, BLOCK_MAX) &&
                 sp_child_receive_block(fd, &text, &size, BLOCK_MAX);

    if (alive) {
        int32_t rc = sp_program_build(&program, device, text, options, name);

        if (rc == 0)
            rc = sp_program_binary(&binary, &size, program);
        alive = sp_child_send(fd, &rc, sizeof rc) &&
                (rc == 0 ? sp_child_send_block(fd, binary, size)
                         : sp_child_send_block(fd, sp_error_message(), strlen(sp_error_message())));
    }
    sp_program_free(program);
    free(binary);
    free(text);
    free(options);
    return alive;
}

/* Says first whether the device is open, then takes jobs. */
static int work(int fd)
{
    struct sp_device *device = NULL;
    struct sp_device_info *info;
    void *block;
    size_t length;
    int32_t rc;
    bool alive;

    if (!sp_child_receive_block(fd, &block, &length, BLOCK_MAX))
        return EXIT_FAILURE;
    info = block;
    rc = length == sizeof *info ? open_same(&device, info) : SP_EINVAL;
    alive = sp_child_send(fd, &rc, sizeof rc) && rc == 0;
    while (alive && sp_child_receive_block(fd, &block, &length, BLOCK_MAX)) {
        alive = serve(fd, device, block);
        free(block);
    }
    sp_device_close(device);
    free(info);
    return EXIT_SUCCESS;
}

bool sp_kernel_worker(int argc, char **argv, int *status)
{
    if (argc != 2 || strcmp(argv[1], ARGUMENT) != 0)
        return false;
    *status = work(STDIN_FILENO);
    return true;
}

/* The parent's side of one worker. */
struct worker {
    struct sp_child child;     /* fd -1: gone */
    bool ready;                /* its device is open */
    struct sp_worker_job *job; /* what it is at, or NULL */
};

static bool start(struct worker *worker, const struct sp_device_info *info)
{
    const struct sp_child_setup setup = {
        .arguments = (const char *const[]){ "speft-cl", ARGUMENT, NULL },
        .in = SP_CHILD_SOCKET,
        .out = STDERR_FILENO, /* drivers talk */
        .err = SP_CHILD_SAME,
    };

    *worker = (struct worker){ .job = NULL };
    if (sp_child_start(&worker->child, &setup) < 0)
        return false;
    sp_child_send_block(worker->child.fd, info, sizeof *info); /* if it is gone, that it never is ready shows it */
    return true;
}

/* What a signal did to a worker, to its job. */
static void fail_job(struct sp_worker_job *job, int number, const struct sp_device_info *info)
{
    job->done = true;
    if (number == SIGINT || number == SIGTERM || number == SIGHUP) { /* a terminal sends them to everyone */
        job->rc = SP_EINTR;
        job->answer = sp_asprintf("interrupted while building %s", job->name);
        return;
    }
    job->rc = SP_EBUILD;
    job->answer = sp_asprintf("the driver of %s (%s %s) crashed (signal %d) while building %s; try "
                              "another device with --device (speft-cl devices lists them)",
                              info->name, info->platform, info->driver, number, job->name);
}

/* Closes the connection, which ends a worker that is alive and well, and waits. `job` stays undone unless the worker
 * was killed at it; one that dies before it has a job is told of, and its work is done by others. */
static void stop(struct worker *worker, const struct sp_device_info *info)
{
    bool ended;
    int status = 0;

    close(worker->child.fd);
    worker->child.fd = -1;
    ended = sp_child_wait(&worker->child, CLOSE_SECONDS, &status);
    if (!ended)
        sp_child_kill(&worker->child, &status);
    else if (WIFSIGNALED(status) && worker->job)
        fail_job(worker->job, WTERMSIG(status), info);
    else if (WIFSIGNALED(status) && !worker->ready && !sp_interrupted())
        sp_log_once(SP_LOG_WARNING,
                    "%s crashed (signal %d) when it was asked for its devices by a process that was to compile; "
                    "compiling without that%s",
                    sp_listing_drivers(), WTERMSIG(status), sp_listing_advice());
    worker->job = NULL;
}

static bool give(struct worker *worker, struct sp_worker_job *job)
{
    worker->job = job;
    return sp_child_send_block(worker->child.fd, job->name, strlen(job->name)) &&
           sp_child_send_block(worker->child.fd, job->options, strlen(job->options)) &&
           sp_child_send_block(worker->child.fd, job->text, strlen(job->text));
}

/* What the worker has to say: that it is ready, or its job's answer. False when it is of no use any more. */
static bool take(struct worker *worker)
{
    struct sp_worker_job *job = worker->job;
    int32_t rc;

    if (!sp_child_receive(worker->child.fd, &rc, sizeof rc))
        return false;
    if (!worker->ready)
        return worker->ready = rc == 0;
    if (!sp_child_receive_block(worker->child.fd, &job->answer, &job->size, BLOCK_MAX))
        return false;
    job->done = true;
    job->rc = rc;
    worker->job = NULL;
    return true;
}

/* All workers, and what they are to do. */
struct crew {
    struct worker workers[WORKERS_MAX];
    size_t size;
    const struct sp_device_info *info;
    struct sp_worker_job *jobs;
    size_t count, next; /* jobs; the first that nobody has */
    bool over;          /* one failed, or the user wants to stop: no other job is begun */
    double began;
    bool said; /* that a driver has not listed its devices */
};

/* Ends those that are not ready when their drivers' time is over, or at once where nothing is left for them to do. */
static void end_unready(struct crew *crew, bool needed)
{
    double waited = sp_clock_now() - crew->began;
    int seconds = sp_driver_seconds();
    bool late = seconds > 0 && waited > seconds;

    if (needed && !crew->said && seconds > 0 && waited > seconds / 10.0) {
        crew->said = true;
        sp_log(SP_LOG_WARNING, "%s has not listed its devices yet in a process that was started to compile%s",
               sp_listing_drivers(), sp_listing_advice());
    }
    if (needed && !late)
        return;
    if (needed)
        sp_log(SP_LOG_WARNING,
               "%s has not listed its devices for %d second%s (" SP_DRIVER_VARIABLE
               ") in a process that was started to compile; compiling without that%s",
               sp_listing_drivers(), seconds, seconds > 1 ? "s" : "", sp_listing_advice());
    for (size_t w = 0; w < crew->size; w++) {
        int status;

        if (crew->workers[w].child.fd >= 0 && !crew->workers[w].ready)
            sp_child_kill(&crew->workers[w].child, &status);
    }
}

/* Waits a while for what the workers have to say, and takes it. */
static void listen(struct crew *crew)
{
    struct pollfd polls[WORKERS_MAX];

    for (size_t w = 0; w < crew->size; w++)
        polls[w] = (struct pollfd){ .fd = crew->workers[w].child.fd, .events = POLLIN };
    if (poll(polls, crew->size, POLL_MILLISECONDS) <= 0)
        return;
    for (size_t w = 0; w < crew->size; w++) {
        struct sp_worker_job *job = crew->workers[w].job;

        if (!polls[w].revents)
            continue;
        if (!take(&crew->workers[w]))
            stop(&crew->workers[w], crew->info);
        crew->over = crew->over || (job && job->done && job->rc < 0);
    }
}

/* Gives each worker a job once it is ready, and another for each answer, until none is left or one failed. */
static void distribute(struct crew *crew)
{
    size_t busy, unready;

    do {
        bool left;

        busy = unready = 0;
        for (size_t w = 0; w < crew->size; w++) {
            struct worker *worker = &crew->workers[w];

            if (worker->ready && worker->child.fd >= 0 && !worker->job && !crew->over && crew->next < crew->count &&
                !give(worker, &crew->jobs[crew->next++]))
                stop(worker, crew->info);
            busy += worker->job != NULL;
            unready += worker->child.fd >= 0 && !worker->ready;
        }
        left = !crew->over && crew->next < crew->count;
        if (unready > 0 && (busy == 0 || left))
            end_unready(crew, left);
        if (busy + unready > 0)
            listen(crew);
    } while ((busy > 0 || unready > 0) && !sp_interrupted());
}

/* What is still there: workers that wait for a job, or, where the user wants to stop, are at one. */
static void dismiss(struct crew *crew)
{
    for (size_t w = 0; w < crew->size; w++) {
        struct worker *worker = &crew->workers[w];
        int status;

        if (worker->child.fd >= 0 && worker->ready && !worker->job)
            stop(worker, crew->info);
        else if (worker->child.fd >= 0)
            sp_child_kill(&worker->child, &status);
    }
}

void sp_worker_compile(struct sp_worker_job *jobs, size_t count, const struct sp_device_info *info)
{
    struct crew crew = { .info = info, .jobs = jobs, .count = count, .began = sp_clock_now() };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = processors > WORKERS_MAX ? WORKERS_MAX
                    : processors > 0         ? (size_t)processors
                                             : 1;

    wanted = wanted < count ? wanted : count;
    if (wanted < 2 || !sp_child_possible())
        return;
    while (crew.size < wanted && start(&crew.workers[crew.size], info))
        crew.size++;
    if (crew.size == 0)
        return;
    sp_log(SP_LOG_INFO, "compiling %zu programs for %s, %zu at a time%s", count, info->name, crew.size,
           sp_cache_keeps() ? "; the next run finds them in the cache" : "");
    distribute(&crew);
    dismiss(&crew);
}
