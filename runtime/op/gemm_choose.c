/* The list of GEMM families, and the choice among them. */
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"

#include <string.h>

const struct sp_gemm_family *const sp_gemm_families[] = {
#define SP_GEMM_FAMILY(name) &sp_gemm_##name,
#include "runtime/op/gemm.def"
#undef SP_GEMM_FAMILY
};
const size_t sp_gemm_family_count = sizeof sp_gemm_families / sizeof *sp_gemm_families;

int sp_gemm_choose(const struct sp_gemm_family **out, struct sp_device *device, const char *name)
{
    const struct sp_gemm_family *family = NULL;
    int values[SP_TUNABLES];

    if (strcmp(name, "auto") == 0)
        name = sp_device_info(device)->lanes ? "tiled" : "packed";
    for (size_t i = 0; i < sp_gemm_family_count; i++)
        if (strcmp(sp_gemm_families[i]->name, name) == 0)
            family = sp_gemm_families[i];
    if (!family)
        return sp_error(SP_ECONFIG, "there is no GEMM family called '%s'", name);
    if (family->tuned)
        SP_TRY(sp_tuned_values(values, device, family->tuned));
    *out = family;
    return 0;
}
