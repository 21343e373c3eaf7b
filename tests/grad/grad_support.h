/*
 * Every node's backward by finite differences. A case is a small plan with the node in it, everything trained; its loss
 * is computed on the host, in double precision, from the logits. For random directions d of each parameter
 *
 *     <gradient, d>  is compared with  (4 D(h / 2) - D(h)) / 3,   D(h) = (L(p + h d) - L(p - h d)) / 2 h.
 *
 * d has entries of +1 and -1, so <gradient, d> is as large as the gradient's norm; that is the scale of the tolerance,
 * beside what fp32 logits leave of a difference. Dropout masks are functions of the pass and stay as they are. Sizes:
 * those of tests/data/reference/binary, for the sake of compiled kernels.
 */
#ifndef SP_TESTS_GRAD_SUPPORT_H
#define SP_TESTS_GRAD_SUPPORT_H

#include "tests/unit/plan_support.h"

#include "models/models.h"

#include <math.h>
#include <stdio.h>

enum { VOCAB = 9, CLASSES = 2, POSITIONS = 6, H = 20, I = 37, HEADS = 5, DIRECTIONS = 6, EARLIER = 2, KEPT = 10 };

#define RELATIVE 2e-3
#define NOISE 1.5e-6 /* of the loss, or of the logits where their sum takes its place */

static const int lengths[] = { 5, 1, 6, 3 };
static const struct sp_plan_limits limits = { .tokens = 24, .sequences = 5, .longest = POSITIONS, .training = true };
static const struct sp_plan_pass pass = { .dropout = true, .seed = 77, .step = 3, .loss_scale = 1 };

struct grad_case {
    const char *name;
    int (*build)(struct sp_plan *plan, int x); /* from the embeddings (T x H) to a value (T x H) */
    void (*build_all)(struct sp_plan *plan);   /* or a whole plan */
    float smoothing;
    bool regression;
    bool tokens; /* each has its logits and its target */
    int terms;   /* of the loss, where not each row is one */
    bool kinks;  /* the activations of the layer `below` are kept away from 0 */
    bool kept;   /* an earlier batch has left EARLIER rows of each sequence in what is kept */
    bool linear; /* synaptic flow's pass: the gradient of the sum of the logits; word embeddings are ones then */
    float temperature;
    double step; /* h */
};

/* ---- builders ---------------------------------------------------------------------------------------------------- */

static inline int linear(struct sp_plan *plan, int x, int out, int in, enum sp_activation activation, const char *name)
{
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, out, in, "%s.weight", name);
    int bias = sp_plan_param(plan, SP_PARAM_VECTOR, out, 1, "%s.bias", name);

    return sp_nn_linear(plan, x, weight, bias, activation);
}

static inline int layernorm(struct sp_plan *plan, int x, int residual, float dropout, const char *name)
{
    int gamma = sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "%s.LayerNorm.weight", name);
    int beta = sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "%s.LayerNorm.bias", name);

    return sp_nn_layernorm(plan, x, residual, gamma, beta, 1e-5f, dropout);
}

static inline int attention(struct sp_plan *plan, int x, float dropout)
{
    int q = linear(plan, x, H, H, SP_ACTIVATION_NONE, "query");
    int k = linear(plan, x, H, H, SP_ACTIVATION_NONE, "key");
    int v = linear(plan, x, H, H, SP_ACTIVATION_NONE, "value");

    return sp_nn_attention(plan, q, k, v, &(struct sp_attention_shape){ .heads = HEADS, .dropout = dropout });
}

static inline void tables(struct sp_plan *plan, int table[3])
{
    table[0] = sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, H, "word");
    table[1] = sp_plan_param(plan, SP_PARAM_TABLE, POSITIONS, H, "position");
    table[2] = sp_plan_param(plan, SP_PARAM_TABLE, 2, H, "type");
}

/* Unless the case builds it all: embeddings, the node, and above it an attention, so that every token has a
 * gradient. */
static inline struct sp_plan *build(const struct grad_case *c)
{
    int table[3], x;
    struct sp_plan *plan;

    assert_ok(sp_plan_create(&plan));
    if (c->build_all) {
        c->build_all(plan);
    } else {
        tables(plan, table);
        x = c->build(plan, sp_nn_embedding(plan, table[0], table[1], table[2], -1));
        x = attention(plan, x, 0);
        x = linear(plan, c->tokens ? x : sp_nn_first_token(plan, x), c->regression ? 1 : CLASSES, H, SP_ACTIVATION_NONE,
                   "classifier");
        if (c->regression)
            sp_nn_squared_error(plan, x);
        else
            sp_nn_cross_entropy(plan, x, c->smoothing);
    }
    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        sp_plan_param_at(plan, i)->role = SP_PARAM_DENSE;
    return plan;
}

/* ---- the loss ---------------------------------------------------------------------------------------------------- */

static inline double cross_entropy(const float *logits, uint32_t label, double smoothing)
{
    double sum = 0, loss = 0, log_sum;

    for (int k = 0; k < CLASSES; k++)
        sum += exp((double)logits[k]);
    log_sum = log(sum);
    for (int k = 0; k < CLASSES; k++)
        loss -= ((k == (int)label) * (1 - smoothing) + smoothing / CLASSES) * ((double)logits[k] - log_sum);
    return loss;
}

static inline struct sp_plan_pass pass_of(const struct grad_case *c)
{
    struct sp_plan_pass p = pass;

    p.linear = c->linear;
    p.temperature = c->temperature;
    return p;
}

/* Of the logits: tokens, or sequences. */
static inline int rows_of(const struct grad_case *c, const struct tokens *t)
{
    return c->tokens ? t->batch.tokens : t->batch.sequences;
}

/* What backward differentiates, after a forward pass: the mean loss of the batch, or the sum of its logits. */
static inline double loss_of(struct model *m, const struct grad_case *c, const struct tokens *t)
{
    float logits[32 * CLASSES];
    struct sp_plan_pass p = pass_of(c);
    double sum = 0;

    assert_ok(sp_plan_forward(m->plan, &p));
    assert_ok(sp_plan_logits(m->plan, logits));
    for (int k = 0; k < rows_of(c, t) * CLASSES && c->linear; k++)
        sum += (double)logits[k];
    if (c->linear)
        return sum;
    for (int k = 0; k < rows_of(c, t) * (c->regression ? 1 : CLASSES) && c->temperature > 0; k++)
        logits[k] /= c->temperature;
    for (int s = 0; s < rows_of(c, t); s++)
        sum += c->regression ? pow((double)logits[s] - (double)t->values[s], 2)
                             : cross_entropy(logits + s * CLASSES, t->classes[s], (double)c->smoothing);
    return sum / (c->terms ? c->terms : rows_of(c, t));
}

/* L(p + h d) for parameter i. */
static inline double loss_at(struct model *m, const struct grad_case *c, const struct tokens *t, size_t i,
                             const float *d, double h)
{
    float *saved = m->value[i], *moved = calloc(m->size[i], sizeof *moved);
    double loss;

    for (size_t k = 0; k < m->size[i]; k++)
        moved[k] = (float)((double)saved[k] + h * (double)d[k]);
    m->value[i] = moved;
    model_upload(m, i);
    loss = loss_of(m, c, t);
    m->value[i] = saved;
    model_upload(m, i);
    free(moved);
    return loss;
}

static inline double slope(struct model *m, const struct grad_case *c, const struct tokens *t, size_t i,
                           const float *d, double h)
{
    return (loss_at(m, c, t, i, d, h) - loss_at(m, c, t, i, d, -h)) / (2 * h);
}

/* The size of what noise is relative to. */
static inline double size_of_loss(const struct model *m, const struct grad_case *c, const struct tokens *t)
{
    float logits[32 * CLASSES];
    double sum = 1;

    if (!c->linear)
        return 1;
    assert_ok(sp_plan_logits(m->plan, logits));
    for (int k = 0; k < rows_of(c, t) * CLASSES; k++)
        sum += fabs((double)logits[k]);
    return sum;
}

/* One parameter in some directions; the largest error so far, as a multiple of the tolerance. */
static inline double check_param(struct model *m, const struct grad_case *c, const struct tokens *t, size_t i,
                                 double worst)
{
    float *gradient = model_gradient(m, i), *d = calloc(m->size[i], sizeof *d);
    double norm = 0;

    for (size_t k = 0; k < m->size[i]; k++)
        norm += (double)gradient[k] * (double)gradient[k];
    norm = sqrt(norm);
    for (uint32_t n = 0; n < DIRECTIONS; n++) {
        double expected, got = 0, error;

        for (size_t k = 0; k < m->size[i]; k++) {
            d[k] = plan_draw(500 + n, k) < 0 ? -1 : 1;
            got += (double)gradient[k] * (double)d[k];
        }
        expected = (4 * slope(m, c, t, i, d, c->step / 2) - slope(m, c, t, i, d, c->step)) / 3;
        error = fabs(got - expected) / (RELATIVE * norm + NOISE * size_of_loss(m, c, t) / c->step);
        if (!(error <= 1))
            fail_msg("%s: %s, direction %u: %.6g by backward, %.6g by differences, norm %.3g", c->name,
                     sp_plan_param_at(m->plan, i)->name, n, got, expected, norm);
        worst = error > worst ? error : worst;
    }
    free(d);
    free(gradient);
    return worst;
}

/* Biases that are larger than what they are added to. */
static inline void avoid_kinks(struct model *m)
{
    for (size_t i = 0; i < m->params; i++) {
        if (strcmp(sp_plan_param_at(m->plan, i)->name, "below.bias") != 0)
            continue;
        for (size_t k = 0; k < m->size[i]; k++)
            m->value[i][k] += k % 3 ? 4 : -4;
        model_upload(m, i);
    }
}

static inline void check_case(struct sp_device *device, const struct grad_case *c, const char *family)
{
    struct sp_plan_pass p = pass_of(c);
    double worst = 0, loss;
    struct tokens t;
    struct model m;

    model_compile(&m, device, build(c), family, &limits);
    p.gradients = m.gradients;
    if (c->kinks)
        avoid_kinks(&m);
    if (c->kept) {
        tokens_draw(&t, 5, (int[]){ EARLIER, EARLIER, EARLIER, EARLIER }, 4, VOCAB, CLASSES);
        tokens_keep(&t, KEPT, 0);
        assert_ok(sp_plan_set_batch(m.plan, &t.batch));
        assert_ok(sp_plan_forward(m.plan, &p));
    }
    tokens_draw(&t, 6, lengths, 4, VOCAB, CLASSES);
    tokens_keep(&t, KEPT, EARLIER);
    t.keys[7]--; /* the last token's key is seen by none */
    if (c->tokens)
        tokens_label(&t, 6, CLASSES);
    if (c->regression)
        t.batch.targets = t.values;
    t.batch.terms = c->terms;
    assert_ok(sp_plan_set_batch(m.plan, &t.batch));
    assert_ok(sp_plan_forward(m.plan, &p));
    assert_ok(sp_plan_backward(m.plan, &p));
    assert_ok(sp_plan_loss(m.plan, &loss));
    if (!c->linear && c->temperature <= 0)
        assert_true(fabs(loss - loss_of(&m, c, &t)) < 1e-6 * (1 + fabs(loss)));
    for (size_t i = c->linear; i < m.params; i++)
        worst = check_param(&m, c, &t, i, worst);
    print_message("%s: the largest error is %.2f of the tolerance\n", c->name, worst);
    model_release(&m);
}

#endif
