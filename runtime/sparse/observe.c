#include "runtime/sparse/observe.h"

#include "runtime/base/error.h"
#include "runtime/op/column_sum.h"

static int add_square(struct sp_wgrad_sink *sink, struct sp_device *device, const struct sp_wgrad_input *in)
{
    struct sp_square_sink *s = (struct sp_square_sink *)sink;

    SP_TRY(sp_gemm_weight_gradient(device, s->family, s->gradient, in->dy, in->x, in->tokens, in->out, in->in,
                                   in->goes_on));
    if (in->more)
        return 0;
    return sp_column_sum(device, &(struct sp_column_sum){ .out = s->squares, .in = s->gradient, .factor = s->gradient,
                                                          .workspace = s->workspace, .T = 1, .C = in->out * in->in,
                                                          .accumulate = in->accumulate });
}

void sp_square_sink_init(struct sp_square_sink *sink, const struct sp_gemm_family *family, struct sp_buffer *squares,
                         struct sp_buffer *gradient, struct sp_buffer *workspace)
{
    *sink = (struct sp_square_sink){ { .add = add_square }, family, squares, gradient, workspace };
}

static int add_input(struct sp_wgrad_sink *sink, struct sp_device *device, const struct sp_wgrad_input *in)
{
    struct sp_input_sink *s = (struct sp_input_sink *)sink;

    return sp_column_sum(device, &(struct sp_column_sum){ .out = s->squares, .in = in->x, .factor = in->x,
                                                          .workspace = s->workspace, .T = in->tokens, .C = in->in,
                                                          .accumulate = in->accumulate });
}

void sp_input_sink_init(struct sp_input_sink *sink, struct sp_buffer *squares, struct sp_buffer *workspace)
{
    *sink = (struct sp_input_sink){ { .add = add_input }, squares, workspace };
}
