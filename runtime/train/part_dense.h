/* The dense part (layer 5): parameters of which every number is trained, each with its gradient. */
#ifndef SP_TRAIN_PART_DENSE_H
#define SP_TRAIN_PART_DENSE_H

#include "runtime/sparse/dense.h"
#include "runtime/train/part.h"

struct sp_dense_part {
    struct sp_dense_tensor {
        size_t param, view;
        struct sp_buffer *gradient; /* the view's */
        struct sp_dense_sink sink;
    } *tensors;
    size_t count;
};

#endif
