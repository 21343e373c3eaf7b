/*
 * The characters that stand for bytes in byte-level vocabularies (layer 4, for runtime/text): a byte that is a visible
 * character of Latin-1 stands for itself, the others for U+0100 onwards in their order (GPT-2). Threading: pure
 * functions.
 */
#ifndef SP_TEXT_BYTE_LEVEL_H
#define SP_TEXT_BYTE_LEVEL_H

#include "runtime/base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Appends the characters that stand for the bytes. */
int sp_byte_level_append(struct sp_buf *out, const char *bytes, size_t length);

/* The byte that the character stands for, or -1. */
int sp_byte_level_byte(uint32_t c);

#endif
