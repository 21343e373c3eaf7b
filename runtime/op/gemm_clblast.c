/* The GEMM family of CLBlast: its SGEMM on the weight as it lies, the epilogue as a pass of its own. */
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "runtime/device/native.h"

#include <clblast_c.h>
#include <dlfcn.h>

static const struct sp_kernel sgemm = { "CLBlastSgemm", "CLBlast" };

/* Tokens with which CLBlast is checked: it has kernels for small products and others for large ones. */
enum { FEW = 67, MANY = 1029 };

/* A hash of the library that is loaded; NULL where it cannot be found. */
static const char *version(void)
{
    static char hash[SP_HASH_HEX];
    Dl_info library;

    if (!hash[0] &&
        (!dladdr(dlsym(RTLD_DEFAULT, "CLBlastSgemm"), &library) || sp_hash_file(hash, library.dli_fname) < 0))
        hash[0] = '\0';
    return hash[0] ? hash : NULL;
}

static int note(struct sp_device *device, const struct sp_gemm *gemm, int tokens)
{
    struct sp_launch launch = { .kernel = &sgemm };

    sp_launch_define(&launch, "KIND", (long)gemm->kind);
    sp_launch_define(&launch, "TOKENS", tokens);
    sp_launch_define(&launch, "OUT", gemm->kind == SP_GEMM_WEIGHT ? gemm->m : gemm->n);
    sp_launch_define(&launch, "IN", gemm->kind == SP_GEMM_WEIGHT ? gemm->n : gemm->k);
    sp_launch_define(&launch, "ACCUMULATE", gemm->accumulate);
    launch.check = sp_gemm_check(&sp_op_gemm_clblast,
                                 &(struct sp_gemm){ .kind = gemm->kind,
                                                    .m = gemm->m,
                                                    .n = gemm->n,
                                                    .k = gemm->k,
                                                    .accumulate = gemm->accumulate },
                                 tokens);
    return sp_launch_foreign(device, &launch, version());
}

/* The product's check, and in recording, where it is of the most tokens, that of small ones. */
static int note_sizes(struct sp_device *device, const struct sp_gemm *gemm)
{
    int tokens = gemm->kind == SP_GEMM_WEIGHT ? gemm->k : gemm->m;

    if (tokens > FEW)
        SP_TRY(note(device, gemm, MANY));
    return tokens <= FEW || sp_device_recording(device) ? note(device, gemm, FEW) : 0;
}

static int run_clblast(struct sp_device *device, const struct sp_gemm *gemm)
{
    bool weight = gemm->kind == SP_GEMM_WEIGHT, forward = gemm->kind == SP_GEMM_FORWARD;
    size_t m = (size_t)gemm->m, n = (size_t)gemm->n, k = (size_t)gemm->k;
    cl_event event = NULL;
    cl_command_queue queue;
    CLBlastStatusCode status;

    SP_TRY(note_sizes(device, gemm));
    if (sp_device_recording(device)) /* CLBlast builds its own programs at its first call */
        return sp_gemm_epilogue(device, gemm, &sp_op_gemm_clblast);
    queue = sp_native_begin(device, sp_gemm_label(gemm));
    status = CLBlastSgemm(CLBlastLayoutRowMajor, weight ? CLBlastTransposeYes : CLBlastTransposeNo,
                          forward ? CLBlastTransposeYes : CLBlastTransposeNo, m, n, k, 1.0f, sp_native_buffer(gemm->a),
                          0, weight ? m : k, sp_native_buffer(gemm->b), 0, forward ? k : n,
                          gemm->accumulate ? 1.0f : 0.0f, sp_native_buffer(gemm->c), 0, n, &queue,
                          sp_native_profiling(device) ? &event : NULL);
    SP_TRY(sp_native_end(device, event));
    if (status != CLBlastSuccess)
        return sp_error(SP_EDEVICE, "CLBlast failed with status %d on %s in a product of %zu x %zu x %zu", (int)status,
                        sp_device_info(device)->name, m, n, k);
    return sp_gemm_epilogue(device, gemm, &sp_op_gemm_clblast);
}

const struct sp_gemm_family sp_gemm_clblast = { .name = "clblast", .run = run_clblast };

static int check_clblast(struct sp_check *check, const struct sp_op_case *c)
{
    return sp_gemm_check_family(check, c, &sp_gemm_clblast);
}

const struct sp_op sp_op_gemm_clblast = {
    .name = "gemm_clblast",
    .cases = sp_gemm_cases,
    .case_count = SP_GEMM_CASES,
    .check = check_clblast,
    .laneless = true,
};
