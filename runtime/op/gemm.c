/* What the families share: weights in their layouts, the three products, their launches. */
#include "runtime/op/gemm.h"

#include "runtime/base/error.h"
#include "runtime/op/gemm_priv.h"

static size_t plain_bytes(int out, int in)
{
    return (size_t)out * (size_t)in * sizeof(float);
}

int sp_gemm_weight_create(struct sp_gemm_weight *weight, struct sp_device *device, const struct sp_gemm_family *family,
                          int out, int in, bool backward)
{
    *weight = (struct sp_gemm_weight){ .family = family, .out = out, .in = in };
    if (!family->bytes) {
        SP_TRY(sp_buffer_create(&weight->forward, device, plain_bytes(out, in)));
        weight->backward = backward ? weight->forward : NULL;
        return 0;
    }
    SP_TRY(sp_buffer_create(&weight->forward, device, family->bytes(SP_GEMM_FORWARD, out, in)));
    if (backward)
        SP_TRY(sp_buffer_create(&weight->backward, device, family->bytes(SP_GEMM_BACKWARD, out, in)));
    return 0;
}

void sp_gemm_weight_free(struct sp_gemm_weight *weight)
{
    if (weight->backward != weight->forward)
        sp_buffer_free(weight->backward);
    sp_buffer_free(weight->forward);
    *weight = (struct sp_gemm_weight){ 0 };
}

int sp_gemm_weight_pack(struct sp_gemm_weight *weight, struct sp_buffer *plain)
{
    const struct sp_gemm_family *family = weight->family;
    struct sp_device *device = sp_buffer_device(plain);

    if (!family->pack)
        return sp_buffer_copy(weight->forward, 0, plain, 0, plain_bytes(weight->out, weight->in));
    SP_TRY(family->pack(device, SP_GEMM_FORWARD, weight->forward, plain, weight->out, weight->in));
    if (weight->backward)
        SP_TRY(family->pack(device, SP_GEMM_BACKWARD, weight->backward, plain, weight->out, weight->in));
    return 0;
}

struct sp_gemm_layout sp_gemm_weight_layout(const struct sp_gemm_weight *weight, enum sp_gemm_kind kind)
{
    return weight->family->layout ? weight->family->layout(kind, weight->out, weight->in)
                                  : (struct sp_gemm_layout){ 1, weight->in, (size_t)weight->in, 0 };
}

int sp_gemm_weight_read(float *out, const struct sp_gemm_weight *weight)
{
    const struct sp_gemm_layout layout = sp_gemm_weight_layout(weight, SP_GEMM_FORWARD);
    void *mapped;

    if (!weight->family->layout)
        return sp_buffer_read(out, weight->forward, 0, plain_bytes(weight->out, weight->in));
    SP_TRY(sp_buffer_map(&mapped, weight->forward, false));
    for (int o = 0; o < weight->out; o++)
        for (int i = 0; i < weight->in; i++)
            out[(size_t)o * (size_t)weight->in + (size_t)i] = ((const float *)mapped)[sp_gemm_position(&layout, o, i)];
    return sp_buffer_unmap(weight->forward, mapped);
}

void sp_gemm_weight_positions(uint32_t *out, const struct sp_gemm_weight *weight, enum sp_gemm_kind kind,
                              const uint32_t *positions, size_t count)
{
    const struct sp_gemm_layout layout = sp_gemm_weight_layout(weight, kind);

    for (size_t k = 0; k < count; k++)
        out[k] = (uint32_t)sp_gemm_position(&layout, (int)(positions[k] / (uint32_t)weight->in),
                                            (int)(positions[k] % (uint32_t)weight->in));
}

int sp_gemm_forward(struct sp_device *device, const struct sp_gemm_weight *weight, struct sp_buffer *y,
                    struct sp_buffer *x, int tokens, struct sp_buffer *bias, enum sp_activation activation,
                    struct sp_buffer *pre)
{
    return weight->family->run(device, &(struct sp_gemm){ .kind = SP_GEMM_FORWARD,
                                                          .m = tokens,
                                                          .n = weight->out,
                                                          .k = weight->in,
                                                          .a = x,
                                                          .b = weight->forward,
                                                          .c = y,
                                                          .bias = bias,
                                                          .activation = activation,
                                                          .pre = pre });
}

int sp_gemm_backward(struct sp_device *device, const struct sp_gemm_weight *weight, struct sp_buffer *dx,
                     struct sp_buffer *dy, int tokens, enum sp_activation activation, struct sp_buffer *pre,
                     bool accumulate)
{
    return weight->family->run(device, &(struct sp_gemm){ .kind = SP_GEMM_BACKWARD,
                                                          .m = tokens,
                                                          .n = weight->in,
                                                          .k = weight->out,
                                                          .a = dy,
                                                          .b = weight->backward,
                                                          .c = dx,
                                                          .activation = activation,
                                                          .pre = pre,
                                                          .accumulate = accumulate });
}

int sp_gemm_weight_gradient(struct sp_device *device, const struct sp_gemm_family *family, struct sp_buffer *dw,
                            struct sp_buffer *dy, struct sp_buffer *x, int tokens, int out, int in, bool accumulate)
{
    return family->run(device, &(struct sp_gemm){ .kind = SP_GEMM_WEIGHT,
                                                  .m = out,
                                                  .n = in,
                                                  .k = tokens,
                                                  .a = dy,
                                                  .b = x,
                                                  .c = dw,
                                                  .accumulate = accumulate });
}

void sp_gemm_define_epilogue(struct sp_launch *launch, const struct sp_gemm *gemm)
{
    sp_launch_define(launch, "ACTIVATION", (long)gemm->activation);
    if (gemm->kind == SP_GEMM_FORWARD) {
        if (gemm->bias)
            sp_launch_define(launch, "BIAS", 1);
        if (gemm->activation != SP_ACTIVATION_NONE)
            sp_launch_define(launch, "ACTIVATE", 1);
        if (gemm->activation != SP_ACTIVATION_NONE && gemm->pre)
            sp_launch_define(launch, "SAVE_PRE", 1);
    } else if (gemm->activation != SP_ACTIVATION_NONE) {
        sp_launch_define(launch, "ACTIVATION_BACKWARD", 1);
    }
}

const char *sp_gemm_label(const struct sp_gemm *gemm)
{
    static const char *const labels[] = { [SP_GEMM_FORWARD] = "gemm forward",
                                          [SP_GEMM_BACKWARD] = "gemm backward",
                                          [SP_GEMM_WEIGHT] = "gemm weight" };

    return labels[gemm->kind];
}

int sp_gemm_launch(struct sp_device *device, struct sp_launch *launch, const struct sp_gemm *gemm)
{
    launch->label = sp_gemm_label(gemm);
    if (gemm->accumulate)
        sp_launch_define(launch, "ACCUMULATE", 1);
    sp_gemm_define_epilogue(launch, gemm);
    sp_launch_buffer(launch, gemm->a);
    sp_launch_buffer(launch, gemm->b);
    sp_launch_buffer(launch, gemm->c);
    sp_launch_buffer(launch, gemm->bias ? gemm->bias : gemm->a); /* unread without BIAS; some drivers refuse null */
    sp_launch_buffer(launch, gemm->pre ? gemm->pre : gemm->c);
    sp_launch_int(launch, gemm->m);
    sp_launch_int(launch, gemm->k);
    return sp_launch_run(device, launch);
}
