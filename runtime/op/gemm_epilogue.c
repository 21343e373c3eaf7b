/* The epilogue as a pass of its own, behind a product that knows none. */
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"

static const struct sp_kernel gemm_epilogue = { "gemm_epilogue", "blas/gemm_epilogue.cl" };

int sp_gemm_epilogue(struct sp_device *device, const struct sp_gemm *gemm, const struct sp_op *op)
{
    struct sp_launch launch = { .kernel = &gemm_epilogue,
                                .global = { (size_t)gemm->m * (size_t)gemm->n },
                                .local = { 1 } };

    if (!gemm->bias && !gemm->pre && gemm->activation == SP_ACTIVATION_NONE)
        return 0;
    /* The product before it may be of any depth. */
    launch.check = sp_gemm_check(op,
                                 &(struct sp_gemm){ .kind = gemm->kind,
                                                    .m = gemm->m,
                                                    .n = gemm->n,
                                                    .k = 9,
                                                    .bias = gemm->bias,
                                                    .activation = gemm->activation,
                                                    .pre = gemm->pre },
                                 13);
    sp_launch_define(&launch, "N", gemm->n);
    sp_gemm_define_epilogue(&launch, gemm);
    sp_launch_buffer(&launch, gemm->c);
    sp_launch_buffer(&launch, gemm->bias ? gemm->bias : gemm->c);
    sp_launch_buffer(&launch, gemm->pre ? gemm->pre : gemm->c);
    return sp_launch_run(device, &launch);
}

/* Behind tiled's product, which every driver runs. */
static int run_alone(struct sp_device *device, const struct sp_gemm *gemm)
{
    struct sp_gemm product = *gemm;

    product.bias = product.pre = NULL;
    product.activation = SP_ACTIVATION_NONE;
    SP_TRY(sp_gemm_tiled.run(device, &product));
    return sp_gemm_epilogue(device, gemm, &sp_op_gemm_epilogue);
}

static const struct sp_gemm_family alone = { .name = "tiled, then the epilogue", .run = run_alone };

static int check_epilogue(struct sp_check *check, const struct sp_op_case *c)
{
    return sp_gemm_check_family(check, c, &alone);
}

const struct sp_op sp_op_gemm_epilogue = {
    .name = "gemm_epilogue",
    .cases = sp_gemm_cases,
    .case_count = SP_GEMM_CASES,
    .check = check_epilogue,
    .laneless = true,
};
