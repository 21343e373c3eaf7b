// lint: -DLANES=1 -DROWS=8 -DC=384 -DPOSITION=1 -DTYPE=1 -DPANEL_ROWS=1 -DPANEL_COLUMNS=384
// lint: -DLANES=1 -DROWS=8 -DC=384 -DPOSITION=0 -DTYPE=0 -DPANEL_ROWS=32 -DPANEL_COLUMNS=1
// lint: -DLANES=1 -DROWS=8 -DC=384 -DPOSITION=0 -DTYPE=0 -DPANEL_ROWS=1 -DPANEL_COLUMNS=32
// lint: -DLANES=64 -DROWS=1 -DC=384 -DPOSITION=0 -DTYPE=0 -DPANEL_ROWS=32 -DPANEL_COLUMNS=1
/*
 * Embedding look-up: `scale` times a row of the words' table, and a row of the positions' and the types' where there
 * are such; C columns each.
 *
 * The words' table may be a linear layer's weight as its products want it (struct sp_gemm_layout), element (id, c) of
 * it at id / PANEL_ROWS * row_block + id % PANEL_ROWS + c / PANEL_COLUMNS * column_block + c % PANEL_COLUMNS.
 * Row-major: PANEL_ROWS is 1 and PANEL_COLUMNS is C.
 */
#include "lib/lanes.h"

#if PANEL_COLUMNS >= C
#define AT(c) (c)
#else
#define AT(c) ((size_t)((c) / PANEL_COLUMNS) * column_block + (c) % PANEL_COLUMNS)
#endif

#define word_v1(c) (w[AT(c)])
#if PANEL_COLUMNS >= C || PANEL_COLUMNS % 16 == 0
#define word_v16(c) load_v16(w, AT(c))
#else
#define word_v16(c)                                                                                                    \
    ((float16)(w[AT(c)], w[AT(c + 1)], w[AT(c + 2)], w[AT(c + 3)], w[AT(c + 4)], w[AT(c + 5)], w[AT(c + 6)],           \
               w[AT(c + 7)], w[AT(c + 8)], w[AT(c + 9)], w[AT(c + 10)], w[AT(c + 11)], w[AT(c + 12)], w[AT(c + 13)],   \
               w[AT(c + 14)], w[AT(c + 15)]))
#endif

#if POSITION
#define PLUS_POSITION(V) +load_##V(p, c)
#else
#define PLUS_POSITION(V)
#endif
#if TYPE
#define PLUS_TYPE(V) +load_##V(k, c)
#else
#define PLUS_TYPE(V)
#endif
#define LOOK_UP(V, F) store_##V(scale * word_##V(c) PLUS_POSITION(V) PLUS_TYPE(V), y, base + c);

KERNEL void embedding_forward(__global float *y, __global const float *word, __global const float *position,
                              __global const float *type, __global const uint *ids, __global const uint *positions,
                              __global const uint *types, int T, float scale, uint row_block, uint column_block)
{
    FOR_ROWS(t, T)
    {
        size_t base = (size_t)t * C;
        __global const float *w = word + (size_t)(ids[t] / PANEL_ROWS) * row_block + ids[t] % PANEL_ROWS;
#if POSITION
        __global const float *p = position + (size_t)positions[t] * C;
#endif
#if TYPE
        __global const float *k = type + (size_t)types[t] * C;
#endif

        FOR_RANGE(c, 0, C, LOOK_UP)
    }
}
