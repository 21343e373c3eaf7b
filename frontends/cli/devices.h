/* What other commands say of devices, and the worker of `devices` (layer 7). */
#ifndef SP_CLI_DEVICES_H
#define SP_CLI_DEVICES_H

#include <stdbool.h>

#define SP_DEVICES_WORKER "--devices-worker" /* then a device's index and name: tests its features */

/* True in a worker, whose work is then done. Call it in main once signals are handled. */
bool sp_devices_worker(int argc, char **argv, int *status);

struct sp_device_faults;

/* What is wrong with installed drivers: a line for each kind, in a new string. */
int sp_devices_faults(char **lines, const struct sp_device_faults *faults);

/* Prints such lines, or says them aside, where what is printed is JSON. */
void sp_devices_tell_faults(char *lines, bool aside);

#endif
