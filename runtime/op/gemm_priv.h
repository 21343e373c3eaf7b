/* The GEMM families' own header (layer 3, private to runtime/op/gemm*.c). */
#ifndef SP_OP_GEMM_PRIV_H
#define SP_OP_GEMM_PRIV_H

#include "runtime/kernel/launch.h"
#include "runtime/op/gemm.h"
#include "runtime/op/tuned.h"

#define SP_GEMM_FAMILY(name) extern const struct sp_gemm_family sp_gemm_##name;
#include "runtime/op/gemm.def"
#undef SP_GEMM_FAMILY

/* Adds the defines of the epilogue (BIAS, ACTIVATION, ACTIVATE, SAVE_PRE, ACTIVATION_BACKWARD), all families' alike. */
void sp_gemm_define_epilogue(struct sp_launch *launch, const struct sp_gemm *gemm);

/* Runs a kernel of the parameters (A, B, C, bias, pre, m, k), as gemm_packed and gemm_tiled are, the launch's own defines set. */
int sp_gemm_launch(struct sp_device *device, struct sp_launch *launch, const struct sp_gemm *gemm);

/* Bias, activation and what it keeps or reads, as a pass of its own over C. */
int sp_gemm_epilogue(struct sp_device *device, const struct sp_gemm *gemm);

/* The product's name in profiles. */
const char *sp_gemm_label(const struct sp_gemm *gemm);

#endif
