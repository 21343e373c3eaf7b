/* The GEMM family for GPUs: tiles in local memory, the weight as it lies. cl/blas/gemm_tiled.cl has the design. */
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"

enum { TILE_M = 64, TILE_N = 64, TILE_K = 16, WORK_M = 4, WORK_N = 4 };

static const struct sp_kernel gemm_tiled = { "gemm_tiled", "blas/gemm_tiled.cl" };

static bool suits(const struct sp_device_info *info)
{
    return info->max_work_group >= (TILE_M / WORK_M) * (TILE_N / WORK_N) &&
           info->local_memory >= TILE_K * (TILE_M + 1 + TILE_N + 1) * sizeof(float);
}

static int run(struct sp_device *device, const struct sp_gemm *gemm)
{
    enum { GM = TILE_M / WORK_M, GN = TILE_N / WORK_N };
    bool weight = gemm->kind == SP_GEMM_WEIGHT;
    struct sp_launch launch = {
        .kernel = &gemm_tiled,
        .global = { (size_t)((gemm->n + TILE_N - 1) / TILE_N * GN), (size_t)((gemm->m + TILE_M - 1) / TILE_M * GM) },
        .local = { GN, GM },
    };

    sp_launch_define(&launch, "N", gemm->n);
    if (weight) {
        sp_launch_define(&launch, "RUNTIME_K", 1);
        sp_launch_define(&launch, "A_K_MAJOR", 1);
    } else {
        sp_launch_define(&launch, "K", gemm->k);
    }
    if (gemm->kind != SP_GEMM_FORWARD)
        sp_launch_define(&launch, "B_ROWS", 1);
    sp_launch_define(&launch, "TM", TILE_M);
    sp_launch_define(&launch, "TN", TILE_N);
    sp_launch_define(&launch, "TK", TILE_K);
    sp_launch_define(&launch, "WM", WORK_M);
    sp_launch_define(&launch, "WN", WORK_N);
    return sp_gemm_launch(device, &launch, gemm);
}

const struct sp_gemm_family sp_gemm_tiled = { .name = "tiled", .suits = suits, .run = run };
