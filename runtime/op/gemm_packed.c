/* The GEMM family for CPUs: register tiles, weights in panels. cl/blas/gemm_packed.cl has the design. */
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"

enum { DEPTH, ROWS, ROW_BLOCK, WEIGHT_DEPTH };

static const struct sp_kernel gemm_packed = { "gemm_packed", "blas/gemm_packed.cl" };

/* A block that ended inside a register tile would have its last rows written by two work-items. */
static int valid(const int *values, const struct sp_device_info *info)
{
    (void)info;
    if (values[ROW_BLOCK] % values[ROWS] != 0)
        return sp_error(SP_EDEVICE, "ROW_BLOCK=%d is not a multiple of ROWS=%d", values[ROW_BLOCK], values[ROWS]);
    return 0;
}

const struct sp_tuned sp_tuned_gemm_packed = {
    .kernel = "gemm_packed",
    .tunables = {
        [DEPTH] = { "DEPTH", 256, .allowed = { 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024 } },
        /* 12 rows of two vectors of 16 floats fill 24 of AVX-512's 32 registers, 2 rows 8 of AVX2's 16 */
        [ROWS] = { "ROWS", 12, .allowed = { 2, 3, 4, 6, 8, 10, 12, 14 }, .narrow = 2 },
        [ROW_BLOCK] = { "ROW_BLOCK", 96,
                        .allowed = { 8, 12, 24, 40, 48, 56, 72, 80, 96, 112, 144, 160, 192, 224, 288 } },
        /* of dW: in A, which is read down its columns, a block of k has a row of cache lines for each k */
        [WEIGHT_DEPTH] = { "WEIGHT_DEPTH", 256, .allowed = { 16, 32, 64, 128, 256 }, .narrow = 32 },
    },
    .valid = valid,
};

static int run_packed(struct sp_device *device, const struct sp_gemm *gemm)
{
    bool weight = gemm->kind == SP_GEMM_WEIGHT;
    struct sp_launch launch = { .kernel = &gemm_packed, .local = { 1, 1 } };
    int v[SP_TUNABLES];

    SP_TRY(sp_tuned_values(v, device, &sp_tuned_gemm_packed));
    launch.global[0] = (size_t)sp_gemm_panels(gemm->n);
    launch.global[1] = (size_t)((gemm->m + v[ROW_BLOCK] - 1) / v[ROW_BLOCK]);
    sp_launch_define(&launch, "N", gemm->n);
    if (weight) {
        sp_launch_define(&launch, "RUNTIME_K", 1);
        sp_launch_define(&launch, "A_K_MAJOR", 1);
        sp_launch_define(&launch, "B_ROWS", 1);
        sp_launch_define(&launch, "LDA", gemm->m);
    } else {
        sp_launch_define(&launch, "K", gemm->k);
        sp_launch_define(&launch, "LDA", gemm->k);
    }
    sp_launch_define(&launch, "MR", v[ROWS]);
    sp_launch_define(&launch, "NV", SP_GEMM_VECTORS);
    sp_launch_define(&launch, "KC", weight ? v[WEIGHT_DEPTH] : v[DEPTH]);
    sp_launch_define(&launch, "MB", v[ROW_BLOCK]);
    launch.check = sp_gemm_check(&sp_op_gemm_packed, gemm, weight ? v[WEIGHT_DEPTH] + 5 : v[ROW_BLOCK] + v[ROWS] + 1);
    return sp_gemm_launch(device, &launch, gemm);
}

const struct sp_gemm_family sp_gemm_packed = {
    .name = "packed",
    .tuned = &sp_tuned_gemm_packed,
    .run = run_packed,
    .bytes = sp_gemm_pack_bytes,
    .pack = sp_gemm_pack,
    .layout = sp_gemm_pack_layout,
};

static int check_packed(struct sp_check *check, const struct sp_op_case *c)
{
    return sp_gemm_check_family(check, c, &sp_gemm_packed);
}

const struct sp_op sp_op_gemm_packed = {
    .name = "gemm_packed",
    .cases = sp_gemm_cases,
    .case_count = SP_GEMM_CASES,
    .check = check_packed,
    .laneless = true,
};
