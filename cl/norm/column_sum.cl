// lint: -DLANES=1 -DC=384 -DFACTOR=1 -DSCALE=0 -DACCUMULATE=1
// lint: -DLANES=64 -DC=384 -DFACTOR=1 -DSCALE=1 -DACCUMULATE=0
/*
 * out[b][c] = sum over the rows t of block b of in[t][c] * factor[t][c] * scale[t], t ascending. Run twice it sums
 * blocks of rows, then the blocks. CPUs: 64 columns a work-item, as four vectors; GPUs: a column a work-item.
 */
#include "lib/lanes.h"

#if FACTOR && SCALE
#define TERM(V, c) (load_##V(in, base + (c)) * load_##V(factor, base + (c)) * scale[base / C])
#elif FACTOR
#define TERM(V, c) (load_##V(in, base + (c)) * load_##V(factor, base + (c)))
#else
#define TERM(V, c) load_##V(in, base + (c))
#endif
#if ACCUMULATE
#define PUT(V, sum, c) store_##V(load_##V(out, (c)) + (sum), out, (c))
#else
#define PUT(V, sum, c) store_##V(sum, out, (c))
#endif
#define FOR_BLOCK for (size_t base = (size_t)first * C, end = (size_t)last * C; base < end; base += C)

KERNEL void column_sum(__global float *out, __global const float *in, __global const float *factor,
                       __global const float *scale, int T, int block)
{
    int first = (int)get_group_id(1) * block, last = min(first + block, T);

    out += get_group_id(1) * C;
#if LANES == 1
    int c = get_group_id(0) * 64, c_end = min(c + 64, C);

    if (c + 64 <= c_end) {
        float16 s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;

        FOR_BLOCK {
            s0 += TERM(v16, c);
            s1 += TERM(v16, c + 16);
            s2 += TERM(v16, c + 32);
            s3 += TERM(v16, c + 48);
        }
        PUT(v16, s0, c);
        PUT(v16, s1, c + 16);
        PUT(v16, s2, c + 32);
        PUT(v16, s3, c + 48);
        return;
    }
    for (; c + 16 <= c_end; c += 16) {
        float16 sum = 0.0f;

        FOR_BLOCK
            sum += TERM(v16, c);
        PUT(v16, sum, c);
    }
    for (; c < c_end; c++) {
#else
    int c = get_global_id(0);

    if (c < C) {
#endif
        float sum = 0.0f;

        FOR_BLOCK
            sum += TERM(v1, c);
        PUT(v1, sum, c);
    }
}
