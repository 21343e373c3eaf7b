#include "runtime/sparse/metric.h"

#include <math.h>
#include <string.h>

const struct sp_metric *const sp_metrics[] = {
#define SP_METRIC(name) &sp_metric_##name,
#include "runtime/sparse/metric.def"
#undef SP_METRIC
};
const size_t sp_metric_count = sizeof sp_metrics / sizeof *sp_metrics;

const struct sp_metric *sp_metric_find(const char *name)
{
    for (size_t i = 0; i < sp_metric_count; i++)
        if (strcmp(sp_metrics[i]->name, name) == 0)
            return sp_metrics[i];
    return NULL;
}

int sp_metric_score_product(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = fabsf(in->weight[i] * in->gradient[i]);
    return 0;
}
