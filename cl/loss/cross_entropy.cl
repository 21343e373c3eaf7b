// lint: -DLANES=1 -DROWS=8 -DC=3 -DGRADIENT=1
// lint: -DLANES=64 -DROWS=1 -DC=3 -DGRADIENT=1
/* Cross-entropy of rows of C logits and its gradient; runtime/op/loss.h has the equations. */
#include "lib/lanes.h"
#include "lib/math.h"

#define LARGEST(V, F)                                                                                                  \
    {                                                                                                                  \
        F z = shrink * load_##V(logits, base + k);                                                                     \
        largest_##V = z > largest_##V ? z : largest_##V;                                                               \
    }
#define ADD_UP(V, F)                                                                                                   \
    {                                                                                                                  \
        F z = shrink * load_##V(logits, base + k) - largest;                                                           \
        total_##V += z;                                                                                                \
        exponential_##V += exp_##V(z);                                                                                 \
    }
#define DIFFERENTIATE(V, F)                                                                                            \
    {                                                                                                                  \
        F softmax = exp_##V(shrink * load_##V(logits, base + k) - largest) * inverse;                                  \
        store_##V(scale * shrink * (softmax - even), dlogits, base + k);                                               \
    }

static inline float max_v16(float16 x)
{
    float8 a = x.lo > x.hi ? x.lo : x.hi;
    float4 b = a.lo > a.hi ? a.lo : a.hi;
    float2 c = b.lo > b.hi ? b.lo : b.hi;

    return c.x > c.y ? c.x : c.y;
}

KERNEL void cross_entropy(__global float *dlogits, __global float *losses, __global const float *logits,
                          __global const uint *labels, int B, float smoothing, float scale, float shrink)
{
    LANES_SCRATCH(scratch)

    FOR_ROWS(b, B)
    {
        size_t base = (size_t)b * C;
        float16 largest_v16 = -INFINITY, total_v16 = 0.0f, exponential_v16 = 0.0f;
        float largest_v1 = -INFINITY, total_v1 = 0.0f, exponential_v1 = 0.0f, even = smoothing / C;

        FOR_RANGE(k, 0, C, LARGEST)
        largest_v1 = max(largest_v1, max_v16(largest_v16));
        float largest = LANES_MAX(largest_v1, scratch);

        FOR_RANGE(k, 0, C, ADD_UP)
        float total = LANES_TOTAL(total);
        float sum = LANES_TOTAL(exponential);
        uint label = labels[b];

        if (LANE == 0)
            losses[b] = log_v1(sum) - (1.0f - smoothing) * (shrink * logits[base + label] - largest) - even * total;
#if GRADIENT
        float inverse = 1.0f / sum;

        FOR_RANGE(k, 0, C, DIFFERENTIATE)
        if (LANE == (int)label % LANES) /* the work-item that wrote this column */
            dlogits[base + label] -= scale * shrink * (1.0f - smoothing);
#endif
    }
}
