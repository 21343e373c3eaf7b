/* dense: a tensor that replaces the base model's or adds to it. */
#include "runtime/io/section_priv.h"

#include <string.h>

static void lay_out(struct sp_tensor_info *tensors, const void *section)
{
    const struct sp_adapter_dense *entry = section;

    tensors->rank = entry->rank;
    memcpy(tensors->shape, entry->shape, sizeof tensors->shape);
    tensors->data = entry->data;
}

static int take(void *section, const struct sp_tensor_info *const *tensors, const char *file)
{
    struct sp_adapter_dense *entry = section;

    (void)file;
    entry->rank = tensors[0]->rank;
    memcpy(entry->shape, tensors[0]->shape, sizeof entry->shape);
    entry->data = tensors[0]->data;
    return 0;
}

const struct sp_section_kind sp_section_dense = {
    .key = "dense",
    .always = true,
    .size = sizeof(struct sp_adapter_dense),
    .tensors = { { "", SP_F32 } },
    .tensor_count = 1,
    .lay_out = lay_out,
    .take = take,
};
