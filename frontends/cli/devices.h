/* What other commands say of devices (layer 6). */
#ifndef SP_CLI_DEVICES_H
#define SP_CLI_DEVICES_H

/* Drivers that are installed and find nothing to drive, or are not there in truth: a line for each kind, in a new string. */
int sp_devices_idle(char **lines);

/* Prints such lines. */
void sp_devices_print_idle(char *lines);

#endif
