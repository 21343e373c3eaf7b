/* The ops' kernels with tunables (layer 3), and their values on a device: runtime/kernel/tuning.h. */
#ifndef SP_OP_TUNED_H
#define SP_OP_TUNED_H

#include "runtime/kernel/tuning.h"

#define SP_TUNED(kernel) extern const struct sp_tuned sp_tuned_##kernel;
#include "runtime/op/tuned.def"
#undef SP_TUNED

/* All of tuned.def, ended by NULL. */
extern const struct sp_tuned *const sp_tuned_list[];

/* sp_kernel_tuned with this list. */
int sp_tuned_values(int values[SP_TUNABLES], struct sp_device *device, const struct sp_tuned *kernel);

#endif
