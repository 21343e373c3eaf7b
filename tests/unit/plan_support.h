/* For the tests of plans: small models whose parameters are drawn at random, and a gradient for each trained one. */
#ifndef SP_TESTS_PLAN_SUPPORT_H
#define SP_TESTS_PLAN_SUPPORT_H

#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/rng.h"
#include "runtime/op/op.h"
#include "runtime/nn/plan_priv.h"
#include "runtime/sparse/dense.h"

#include <stdlib.h>

#define PLAN_PARAMS_MAX 64

/* A compiled plan, its parameters' values on the host, and where their gradients go. */
struct model {
    struct sp_device *device;
    struct sp_plan *plan;
    size_t params;
    size_t size[PLAN_PARAMS_MAX];
    float *value[PLAN_PARAMS_MAX];
    struct sp_buffer *plain[PLAN_PARAMS_MAX]; /* linear: staging for packing */
    struct sp_buffer *gradient[PLAN_PARAMS_MAX];
    struct sp_param_gradient gradients[PLAN_PARAMS_MAX]; /* of a pass */
    struct sp_dense_sink sink[PLAN_PARAMS_MAX];
};

static inline float plan_draw(uint32_t sub, size_t i)
{
    return (float)(2 * sp_rng_uniform(3, SP_RNG_SKETCH, sub, i) - 1);
}

/* Puts the host's values of parameter i on the device. */
static inline void model_upload(struct model *m, size_t i)
{
    struct sp_param *p = sp_plan_param_at(m->plan, i);

    if (p->kind != SP_PARAM_LINEAR) {
        assert_ok(sp_buffer_write(p->value, 0, m->value[i], m->size[i] * sizeof(float)));
        return;
    }
    if (p->value)
        assert_ok(sp_buffer_write(p->value, 0, m->value[i], m->size[i] * sizeof(float)));
    assert_ok(sp_buffer_write(m->plain[i], 0, m->value[i], m->size[i] * sizeof(float)));
    assert_ok(sp_gemm_weight_pack(&p->weight, m->plain[i]));
}

/* Compiles a built plan for `limits`, draws the parameters and hangs a gradient into each trained one. Norms' scales
 * are drawn around 1, all else around 0. */
static inline void model_compile(struct model *m, struct sp_device *device, struct sp_plan *plan,
                                 const char *family_name, const struct sp_plan_limits *limits)
{
    const struct sp_gemm_family *family;

    *m = (struct model){ .device = device, .plan = plan, .params = sp_plan_param_count(plan) };
    assert_true(m->params <= PLAN_PARAMS_MAX);
    assert_ok(sp_gemm_choose(&family, device, family_name));
    assert_ok(sp_plan_compile(plan, device, family, limits));
    for (size_t i = 0; i < m->params; i++) {
        struct sp_param *p = sp_plan_param_at(plan, i);

        m->size[i] = (size_t)p->rows * (size_t)p->cols;
        m->value[i] = calloc(m->size[i], sizeof(float));
        for (size_t k = 0; k < m->size[i]; k++)
            m->value[i][k] = 0.5f * plan_draw((uint32_t)i, k) + (strstr(p->name, "LayerNorm.weight") ? 1 : 0);
        if (p->kind == SP_PARAM_LINEAR)
            assert_ok(sp_buffer_create(&m->plain[i], device, m->size[i] * sizeof(float)));
        model_upload(m, i);
        if (!p->role)
            continue;
        assert_ok(sp_buffer_create(&m->gradient[i], device, m->size[i] * sizeof(float)));
        assert_ok(sp_buffer_fill(m->gradient[i], 0, 0x7fc00000, m->size[i] * sizeof(float)));
        if (p->kind == SP_PARAM_LINEAR) {
            sp_dense_sink_init(&m->sink[i], family, m->gradient[i]);
            m->gradients[i].sink = &m->sink[i].sink;
        }
        m->gradients[i].buffer = m->gradient[i];
    }
}

/* The gradient of parameter i, to the host; the caller's. */
static inline float *model_gradient(const struct model *m, size_t i)
{
    float *out = calloc(m->size[i], sizeof *out);

    assert_ok(sp_buffer_read(out, m->gradient[i], 0, m->size[i] * sizeof *out));
    return out;
}

static inline void model_release(struct model *m)
{
    for (size_t i = 0; i < m->params; i++) {
        free(m->value[i]);
        sp_buffer_free(m->plain[i]);
        sp_buffer_free(m->gradient[i]);
    }
    sp_plan_free(m->plan);
}

/* A BERT of these sizes, all its dropouts the same. */
static inline void model_bert(struct sp_model *out, int vocab, int hidden, int layers, int heads, int intermediate,
                              int positions, float dropout)
{
    json_t *config = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:f}", "vocab_size", vocab, "hidden_size", hidden,
                               "num_hidden_layers", layers, "num_attention_heads", heads, "intermediate_size",
                               intermediate, "max_position_embeddings", positions, "layer_norm_eps", 1e-5);

    assert_ok(sp_model_read(out, &sp_model_bert, config, "config.json"));
    sp_model_bert.set_dropout(out, dropout);
    json_decref(config);
}

/* The value of its head of so many outputs. */
static inline int model_classes(struct sp_plan *plan, const struct sp_model *model, int outputs)
{
    return model->family->head(plan, model, model->family->body(plan, model), outputs);
}

/* A batch of sequences of lengths[count], of random tokens and labels. */
struct tokens {
    uint32_t ids[256], types[256], bounds[33], classes[256], rows[256], keys[64];
    float values[256];
    struct sp_plan_batch batch;
};

static inline void tokens_draw(struct tokens *t, uint32_t seed, const int *lengths, int count, uint32_t vocab,
                               uint32_t classes)
{
    int at = 0;

    for (int s = 0; s < count; s++) {
        t->bounds[s] = (uint32_t)at;
        t->classes[s] = sp_rng_u32(seed, SP_RNG_SKETCH, 0, (uint64_t)s) % classes;
        t->values[s] = plan_draw(seed + 1000, (size_t)s);
        for (int i = 0; i < lengths[s]; i++, at++) {
            assert_true(at < 256);
            t->ids[at] = sp_rng_u32(seed, SP_RNG_SKETCH, 1, (uint64_t)at) % vocab;
            t->types[at] = i > lengths[s] / 2;
        }
    }
    t->bounds[count] = (uint32_t)at;
    t->batch = (struct sp_plan_batch){ .ids = t->ids, .types = t->types, .bounds = t->bounds, .targets = t->classes,
                                         .tokens = at, .sequences = count, .target_count = count };
}

/* Instead of its sequences' labels, one for each token. */
static inline void tokens_label(struct tokens *t, uint32_t seed, uint32_t classes)
{
    for (size_t i = 0; i < (size_t)t->batch.tokens; i++) {
        t->classes[i] = sp_rng_u32(seed, SP_RNG_SKETCH, 2, i) % classes;
        t->values[i] = plan_draw(seed + 1000, i);
    }
    t->batch.target_count = t->batch.tokens;
}

/* Where its tokens are kept: `each` rows for a sequence, this batch's after the `earlier` first ones, and all of them
 * are seen but row 0. */
static inline void tokens_keep(struct tokens *t, uint32_t each, uint32_t earlier)
{
    for (uint32_t s = 0; s < (uint32_t)t->batch.sequences; s++) {
        uint32_t length = t->bounds[s + 1] - t->bounds[s], first = each * s + 1 + earlier;

        for (uint32_t i = 0; i < length; i++)
            t->rows[t->bounds[s] + i] = first + i;
        t->keys[2 * s] = each * s + 1;
        t->keys[2 * s + 1] = first + length;
    }
    t->batch.kept_rows = t->rows;
    t->batch.keys = t->keys;
}

#endif
