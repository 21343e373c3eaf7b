/* sparse: a weight's delta, positions and values; adapter.json says the weight's shape. */
#include "runtime/io/section_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

static int check_positions(const void *section, const char *where)
{
    const struct sp_adapter_sparse *entry = section;
    size_t size;

    if (!sp_mul(entry->rows, entry->cols, &size) || size == 0 || size - 1 > UINT32_MAX)
        return sp_error(SP_EFORMAT,
                        "%s: %s: a shape of %zu x %zu is empty or too large for 32-bit positions",
                        where, entry->name, entry->rows, entry->cols);
    for (size_t i = 0; i < entry->count; i++) {
        if (entry->indices[i] >= size)
            return sp_error(SP_EFORMAT,
                            "%s: %s.indices: entry %zu is %u, outside a weight of %zu x %zu", where,
                            entry->name, i, entry->indices[i], entry->rows, entry->cols);
        if (i > 0 && entry->indices[i] <= entry->indices[i - 1])
            return sp_error(SP_EFORMAT,
                            "%s: %s.indices: entry %zu is %u after %u; positions must be sorted "
                            "and unique",
                            where, entry->name, i, entry->indices[i], entry->indices[i - 1]);
    }
    return 0;
}

static void lay_out(struct sp_tensor_info *tensors, const void *section)
{
    const struct sp_adapter_sparse *entry = section;
    const void *const data[] = { entry->indices, entry->values };

    for (size_t k = 0; k < 2; k++) {
        tensors[k].rank = 1;
        tensors[k].shape[0] = entry->count;
        tensors[k].data = data[k];
    }
}

static json_t *describe(const void *section)
{
    const struct sp_adapter_sparse *entry = section;

    return json_pack("{s:[I, I]}", "shape", (json_int_t)entry->rows, (json_int_t)entry->cols);
}

static int parse(void *section, const json_t *description, const char *document)
{
    struct sp_adapter_sparse *entry = section;
    const json_t *shape = json_object_get(description, "shape");
    const json_t *rows = json_array_get(shape, 0), *cols = json_array_get(shape, 1);

    if (json_array_size(shape) != 2 || !json_is_integer(rows) || !json_is_integer(cols) ||
        json_integer_value(rows) < 1 || json_integer_value(cols) < 1)
        return sp_error(SP_EFORMAT, "%s: \"shape\" of %s is not a pair [rows, columns]", document, entry->name);
    entry->rows = (size_t)json_integer_value(rows);
    entry->cols = (size_t)json_integer_value(cols);
    return 0;
}

static int take(void *section, const struct sp_tensor_info *const *tensors, const char *file)
{
    struct sp_adapter_sparse *entry = section;
    const struct sp_tensor_info *indices = tensors[0], *values = tensors[1];
    char found[SP_SHAPE_TEXT], other[SP_SHAPE_TEXT];

    if (indices->rank != 1 || !sp_tensor_has_shape(values, 1, indices->shape))
        return sp_error(SP_EFORMAT,
                        "%s: %s.indices is %s and .values is %s; expected two lists of the same "
                        "length",
                        file, entry->name, sp_tensor_describe(found, indices),
                        sp_tensor_describe(other, values));
    entry->count = indices->count;
    entry->indices = indices->data;
    entry->values = values->data;
    return 0;
}

static void shape(size_t out[2], const void *section)
{
    const struct sp_adapter_sparse *entry = section;

    out[0] = entry->rows;
    out[1] = entry->cols;
}

const struct sp_section_kind sp_section_sparse = {
    .key = "sparse",
    .always = true,
    .size = sizeof(struct sp_adapter_sparse),
    .tensors = { { ".indices", SP_U32 }, { ".values", SP_F32 } },
    .tensor_count = 2,
    .check = check_positions,
    .lay_out = lay_out,
    .describe = describe,
    .parse = parse,
    .take = take,
    .shape = shape,
};
