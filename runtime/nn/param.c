/* The values of a plan's parameters, from and to the host. */
#include "runtime/nn/plan_priv.h"

#include "runtime/base/error.h"
#include "runtime/tensor/elements.h"

int sp_param_read(float *out, const struct sp_param *p)
{
    if (p->kind == SP_PARAM_LINEAR)
        return sp_gemm_weight_read(out, &p->weight);
    return sp_elements_read(out, p->value, p->dtype, sp_param_elements(p));
}

int sp_param_write(struct sp_param *p, const float *values, struct sp_buffer *staging)
{
    struct sp_buffer *plain = p->value ? p->value : staging;

    SP_TRY(sp_elements_write(plain, p->dtype, values, sp_param_elements(p)));
    return p->kind == SP_PARAM_LINEAR ? sp_gemm_weight_pack(&p->weight, plain) : 0;
}

size_t sp_plan_param_largest(const struct sp_plan *plan)
{
    size_t largest = 0;

    for (size_t i = 0; i < plan->param_count; i++)
        if (sp_param_elements(&plan->params[i]) > largest)
            largest = sp_param_elements(&plan->params[i]);
    return largest;
}

size_t sp_plan_param_staging(const struct sp_plan *plan)
{
    size_t bytes = 0;

    for (size_t i = 0; i < plan->param_count; i++)
        if (plan->params[i].kind == SP_PARAM_LINEAR && sp_param_bytes(&plan->params[i]) > bytes)
            bytes = sp_param_bytes(&plan->params[i]);
    return bytes;
}
