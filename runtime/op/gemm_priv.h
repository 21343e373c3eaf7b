/* The GEMM families' own header (layer 3, private to runtime/op/gemm*.c). */
#ifndef SP_OP_GEMM_PRIV_H
#define SP_OP_GEMM_PRIV_H

#include "runtime/kernel/launch.h"
#include "runtime/op/check.h"
#include "runtime/op/gemm.h"
#include "runtime/op/tuned.h"

#define SP_GEMM_FAMILY(name) extern const struct sp_gemm_family sp_gemm_##name;
#include "runtime/op/gemm.def"
#undef SP_GEMM_FAMILY

/* The packed family's layout (gemm_pack.c), as struct sp_gemm_family has it; how many panels n columns take. */
enum { SP_GEMM_VECTORS = 2 };
int sp_gemm_panels(int n);
size_t sp_gemm_pack_bytes(enum sp_gemm_kind kind, int out, int in);
struct sp_gemm_layout sp_gemm_pack_layout(enum sp_gemm_kind kind, int out, int in);
int sp_gemm_pack(struct sp_device *device, enum sp_gemm_kind kind, struct sp_buffer *packed, struct sp_buffer *plain,
                 int out, int in);

/* gemm_check.c: the cases of every family's op, and how one is run; the case of `op`, such a one, that runs the
 * product's kernel on so many tokens. */
enum { SP_GEMM_CASES = 30 };
extern const struct sp_op_case sp_gemm_cases[];
int sp_gemm_check_family(struct sp_check *check, const struct sp_op_case *c, const struct sp_gemm_family *family);
struct sp_launch_check sp_gemm_check(const struct sp_op *op, const struct sp_gemm *gemm, int tokens);

/* Adds the defines of the epilogue (BIAS, ACTIVATION, ACTIVATE, SAVE_PRE, ACTIVATION_BACKWARD), all families' alike. */
void sp_gemm_define_epilogue(struct sp_launch *launch, const struct sp_gemm *gemm);

/* Runs a kernel of the parameters (A, B, C, bias, pre, m, k), as gemm_packed and gemm_tiled are, the launch's own
 * defines set. */
int sp_gemm_launch(struct sp_device *device, struct sp_launch *launch, const struct sp_gemm *gemm);

/* gemm_epilogue.c: bias, activation and what it keeps or reads, as a pass of its own over C; `op` is the one of whoever
 * made C, whose cases run both. */
int sp_gemm_epilogue(struct sp_device *device, const struct sp_gemm *gemm, const struct sp_op *op);

/* The product's name in profiles. */
const char *sp_gemm_label(const struct sp_gemm *gemm);

#endif
