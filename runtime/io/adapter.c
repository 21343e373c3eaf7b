#include "runtime/io/adapter.h"

#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/io/adapter_folder_priv.h"
#include "runtime/io/staging.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS_FILE "adapter.safetensors"
#define DOCUMENT_FILE "adapter.json"
#define DOCUMENT_LIMIT (4u << 20)
#define FORMAT_VERSION 1

const char *const sp_adapter_files[] = { WEIGHTS_FILE, DOCUMENT_FILE, NULL };

/* ---- checks that saving and loading share; `where` is the folder or file ---- */

static int check_positions(const struct sp_adapter_sparse *entry, const char *where)
{
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

static int check_finite(const float *values, size_t count, const char *name, const char *where)
{
    size_t i = sp_first_not_finite(values, count);

    return i == count ? 0 : sp_error(SP_ENUMERIC, "%s: %s: element %zu is %f", where, name, i, (double)values[i]);
}

static int check_different(const json_t *labels, const char *where)
{
    json_t *seen = json_object();
    int rc = seen ? 0 : sp_error(SP_ENOMEM, "out of memory");

    for (size_t i = 0; i < json_array_size(labels) && rc == 0; i++) {
        const char *name = json_string_value(json_array_get(labels, i));

        if (json_object_get(seen, name))
            rc = sp_error(SP_EFORMAT, "%s: \"labels\"[%zu] is \"%s\", as one before it is", where, i, name);
        else if (json_object_set_new(seen, name, json_true()) < 0)
            rc = sp_error(SP_ENOMEM, "out of memory");
    }
    json_decref(seen);
    return rc;
}

static int check_labels(const json_t *labels, const char *where)
{
    size_t count = json_array_size(labels);

    if (!json_is_array(labels) || count < 2)
        return sp_error(SP_EFORMAT, "%s: \"labels\" is not an array of at least two, nor null", where);
    for (size_t i = 0; i < count; i++)
        if (!json_is_string(json_array_get(labels, i)))
            return sp_error(SP_EFORMAT, "%s: \"labels\"[%zu] is not a string", where, i);
    return check_different(labels, where);
}

/* ---- saving ---- */

/* The file's tensors for `tensors`, which has room for them; the names of those that belong to
 * sparse entries are new strings. */
static int list_sparse(struct sp_tensor_info *tensors, char **names,
                       const struct sp_adapter_sparse *entries, size_t count, bool with_values)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const struct sp_adapter_sparse *entry = &entries[i];

        if (!(names[n] = sp_asprintf("%s.indices", entry->name)))
            return SP_ENOMEM;
        tensors[n] = (struct sp_tensor_info){ .name = names[n], .dtype = SP_U32, .rank = 1,
                                              .shape = { entry->count }, .data = entry->indices };
        n++;
        if (!with_values)
            continue;
        if (!(names[n] = sp_asprintf("%s.values", entry->name)))
            return SP_ENOMEM;
        tensors[n] = (struct sp_tensor_info){ .name = names[n], .dtype = SP_F32, .rank = 1,
                                              .shape = { entry->count }, .data = entry->values };
        n++;
    }
    return 0;
}

static int write_tensors(const char *path, const struct sp_adapter_sparse *sparse,
                         size_t sparse_count, const struct sp_adapter_dense *dense,
                         size_t dense_count, bool with_values, const char *const (*metadata)[2], size_t entries)
{
    size_t named = sparse_count * (with_values ? 2 : 1);
    struct sp_tensor_info *tensors = sp_calloc(named + dense_count, sizeof *tensors);
    char **names = sp_calloc(named, sizeof *names);
    int rc = SP_ENOMEM;

    if (!tensors || !names)
        goto out;
    SP_GO(list_sparse(tensors, names, sparse, sparse_count, with_values));
    for (size_t i = 0; i < dense_count; i++) {
        struct sp_tensor_info *tensor = &tensors[named + i];

        *tensor = (struct sp_tensor_info){ .name = dense[i].name, .dtype = SP_F32,
                                           .rank = dense[i].rank, .data = dense[i].data };
        memcpy(tensor->shape, dense[i].shape, sizeof tensor->shape);
    }
    SP_GO(sp_safetensors_write_metadata(path, tensors, named + dense_count, metadata, entries));
out:
    for (size_t i = 0; names && i < named; i++)
        free(names[i]);
    free(names);
    free(tensors);
    return rc;
}

static size_t dense_size(const struct sp_adapter_dense *entry)
{
    size_t size = 1;

    for (size_t d = 0; d < entry->rank; d++)
        size *= entry->shape[d];
    return size;
}

/* A program fault or a run that went wrong is seen here, before it is on disk. */
static int check_contents(const struct sp_adapter *adapter, const char *dir)
{
    for (size_t i = 0; i < adapter->sparse_count; i++) {
        const struct sp_adapter_sparse *entry = &adapter->sparse[i];

        SP_TRY(check_positions(entry, dir));
        SP_TRY(check_finite(entry->values, entry->count, entry->name, dir));
    }
    for (size_t i = 0; i < adapter->dense_count; i++) {
        const struct sp_adapter_dense *entry = &adapter->dense[i];

        SP_TRY(check_finite(entry->data, dense_size(entry), entry->name, dir));
    }
    return adapter->labels ? check_labels(adapter->labels, dir) : 0;
}

/* adapter.json; NULL when out of memory or a string is not UTF-8. */
static json_t *make_document(const struct sp_adapter *adapter)
{
    json_t *sparse = json_object(), *dense = json_array();
    int failed = 0;

    for (size_t i = 0; i < adapter->sparse_count; i++) {
        const struct sp_adapter_sparse *entry = &adapter->sparse[i];

        failed |= json_object_set_new(sparse, entry->name,
                                      json_pack("{s:[I, I]}", "shape", (json_int_t)entry->rows,
                                                (json_int_t)entry->cols));
    }
    for (size_t i = 0; i < adapter->dense_count; i++)
        failed |= json_array_append_new(dense, json_string(adapter->dense[i].name));
    if (failed) {
        json_decref(sparse);
        json_decref(dense);
        return NULL;
    }
    return json_pack("{s:s, s:i, s:{s:s, s:s}, s:s, s:s, s:O?, s:s?, s:O, s:O?, s:o, s:o}", "format",
                     "speft-cl adapter", "format_version", FORMAT_VERSION, "base_model", "name",
                     adapter->base_name, "sha256", adapter->base_checksum, "method",
                     adapter->method, "task", adapter->task, "labels", adapter->labels, "head", adapter->head, "config",
                     adapter->config, "data", adapter->data, "sparse", sparse, "dense", dense);
}

int sp_adapter_save(const char *dir, const struct sp_adapter *adapter)
{
    struct sp_staging staging = { .dir = NULL };
    json_t *document = NULL;
    char *path = NULL;
    int rc;

    SP_GO(check_contents(adapter, dir));
    document = make_document(adapter);
    if (!document)
        SP_GO(sp_error(SP_EINVAL, "%s: a name is not UTF-8, or out of memory", dir));
    SP_GO(sp_staging_open(&staging, dir, sp_adapter_files));
    if (!(path = sp_fs_join(staging.path, WEIGHTS_FILE)))
        SP_GO(SP_ENOMEM);
    SP_GO(write_tensors(path, adapter->sparse, adapter->sparse_count, adapter->dense,
                        adapter->dense_count, true, NULL, 0));
    free(path);
    if (!(path = sp_fs_join(staging.path, DOCUMENT_FILE)))
        SP_GO(SP_ENOMEM);
    SP_GO(sp_json_save(document, path));
    SP_GO(sp_staging_commit(&staging));
out:
    sp_staging_abandon(&staging);
    free(path);
    json_decref(document);
    return rc < 0 ? sp_error_context(rc, "while saving the adapter") : 0;
}

/* What positions alone do not say: the model that they are of, and the shape of each weight. */
int sp_adapter_save_mask(const char *path, const char *base_checksum, const struct sp_adapter_sparse *masks, size_t count)
{
    const char *(*metadata)[2] = sp_calloc(count + 1, sizeof *metadata);
    char **texts = sp_calloc(2 * count, sizeof *texts);
    int rc = metadata && texts ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        SP_GO(check_positions(&masks[i], path));
        texts[2 * i] = sp_asprintf("%s.shape", masks[i].name);
        texts[2 * i + 1] = sp_asprintf("[%zu, %zu]", masks[i].rows, masks[i].cols);
        SP_GO(texts[2 * i] && texts[2 * i + 1] ? 0 : SP_ENOMEM);
        metadata[i + 1][0] = texts[2 * i];
        metadata[i + 1][1] = texts[2 * i + 1];
    }
    if (rc == 0) {
        metadata[0][0] = "base_model.sha256";
        metadata[0][1] = base_checksum;
        rc = write_tensors(path, masks, count, NULL, 0, false, (const char *const(*)[2])metadata, count + 1);
    }
out:
    for (size_t i = 0; texts && i < 2 * count; i++)
        free(texts[i]);
    free(texts);
    free(metadata);
    return rc;
}

/* ---- loading ---- */

struct loader {
    struct sp_adapter *adapter;
    const char *document; /* adapter.json's path, for messages */
    const char *weights;  /* adapter.safetensors' path */
    bool *used;           /* by a tensor's number in the file */
};

static int need_string(const char **out, const json_t *object, const char *key, const char *path)
{
    SP_TRY(sp_json_get_string(out, object, key, path));
    if (!*out)
        return sp_error(SP_EFORMAT, "%s: \"%s\" is missing", path, key);
    return 0;
}

static int parse_document(struct loader *l)
{
    struct sp_adapter *adapter = l->adapter;
    const json_t *document = adapter->document;
    const json_t *base = json_object_get(document, "base_model");
    long long version = 0;

    if (!sp_json_is_object(document))
        return sp_error(SP_EFORMAT, "%s is not a JSON object", l->document);
    SP_TRY(sp_json_get_int(&version, document, "format_version", l->document));
    if (version != FORMAT_VERSION)
        return sp_error(SP_EFORMAT,
                        "%s: format_version is %lld; this program reads version %d, perhaps a "
                        "newer one reads this",
                        l->document, version, FORMAT_VERSION);
    if (!sp_json_is_object(base))
        return sp_error(SP_EFORMAT, "%s: \"base_model\" is missing or not an object", l->document);
    SP_TRY(need_string(&adapter->base_name, base, "name", l->document));
    SP_TRY(need_string(&adapter->base_checksum, base, "sha256", l->document));
    SP_TRY(need_string(&adapter->method, document, "method", l->document));
    SP_TRY(need_string(&adapter->task, document, "task", l->document));
    SP_TRY(sp_json_get_string(&adapter->head, document, "head", l->document));
    if (adapter->head && strcmp(adapter->head, "kept") != 0 && strcmp(adapter->head, "new") != 0)
        return sp_error(SP_EFORMAT, "%s: \"head\" is \"%s\"; kept or new is expected", l->document, adapter->head);
    adapter->labels = json_object_get(document, "labels");
    adapter->config = json_object_get(document, "config");
    if (!sp_json_is_object(adapter->config))
        return sp_error(SP_EFORMAT, "%s: \"config\" is missing or not an object", l->document);
    adapter->data = json_object_get(document, "data");
    if (json_is_null(adapter->data))
        adapter->data = NULL;
    if (adapter->data && !sp_json_is_object(adapter->data))
        return sp_error(SP_EFORMAT, "%s: \"data\" is not an object", l->document);
    if (json_is_null(adapter->labels))
        adapter->labels = NULL;
    return adapter->labels ? check_labels(adapter->labels, l->document) : 0;
}

/* The tensor `name` + `suffix` of the type asked for, marked as used. */
static int take_tensor(const struct sp_tensor_info **out, struct loader *l, const char *name,
                       const char *suffix, enum sp_dtype dtype)
{
    char *full = sp_asprintf("%s%s", name, suffix);
    const struct sp_tensor_info *tensor;
    bool *used;
    int rc = 0;

    if (!full)
        return SP_ENOMEM;
    tensor = sp_safetensors_find(l->adapter->file, full);
    if (!tensor)
        SP_GO(sp_error(SP_EFORMAT, "%s: tensor %s is missing, which %s names", l->weights, full,
                       DOCUMENT_FILE));
    used = &l->used[tensor - sp_safetensors_at(l->adapter->file, 0)];
    if (*used)
        SP_GO(sp_error(SP_EFORMAT, "%s: tensor %s is named twice", l->document, full));
    if (tensor->dtype != dtype)
        SP_GO(sp_error(SP_EFORMAT, "%s: tensor %s is %s; expected %s", l->weights, full,
                       sp_dtype_name(tensor->dtype), sp_dtype_name(dtype)));
    if ((uintptr_t)tensor->data % sp_dtype_size(dtype) != 0)
        SP_GO(sp_error(SP_EFORMAT, "%s: the data of tensor %s is not aligned", l->weights, full));
    *used = true;
    *out = tensor;
out:
    free(full);
    return rc;
}

static int parse_sparse(struct sp_adapter_sparse *entry, struct loader *l, const char *name,
                        const json_t *value)
{
    const json_t *shape = json_object_get(value, "shape");
    const json_t *rows = json_array_get(shape, 0), *cols = json_array_get(shape, 1);
    const struct sp_tensor_info *indices, *values;
    char found[SP_SHAPE_TEXT], other[SP_SHAPE_TEXT];

    if (json_array_size(shape) != 2 || !json_is_integer(rows) || !json_is_integer(cols) ||
        json_integer_value(rows) < 1 || json_integer_value(cols) < 1)
        return sp_error(SP_EFORMAT, "%s: \"shape\" of %s is not a pair [rows, columns]",
                        l->document, name);
    SP_TRY(take_tensor(&indices, l, name, ".indices", SP_U32));
    SP_TRY(take_tensor(&values, l, name, ".values", SP_F32));
    if (indices->rank != 1 || !sp_tensor_has_shape(values, 1, indices->shape))
        return sp_error(SP_EFORMAT,
                        "%s: %s.indices is %s and .values is %s; expected two lists of the same "
                        "length",
                        l->weights, name, sp_tensor_describe(found, indices),
                        sp_tensor_describe(other, values));
    *entry = (struct sp_adapter_sparse){
        .name = name,
        .rows = (size_t)json_integer_value(rows),
        .cols = (size_t)json_integer_value(cols),
        .count = indices->count,
        .indices = indices->data,
        .values = values->data,
    };
    SP_TRY(check_positions(entry, l->weights));
    return check_finite(entry->values, entry->count, values->name, l->weights);
}

static int parse_all_sparse(struct loader *l)
{
    struct sp_adapter *adapter = l->adapter;
    json_t *sparse = json_object_get(adapter->document, "sparse"), *value;
    const char *name;

    if (!sp_json_is_object(sparse))
        return sp_error(SP_EFORMAT, "%s: \"sparse\" is missing or not an object", l->document);
    adapter->sparse = sp_calloc(json_object_size(sparse), sizeof *adapter->sparse);
    if (!adapter->sparse)
        return SP_ENOMEM;
    json_object_foreach(sparse, name, value) {
        SP_TRY(parse_sparse(&adapter->sparse[adapter->sparse_count], l, name, value));
        adapter->sparse_count++;
    }
    return 0;
}

static int parse_all_dense(struct loader *l)
{
    struct sp_adapter *adapter = l->adapter;
    const json_t *dense = json_object_get(adapter->document, "dense");
    const json_t *sparse = json_object_get(adapter->document, "sparse");

    if (!json_is_array(dense))
        return sp_error(SP_EFORMAT, "%s: \"dense\" is missing or not an array", l->document);
    adapter->dense = sp_calloc(json_array_size(dense), sizeof *adapter->dense);
    if (!adapter->dense)
        return SP_ENOMEM;
    for (size_t i = 0; i < json_array_size(dense); i++) {
        const char *name = json_string_value(json_array_get(dense, i));
        struct sp_adapter_dense *entry = &adapter->dense[i];
        const struct sp_tensor_info *tensor;

        if (!name)
            return sp_error(SP_EFORMAT, "%s: entry %zu of \"dense\" is not a string", l->document,
                            i);
        if (json_object_get(sparse, name))
            return sp_error(SP_EFORMAT, "%s: %s is both sparse and dense", l->document, name);
        SP_TRY(take_tensor(&tensor, l, name, "", SP_F32));
        *entry = (struct sp_adapter_dense){ .name = name, .rank = tensor->rank,
                                            .data = tensor->data };
        memcpy(entry->shape, tensor->shape, sizeof entry->shape);
        SP_TRY(check_finite(entry->data, tensor->count, name, l->weights));
        adapter->dense_count++;
    }
    return 0;
}

static int parse_tensors(struct loader *l)
{
    size_t count = sp_safetensors_count(l->adapter->file);

    l->used = sp_calloc(count, sizeof *l->used);
    if (!l->used)
        return SP_ENOMEM;
    SP_TRY(parse_all_sparse(l));
    SP_TRY(parse_all_dense(l));
    for (size_t i = 0; i < count; i++)
        if (!l->used[i])
            return sp_error(SP_EFORMAT, "%s: tensor %s is not named in %s", l->weights,
                            sp_safetensors_at(l->adapter->file, i)->name, DOCUMENT_FILE);
    return 0;
}

int sp_adapter_load(struct sp_adapter *out, const char *dir)
{
    char *document = sp_fs_join(dir, DOCUMENT_FILE), *weights = sp_fs_join(dir, WEIGHTS_FILE);
    struct loader l = { .adapter = out, .document = document, .weights = weights };
    bool present = document && sp_fs_has_name(document);
    int rc = SP_ENOMEM;

    *out = (struct sp_adapter){ .dir = sp_strdup(dir) };
    if (!document || !weights || !out->dir)
        goto out;
    if (!present)
        SP_GO(sp_adapter_folder_refuse(dir));
    SP_GO(sp_json_load(&out->document, document, DOCUMENT_LIMIT));
    SP_GO(parse_document(&l));
    SP_GO(sp_safetensors_open(&out->file, weights));
    SP_GO(parse_tensors(&l));
out:
    if (rc < 0)
        sp_adapter_release(out);
    free(l.used);
    free(weights);
    free(document);
    return rc < 0 && present ? sp_error_context(rc, "while loading the adapter %s", dir) : rc;
}

void sp_adapter_release(struct sp_adapter *adapter)
{
    free(adapter->sparse);
    free(adapter->dense);
    sp_safetensors_close(adapter->file);
    json_decref(adapter->document);
    free(adapter->dir);
    *adapter = (struct sp_adapter){ .sparse = NULL };
}

/* ---- use ---- */

int sp_adapter_check_base(const struct sp_adapter *adapter, struct sp_checkpoint *base)
{
    const char *checksum, *dir = sp_checkpoint_dir(base);

    SP_TRY(sp_checkpoint_checksum(&checksum, base));
    if (strcmp(adapter->base_checksum, checksum) != 0)
        return sp_error(SP_EINVAL,
                        "the adapter %s was trained on another base model: its base is \"%s\" with "
                        "the checksum %s, the model %s has %s",
                        adapter->dir, adapter->base_name, adapter->base_checksum, dir, checksum);
    for (size_t i = 0; i < adapter->sparse_count; i++) {
        const struct sp_adapter_sparse *entry = &adapter->sparse[i];
        const size_t shape[2] = { entry->rows, entry->cols };
        const struct sp_tensor_info *tensor = sp_checkpoint_find(base, entry->name);
        char found[SP_SHAPE_TEXT];

        if (!tensor)
            return sp_error(SP_EFORMAT,
                            "the adapter %s changes %s, which the model %s does not have",
                            adapter->dir, entry->name, dir);
        if (!sp_tensor_has_shape(tensor, 2, shape))
            return sp_error(SP_EFORMAT,
                            "the adapter %s says that %s has the shape [%zu, %zu]; in %s it is %s",
                            adapter->dir, entry->name, entry->rows, entry->cols, tensor->file,
                            sp_tensor_describe(found, tensor));
    }
    return 0;
}

const struct sp_adapter_dense *sp_adapter_find_dense(const struct sp_adapter *adapter,
                                                     const char *name)
{
    for (size_t i = 0; i < adapter->dense_count; i++)
        if (strcmp(adapter->dense[i].name, name) == 0)
            return &adapter->dense[i];
    return NULL;
}

const struct sp_adapter_sparse *sp_adapter_find_sparse(const struct sp_adapter *adapter,
                                                       const char *name)
{
    for (size_t i = 0; i < adapter->sparse_count; i++)
        if (strcmp(adapter->sparse[i].name, name) == 0)
            return &adapter->sparse[i];
    return NULL;
}
