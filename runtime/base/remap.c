#include "runtime/base/remap.h"

void sp_remap_words(void *out, const void *in, const uint32_t *from, size_t count, uint32_t fresh)
{
    const uint32_t *source = in;
    uint32_t *target = out;

    for (size_t k = 0; k < count; k++) {
        /* no branch: new entries come at random */
        const uint32_t *at = from[k] == SP_REMAP_NEW ? &fresh : &source[from[k]];

        target[k] = *at;
    }
}
