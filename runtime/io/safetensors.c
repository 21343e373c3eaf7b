#include "runtime/io/safetensors.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/io/foreign_priv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PREAMBLE 8              /* the header's length, u64 */
#define HEADER_LIMIT 100000000  /* the format's own */
#define VALUES_LIMIT 1000000    /* JSON values in a header: 100,000 tensors, some 250 MB parsed */
#define METADATA "__metadata__" /* the one key of a header that is no tensor */

struct sp_safetensors {
    char *path;
    struct sp_map map;
    json_t *header; /* owns the names */
    const unsigned char *data;
    size_t data_size;
    struct sp_tensor_info *tensors;        /* in file order */
    const struct sp_tensor_info **by_name; /* sorted */
    size_t count;
};

/* ---- tensors ---- */

/* Elements and bytes from dtype and shape; false when they do not fit in size_t. */
static bool measure(struct sp_tensor_info *tensor)
{
    tensor->count = 1;
    for (size_t i = 0; i < tensor->rank; i++)
        if (!sp_mul(tensor->count, tensor->shape[i], &tensor->count))
            return false;
    return sp_mul(tensor->count, sp_dtype_size(tensor->dtype), &tensor->bytes);
}

static int compare_names(const void *a, const void *b)
{
    const struct sp_tensor_info *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

/* ---- reading ---- */

static bool get_size(size_t *out, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (size_t)json_integer_value(value);
    return true;
}

static int bad_tensor(const struct sp_tensor_info *tensor, const char *what)
{
    return sp_error(SP_EFORMAT, "%s: tensor %s: %s", tensor->file, tensor->name, what);
}

static int parse_shape(struct sp_tensor_info *tensor, const json_t *shape)
{
    tensor->rank = json_array_size(shape);
    if (!json_is_array(shape))
        return bad_tensor(tensor, "\"shape\" is missing or not an array");
    if (tensor->rank > SP_TENSOR_RANK)
        return sp_error(SP_ELIMIT, "%s: tensor %s has %zu dimensions; at most %d are supported",
                        tensor->file, tensor->name, tensor->rank, SP_TENSOR_RANK);
    for (size_t i = 0; i < tensor->rank; i++)
        if (!get_size(&tensor->shape[i], json_array_get(shape, i)))
            return bad_tensor(tensor, "\"shape\" holds something that is not a size");
    if (!measure(tensor))
        return bad_tensor(tensor, "\"shape\" is too large for any file");
    return 0;
}

/* One entry of the header; `tensor` has name and file set. */
static int parse_tensor(struct sp_tensor_info *tensor, const json_t *entry,
                        const struct sp_safetensors *file)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    char text[SP_SHAPE_TEXT];
    size_t begin, end;

    if (!sp_json_is_object(entry))
        return bad_tensor(tensor, "its entry in the header is not an object");
    if (!dtype)
        return bad_tensor(tensor, "\"dtype\" is missing or not a string");
    if (!sp_dtype_find(&tensor->dtype, dtype))
        return sp_error(SP_EFORMAT, "%s: tensor %s: dtype \"%.32s\" is not supported", file->path,
                        tensor->name, dtype);
    SP_TRY(parse_shape(tensor, json_object_get(entry, "shape")));
    if (json_array_size(offsets) != 2 || !get_size(&begin, json_array_get(offsets, 0)) ||
        !get_size(&end, json_array_get(offsets, 1)) || begin > end)
        return bad_tensor(tensor, "\"data_offsets\" is not a pair [begin, end]");
    if (end > file->data_size)
        return sp_error(SP_EFORMAT,
                        "%s: tensor %s ends at data byte %zu, but the file has only %zu: it is "
                        "truncated or its header is wrong",
                        file->path, tensor->name, end, file->data_size);
    if (end - begin != tensor->bytes)
        return sp_error(SP_EFORMAT, "%s: tensor %s: %s takes %zu bytes, but its offsets span %zu",
                        file->path, tensor->name, sp_tensor_describe(text, tensor), tensor->bytes,
                        end - begin);
    tensor->data = file->data + begin;
    return 0;
}

static int parse_metadata(const json_t *metadata, const char *path)
{
    const char *key;
    json_t *value;

    if (!sp_json_is_object(metadata))
        return sp_error(SP_EFORMAT, "%s: \"" METADATA "\" is not an object", path);
    json_object_foreach((json_t *)metadata, key, value)
        if (!json_is_string(value))
            return sp_error(SP_EFORMAT, "%s: \"" METADATA "\" holds something that is not a string",
                            path);
    return 0;
}

/* By place in the file; an empty tensor before the one that begins where it lies. */
static int compare_places(const void *a, const void *b)
{
    const struct sp_tensor_info *left = a, *right = b;

    if (left->data != right->data)
        return left->data < right->data ? -1 : 1;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* The tensors, sorted by place, must fill the data exactly. */
static int check_places(const struct sp_safetensors *file)
{
    size_t end = 0;

    for (size_t i = 0; i < file->count; i++) {
        const struct sp_tensor_info *tensor = &file->tensors[i];
        size_t begin = (size_t)((const unsigned char *)tensor->data - file->data);

        if (begin != end)
            return sp_error(SP_EFORMAT,
                            "%s: tensor %s begins at data byte %zu, but the one before it ends at "
                            "%zu: tensors may neither overlap nor leave holes",
                            file->path, tensor->name, begin, end);
        end = begin + tensor->bytes;
    }
    if (end != file->data_size)
        return sp_error(SP_EFORMAT,
                        "%s: %zu bytes of data follow the header, but its tensors take %zu",
                        file->path, file->data_size, end);
    return 0;
}

static int parse_tensors(struct sp_safetensors *file)
{
    size_t entries = json_object_size(file->header);
    const char *name;
    json_t *entry;

    file->tensors = sp_calloc(entries, sizeof *file->tensors);
    file->by_name = sp_calloc(entries, sizeof *file->by_name);
    if (!file->tensors || !file->by_name)
        return SP_ENOMEM;
    json_object_foreach(file->header, name, entry) {
        struct sp_tensor_info *tensor = &file->tensors[file->count];

        if (strcmp(name, METADATA) == 0) {
            if (!json_is_null(entry)) /* which some writers leave, and the reference library takes for none */
                SP_TRY(parse_metadata(entry, file->path));
            continue;
        }
        if (!sp_tensor_name_ok(name))
            return sp_error(SP_EFORMAT, "%s: a tensor's name is empty or holds control characters",
                            file->path);
        *tensor = (struct sp_tensor_info){ .name = name, .file = file->path };
        SP_TRY(parse_tensor(tensor, entry, file));
        file->count++;
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
    SP_TRY(check_places(file));
    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    return 0;
}

/* Bounds what parsing may allocate: every JSON value but the first follows one of these
 * characters. */
static int check_values(const char *header, size_t length, const char *path)
{
    size_t values = 0;

    for (size_t i = 0; i < length; i++)
        values += header[i] == ',' || header[i] == '[' || header[i] == '{';
    if (values > VALUES_LIMIT)
        return sp_error(SP_ELIMIT, "%s: the header holds more than %d values", path, VALUES_LIMIT);
    return 0;
}

static int parse_header(struct sp_safetensors *file)
{
    const char *header;
    uint64_t length;

    if (file->map.size < PREAMBLE)
        return sp_error(SP_EFORMAT, "%s is not a safetensors file: it has only %zu bytes",
                        file->path, file->map.size);
    header = (const char *)file->map.data + PREAMBLE;
    memcpy(&length, file->map.data, sizeof length);
    if (length > file->map.size - PREAMBLE)
        return sp_error(SP_EFORMAT,
                        "%s: the header should take %llu bytes, but the file has only %zu: it is "
                        "truncated or not a safetensors file",
                        file->path, (unsigned long long)length, file->map.size);
    if (length > HEADER_LIMIT)
        return sp_error(SP_ELIMIT, "%s: the header takes %llu bytes; at most %d are allowed",
                        file->path, (unsigned long long)length, HEADER_LIMIT);
    if (length == 0 || header[0] != '{')
        return sp_error(SP_EFORMAT, "%s is not a safetensors file: its header is not a JSON object",
                        file->path);
    SP_TRY(check_values(header, (size_t)length, file->path));
    SP_TRY(sp_json_parse(&file->header, header, (size_t)length, file->path, 1, false));
    file->data = file->map.data + PREAMBLE + length;
    file->data_size = file->map.size - PREAMBLE - (size_t)length;
    return parse_tensors(file);
}

/* Takes the map, after failures too. */
static int open_mapped(struct sp_safetensors **out, struct sp_map *map, const char *path)
{
    struct sp_safetensors *file = sp_calloc(1, sizeof *file);
    int rc = SP_ENOMEM;

    if (!file) {
        sp_fs_unmap(map);
        return rc;
    }
    file->map = *map;
    file->path = sp_strdup(path);
    SP_GO(file->path ? 0 : SP_ENOMEM);
    rc = parse_header(file);
    if (rc < 0 && rc != SP_ENOMEM && !file->header && sp_foreign_form(path, file->map.data, file->map.size) < 0)
        rc = SP_EFORMAT; /* not even a header, but a file of another kind */
    SP_GO(rc);
    *out = file;
    file = NULL;
out:
    sp_safetensors_close(file);
    return rc;
}

int sp_safetensors_open(struct sp_safetensors **out, const char *path)
{
    struct sp_map map;

    *out = NULL;
    SP_TRY(sp_fs_map(&map, path));
    return open_mapped(out, &map, path);
}

int sp_safetensors_open_fd(struct sp_safetensors **out, int fd, const char *path)
{
    struct sp_map map;

    *out = NULL;
    SP_TRY(sp_fs_map_fd(&map, fd, path));
    return open_mapped(out, &map, path);
}

void sp_safetensors_close(struct sp_safetensors *file)
{
    if (!file)
        return;
    free(file->by_name);
    free(file->tensors);
    json_decref(file->header);
    sp_fs_unmap(&file->map);
    free(file->path);
    free(file);
}

size_t sp_safetensors_count(const struct sp_safetensors *file)
{
    return file->count;
}

const struct sp_tensor_info *sp_safetensors_at(const struct sp_safetensors *file, size_t i)
{
    return &file->tensors[i];
}

const struct sp_tensor_info *sp_safetensors_find(const struct sp_safetensors *file,
                                                 const char *name)
{
    const struct sp_tensor_info key = { .name = name }, *wanted = &key, **found;

    found = bsearch(&wanted, file->by_name, file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

const char *sp_safetensors_metadata(const struct sp_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

void sp_safetensors_forget(const struct sp_safetensors *file)
{
    sp_fs_map_forget(&file->map);
}

int sp_safetensors_check_unchanged(const struct sp_safetensors *file)
{
    return sp_fs_map_check_unchanged(&file->map, file->path);
}

/* ---- writing ---- */

/* The order other writers use: wide elements first, so that everything stays aligned; then by
 * name. */
static int compare_for_writing(const void *a, const void *b)
{
    const struct sp_tensor_info *left = a, *right = b;
    size_t left_size = sp_dtype_size(left->dtype), right_size = sp_dtype_size(right->dtype);

    if (left_size != right_size)
        return left_size > right_size ? -1 : 1;
    return strcmp(left->name, right->name);
}

static json_t *header_entry(const struct sp_tensor_info *tensor, size_t begin)
{
    json_t *shape = json_array();

    for (size_t i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", sp_dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + tensor->bytes));
}

/* The header's text in *out, its length a multiple of 8; measures the (sorted) tensors. */
static int make_header(struct sp_buf *out, struct sp_tensor_info *tensors, size_t count,
                       const char *const (*metadata)[2], size_t entries, const char *path)
{
    json_t *header = json_pack("{s:{s:s}}", METADATA, "format", "pt");
    char *text = NULL;
    size_t begin = 0;
    int rc = 0;

    for (size_t i = 0; i < entries; i++)
        if (json_object_set_new(json_object_get(header, METADATA), metadata[i][0], json_string(metadata[i][1])) < 0)
            SP_GO(sp_error(SP_EINVAL, "cannot write %s: \"%s\" is not UTF-8, or out of memory", path, metadata[i][0]));
    for (size_t i = 0; i < count; i++) {
        struct sp_tensor_info *tensor = &tensors[i];

        if (!sp_tensor_name_ok(tensor->name) || json_object_get(header, tensor->name))
            SP_GO(sp_error(SP_EINVAL,
                           "cannot write %s: the name \"%s\" is not allowed or used twice", path,
                           tensor->name));
        if (tensor->rank > SP_TENSOR_RANK || !measure(tensor) ||
            tensor->bytes > SIZE_MAX / 2 - begin)
            SP_GO(sp_error(SP_EINVAL, "cannot write %s: tensor %s is too large", path,
                           tensor->name));
        if (json_object_set_new(header, tensor->name, header_entry(tensor, begin)) < 0)
            SP_GO(sp_error(SP_EINVAL, "cannot write %s: a tensor's name is not UTF-8, or no memory",
                           path));
        begin += tensor->bytes;
    }
    text = json_dumps(header, JSON_COMPACT);
    if (!text)
        SP_GO(sp_error(SP_ENOMEM, "out of memory while writing %s", path));
    SP_GO(sp_buf_puts(out, text));
    while (out->length % PREAMBLE)
        SP_GO(sp_buf_append(out, " ", 1));
out:
    free(text);
    json_decref(header);
    return rc;
}

/* Writes the header into the open file, which is the writer's then; measures the tensors. */
static int begin(struct sp_safetensors_writer *w, struct sp_fs_writer *file, struct sp_tensor_info *tensors,
                 size_t count, const char *const (*metadata)[2], size_t entries)
{
    struct sp_buf header = SP_BUF(HEADER_LIMIT);
    uint64_t length;
    int rc = 0;

    *w = (struct sp_safetensors_writer){ .writer = *file };
    *file = (struct sp_fs_writer){ .file = NULL };
    SP_GO(make_header(&header, tensors, count, metadata, entries, w->writer.path));
    length = header.length;
    SP_GO(sp_fs_writer_put(&w->writer, &length, sizeof length));
    SP_GO(sp_fs_writer_put(&w->writer, header.data, header.length));
    for (size_t i = 0; i < count; i++)
        w->missing += tensors[i].bytes;
out:
    sp_buf_free(&header);
    return rc;
}

/* A copy of the list, which writing measures. */
static struct sp_tensor_info *copy_list(const struct sp_tensor_info *tensors, size_t count)
{
    struct sp_tensor_info *list = sp_calloc(count, sizeof *list);

    if (list && count > 0)
        memcpy(list, tensors, count * sizeof *list);
    return list;
}

int sp_safetensors_writer_begin(struct sp_safetensors_writer *out, struct sp_fs_writer *file,
                                const struct sp_tensor_info *tensors, size_t count)
{
    struct sp_tensor_info *list = copy_list(tensors, count);
    int rc = list ? 0 : SP_ENOMEM;

    *out = (struct sp_safetensors_writer){ .missing = 0 };
    if (rc == 0)
        rc = begin(out, file, list, count, NULL, 0);
    sp_fs_writer_abandon(file); /* unless it was taken */
    free(list);
    return rc;
}

int sp_safetensors_writer_open(struct sp_safetensors_writer *out, const char *path,
                               const struct sp_tensor_info *tensors, size_t count)
{
    struct sp_fs_writer file;

    *out = (struct sp_safetensors_writer){ .missing = 0 };
    SP_TRY(sp_fs_writer_open(&file, path));
    return sp_safetensors_writer_begin(out, &file, tensors, count);
}

int sp_safetensors_put(struct sp_safetensors_writer *writer, const void *data, size_t bytes)
{
    if (bytes > writer->missing)
        return sp_error(SP_EINVAL, "cannot write %s: more data than its header says", writer->writer.path);
    writer->missing -= bytes;
    return sp_fs_writer_put(&writer->writer, data, bytes);
}

int sp_safetensors_writer_commit(struct sp_safetensors_writer *writer)
{
    if (writer->missing)
        return sp_error(SP_EINVAL, "cannot write %s: %zu bytes of its tensors are missing", writer->writer.path,
                        writer->missing);
    return sp_fs_writer_commit(&writer->writer);
}

void sp_safetensors_writer_abandon(struct sp_safetensors_writer *writer)
{
    sp_fs_writer_abandon(&writer->writer);
}

int sp_safetensors_write(const char *path, const struct sp_tensor_info *tensors, size_t count)
{
    return sp_safetensors_write_metadata(path, tensors, count, NULL, 0);
}

int sp_safetensors_write_metadata(const char *path, const struct sp_tensor_info *tensors, size_t count,
                                  const char *const (*metadata)[2], size_t entries)
{
    struct sp_safetensors_writer writer = { .missing = 0 };
    struct sp_fs_writer file;
    struct sp_tensor_info *sorted = copy_list(tensors, count);
    int rc = 0;

    if (!sorted)
        return SP_ENOMEM;
    qsort(sorted, count, sizeof *sorted, compare_for_writing);
    SP_GO(sp_fs_writer_open(&file, path));
    SP_GO(begin(&writer, &file, sorted, count, metadata, entries));
    for (size_t i = 0; i < count; i++)
        SP_GO(sp_safetensors_put(&writer, sorted[i].data, sorted[i].bytes));
    SP_GO(sp_safetensors_writer_commit(&writer));
out:
    sp_safetensors_writer_abandon(&writer);
    free(sorted);
    return rc;
}
