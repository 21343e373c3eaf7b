/*
 * Adapter folders and mask files (layer 4); doc/adapter-format.md is the specification. An adapter
 * is what training changed: sparse deltas (positions and values in a weight), and dense tensors
 * that replace the base model's or add to it (a head; with method `full`, every trained weight).
 *
 * Ownership: to save, fill a struct whose pointers stay yours. A loaded adapter's pointers are into
 * its mapped file and its JSON document, and live until sp_adapter_release. Threading: a loaded
 * adapter is read-only.
 */
#ifndef SP_IO_ADAPTER_H
#define SP_IO_ADAPTER_H

#include "runtime/io/checkpoint.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct sp_adapter_sparse {
    const char *name; /* the weight's full name in the base model's files */
    size_t rows, cols;
    size_t count;
    const uint32_t *indices; /* flat row-major positions, sorted, unique, below rows * cols */
    const float *values;     /* the delta at each; unused in mask files */
};

struct sp_adapter_dense {
    const char *name;
    size_t rank;
    size_t shape[SP_TENSOR_RANK];
    const float *data;
};

/* At the end of a folder's name: what a run trained, before its last evaluation. */
#define SP_ADAPTER_UNEVALUATED ".unevaluated"
#define SP_ADAPTER_UNKNOWN_BASE "unknown" /* the base's file changed before its checksum was made: no model fits */

/* What an adapter's folder holds; ends in NULL. */
extern const char *const sp_adapter_files[];

/* The kinds of sections, each with an entry of its own as those above; further ones have theirs in section_<kind>.h. */
enum {
#define SP_SECTION(kind) SP_SECTION_##kind,
#include "runtime/io/section.def"
#undef SP_SECTION
    SP_SECTION_KINDS
};

struct sp_sections {
    void *entries;
    size_t count;
};

struct sp_adapter {
    union {
        struct { /* by name: sparse, sparse_count, dense, ... */
#define SP_SECTION(kind)            \
    struct sp_adapter_##kind *kind; \
    size_t kind##_count;
#include "runtime/io/section.def"
#undef SP_SECTION
        };
        struct sp_sections sections[SP_SECTION_KINDS]; /* the same, for who goes over all kinds */
    };
    const char *base_name;     /* what the user called the base model; for people, never followed */
    const char *base_checksum; /* sp_checkpoint_checksum of the base model, or SP_ADAPTER_UNKNOWN_BASE */
    const char *method;        /* "static", "full", "head" ... */
    /* its name; whether there is such a one, and its labels fit, is for who uses it to see */
    const char *task;
    const json_t *labels;      /* array of at least two strings, by output; NULL for none */
    const char *head;          /* "kept": the base model's own head was trained on, "new": another; NULL: not said */
    const json_t *config;      /* object: the resolved configuration */
    const json_t *data;        /* object: how the training file was read; NULL where that is not kept */
    /* owned by a loaded adapter */
    struct sp_safetensors *file;
    json_t *document;
    char *dir;
};

/*
 * Writes adapter.safetensors and adapter.json to a folder beside `dir` and exchanges it with `dir`
 * when complete: `dir` holds the old adapter or the new one. Parent folders are made; other files
 * in an existing `dir` are kept. On failure nothing is left of the attempt. The values must be
 * finite: SP_ENUMERIC otherwise, naming the tensor.
 */
int sp_adapter_save(const char *dir, const struct sp_adapter *adapter);

/* Reads and checks the folder: positions sorted, unique and in range, values finite, every tensor
 * accounted for. */
int sp_adapter_load(struct sp_adapter *out, const char *dir);
void sp_adapter_release(struct sp_adapter *adapter); /* a loaded or zeroed one */

/*
 * Refuses an adapter made for another base model (both folders and checksums in the message), and
 * sparse tensors whose shape is not that of the base model's weight: after this, every position is
 * inside its weight. Dense tensors are not compared: a new head may differ from the one in the base
 * model; whoever loads them checks their names and shapes.
 */
int sp_adapter_check_base(const struct sp_adapter *adapter, struct sp_checkpoint *base);

/* sp_adapter_find_sparse, _dense, ...: the section of that kind and name; NULL when there is none. */
#define SP_SECTION(kind) \
    const struct sp_adapter_##kind *sp_adapter_find_##kind(const struct sp_adapter *adapter, const char *name);
#include "runtime/io/section.def"
#undef SP_SECTION

/* The name of section i, all kinds counted together; NULL after the last. */
const char *sp_adapter_name(const struct sp_adapter *adapter, size_t i);

/* Writes the positions alone: one U32 tensor `<name>.indices` for each entry; base_checksum and shapes as metadata. */
int sp_adapter_save_mask(const char *path, const char *base_checksum, const struct sp_adapter_sparse *masks,
                         size_t count);

#endif
