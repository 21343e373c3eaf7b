/* Getting programs built (layer 2, inside runtime/kernel): from the binary cache, else by the
 * driver. */
#ifndef SP_KERNEL_BUILD_H
#define SP_KERNEL_BUILD_H

#include "runtime/kernel/table.h"

/* Builds the table's program at `position` unless it is built. */
int sp_build_program(struct sp_device *device, struct sp_table *table, size_t position);

/* Creates the entry's function unless it is there, its program built if need be. */
int sp_build_function(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry);

#endif
