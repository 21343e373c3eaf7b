/*
 * Build workers (layer 2): other processes that compile for this one, because a driver's compiler
 * holds a lock that no thread gets around (PoCL's and Intel's both: measured). A worker is this
 * very program started anew, so a program that wants them starts its main with
 *
 *     sp_child_begin();
 *     if (sp_kernel_worker(argc, argv, &status))
 *         return status;
 *
 * Without it programs are compiled one after the other. A driver that dies while it compiles takes
 * only the worker with it.
 */
#ifndef SP_KERNEL_WORKER_H
#define SP_KERNEL_WORKER_H

#include "runtime/device/device.h"

#include <stdbool.h>
#include <stddef.h>

/* True in a worker, whose work is then done. */
bool sp_kernel_worker(int argc, char **argv, int *status);

struct sp_worker_job {
    const char *name, *options, *text; /* as sp_program_build takes them */
    bool done;                         /* a worker answered; else nobody tried */
    int rc;
    void *answer; /* rc == 0: the binary; else the message. The caller frees it */
    size_t size;
};

/* Compiles the jobs in workers, as many at once as there are processors. What could not be handed
 * out stays undone; after the first failure nothing more is begun. */
void sp_worker_compile(struct sp_worker_job *jobs, size_t count, const struct sp_device_info *info);

#endif
