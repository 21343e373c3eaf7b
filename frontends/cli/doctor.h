/*
 * speft-cl doctor's two processes (layer 6): the command, and a worker for each device, which is this very program started anew, so that
 * a driver that crashes or hangs takes only the worker with it. The worker prints lines of tab-separated fields to what was its standard
 * output when it started:
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

#define SP_DOCTOR_WORKER "--doctor-worker" /* then device index and name, first case, 1 or 0: all cases, compile ahead */

/* True in a worker, whose work is then done. Call it in main once signals are handled. */
bool sp_doctor_worker(int argc, char **argv, int *status);

#endif
