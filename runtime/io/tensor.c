#include "runtime/io/tensor.h"

#include "runtime/base/error.h"

#include <stdio.h>
#include <string.h>

const char *sp_tensor_type_name(const struct sp_tensor_info *tensor)
{
    return tensor->form ? tensor->form->type->name : sp_dtype_name(tensor->dtype);
}

const char *sp_tensor_describe(char out[SP_SHAPE_TEXT], const struct sp_tensor_info *tensor)
{
    int at = snprintf(out, SP_SHAPE_TEXT, "%s [", sp_tensor_type_name(tensor));

    for (size_t i = 0; i < tensor->rank; i++)
        at += snprintf(out + at, SP_SHAPE_TEXT - (size_t)at, i ? ", %zu" : "%zu", tensor->shape[i]);
    snprintf(out + at, SP_SHAPE_TEXT - (size_t)at, "]");
    return out;
}

bool sp_tensor_has_shape(const struct sp_tensor_info *tensor, size_t rank, const size_t *shape)
{
    if (tensor->rank != rank)
        return false;
    for (size_t i = 0; i < rank; i++)
        if (tensor->shape[i] != shape[i])
            return false;
    return true;
}

bool sp_tensor_name_ok(const char *name)
{
    if (!name[0])
        return false;
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            return false;
    return true;
}

/* Numbers [first, first + count) in the order of the file, which may begin and end within a block. */
static void read_blocks(float *out, const struct sp_tensor_info *tensor, size_t first, size_t count)
{
    const struct sp_block_type *type = tensor->form->type;
    const unsigned char *data = (const unsigned char *)tensor->data + first / type->elements * type->bytes;
    size_t skip = first % type->elements, whole;
    float block[SP_BLOCK_ELEMENTS];

    if (skip) {
        size_t part = type->elements - skip < count ? type->elements - skip : count;

        type->to_f32(block, data, 1);
        memcpy(out, block + skip, part * sizeof *out);
        data += type->bytes;
        out += part;
        count -= part;
    }
    whole = count / type->elements;
    type->to_f32(out, data, whole);
    if (count % type->elements) {
        type->to_f32(block, data + whole * type->bytes, 1);
        memcpy(out + whole * type->elements, block, count % type->elements * sizeof *out);
    }
}

/* The file's number of a row whose head's halves lie there by turns. */
static size_t row_in_file(const struct sp_tensor_info *tensor, size_t row)
{
    size_t rows = tensor->shape[0] / tensor->form->heads, at = row % rows;

    return row - at + (at < rows / 2 ? 2 * at : 2 * (at - rows / 2) + 1);
}

static void read_form(float *out, const struct sp_tensor_info *tensor, size_t first, size_t count)
{
    size_t width = tensor->form->heads ? tensor->count / tensor->shape[0] : 0;

    if (!tensor->form->heads)
        read_blocks(out, tensor, first, count);
    for (size_t at = 0, part; tensor->form->heads && at < count; at += part) {
        size_t row = (first + at) / width, column = (first + at) % width;

        part = width - column < count - at ? width - column : count - at;
        read_blocks(out + at, tensor, row_in_file(tensor, row) * width + column, part);
    }
    for (size_t i = 0; tensor->form->added != 0 && i < count; i++)
        out[i] -= tensor->form->added;
}

int sp_tensor_read_f32(float *out, const struct sp_tensor_info *tensor, size_t first, size_t count)
{
    if (!sp_dtype_is_float(tensor->dtype))
        return sp_error(SP_EFORMAT, "%s: tensor %s is %s, but floating-point numbers were expected",
                        tensor->file, tensor->name, sp_dtype_name(tensor->dtype));
    if (first > tensor->count || count > tensor->count - first)
        return sp_error(SP_EINVAL, "%s: tensor %s: %zu elements from %zu on asked for, it has %zu",
                        tensor->file, tensor->name, count, first, tensor->count);
    if (tensor->form)
        read_form(out, tensor, first, count);
    else
        sp_dtype_to_f32(out, tensor->dtype,
                        (const unsigned char *)tensor->data + first * sp_dtype_size(tensor->dtype), count);
    return 0;
}
