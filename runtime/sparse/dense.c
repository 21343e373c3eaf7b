#include "runtime/sparse/dense.h"

static int add(struct sp_wgrad_sink *sink, struct sp_device *device, const struct sp_wgrad_input *in)
{
    struct sp_dense_sink *dense = (struct sp_dense_sink *)sink;

    return sp_gemm_weight_gradient(device, dense->family, dense->gradient, in->dy, in->x, in->tokens, in->out, in->in,
                                   in->accumulate || in->goes_on);
}

void sp_dense_sink_init(struct sp_dense_sink *sink, const struct sp_gemm_family *family, struct sp_buffer *gradient)
{
    *sink = (struct sp_dense_sink){ .sink = { .add = add }, .family = family, .gradient = gradient };
}
