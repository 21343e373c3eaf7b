// lint: -DLANES=1 -DC=5003 -DPART=2048 -DGRADIENT=1 -DCAP=1
// lint: -DLANES=1 -DC=37 -DPART=2048 -DGRADIENT=0 -DCAP=0
// lint: -DLANES=64 -DC=5003 -DPART=2048 -DGRADIENT=1 -DCAP=1
// lint: -DLANES=64 -DC=37 -DPART=2048 -DGRADIENT=0 -DCAP=0
/*
 * The loss of rows of C logits over a large vocabulary, and its gradient in their place; runtime/op/language.h has the
 * equations. A row is looked at in parts of PART columns, of which each has its largest, the sum of exponentials below
 * it, and the largest before the target. On CPUs a work-item has a whole row, parts stay in the first-level cache
 * between maximum and sum, and the row in the second between sum and gradient. On GPUs, where there are too few rows to
 * fill the device, each part has a group, in language_parts and again in language_rows.
 */
#include "lib/lanes.h"
#include "lib/math.h"

#define PARTS ((C + PART - 1) / PART)

/* A logit as it enters the loss, before the temperature. */
#if CAP
#define CAPPED(V, x) (cap * tanh_##V((x) * (1.0f / cap)))
#define SLOPE(y) *(1.0f - (y) * (y) * (1.0f / (cap * cap)))
#else
#define CAPPED(V, x) (x)
#define SLOPE(y)
#endif

#define LARGEST(V, F)                                                                                                  \
    {                                                                                                                  \
        F z = shrink * CAPPED(V, load_##V(logits, base + k));                                                          \
        largest_##V = z > largest_##V ? z : largest_##V;                                                               \
    }
#define EXPONENTIAL(V, x) exp2_##V((x) * 1.44269504f) /* of what is not above 0 */

/* Whether exponentials take the logits' place, where nothing else is wanted of these: computing them is what bounds a
 * CPU, as memory bounds a GPU. */
#define STORED (LANES == 1 && GRADIENT && !CAP)
#if STORED
#define ADD_UP(V, F)                                                                                                   \
    {                                                                                                                  \
        F e = EXPONENTIAL(V, shrink * load_##V(logits, base + k) - largest);                                           \
        total_##V += e;                                                                                                \
        store_##V(e, logits, base + k);                                                                                \
    }
#define SCALE(V, F) store_##V(load_##V(logits, base + k) * share, logits, base + k);
#else
#define ADD_UP(V, F) total_##V += EXPONENTIAL(V, shrink * CAPPED(V, load_##V(logits, base + k)) - largest);
#endif
#define DIFFERENTIATE(V, F)                                                                                            \
    {                                                                                                                  \
        F y = CAPPED(V, load_##V(logits, base + k));                                                                   \
        store_##V(EXPONENTIAL(V, shrink * y - largest) * factor SLOPE(y), logits, base + k);                           \
    }

/* The three numbers of part p, at `out`. */
#define LOOK_AT_PART(p, out)                                                                                           \
    {                                                                                                                  \
        int low = (p) * PART, high = min(low + PART, C), middle = clamp((int)target, low, high);                       \
        float16 largest_v16 = -INFINITY, total_v16 = 0.0f;                                                             \
        float largest_v1 = -INFINITY, total_v1 = 0.0f;                                                                 \
                                                                                                                       \
        FOR_RANGE(k, low, middle, LARGEST)                                                                             \
        largest_v1 = max(largest_v1, max_v16(largest_v16));                                                            \
        float before = LANES_MAX(largest_v1, scratch);                                                                 \
                                                                                                                       \
        FOR_RANGE(k, middle, high, LARGEST)                                                                            \
        largest_v1 = max(largest_v1, max_v16(largest_v16));                                                            \
        float largest = LANES_MAX(largest_v1, scratch);                                                                \
                                                                                                                       \
        FOR_RANGE(k, low, high, ADD_UP)                                                                                \
        float total = LANES_TOTAL(total);                                                                              \
                                                                                                                       \
        if (LANE == 0) {                                                                                               \
            (out)[0] = largest;                                                                                        \
            (out)[1] = total;                                                                                          \
            (out)[2] = before;                                                                                         \
        }                                                                                                              \
    }

static inline float max_v16(float16 x)
{
    float8 a = x.lo > x.hi ? x.lo : x.hi;
    float4 b = a.lo > a.hi ? a.lo : a.hi;
    float2 c = b.lo > b.hi ? b.lo : b.hi;

    return c.x > c.y ? c.x : c.y;
}

#if LANES > 1
/* A group to each part of each row. */
KERNEL void language_parts(__global float *parts, __global const float *logits, __global const int *targets, int first,
                           float cap, float shrink)
{
    size_t group = get_group_id(0), base = group / PARTS * C;
    int target = targets[first + (int)(group / PARTS)];
    LANES_SCRATCH(scratch)

    LOOK_AT_PART((int)(group % PARTS), parts + 3 * group)
}

#define PARTS_ARGUMENT , __global const float *all_parts
/* With the gradient a group to each part again, else to each row. */
#define FIND_ROW                                                                                                       \
    size_t r = get_group_id(0) / (GRADIENT ? PARTS : 1);                                                               \
    int part = (int)(get_group_id(0) % (GRADIENT ? PARTS : 1)), low = part * PART;                                     \
    int high = GRADIENT ? min(low + PART, C) : C;                                                                      \
    __global const float *parts = all_parts + 3 * PARTS * r;
#else
#define PARTS_ARGUMENT
#define FIND_ROW                                                                                                       \
    size_t r = get_group_id(0);                                                                                        \
    int low = 0, high = C;                                                                                             \
    float parts[3 * PARTS];
#endif

KERNEL void language_rows(__global float *logits, __global float *losses, __global float *hits,
                          __global const uint *rows, __global const int *targets, int first, float cap, float scale,
                          float shrink PARTS_ARGUMENT)
{
    LANES_SCRATCH(scratch)
    FIND_ROW
    size_t base = r * C;
    int target = targets[first + (int)r];
    float largest_v1 = -INFINITY, before_v1 = -INFINITY, total_v1 = 0.0f;
    /* the work-item that has the target's column: what it reads there only it overwrites */
    bool owner = target >= low && target < high && LANE == (target - low) % LANES;
    float own = owner ? CAPPED(v1, logits[base + target]) : 0.0f;

#if LANES == 1
    for (int p = 0; p < PARTS; p++)
        LOOK_AT_PART(p, parts + 3 * p)
#endif
    for (int p = LANE; p < PARTS; p += LANES) {
        float to_target = p < target / PART ? parts[3 * p] : p == target / PART ? parts[3 * p + 2] : -INFINITY;

        largest_v1 = max(largest_v1, parts[3 * p]);
        before_v1 = max(before_v1, to_target);
    }
    float largest = LANES_MAX(largest_v1, scratch), before = LANES_MAX(before_v1, scratch);

    for (int p = LANE; p < PARTS; p += LANES)
        total_v1 += parts[3 * p + 1] * EXPONENTIAL(v1, parts[3 * p] - largest);
    float sum = LANES_SUM(total_v1, scratch);

    if (owner) {
        losses[rows[first + (int)r]] = log_v1(sum) - (shrink * own - largest);
        hits[rows[first + (int)r]] = shrink * own > before && shrink * own >= largest ? 1.0f : 0.0f;
    }
#if GRADIENT
    float factor = target < 0 ? 0.0f : scale * shrink / sum;

#if STORED
    for (int p = 0; p < PARTS; p++) {
        float share = factor * EXPONENTIAL(v1, parts[3 * p] - largest);

        FOR_RANGE(k, p * PART, min(p * PART + PART, C), SCALE)
    }
#else
    FOR_RANGE(k, low, high, DIFFERENTIATE)
#endif
    if (owner)
        logits[base + target] -= scale * shrink SLOPE(own);
#endif
}
