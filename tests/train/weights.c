#include "tests/train/weights.h"

#include "tests/unit/device_support.h"

#include <stdlib.h>

static size_t size_of(const struct sp_run *run, size_t param)
{
    const struct sp_param *p = sp_plan_param_at(run->plan, param);

    return (size_t)p->rows * (size_t)p->cols;
}

float *weights_pretrained(const struct sp_run *run, size_t param)
{
    float *weight = calloc(size_of(run, param), sizeof *weight);

    assert_non_null(weight);
    assert_ok(sp_tensor_read_f32(weight, run->weights[param].tensor, 0, size_of(run, param)));
    return weight;
}

static void check_layout(const struct sp_run *run, size_t param, enum sp_gemm_kind kind, const float *expected)
{
    const struct sp_gemm_weight *weight = &sp_plan_param_at(run->plan, param)->weight;
    struct sp_buffer *buffer = kind == SP_GEMM_FORWARD ? weight->forward : weight->backward;
    float *held;

    if (!buffer)
        return;
    held = malloc(sp_buffer_size(buffer));
    assert_non_null(held);
    assert_ok(sp_buffer_read(held, buffer, 0, sp_buffer_size(buffer)));
    for (uint32_t i = 0; i < size_of(run, param); i++) {
        uint32_t at;

        sp_gemm_weight_positions(&at, weight, kind, &i, 1);
        if (memcmp(&held[at], &expected[i], sizeof(float)) != 0)
            fail_msg("%s, position %u: %.9g, expected %.9g", sp_run_param_name(run, param), i, (double)held[at],
                     (double)expected[i]);
    }
    free(held);
}

void weights_check(const struct sp_run *run, size_t param, const float *expected)
{
    check_layout(run, param, SP_GEMM_FORWARD, expected);
    check_layout(run, param, SP_GEMM_BACKWARD, expected);
}

void weights_check_adapter(const struct sp_run *run, const struct sp_adapter *adapter)
{
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const struct sp_adapter_sparse *sparse;
        float *weight;

        if (sp_plan_param_at(run->plan, i)->role != SP_PARAM_SPARSE)
            continue;
        weight = weights_pretrained(run, i);
        sparse = sp_adapter_find_sparse(adapter, sp_run_param_name(run, i));
        for (size_t k = 0; sparse && k < sparse->count; k++)
            weight[sparse->indices[k]] += sparse->values[k];
        weights_check(run, i, weight);
        free(weight);
    }
}
