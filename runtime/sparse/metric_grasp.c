/* grasp: -W (H g), how much removing the entry lowers the gradient's flow (GraSP, arXiv 2002.07376, equation 8), on
 * logits / 200. SPEFT's released code keeps the entries with the largest +W (H g): sparse.sign chooses. */
#include "runtime/sparse/metric.h"

static const char *const signs[] = { "paper", "code", NULL };

static const struct sp_option options[] = {
    { "sparse.sign", SP_OPTION_CHOICE, offsetof(struct sp_metric_options, grasp_code), "paper", NULL, signs,
      SP_METRIC_GROUP, "grasp: keep the largest -W (H g), as its paper says, or +W (H g), as SPEFT's code does.",
      NULL },
};

static int score(float *out, const struct sp_metric_input *in)
{
    for (size_t i = 0; i < in->count; i++)
        out[i] = (in->options.grasp_code ? in->weight[i] : -in->weight[i]) * in->hessian[i];
    return 0;
}

const struct sp_metric sp_metric_grasp = {
    .name = "grasp",
    .summary = "weight times Hessian times gradient, signed by sparse.sign",
    .cost = "three forward and backward passes over scoring rows; the targets twice in host memory",
    .options = { options, sizeof options / sizeof *options, 0 },
    .needs = SP_NEED_WEIGHT | SP_NEED_HESSIAN,
    .score = score,
};
