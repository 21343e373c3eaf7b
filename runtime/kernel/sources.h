/*
 * The files under cl/, embedded byte for byte (layer 2). The table is made at build time by autotools/embed.sh from the
 * list in cl/local.mk and lives as long as the program; safe to read from any thread.
 */
#ifndef SP_KERNEL_SOURCES_H
#define SP_KERNEL_SOURCES_H

#include <stddef.h>

struct sp_cl_source {
    const char *path; /* from cl/ on: "norm/layernorm.cl" */
    const char *text; /* `length` bytes, then a zero */
    size_t length;
};

extern const struct sp_cl_source sp_cl_sources[]; /* in the order of cl/local.mk */
extern const size_t sp_cl_source_count;

#endif
