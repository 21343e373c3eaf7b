/* static: the first mask is kept. */
#include "runtime/train/method.h"
#include "runtime/train/part_sparse.h"

const struct sp_method sp_method_static = {
    .name = "static",
    .summary = "a sparse delta with a fixed mask",
    .learning_rate = SP_METHOD_RATE,
    .masked = true,
    .assign = sp_sparse_assign,
};
