#include "runtime/io/adapter.h"

#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/io/adapter_folder_priv.h"
#include "runtime/io/section_priv.h"
#include "runtime/io/staging.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS_FILE "adapter.safetensors"
#define DOCUMENT_FILE "adapter.json"
#define DOCUMENT_LIMIT (4u << 20)
#define FORMAT_VERSION 1
#define TENSORS_MAX ((size_t)1 << 24) /* far above any model's */

const char *const sp_adapter_files[] = { WEIGHTS_FILE, DOCUMENT_FILE, NULL };

static const struct sp_section_kind *const kinds[SP_SECTION_KINDS] = {
#define SP_SECTION(kind) &sp_section_##kind,
#include "runtime/io/section.def"
#undef SP_SECTION
};

/* ---- sections, of whatever kind ---- */

static const void *entry_at(const struct sp_adapter *adapter, size_t kind, size_t i)
{
    return (const char *)adapter->sections[kind].entries + i * kinds[kind]->size;
}

/* Every entry begins with it. */
static const char *name_of(const void *entry)
{
    return *(const char *const *)entry;
}

static const void *find(const struct sp_adapter *adapter, size_t kind, const char *name)
{
    for (size_t i = 0; i < adapter->sections[kind].count; i++)
        if (strcmp(name_of(entry_at(adapter, kind, i)), name) == 0)
            return entry_at(adapter, kind, i);
    return NULL;
}

#define SP_SECTION(kind)                                                                                               \
    const struct sp_adapter_##kind *sp_adapter_find_##kind(const struct sp_adapter *adapter, const char *name)         \
    {                                                                                                                  \
        return find(adapter, SP_SECTION_##kind, name);                                                                 \
    }
#include "runtime/io/section.def"
#undef SP_SECTION

const char *sp_adapter_name(const struct sp_adapter *adapter, size_t i)
{
    for (size_t kind = 0; kind < SP_SECTION_KINDS; kind++) {
        if (i < adapter->sections[kind].count)
            return name_of(entry_at(adapter, kind, i));
        i -= adapter->sections[kind].count;
    }
    return NULL;
}

/* ---- checks that saving and loading share; `where` is the folder or file ---- */

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

/* The entry's tensors but for their names. */
static void lay_out(struct sp_tensor_info *tensors, const struct sp_section_kind *kind, const void *entry)
{
    memset(tensors, 0, kind->tensor_count * sizeof *tensors);
    for (size_t k = 0; k < kind->tensor_count; k++)
        tensors[k].dtype = kind->tensors[k].dtype;
    kind->lay_out(tensors, entry);
}

static int check_entry(const struct sp_section_kind *kind, const void *entry, const char *dir)
{
    struct sp_tensor_info tensors[SP_SECTION_TENSORS];

    if (kind->check)
        SP_TRY(kind->check(entry, dir));
    lay_out(tensors, kind, entry);
    for (size_t k = 0; k < kind->tensor_count; k++) {
        size_t count = 1;

        for (size_t d = 0; d < tensors[k].rank; d++)
            count *= tensors[k].shape[d];
        if (tensors[k].dtype == SP_F32)
            SP_TRY(check_finite(tensors[k].data, count, name_of(entry), dir));
    }
    return 0;
}

/* A program fault or a run that went wrong is seen here, before it is on disk. */
static int check_contents(const struct sp_adapter *adapter, const char *dir)
{
    for (size_t kind = 0; kind < SP_SECTION_KINDS; kind++)
        for (size_t i = 0; i < adapter->sections[kind].count; i++)
            SP_TRY(check_entry(kinds[kind], entry_at(adapter, kind, i), dir));
    return adapter->labels ? check_labels(adapter->labels, dir) : 0;
}

/* A file's tensors; the names are its own. */
struct tensor_list {
    struct sp_tensor_info *tensors;
    size_t count, room;
};

/* Adds the first `kept` tensors of each section of a kind. */
static int list_sections(struct tensor_list *list, const struct sp_section_kind *kind, const void *entries,
                         size_t count, size_t kept)
{
    struct sp_tensor_info tensors[SP_SECTION_TENSORS];

    for (size_t i = 0; i < count; i++) {
        const void *entry = (const char *)entries + i * kind->size;

        lay_out(tensors, kind, entry);
        for (size_t k = 0; k < kept; k++) {
            SP_TRY(sp_grow(&list->tensors, list->count, &list->room, sizeof *list->tensors, TENSORS_MAX,
                           "an adapter's tensors"));
            if (!(tensors[k].name = sp_asprintf("%s%s", name_of(entry), kind->tensors[k].suffix)))
                return SP_ENOMEM;
            list->tensors[list->count++] = tensors[k];
        }
    }
    return 0;
}

static void free_list(struct tensor_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free((char *)(uintptr_t)list->tensors[i].name);
    free(list->tensors);
}

static int write_tensors(const char *path, const struct sp_adapter *adapter)
{
    struct tensor_list list = { .count = 0 };
    int rc = 0;

    for (size_t kind = 0; rc == 0 && kind < SP_SECTION_KINDS; kind++)
        rc = list_sections(&list, kinds[kind], adapter->sections[kind].entries, adapter->sections[kind].count,
                           kinds[kind]->tensor_count);
    if (rc == 0)
        rc = sp_safetensors_write(path, list.tensors, list.count);
    free_list(&list);
    return rc;
}

/* What adapter.json says of a kind's sections. */
static json_t *describe(const struct sp_adapter *adapter, size_t kind)
{
    const struct sp_section_kind *k = kinds[kind];
    json_t *all = k->describe ? json_object() : json_array();
    int failed = !all;

    for (size_t i = 0; i < adapter->sections[kind].count; i++) {
        const void *entry = entry_at(adapter, kind, i);

        failed |= k->describe ? json_object_set_new(all, name_of(entry), k->describe(entry))
                              : json_array_append_new(all, json_string(name_of(entry)));
    }
    if (failed)
        json_decref(all);
    return failed ? NULL : all;
}

/* adapter.json; NULL when out of memory or a string is not UTF-8. */
static json_t *make_document(const struct sp_adapter *adapter)
{
    json_t *document =
        json_pack("{s:s, s:i, s:{s:s, s:s}, s:s, s:s, s:O?, s:s?, s:O, s:O?}", "format", "speft-cl adapter",
                  "format_version", FORMAT_VERSION, "base_model", "name", adapter->base_name, "sha256",
                  adapter->base_checksum, "method", adapter->method, "task", adapter->task, "labels", adapter->labels,
                  "head", adapter->head, "config", adapter->config, "data", adapter->data);
    int failed = !document;

    for (size_t kind = 0; kind < SP_SECTION_KINDS; kind++)
        if (kinds[kind]->always || adapter->sections[kind].count)
            failed |= json_object_set_new(document, kinds[kind]->key, describe(adapter, kind));
    if (failed)
        json_decref(document);
    return failed ? NULL : document;
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
    SP_GO(write_tensors(path, adapter));
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
int sp_adapter_save_mask(const char *path, const char *base_checksum, const struct sp_adapter_sparse *masks,
                         size_t count)
{
    const char *(*metadata)[2] = sp_calloc(count + 1, sizeof *metadata);
    char **texts = sp_calloc(2 * count, sizeof *texts);
    struct tensor_list list = { .count = 0 };
    int rc = metadata && texts ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        SP_GO(sp_section_sparse.check(&masks[i], path));
        texts[2 * i] = sp_asprintf("%s.shape", masks[i].name);
        texts[2 * i + 1] = sp_asprintf("[%zu, %zu]", masks[i].rows, masks[i].cols);
        SP_GO(texts[2 * i] && texts[2 * i + 1] ? 0 : SP_ENOMEM);
        metadata[i + 1][0] = texts[2 * i];
        metadata[i + 1][1] = texts[2 * i + 1];
    }
    SP_GO(rc);
    metadata[0][0] = "base_model.sha256";
    metadata[0][1] = base_checksum;
    SP_GO(list_sections(&list, &sp_section_sparse, masks, count, 1)); /* the positions */
    rc = sp_safetensors_write_metadata(path, list.tensors, list.count, (const char *const(*)[2])metadata, count + 1);
out:
    free_list(&list);
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
    json_t *seen;         /* each section's name, with its kind's key */
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

/* A name stands in the sections of one kind. */
static int check_seen(struct loader *l, const char *name, const struct sp_section_kind *kind)
{
    const char *other = json_string_value(json_object_get(l->seen, name));

    if (other && strcmp(other, kind->key) != 0)
        return sp_error(SP_EFORMAT, "%s: %s is both %s and %s", l->document, name, other, kind->key);
    return json_object_set_new(l->seen, name, json_string(kind->key)) < 0 ? sp_error(SP_ENOMEM, "out of memory") : 0;
}

/* The next section of a kind; `description` is NULL where its name says all. */
static int parse_section(struct loader *l, size_t kind, const char *name, const json_t *description)
{
    const struct sp_section_kind *k = kinds[kind];
    struct sp_sections *sections = &l->adapter->sections[kind];
    const struct sp_tensor_info *tensors[SP_SECTION_TENSORS];
    void *entry = (char *)sections->entries + sections->count * k->size;

    *(const char **)entry = name;
    SP_TRY(check_seen(l, name, k));
    if (k->parse)
        SP_TRY(k->parse(entry, description, l->document));
    for (size_t t = 0; t < k->tensor_count; t++)
        SP_TRY(take_tensor(&tensors[t], l, name, k->tensors[t].suffix, k->tensors[t].dtype));
    SP_TRY(k->take(entry, tensors, l->weights));
    if (k->check)
        SP_TRY(k->check(entry, l->weights));
    for (size_t t = 0; t < k->tensor_count; t++)
        if (k->tensors[t].dtype == SP_F32)
            SP_TRY(check_finite(tensors[t]->data, tensors[t]->count, tensors[t]->name, l->weights));
    sections->count++;
    return 0;
}

static int parse_sections(struct loader *l, size_t kind)
{
    const struct sp_section_kind *k = kinds[kind];
    json_t *all = json_object_get(l->adapter->document, k->key), *value;
    size_t count = k->describe ? json_object_size(all) : json_array_size(all);
    const char *name;

    if (!all && !k->always)
        return 0;
    if (k->describe ? !sp_json_is_object(all) : !json_is_array(all))
        return sp_error(SP_EFORMAT, "%s: \"%s\" is missing or not an %s", l->document, k->key,
                        k->describe ? "object" : "array");
    l->adapter->sections[kind].entries = sp_calloc(count, k->size);
    if (!l->adapter->sections[kind].entries)
        return SP_ENOMEM;
    if (k->describe) {
        json_object_foreach(all, name, value)
            SP_TRY(parse_section(l, kind, name, value));
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        name = json_string_value(json_array_get(all, i));
        if (!name)
            return sp_error(SP_EFORMAT, "%s: entry %zu of \"%s\" is not a string", l->document, i, k->key);
        SP_TRY(parse_section(l, kind, name, NULL));
    }
    return 0;
}

static int parse_tensors(struct loader *l)
{
    size_t count = sp_safetensors_count(l->adapter->file);

    l->used = sp_calloc(count, sizeof *l->used);
    l->seen = json_object();
    if (!l->used || !l->seen)
        return SP_ENOMEM;
    for (size_t kind = 0; kind < SP_SECTION_KINDS; kind++)
        SP_TRY(parse_sections(l, kind));
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
    json_decref(l.seen);
    free(weights);
    free(document);
    return rc < 0 && present ? sp_error_context(rc, "while loading the adapter %s", dir) : rc;
}

void sp_adapter_release(struct sp_adapter *adapter)
{
    for (size_t kind = 0; kind < SP_SECTION_KINDS; kind++)
        free(adapter->sections[kind].entries);
    sp_safetensors_close(adapter->file);
    json_decref(adapter->document);
    free(adapter->dir);
    *adapter = (struct sp_adapter){ .sparse = NULL };
}

/* ---- use ---- */

static int check_shape(const struct sp_adapter *adapter, const struct sp_section_kind *kind, const void *entry,
                       const struct sp_checkpoint *base)
{
    const struct sp_tensor_info *tensor = sp_checkpoint_find(base, name_of(entry));
    const char *dir = sp_checkpoint_dir(base);
    size_t shape[2];
    char found[SP_SHAPE_TEXT];

    if (!tensor)
        return sp_error(SP_EFORMAT, "the adapter %s changes %s, which the model %s does not have", adapter->dir,
                        name_of(entry), dir);
    kind->shape(shape, entry);
    if (!sp_tensor_has_shape(tensor, 2, shape))
        return sp_error(SP_EFORMAT, "the adapter %s says that %s has the shape [%zu, %zu]; in %s it is %s",
                        adapter->dir, name_of(entry), shape[0], shape[1], tensor->file,
                        sp_tensor_describe(found, tensor));
    return 0;
}

int sp_adapter_check_base(const struct sp_adapter *adapter, struct sp_checkpoint *base)
{
    const char *checksum, *dir = sp_checkpoint_dir(base);

    SP_TRY(sp_checkpoint_checksum(&checksum, base));
    if (strcmp(adapter->base_checksum, checksum) != 0)
        return sp_error(SP_EINVAL,
                        "the adapter %s was trained on another base model: its base is \"%s\" with "
                        "the checksum %s, the model %s has %s",
                        adapter->dir, adapter->base_name, adapter->base_checksum, dir, checksum);
    for (size_t kind = 0; kind < SP_SECTION_KINDS; kind++)
        for (size_t i = 0; i < adapter->sections[kind].count && kinds[kind]->shape; i++)
            SP_TRY(check_shape(adapter, kinds[kind], entry_at(adapter, kind, i), base));
    return 0;
}
