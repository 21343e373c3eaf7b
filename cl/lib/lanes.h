/*
 * One source for CPUs and GPUs. With LANES = 1 a work-item is a group of its own and walks its rows or elements in
 * float16 vectors, then the rest one by one; with LANES > 1 the work-items of a group share a row column by column, or
 * take an element each. A loop's body is a macro BODY(V, F) that is expanded for (v16, float16) and (v1, float):
 * load_##V(p, i) reads, F is its type. Sums are in a fixed order either way.
 */
#ifndef LANES_H
#define LANES_H

#define KERNEL __kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))

#define load_v1(p, i) ((p)[i])
#define load_v16(p, i) vload16(0, (p) + (i))
#define store_v1(x, p, i) ((p)[i] = (x))
#define store_v16(x, p, i) vstore16(x, 0, (p) + (i))

static inline float sum_v16(float16 x)
{
    float8 a = x.lo + x.hi;
    float4 b = a.lo + a.hi;

    return (b.x + b.z) + (b.y + b.w);
}

/* A walk's total: its body adds to name_v16 and name_v1. */
#define LANES_TOTAL(name) LANES_SUM(sum_v16(name##_v16) + name##_v1, scratch)

#if LANES == 1

/* The rows of this group, of T: ROWS of them in a work-item on CPUs, one in a group on GPUs. */
#define FOR_ROWS(t, T) for (int t = (int)get_group_id(0) * ROWS, t##_end = min(t + ROWS, T); t < t##_end; t++)

#define LANE 0
#define LANES_SCRATCH(name)

/* Columns or elements i with low <= i < high of a row that the group shares. */
#define FOR_RANGE(i, low, high, BODY)                                                                                  \
    {                                                                                                                  \
        int i = low;                                                                                                   \
        for (; i + 16 <= (high); i += 16)                                                                              \
            BODY(v16, float16)                                                                                         \
        for (; i < (high); i++)                                                                                        \
            BODY(v1, float)                                                                                            \
    }

/* The elements of this work-item, of n < 2^31. */
#define FOR_ELEMENTS(i, n, BODY)                                                                                       \
    {                                                                                                                  \
        uint i = get_group_id(0) * CHUNK, i##_end = min(i + CHUNK, (uint)(n));                                         \
        for (; i + 16 <= i##_end; i += 16)                                                                             \
            BODY(v16, float16)                                                                                         \
        for (; i < i##_end; i++)                                                                                       \
            BODY(v1, float)                                                                                            \
    }
#define FOR_ELEMENTS_SCALAR(i, n)                                                                                      \
    for (uint i = get_group_id(0) * CHUNK, i##_end = min(i + CHUNK, (uint)(n)); i < i##_end; i++)

/* The sum and the largest over the group of each work-item's value. */
#define LANES_SUM(x, scratch) (x)
#define LANES_MAX(x, scratch) (x)

#else

/* As many groups as rows are launched: no condition, under which PoCL would run barriers wrong (SP_AVOID in
 * quirk.def). */
#define FOR_ROWS(t, T) for (int t = (int)get_group_id(0), t##_end = t + 1; t < t##_end; t++)

#define LANE ((int)get_local_id(0))
#define LANES_SCRATCH(name) __local float name[LANES];

#define FOR_RANGE(i, low, high, BODY)                                                                                  \
    for (int i = (low) + LANE; i < (high); i += LANES)                                                                 \
        BODY(v1, float)

#define FOR_ELEMENTS_SCALAR(i, n) for (uint i = get_global_id(0), i##_end = min(i + 1, (uint)(n)); i < i##_end; i++)
#define FOR_ELEMENTS(i, n, BODY)                                                                                       \
    FOR_ELEMENTS_SCALAR(i, n)                                                                                          \
        BODY(v1, float)

/* In two levels: eight work-items take an eighth each, then each work-item takes the eight. LANES is a multiple of
 * 8. */
#define LANES_REDUCE(name, COMBINE)                                                                                    \
    static inline float name(float x, __local float *scratch)                                                          \
    {                                                                                                                  \
        scratch[LANE] = x;                                                                                             \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        if (LANE < 8) {                                                                                                \
            for (int i = LANE + 8; i < LANES; i += 8)                                                                  \
                x = COMBINE(x, scratch[i]);                                                                            \
            scratch[LANE] = x;                                                                                         \
        }                                                                                                              \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        x = scratch[0];                                                                                                \
        for (int i = 1; i < 8; i++)                                                                                    \
            x = COMBINE(x, scratch[i]);                                                                                \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        return x;                                                                                                      \
    }

#define LANES_ADD(a, b) ((a) + (b))
#define LANES_LARGER(a, b) ((a) > (b) ? (a) : (b))
LANES_REDUCE(LANES_SUM, LANES_ADD)
LANES_REDUCE(LANES_MAX, LANES_LARGER)

#endif
#endif
