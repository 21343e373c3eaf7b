#include "runtime/kernel/worker.h"

#include "runtime/base/child.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
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

/* Opens the very device that the parent has: the list's order is the loader's, and it may change.
 */
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
    bool alive = sp_child_receive_block(fd, &options, &size, BLOCK_MAX) && sp_child_receive_block(fd, &text, &size, BLOCK_MAX);

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

static int work(int fd)
{
    struct sp_device *device = NULL;
    struct sp_device_info *info;
    void *block;
    size_t length;

    if (!sp_child_receive_block(fd, &block, &length, BLOCK_MAX))
        return EXIT_FAILURE;
    info = block;
    if (length == sizeof *info && open_same(&device, info) == 0) {
        bool alive = true;

        while (alive && sp_child_receive_block(fd, &block, &length, BLOCK_MAX)) {
            alive = serve(fd, device, block);
            free(block);
        }
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

    worker->job = NULL;
    if (sp_child_start(&worker->child, &setup) < 0)
        return false;
    sp_child_send_block(worker->child.fd, info, sizeof *info); /* if it is gone, its first job shows it */
    return true;
}

/* Closes the connection, which ends the worker, and waits. `job` stays undone unless the worker was
 * killed at it. */
static void stop(struct worker *worker, const struct sp_device_info *info)
{
    struct sp_worker_job *job = worker->job;
    int status = 0, number;

    close(worker->child.fd);
    worker->child.fd = -1;
    worker->job = NULL;
    sp_child_wait(&worker->child, -1, &status);
    if (!job || !WIFSIGNALED(status))
        return;
    number = WTERMSIG(status);
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

static bool give(struct worker *worker, struct sp_worker_job *job)
{
    worker->job = job;
    return sp_child_send_block(worker->child.fd, job->name, strlen(job->name)) &&
           sp_child_send_block(worker->child.fd, job->options, strlen(job->options)) &&
           sp_child_send_block(worker->child.fd, job->text, strlen(job->text));
}

static bool take(struct worker *worker)
{
    struct sp_worker_job *job = worker->job;
    int32_t rc;

    if (!sp_child_receive(worker->child.fd, &rc, sizeof rc) ||
        !sp_child_receive_block(worker->child.fd, &job->answer, &job->size, BLOCK_MAX))
        return false;
    job->done = true;
    job->rc = rc;
    worker->job = NULL;
    return true;
}

/* Gives each worker a job, and another for each answer, until none is left or one failed. */
static void distribute(struct worker *workers, size_t worker_count, struct sp_worker_job *jobs,
                       size_t count, const struct sp_device_info *info)
{
    struct pollfd polls[WORKERS_MAX];
    size_t next = 0, busy = 0;
    bool over = false; /* one failed, or the user wants to stop */

    for (size_t w = 0; w < worker_count; w++, busy++)
        if (!give(&workers[w], &jobs[next++]))
            stop(&workers[w], info);
    while (busy > 0) {
        busy = 0;
        for (size_t w = 0; w < worker_count; w++) {
            polls[w] =
                (struct pollfd){ .fd = workers[w].job ? workers[w].child.fd : -1, .events = POLLIN };
            busy += workers[w].job != NULL;
        }
        if (busy == 0 || poll(polls, worker_count, -1) <= 0)
            continue;
        for (size_t w = 0; w < worker_count; w++) {
            struct sp_worker_job *job = workers[w].job;

            if (!polls[w].revents || !job)
                continue;
            if (!take(&workers[w]))
                stop(&workers[w], info);
            over = over || sp_interrupted() || (job->done && job->rc < 0);
            if (workers[w].child.fd >= 0 && !over && next < count && !give(&workers[w], &jobs[next++]))
                stop(&workers[w], info);
        }
    }
}

void sp_worker_compile(struct sp_worker_job *jobs, size_t count, const struct sp_device_info *info)
{
    struct worker workers[WORKERS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = processors > WORKERS_MAX ? WORKERS_MAX
                    : processors > 0         ? (size_t)processors
                                             : 1;
    size_t started = 0;

    wanted = wanted < count ? wanted : count;
    if (wanted < 2 || !sp_child_possible())
        return;
    while (started < wanted && start(&workers[started], info))
        started++;
    if (started == 0)
        return;
    sp_log(SP_LOG_INFO, "compiling %zu programs for %s, %zu at a time%s", count, info->name, started,
           sp_cache_keeps() ? "; the next run finds them in the cache" : "");
    distribute(workers, started, jobs, count, info);
    for (size_t w = 0; w < started; w++)
        if (workers[w].child.fd >= 0)
            stop(&workers[w], info);
}
