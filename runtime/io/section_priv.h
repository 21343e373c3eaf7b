/*
 * The kinds of an adapter's sections (layer 4, private to this folder): one file section_<kind>.c each, listed in
 * section.def. A section is what training made of one weight: an entry, struct sp_adapter_<kind>, which begins with the
 * weight's name; tensors that are called after it; and, under the kind's key, what adapter.json says of it. adapter.c
 * writes, checks and reads them all alike.
 */
#ifndef SP_IO_SECTION_PRIV_H
#define SP_IO_SECTION_PRIV_H

#include "runtime/io/adapter.h"
#include "runtime/io/safetensors.h"

#include <stdbool.h>

#define SP_SECTION_TENSORS 4 /* the most that a section has */

struct sp_section_kind {
    const char *key;
    bool always; /* adapter.json has the key without such a section, too */
    size_t size; /* of an entry */
    struct {
        const char *suffix; /* of its name, after the weight's */
        enum sp_dtype dtype;
    } tensors[SP_SECTION_TENSORS];
    size_t tensor_count;

    /* What adapter.c cannot know to be wrong, before an entry is written and after it was read; numbers that are not
     * finite it finds itself. `where` is the folder or the file. NULL: nothing. */
    int (*check)(const void *entry, const char *where);

    /* Writing: rank, shape and data of its tensors, and what adapter.json says of it (new, NULL when out of memory).
     * Without describe the key's value is the array of the names, else an object by the names. */
    void (*lay_out)(struct sp_tensor_info *tensors, const void *entry);
    json_t *(*describe)(const void *entry);

    /* Reading, with the name set: what adapter.json, the file `document`, says; NULL: nothing. Then its tensors, there
     * and of their types. */
    int (*parse)(void *entry, const json_t *description, const char *document);
    int (*take)(void *entry, const struct sp_tensor_info *const *tensors, const char *file);

    /* The shape that the base model's weight must have; NULL: the base model may lack it. */
    void (*shape)(size_t out[2], const void *entry);
};

#define SP_SECTION(kind) extern const struct sp_section_kind sp_section_##kind;
#include "runtime/io/section.def"
#undef SP_SECTION

#endif
