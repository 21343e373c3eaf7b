#include "runtime/sparse/support.h"

#include <stdlib.h>
#include <string.h>

size_t sp_support_update(uint32_t *out, uint32_t *from, const uint32_t *old, size_t count, const uint32_t *dropped,
                         size_t dropped_count, const uint32_t *added, size_t added_count)
{
    size_t n = 0, d = 0, a = 0;

    for (size_t k = 0; k < count; k++) {
        uint32_t position = old[k];
        bool drop = d < dropped_count && dropped[d] == position, stays;

        for (; a < added_count && added[a] < position; a++) {
            out[n] = added[a];
            from[n++] = SP_REMAP_NEW;
        }
        stays = a < added_count && added[a] == position;
        a += stays;
        d += drop;
        out[n] = position;
        from[n] = (uint32_t)k;
        n += !drop || stays; /* no branch: which ones go is random */
    }
    for (; a < added_count; a++) {
        out[n] = added[a];
        from[n++] = SP_REMAP_NEW;
    }
    return n;
}

static int by_position(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void sp_support_sort(uint32_t *positions, size_t count)
{
    qsort(positions, count, sizeof *positions, by_position);
}

bool sp_support_has(const uint32_t *positions, size_t count, uint32_t position)
{
    return bsearch(&position, positions, count, sizeof *positions, by_position) != NULL;
}

size_t sp_support_map(uint32_t *from, const uint32_t *now, size_t count, const uint32_t *old, size_t old_count)
{
    size_t kept = 0, o = 0;

    for (size_t k = 0; k < count; k++) {
        bool was;

        while (o < old_count && old[o] < now[k])
            o++;
        was = o < old_count && old[o] == now[k];
        from[k] = was ? (uint32_t)o : SP_REMAP_NEW;
        kept += was;
    }
    return kept;
}

size_t sp_support_union(uint32_t *out, float *out_words, const uint32_t *a, const float *a_words, size_t a_count,
                        const uint32_t *b, const float *b_words, size_t b_count)
{
    size_t i = 0, j = 0, n = 0;

    while (i < a_count || j < b_count) {
        bool take = i < a_count && (j >= b_count || a[i] <= b[j]), both = take && j < b_count && a[i] == b[j];

        out[n] = take ? a[i] : b[j];
        if (out_words)
            out_words[n] = take ? a_words[i] : b_words[j];
        n++;
        i += take;
        j += both || !take;
    }
    return n;
}

/* |x| as an integer in the same order, or with FLIP in the opposite one. */
#define FLIP 0x7fffffffu

static uint32_t key_of(float x, uint32_t flip)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7fffffffu) ^ flip;
}

/* The key above which fewer than `wanted` lie and from which on at least so many; *above of them above. */
static uint32_t threshold(size_t *above, size_t wanted, const float *x, size_t n, uint32_t flip)
{
    static const int shifts[] = { 20, 10, 0 }; /* 11 bits, then 10 and 10 */
    uint32_t prefix = 0, mask = 0;

    *above = 0;
    for (int pass = 0; pass < 3; pass++) {
        int shift = shifts[pass], bits = pass ? 10 : 11;
        uint32_t histogram[1 << 11] = { 0 }, bin = (1u << bits) - 1;

        for (size_t i = 0; i < n; i++) {
            uint32_t key = key_of(x[i], flip);

            if ((key & mask) == prefix)
                histogram[key >> shift & ((1u << bits) - 1)]++;
        }
        for (; *above + histogram[bin] < wanted; bin--)
            *above += histogram[bin];
        prefix |= bin << shift;
        mask |= ((1u << bits) - 1) << shift;
    }
    return prefix;
}

static void extreme(uint32_t *out, size_t wanted, const float *x, size_t n, uint32_t flip)
{
    size_t above, count = 0, equal;
    uint32_t limit;

    if (!wanted)
        return;
    limit = threshold(&above, wanted, x, n, flip);
    equal = wanted - above;
    for (size_t i = 0; count < wanted; i++) {
        uint32_t key = key_of(x[i], flip);

        if (key < limit || (key == limit && equal == 0))
            continue;
        equal -= key == limit;
        out[count++] = (uint32_t)i;
    }
}

void sp_support_largest(uint32_t *out, size_t wanted, const float *x, size_t n)
{
    extreme(out, wanted, x, n, 0);
}

void sp_support_smallest(uint32_t *out, size_t wanted, const float *x, size_t n)
{
    extreme(out, wanted, x, n, FLIP);
}
