#include "runtime/study/overlap.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".indices"

static int open_adapter(struct sp_positions *p)
{
    SP_TRY(sp_adapter_load(&p->adapter, p->path));
    if (p->adapter.sparse_count == 0)
        return sp_error(SP_EINVAL,
                        "%s: an adapter of method %s has no sparse delta, so there are no positions to compare",
                        p->path, p->adapter.method);
    p->checksum = strcmp(p->adapter.base_checksum, SP_ADAPTER_UNKNOWN_BASE) == 0 ? NULL : p->adapter.base_checksum;
    p->tensors = p->adapter.sparse;
    p->count = p->adapter.sparse_count;
    return 0;
}

/* The weight's shape, where the file says it, and whether the positions are inside it. */
static int take_shape(struct sp_positions *p, struct sp_adapter_sparse *entry)
{
    char *key = sp_asprintf("%s.shape", entry->name);
    const char *text = key ? sp_safetensors_metadata(p->file, key) : NULL;
    json_t *shape = NULL;
    long long rows = 0, cols = 0;
    size_t size;
    bool good;

    free(key);
    if (!text)
        return key ? 0 : SP_ENOMEM;
    good = sp_json_parse(&shape, text, strlen(text), p->path, 1, false) == 0 && json_array_size(shape) == 2;
    rows = json_integer_value(json_array_get(shape, 0));
    cols = json_integer_value(json_array_get(shape, 1));
    json_decref(shape);
    entry->rows = (size_t)rows;
    entry->cols = (size_t)cols;
    if (!good || rows < 1 || cols < 1 || !sp_mul(entry->rows, entry->cols, &size))
        return sp_error(SP_EFORMAT, "%s: the shape of %s is \"%.40s\", expected [rows, columns]", p->path, entry->name,
                        text);
    if (entry->count && entry->indices[entry->count - 1] >= size)
        return sp_error(SP_EFORMAT, "%s: %s: position %u is outside a weight of %zu x %zu", p->path, entry->name,
                        (unsigned)entry->indices[entry->count - 1], entry->rows, entry->cols);
    return 0;
}

/* One tensor of a mask file. */
static int take(struct sp_positions *p, size_t i)
{
    const struct sp_tensor_info *tensor = sp_safetensors_at(p->file, i);
    size_t length = strlen(tensor->name), suffix = strlen(SUFFIX);
    const uint32_t *indices = tensor->data;
    char shape[SP_SHAPE_TEXT];

    if (length <= suffix || strcmp(tensor->name + length - suffix, SUFFIX) != 0 || tensor->dtype != SP_U32 ||
        tensor->rank != 1)
        return sp_error(SP_EFORMAT,
                        "%s: tensor %s is %s; a mask file has only lists <weight>" SUFFIX
                        " of U32, as speft-cl mask writes them",
                        p->path, tensor->name, sp_tensor_describe(shape, tensor));
    if ((uintptr_t)tensor->data % sizeof *indices != 0)
        return sp_error(SP_EFORMAT, "%s: the data of tensor %s is not aligned", p->path, tensor->name);
    for (size_t k = 1; k < tensor->count; k++)
        if (indices[k] <= indices[k - 1])
            return sp_error(SP_EFORMAT, "%s: %s: entry %zu is %u after %u; positions must be sorted and unique",
                            p->path, tensor->name, k, (unsigned)indices[k], (unsigned)indices[k - 1]);
    p->names[i] = sp_strndup(tensor->name, length - suffix);
    p->own[i] = (struct sp_adapter_sparse){ .name = p->names[i], .count = tensor->count, .indices = indices };
    return p->names[i] ? take_shape(p, &p->own[i]) : SP_ENOMEM;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sp_adapter_sparse *)a)->name, ((const struct sp_adapter_sparse *)b)->name);
}

static int open_file(struct sp_positions *p)
{
    SP_TRY(sp_safetensors_open(&p->file, p->path));
    p->checksum = sp_safetensors_metadata(p->file, "base_model.sha256");
    p->count = sp_safetensors_count(p->file);
    if (p->count == 0)
        return sp_error(SP_EFORMAT, "%s holds no tensor, so it is no mask", p->path);
    p->own = sp_calloc(p->count, sizeof *p->own);
    p->names = sp_calloc(p->count, sizeof *p->names);
    if (!p->own || !p->names)
        return SP_ENOMEM;
    for (size_t i = 0; i < p->count; i++)
        SP_TRY(take(p, i));
    qsort(p->own, p->count, sizeof *p->own, by_name);
    p->tensors = p->own;
    return 0;
}

int sp_positions_open(struct sp_positions *out, const char *path)
{
    int rc;

    *out = (struct sp_positions){ .path = path };
    rc = sp_fs_is_dir(path) ? open_adapter(out) : open_file(out);
    if (rc < 0) {
        sp_positions_close(out);
        return rc;
    }
    for (size_t i = 0; i < out->count; i++)
        out->total += out->tensors[i].count;
    return 0;
}

void sp_positions_close(struct sp_positions *p)
{
    for (size_t i = 0; p->names && i < p->count; i++)
        free(p->names[i]);
    free(p->names);
    free(p->own);
    sp_safetensors_close(p->file);
    sp_adapter_release(&p->adapter);
    *p = (struct sp_positions){ .path = NULL };
}

const struct sp_adapter_sparse *sp_positions_find(const struct sp_positions *p, const char *name)
{
    const struct sp_adapter_sparse key = { .name = name };

    if (p->own)
        return bsearch(&key, p->own, p->count, sizeof *p->own, by_name);
    return sp_adapter_find_sparse(&p->adapter, name);
}

/* One weight of `a` against `b`'s of that name. */
static int check_tensor(const struct sp_positions *pa, const struct sp_adapter_sparse *a, const struct sp_positions *pb,
                        const struct sp_adapter_sparse *b)
{
    if (a->rows && b->rows && (a->rows != b->rows || a->cols != b->cols))
        return sp_error(SP_EINVAL, "%s is %zu x %zu in %s and %zu x %zu in %s: these are not of one model", a->name,
                        a->rows, a->cols, pa->path, b->rows, b->cols, pb->path);
    if (a->rows && b->count && b->indices[b->count - 1] >= a->rows * a->cols)
        return sp_error(SP_EINVAL, "%s is %zu x %zu in %s, and %s has position %u in it: these are not of one model",
                        a->name, a->rows, a->cols, pa->path, pb->path, (unsigned)b->indices[b->count - 1]);
    return 0;
}

int sp_positions_check(const struct sp_positions *a, const struct sp_positions *b)
{
    bool named = a->adapter.base_name && b->adapter.base_name, same = a->checksum && b->checksum;
    size_t common = 0;

    if (a->checksum && b->checksum && strcmp(a->checksum, b->checksum) != 0)
        return sp_error(SP_EINVAL, "%s and %s are of different models: %s%s%s%sSHA-256 %.12s and %.12s", a->path,
                        b->path, named ? a->adapter.base_name : "", named ? " and " : "",
                        named ? b->adapter.base_name : "", named ? ", " : "", a->checksum, b->checksum);
    for (size_t i = 0; i < a->count; i++) {
        const struct sp_adapter_sparse *tensor = sp_positions_find(b, a->tensors[i].name);

        if (!tensor)
            continue;
        common++;
        SP_TRY(check_tensor(a, &a->tensors[i], b, tensor));
        SP_TRY(check_tensor(b, tensor, a, &a->tensors[i]));
    }
    if (common == 0 && !same)
        return sp_error(SP_EINVAL, "%s and %s have no weight in common (%s, %s): these are not of one model", a->path,
                        b->path, a->tensors[0].name, b->tensors[0].name);
    return 0;
}

struct sp_overlap sp_overlap_tensor(const struct sp_adapter_sparse *a, const struct sp_adapter_sparse *b)
{
    struct sp_overlap overlap = { a ? a->count : 0, b ? b->count : 0, 0 };
    size_t i = 0, j = 0;

    while (i < overlap.a && j < overlap.b) {
        uint32_t x = a->indices[i], y = b->indices[j];

        overlap.shared += x == y;
        i += x <= y;
        j += y <= x;
    }
    return overlap;
}

void sp_overlap_add(struct sp_overlap *sum, struct sp_overlap one)
{
    sum->a += one.a;
    sum->b += one.b;
    sum->shared += one.shared;
}

struct sp_overlap sp_overlap_total(const struct sp_positions *a, const struct sp_positions *b)
{
    struct sp_overlap sum = { a->total, b->total, 0 };

    for (size_t i = 0; i < a->count; i++)
        sum.shared += sp_overlap_tensor(&a->tensors[i], sp_positions_find(b, a->tensors[i].name)).shared;
    return sum;
}

double sp_overlap_jaccard(struct sp_overlap o)
{
    size_t either = o.a + o.b - o.shared;

    return either ? (double)o.shared / (double)either : NAN;
}
