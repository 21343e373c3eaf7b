#include "runtime/op/tuned.h"

#include "runtime/kernel/launch.h"

const struct sp_tuned *const sp_tuned_list[] = {
#define SP_TUNED(kernel) &sp_tuned_##kernel,
#include "runtime/op/tuned.def"
#undef SP_TUNED
    NULL,
};

int sp_tuned_values(int values[SP_TUNABLES], struct sp_device *device, const struct sp_tuned *kernel)
{
    return sp_kernel_tuned(values, device, sp_tuned_list, kernel);
}
