/* The GEMM family for GPUs: tiles in local memory, the weight as it lies. cl/blas/gemm_tiled.cl has the design. */
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"

enum { TK, TM, TN, WM, WN };

static const struct sp_kernel gemm_tiled = { "gemm_tiled", "blas/gemm_tiled.cl" };

static int valid(const int *v, const struct sp_device_info *info)
{
    size_t group, bytes;

    if (v[TM] % v[WM] != 0 || v[TN] % v[WN] != 0)
        return sp_error(SP_EDEVICE, "a tile of TM=%d x TN=%d cannot be parted into WM=%d x WN=%d", v[TM], v[TN], v[WM],
                        v[WN]);
    group = (size_t)(v[TM] / v[WM]) * (size_t)(v[TN] / v[WN]);
    bytes = (size_t)v[TK] * (size_t)(v[TM] + 1 + v[TN] + 1) * sizeof(float);
    if (group > info->max_work_group)
        return sp_error(SP_EDEVICE, "TM=%d TN=%d WM=%d WN=%d need work-groups of %zu items, and %s runs at most %zu",
                        v[TM], v[TN], v[WM], v[WN], group, info->name, info->max_work_group);
    if (bytes > info->local_memory)
        return sp_error(SP_EDEVICE, "TM=%d TN=%d TK=%d need %zu bytes of local memory, and %s has %llu", v[TM], v[TN],
                        v[TK], bytes, info->name, (unsigned long long)info->local_memory);
    return 0;
}

const struct sp_tuned sp_tuned_gemm_tiled = {
    .kernel = "gemm_tiled",
    .tunables = {
        [TK] = { "TK", 16, .allowed = { 4, 8, 16, 32, 64 } },
        [TM] = { "TM", 64, .allowed = { 16, 32, 48, 64, 96, 128 } },
        [TN] = { "TN", 64, .allowed = { 16, 32, 48, 64, 96, 128 } },
        [WM] = { "WM", 4, .allowed = { 1, 2, 4, 6, 8 } },
        [WN] = { "WN", 4, .allowed = { 1, 2, 4, 6, 8 } },
    },
    .valid = valid,
};

static int run_tiled(struct sp_device *device, const struct sp_gemm *gemm)
{
    bool weight = gemm->kind == SP_GEMM_WEIGHT;
    struct sp_launch launch = { .kernel = &gemm_tiled };
    int v[SP_TUNABLES];

    SP_TRY(sp_tuned_values(v, device, &sp_tuned_gemm_tiled));
    launch.local[0] = (size_t)(v[TN] / v[WN]);
    launch.local[1] = (size_t)(v[TM] / v[WM]);
    launch.global[0] = (size_t)((gemm->n + v[TN] - 1) / v[TN]) * launch.local[0];
    launch.global[1] = (size_t)((gemm->m + v[TM] - 1) / v[TM]) * launch.local[1];
    sp_launch_define(&launch, "N", gemm->n);
    if (weight) {
        sp_launch_define(&launch, "RUNTIME_K", 1);
        sp_launch_define(&launch, "A_K_MAJOR", 1);
    } else {
        sp_launch_define(&launch, "K", gemm->k);
    }
    if (gemm->kind != SP_GEMM_FORWARD)
        sp_launch_define(&launch, "B_ROWS", 1);
    sp_launch_define(&launch, "TM", v[TM]);
    sp_launch_define(&launch, "TN", v[TN]);
    sp_launch_define(&launch, "TK", v[TK]);
    sp_launch_define(&launch, "WM", v[WM]);
    sp_launch_define(&launch, "WN", v[WN]);
    launch.check = sp_gemm_check(&sp_op_gemm_tiled, gemm, weight ? v[TK] + 5 : v[TM] + v[WM] + 1);
    return sp_gemm_launch(device, &launch, gemm);
}

const struct sp_gemm_family sp_gemm_tiled = { .name = "tiled", .tuned = &sp_tuned_gemm_tiled, .run = run_tiled };

static int check_tiled(struct sp_check *check, const struct sp_op_case *c)
{
    return sp_gemm_check_family(check, c, &sp_gemm_tiled);
}

const struct sp_op sp_op_gemm_tiled = {
    .name = "gemm_tiled",
    .cases = sp_gemm_cases,
    .case_count = SP_GEMM_CASES,
    .check = check_tiled,
    .laneless = true,
};
