#include "runtime/io/gguf_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "GGUF"
#define TENSORS_LIMIT 100000
#define NAME_LIMIT 127 /* bytes; ggml allows 63 */
#define DIMENSIONS 4
#define ALIGNMENT 32 /* unless the file says otherwise */
#define LEAST_TENSOR (8 + 1 + 4 + 4 + 8) /* of a name of one letter, no dimensions, type and offset */

bool sp_gguf_is(const char *path)
{
    static const char ending[] = ".gguf";
    size_t length = strlen(path);
    char begins[sizeof MAGIC] = "";
    struct stat st;
    int fd;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (length > sizeof ending - 1 && strcmp(path + length - (sizeof ending - 1), ending) == 0)
        return true;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, begins, sizeof MAGIC - 1) < 0)
        begins[0] = '\0';
    close(fd);
    return strcmp(begins, MAGIC) == 0;
}

/* ---- reading on and on ---- */

static int ends_early(const struct sp_gguf_cursor *c, unsigned long long wanted)
{
    return sp_error(SP_EFORMAT,
                    "%s: at byte %zu, %s: %llu bytes are expected, but the file has only %zu more: it is truncated, or "
                    "this length is wrong; fetch the file again",
                    c->file->path, c->at, c->in, wanted, sp_gguf_left(c));
}

int sp_gguf_take(void *out, struct sp_gguf_cursor *c, size_t bytes)
{
    if (bytes > sp_gguf_left(c))
        return ends_early(c, bytes);
    memcpy(out, c->file->map.data + c->at, bytes);
    c->at += bytes;
    return 0;
}

int sp_gguf_take_text(struct sp_gguf_text *out, struct sp_gguf_cursor *c)
{
    uint64_t length = 0;

    SP_TRY(sp_gguf_take(&length, c, sizeof length));
    if (length > sp_gguf_left(c))
        return ends_early(c, length);
    *out = (struct sp_gguf_text){ (const char *)c->file->map.data + c->at, (size_t)length };
    c->at += (size_t)length;
    return 0;
}

/* A key's or a tensor's name: not empty, UTF-8, nothing that moves a terminal's cursor. */
int sp_gguf_take_name(struct sp_gguf_text *out, struct sp_gguf_cursor *c, size_t limit)
{
    size_t at = c->at;

    SP_TRY(sp_gguf_take_text(out, c));
    if (out->length == 0 || out->length > limit)
        return sp_error(SP_EFORMAT, "%s: at byte %zu, %s has %zu bytes; expected is a name of 1 to %zu", c->file->path,
                        at, c->in, out->length, limit);
    if (sp_text_utf8_prefix(out->data, out->length) < out->length)
        return sp_error(SP_EFORMAT, "%s: at byte %zu, %s is not UTF-8: the file is damaged, or no GGUF", c->file->path,
                        at, c->in);
    for (size_t i = 0; i < out->length; i++)
        if ((unsigned char)out->data[i] < 0x20 || out->data[i] == 0x7f)
            return sp_error(SP_EFORMAT,
                            "%s: at byte %zu, %s holds a control character: the file is damaged, or no GGUF",
                            c->file->path, at, c->in);
    return 0;
}

int sp_gguf_shown(struct sp_gguf_text text)
{
    size_t length = text.length;

    if (length > SP_GGUF_SHOWN)
        length = sp_text_utf8_prefix(text.data, SP_GGUF_SHOWN);
    return (int)length;
}

/* ---- tensors ---- */

/* Dimensions, the last first, and from them the elements and bytes. */
static int take_shape(struct sp_tensor_info *t, struct sp_gguf_cursor *c)
{
    size_t at = c->at;
    uint32_t rank;

    SP_TRY(sp_gguf_take(&rank, c, sizeof rank));
    if (rank > DIMENSIONS)
        return sp_error(SP_EFORMAT, "%s: at byte %zu, tensor %s has %u dimensions; GGUF has at most %d", t->file, at,
                        t->name, (unsigned)rank, DIMENSIONS);
    t->rank = rank;
    t->count = 1;
    for (size_t i = 0; i < rank; i++) {
        uint64_t size;

        SP_TRY(sp_gguf_take(&size, c, sizeof size));
        if (size == 0 || size > SIZE_MAX || !sp_mul(t->count, (size_t)size, &t->count))
            return sp_error(SP_EFORMAT, "%s: at byte %zu, tensor %s: dimension %zu is %llu, %s", t->file,
                            c->at - sizeof size, t->name, i, (unsigned long long)size,
                            size ? "with which it is too large for any file" : "and must not be 0");
        t->shape[rank - 1 - i] = (size_t)size;
    }
    return 0;
}

static int take_type(struct sp_tensor_info *t, struct sp_tensor_form *form, struct sp_gguf_cursor *c)
{
    const struct sp_block_type *type;
    char known[SP_BLOCK_TYPES_TEXT];
    size_t at = c->at, row = t->rank ? t->shape[t->rank - 1] : 1;
    uint32_t id;

    SP_TRY(sp_gguf_take(&id, c, sizeof id));
    type = sp_block_type_find(id);
    if (!type || !type->to_f32)
        return sp_error(
            SP_EFORMAT,
            "%s: at byte %zu, tensor %s is of type %u%s%s%s, which is not read; of these types are: %s. Take "
            "a file of the model in one of them",
            t->file, at, t->name, (unsigned)id, type ? " (" : "", type ? type->name : "", type ? ")" : "",
            sp_block_types(known));
    if (row % type->elements)
        return sp_error(SP_EFORMAT,
                        "%s: at byte %zu, tensor %s is of type %s, in blocks of %zu, but its rows have %zu "
                        "elements",
                        t->file, at, t->name, type->name, type->elements, row);
    if (!sp_mul(t->count / type->elements, type->bytes, &t->bytes))
        return sp_error(SP_EFORMAT, "%s: tensor %s is too large for any file", t->file, t->name);
    *form = (struct sp_tensor_form){ .type = type };
    t->form = form;
    return 0;
}

/* One tensor's entry; where the data begins, from which its offset counts, is not yet known. */
static int take_tensor(struct sp_gguf *file, struct sp_gguf_cursor *c, uint64_t offsets[])
{
    struct sp_tensor_info *t = &file->tensors[file->tensor_count];
    char in[SP_GGUF_IN], *copy = file->names + file->tensor_count * (NAME_LIMIT + 1);
    struct sp_gguf_text name;
    size_t at;

    snprintf(in, sizeof in, "the name of tensor %zu", file->tensor_count);
    c->in = in;
    SP_TRY(sp_gguf_take_name(&name, c, NAME_LIMIT));
    memcpy(copy, name.data, name.length);
    *t = (struct sp_tensor_info){ .name = copy, .file = file->path, .dtype = SP_F32 };
    snprintf(in, sizeof in, "the entry of tensor %.*s", sp_gguf_shown(name), name.data);
    SP_TRY(take_shape(t, c));
    SP_TRY(take_type(t, &file->forms[file->tensor_count], c));
    at = c->at;
    SP_TRY(sp_gguf_take(&offsets[file->tensor_count], c, sizeof offsets[0]));
    if (offsets[file->tensor_count] % file->alignment)
        return sp_error(SP_EFORMAT,
                        "%s: at byte %zu, tensor %s begins at data byte %llu, which is no multiple of the "
                        "file's alignment, %zu",
                        file->path, at, t->name, (unsigned long long)offsets[file->tensor_count], file->alignment);
    file->tensor_count++;
    return 0;
}

static int read_alignment(struct sp_gguf *file)
{
    long long alignment = ALIGNMENT;

    SP_TRY(sp_gguf_get_int(&alignment, file, "general.alignment"));
    if (alignment <= 0 || alignment > INT_MAX || (alignment & (alignment - 1)))
        return sp_error(SP_EFORMAT, "%s: \"general.alignment\" is %lld; expected is a power of two, such as %d",
                        file->path, alignment, ALIGNMENT);
    file->alignment = (size_t)alignment;
    return 0;
}

static size_t aligned(const struct sp_gguf *file, size_t at)
{
    return (at + file->alignment - 1) & ~(file->alignment - 1);
}

static int compare_places(const void *a, const void *b)
{
    const struct sp_tensor_info *left_one = a, *right_one = b;

    if (left_one->data != right_one->data)
        return left_one->data < right_one->data ? -1 : 1;
    return strcmp(left_one->name, right_one->name);
}

static int compare_names(const void *a, const void *b)
{
    const struct sp_tensor_info *left_one = a, *right_one = b;

    return strcmp(left_one->name, right_one->name);
}

/* Sorts the tensors by name, of which none may be there twice. */
static int sort_names(struct sp_gguf *file)
{
    qsort(file->tensors, file->tensor_count, sizeof *file->tensors, compare_names);
    for (size_t i = 1; i < file->tensor_count; i++)
        if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
            return sp_error(SP_EFORMAT, "%s: tensor %s is there twice", file->path, file->tensors[i].name);
    return 0;
}

/* The tensors, sorted by place, follow each other with nothing but padding between. */
static int check_places(struct sp_gguf *file)
{
    const unsigned char *data = file->map.data + file->data;
    size_t end = 0, size = file->map.size - file->data;

    qsort(file->tensors, file->tensor_count, sizeof *file->tensors, compare_places);
    for (size_t i = 0; i < file->tensor_count; i++) {
        const struct sp_tensor_info *t = &file->tensors[i];
        size_t begin = (size_t)((const unsigned char *)t->data - data);

        if (begin != aligned(file, end))
            return sp_error(
                SP_EFORMAT,
                "%s: tensor %s begins at data byte %zu, but %s ends at %zu, and %zu is the next multiple of "
                "%zu: tensors may neither overlap nor leave holes",
                file->path, t->name, begin, i ? t[-1].name : "the header", end, aligned(file, end), file->alignment);
        end = begin + t->bytes;
    }
    if (size > aligned(file, end))
        return sp_error(
            SP_EFORMAT,
            "%s: its tensors end at byte %zu, but the file has %zu bytes: its count of tensors is wrong, or "
            "something was appended",
            file->path, file->data + end, file->map.size);
    return 0;
}

/* Turns offsets into addresses inside the file. */
static int place_tensors(struct sp_gguf *file, const uint64_t offsets[])
{
    size_t size;

    if (file->data > file->map.size)
        return sp_error(SP_EFORMAT,
                        "%s: its tensors' data should begin at byte %zu, but the file has only %zu: it is "
                        "truncated; fetch it again",
                        file->path, file->data, file->map.size);
    size = file->map.size - file->data;
    for (size_t i = 0; i < file->tensor_count; i++) {
        struct sp_tensor_info *t = &file->tensors[i];

        if (offsets[i] > size || t->bytes > size - offsets[i])
            return sp_error(
                SP_EFORMAT,
                "%s: tensor %s has %zu bytes from data byte %llu on, but the file has only %zu of data, from "
                "byte %zu on: it is truncated or damaged; fetch it again",
                file->path, t->name, t->bytes, (unsigned long long)offsets[i], size, file->data);
        t->data = file->map.data + file->data + offsets[i];
    }
    return 0;
}

static int read_tensors(struct sp_gguf *file, struct sp_gguf_cursor *c, uint64_t count)
{
    uint64_t *offsets = NULL;
    int rc = 0;

    if (count > TENSORS_LIMIT || count > sp_gguf_left(c) / LEAST_TENSOR)
        return sp_error(
            count > TENSORS_LIMIT ? SP_ELIMIT : SP_EFORMAT,
            "%s: at byte 8, the header says that it holds %llu tensors; at most %d are read, and its %zu bytes "
            "behind the metadata have room for %zu: it is truncated or damaged; fetch it again",
            file->path, (unsigned long long)count, TENSORS_LIMIT, sp_gguf_left(c), sp_gguf_left(c) / LEAST_TENSOR);
    if (count == 0)
        return sp_error(SP_EFORMAT, "%s holds no tensors, as files of a vocabulary alone do: give the model's file",
                        file->path);
    file->tensors = sp_calloc((size_t)count, sizeof *file->tensors);
    file->forms = sp_calloc((size_t)count, sizeof *file->forms);
    file->names = sp_calloc((size_t)count, NAME_LIMIT + 1);
    offsets = sp_calloc((size_t)count, sizeof *offsets);
    SP_GO(file->tensors && file->forms && file->names && offsets ? 0 : SP_ENOMEM);
    while (file->tensor_count < count)
        SP_GO(take_tensor(file, c, offsets));
    file->data = aligned(file, c->at);
    SP_GO(place_tensors(file, offsets));
    SP_GO(sort_names(file));
    SP_GO(check_places(file));
    SP_GO(sort_names(file));
out:
    free(offsets);
    return rc;
}

size_t sp_gguf_count(const struct sp_gguf *file)
{
    return file->tensor_count;
}

const struct sp_tensor_info *sp_gguf_at(const struct sp_gguf *file, size_t i)
{
    return &file->tensors[i];
}

const struct sp_tensor_info *sp_gguf_find(const struct sp_gguf *file, const char *name)
{
    const struct sp_tensor_info key = { .name = name };

    return bsearch(&key, file->tensors, file->tensor_count, sizeof key, compare_names);
}

/* ---- the file ---- */

static int check_version(const struct sp_gguf *file, uint32_t version)
{
    if (version == 2 || version == 3)
        return 0;
    if ((version & 0xFFFF) == 0)
        return sp_error(
            SP_EFORMAT,
            "%s: at byte 4, its version is %u the other way round: it was written in big-endian order, which "
            "is not read; take a little-endian file of the model",
            file->path, (unsigned)__builtin_bswap32(version));
    return sp_error(SP_EFORMAT, "%s: at byte 4, it is of GGUF's version %u; versions 2 and 3 are read%s", file->path,
                    (unsigned)version, version == 1 ? ": convert the model again with a newer llama.cpp" : "");
}

/* A model may lie in several files, each with a part of the tensors. */
static int check_split(const struct sp_gguf *file)
{
    long long count = 1, number = 0;

    SP_TRY(sp_gguf_get_int(&count, file, "split.count"));
    SP_TRY(sp_gguf_get_int(&number, file, "split.no"));
    if (count <= 1)
        return 0;
    return sp_error(
        SP_EFORMAT,
        "%s is part %lld of %lld of a model (\"split.count\"), and parts are not read: put them together with "
        "llama.cpp's `llama-gguf-split --merge FIRST_PART WHOLE.gguf`, and give that file",
        file->path, number + 1, count);
}

static int read_file(struct sp_gguf *file)
{
    static const char *const old[] = { "lmgg", "tjgg", "fmgg", "algg" };
    struct sp_gguf_cursor c = { file, 0, "the header" };
    uint64_t tensors, keys;
    uint32_t version;
    char magic[4];

    SP_TRY(sp_gguf_take(magic, &c, sizeof magic));
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (memcmp(magic, old[i], sizeof magic) == 0)
            return sp_error(
                SP_EFORMAT,
                "%s is a model file of llama.cpp's from before GGUF (it begins \"%.4s\"), which is not read: "
                "take a GGUF file of the model",
                file->path, old[i]);
    if (memcmp(magic, MAGIC, sizeof magic) != 0)
        return sp_error(SP_EFORMAT, "%s is not a GGUF file: it does not begin \"" MAGIC "\"", file->path);
    SP_TRY(sp_gguf_take(&version, &c, sizeof version));
    SP_TRY(check_version(file, version));
    SP_TRY(sp_gguf_take(&tensors, &c, sizeof tensors));
    SP_TRY(sp_gguf_take(&keys, &c, sizeof keys));
    SP_TRY(sp_gguf_read_entries(&c, keys));
    SP_TRY(check_split(file));
    SP_TRY(read_alignment(file));
    return read_tensors(file, &c, tensors);
}

int sp_gguf_open(struct sp_gguf **out, const char *path)
{
    struct sp_gguf *file = sp_calloc(1, sizeof *file);
    int rc = 0;

    *out = NULL;
    if (!file)
        return SP_ENOMEM;
    SP_GO(sp_fs_map(&file->map, path));
    file->path = sp_strdup(path);
    SP_GO(file->path ? 0 : SP_ENOMEM);
    SP_GO(sp_fs_refuse_page(path, (const char *)file->map.data, file->map.size));
    SP_GO(read_file(file));
    *out = file;
    file = NULL;
out:
    sp_gguf_close(file);
    return rc;
}

void sp_gguf_close(struct sp_gguf *file)
{
    if (!file)
        return;
    free(file->names);
    free(file->forms);
    free(file->tensors);
    free(file->by_key);
    free(file->entries);
    sp_fs_unmap(&file->map);
    free(file->path);
    free(file);
}

const char *sp_gguf_path(const struct sp_gguf *file)
{
    return file->path;
}

void sp_gguf_forget(const struct sp_gguf *file)
{
    sp_fs_map_forget(&file->map);
}

int sp_gguf_check_unchanged(const struct sp_gguf *file)
{
    return sp_fs_map_check_unchanged(&file->map, file->path);
}
