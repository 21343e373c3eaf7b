/*
 * Kernel source text (layer 2): a file of cl/ with its includes put in place, each once, and #line
 * directives, so that a driver's message names file and line and needs no file on disk. A file that
 * exists under $SPEFT_KERNEL_DIR replaces the embedded one.
 * `#include "lib/x.h"` is named from cl/ and stands outside conditionals. Any thread.
 */
#ifndef SP_KERNEL_SOURCE_H
#define SP_KERNEL_SOURCE_H

/* The whole text in a new string; a file that is missing is SP_ENOTFOUND naming it and who includes
 * it. */
int sp_source_assemble(char **out, const char *path);

#endif
