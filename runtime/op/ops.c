#include "runtime/op/check.h"

const struct sp_op *const sp_ops[] = {
#define SP_OP(name) &sp_op_##name,
#include "runtime/op/op.def"
#undef SP_OP
};

const size_t sp_op_count = sizeof sp_ops / sizeof *sp_ops;
