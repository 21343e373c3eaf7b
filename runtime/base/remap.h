/*
 * Moving entries' 32-bit state along when a list of entries changes (layer 0): a map says for each entry of the new
 * list which one of the old list it was. Threading: none.
 */
#ifndef SP_BASE_REMAP_H
#define SP_BASE_REMAP_H

#include <stddef.h>
#include <stdint.h>

#define SP_REMAP_NEW UINT32_MAX /* in a map: the entry was not in the old list */

/* out[k] = in[from[k]], or `fresh` for a new entry; `in` and `out` are arrays of 32-bit words and do not overlap. */
void sp_remap_words(void *out, const void *in, const uint32_t *from, size_t count, uint32_t fresh);

#endif
