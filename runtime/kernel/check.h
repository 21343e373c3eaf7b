/*
 * The self-test of kernels (layer 2, inside runtime/kernel): no result is used of a kernel that has not computed a case
 * of its op rightly on this device, once for each binary on a driver. Verdicts are kept beside the binaries in the
 * cache, so that a later run pays nothing. Threading: as the device.
 */
#ifndef SP_KERNEL_CHECK_H
#define SP_KERNEL_CHECK_H

#include "runtime/kernel/table.h"

/* Checks the kernel of a launch that is about to run, unless that is done, checking is off, or a case runs: then it is
 * only noted. */
int sp_check_before_use(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry);

/* Checks every kernel that was noted; the first failure is reported. Nothing when checking is off. */
int sp_check_recorded(struct sp_device *device, struct sp_table *table);

#endif
