/*
 * Grapheme clusters (layer 4, text), what a reader takes for one character: the extended clusters of Unicode's Annex 29
 * as the `tokenizers` library has them. Threading: pure functions.
 */
#ifndef SP_TEXT_GRAPHEME_H
#define SP_TEXT_GRAPHEME_H

#include <stddef.h>

/* The bytes of the cluster that text[length] begins with; length > 0. */
size_t sp_grapheme(const char *text, size_t length);

#endif
