/*
 * speft-cl doctor's processes (layer 7): the command, a worker that lists the devices, and one for each device. A
 * worker is this very program started anew, so that a driver that crashes or hangs takes only the worker with it. That
 * of a device prints lines of tab-separated fields to what was its standard output when it started:
 *
 *     count   CASES                    how many cases there are
 *     build   OP                       its kernels are compiled
 *     case    NUMBER  OP, CASE         this one begins; numbers count from 0
 *     good    NUMBER  KERNELS          it passed; the kernels that it launched
 *     other   NUMBER  REASON           it is not for this device
 *     wrong   NUMBER  KERNELS  MESSAGE
 *     speed   GFLOPS  WORDS            of a matrix product; the words say which
 *     stream  GB/S    WORDS            of reading and writing memory
 *     failed  MESSAGE                  the device cannot be opened or measured
 *     end
 */
#ifndef SP_CLI_DOCTOR_H
#define SP_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct sp_device_info;

/* Then nothing, or device index and name, first case, 1 or 0: all cases, compile ahead. */
#define SP_DOCTOR_WORKER "--doctor-worker"

/* The devices to examine. */
struct sp_doctor_devices {
    struct sp_device_info *list; /* as of sp_device_list; NULL where no driver can be asked */
    size_t count;
    char *faults; /* of drivers, as of sp_devices_faults */
    bool broken;  /* one of them is more than a driver whose hardware is not there */
    /* which drivers crash or hang where they are asked, so that only the others' devices are listed; or NULL */
    char *fault;
    char *folder; /* of the others' .icd files, until it is released */
};

/* Lists the devices in a worker, within `limit` seconds. Where the drivers crash or hang each is asked alone, and from
 * then on workers see only those that answer. Release it in any case. */
int sp_doctor_list(struct sp_doctor_devices *out, int limit);
void sp_doctor_list_release(struct sp_doctor_devices *devices);

/* That worker's work. */
void sp_doctor_report_list(FILE *report);

/* True in a worker, whose work is then done. Call it in main once signals are handled. */
bool sp_doctor_worker(int argc, char **argv, int *status);

#endif
