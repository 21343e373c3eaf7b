/*
 * The loss of a language model (runtime/nn/node_language_loss.c): its value, its rows' losses and hits and the last
 * logits against double precision, from the hidden states as they are; its gradients, of the hidden states' layer, of a
 * head of its own and of embeddings that are the head, by finite differences (tests/grad/test_grad.c); and that slices
 * of any size give the same, to whatever sink the head's gradient goes.
 */
#include "tests/unit/plan_support.h"

#include "runtime/sparse/delta.h"
#include "runtime/sparse/observe.h"
#include "runtime/sparse/window.h"

#include <math.h>
#include <stdio.h>

enum { VOCAB = 37, H = 20, TOKENS = 15, DIRECTIONS = 4 };

#define STEP 0.02
#define RELATIVE 2e-3
#define NOISE 1.5e-6
#define ROW (VOCAB * sizeof(float))

static const int lengths[] = { 5, 1, 6, 3 };

struct setting {
    const char *name;
    bool tied;      /* the head is the embeddings' own weight */
    float softcap, temperature;
    bool linear;    /* the sum of the logits */
    int every;      /* the tokens that have a target: every one, or of three the first two; 0: none */
    int terms;      /* of the loss, where it is not those */
    size_t logits;  /* as the limits have it */
};

static const struct setting settings[] = {
    { .name = "own head, all tokens", .every = 1 },
    { .name = "own head, some tokens, slices of 4", .every = 2, .logits = 4 * ROW },
    { .name = "tied, some tokens, slices of 3", .tied = true, .every = 2, .logits = 3 * ROW + 5 },
    { .name = "tied, soft-cap, cooled", .tied = true, .every = 2, .softcap = 1.5f, .temperature = 3 },
    { .name = "own head, soft-cap, a mean over others", .every = 1, .softcap = 2, .terms = 23, .logits = 6 * ROW },
    { .name = "own head, linear, soft-cap that is not", .every = 2, .linear = true, .softcap = 2, .logits = 4 * ROW },
    { .name = "tied, linear", .tied = true, .every = 1, .linear = true },
};

enum { WORD, BELOW, BIAS, HEAD }; /* parameters; of a tied model the head is WORD */

struct fixture {
    const struct setting *setting;
    struct model model;
    struct tokens tokens;
    struct sp_plan_pass pass;
    int head, terms;
};

/* ---- the model --------------------------------------------------------------------------------------------------- */

static struct sp_plan *build(const struct setting *s)
{
    struct sp_plan *plan;
    int x, head;

    assert_ok(sp_plan_create(&plan));
    sp_plan_param(plan, s->tied ? SP_PARAM_LINEAR : SP_PARAM_TABLE, VOCAB, H, "word");
    sp_plan_param(plan, SP_PARAM_LINEAR, H, H, "below.weight");
    sp_plan_param(plan, SP_PARAM_VECTOR, H, 1, "below.bias");
    head = s->tied ? WORD : sp_plan_param(plan, SP_PARAM_LINEAR, VOCAB, H, "head");
    x = sp_nn_linear(plan, sp_nn_embedding(plan, WORD, -1, -1, -1), BELOW, BIAS, SP_ACTIVATION_TANH);
    assert_int_equal(sp_nn_language_loss(plan, x, head, s->softcap), x);
    return plan;
}

static void draw_targets(struct fixture *f, int every)
{
    struct tokens *t = &f->tokens;

    tokens_label(t, 6, VOCAB);
    f->terms = 0;
    for (int i = 0; i < t->batch.tokens; i++) {
        if (every == 0 || (every == 2 && i % 3 == 2))
            t->classes[i] = (uint32_t)SP_NO_TARGET;
        f->terms += t->classes[i] != (uint32_t)SP_NO_TARGET;
    }
}

static void open_fixture(struct fixture *f, struct sp_device *device, const struct setting *s)
{
    const struct sp_plan_limits limits = { .tokens = 24, .sequences = 5, .longest = 8, .training = true,
                                           .transposed = true, .logits = s->logits };
    struct sp_plan *plan = build(s);

    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        sp_plan_param_at(plan, i)->role = SP_PARAM_DENSE;
    *f = (struct fixture){ .setting = s, .head = s->tied ? WORD : HEAD };
    model_compile(&f->model, device, plan, "auto", &limits);
    tokens_draw(&f->tokens, 6, lengths, 4, VOCAB, VOCAB);
    draw_targets(f, s->every);
    f->tokens.batch.terms = s->terms;
    f->terms = s->terms ? s->terms : f->terms;
    f->pass = (struct sp_plan_pass){ .loss_scale = 1, .gradients = f->model.gradients, .linear = s->linear,
                                     .temperature = s->temperature };
    assert_ok(sp_plan_set_batch(plan, &f->tokens.batch));
}

static void run(struct fixture *f)
{
    assert_ok(sp_plan_forward(f->model.plan, &f->pass));
    assert_ok(sp_plan_backward(f->model.plan, &f->pass));
}

/* ---- in double precision ----------------------------------------------------------------------------------------- */

static void hidden_states(float out[TOKENS * H], const struct fixture *f)
{
    const struct sp_plan *plan = f->model.plan;

    assert_int_equal(f->tokens.batch.tokens, TOKENS);
    assert_ok(sp_buffer_read(out, sp_plan_buffer(plan, plan->nodes[plan->loss_node].input[0]), 0,
                             TOKENS * H * sizeof *out));
}

/* Token t's logits, with the soft-cap but in a pass that is linear. */
static void logits_of(double out[VOCAB], const struct fixture *f, const float *hidden, int t)
{
    const float *head = f->model.value[f->head];
    double cap = f->setting->linear ? 0 : (double)f->setting->softcap;

    for (int v = 0; v < VOCAB; v++) {
        out[v] = 0;
        for (int i = 0; i < H; i++)
            out[v] += (double)head[v * H + i] * (double)hidden[t * H + i];
        out[v] = cap > 0 ? cap * tanh(out[v] / cap) : out[v];
    }
}

static double loss_of_row(const double logits[VOCAB], uint32_t target, double temperature)
{
    double sum = 0;

    for (int v = 0; v < VOCAB; v++)
        sum += exp(logits[v] / temperature);
    return log(sum) - logits[target] / temperature;
}

/* What backward differentiates, after a forward pass. */
static double loss_of(struct fixture *f)
{
    double logits[VOCAB], sum = 0, temperature = f->setting->temperature > 0 ? (double)f->setting->temperature : 1;
    float hidden[TOKENS * H];

    assert_ok(sp_plan_forward(f->model.plan, &f->pass));
    hidden_states(hidden, f);
    for (int t = 0; t < TOKENS; t++) {
        logits_of(logits, f, hidden, t);
        for (int v = 0; v < VOCAB && f->setting->linear; v++)
            sum += logits[v];
        if (!f->setting->linear && f->tokens.classes[t] != (uint32_t)SP_NO_TARGET)
            sum += loss_of_row(logits, f->tokens.classes[t], temperature);
    }
    return f->setting->linear ? sum : sum / f->terms;
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static double loss_at(struct fixture *f, size_t i, const float *d, double h)
{
    struct model *m = &f->model;
    float *saved = m->value[i], *moved = calloc(m->size[i], sizeof *moved);
    double loss;

    for (size_t k = 0; k < m->size[i]; k++)
        moved[k] = (float)((double)saved[k] + h * (double)d[k]);
    m->value[i] = moved;
    model_upload(m, i);
    loss = loss_of(f);
    m->value[i] = saved;
    model_upload(m, i);
    free(moved);
    return loss;
}

static double slope(struct fixture *f, size_t i, const float *d, double h)
{
    return (loss_at(f, i, d, h) - loss_at(f, i, d, -h)) / (2 * h);
}

static void check_gradient(struct fixture *f, size_t i)
{
    float *gradient = model_gradient(&f->model, i), *d = calloc(f->model.size[i], sizeof *d);
    double norm = 0, noise = NOISE * (f->setting->linear ? 1 + fabs(loss_of(f)) : 1) / STEP;

    for (size_t k = 0; k < f->model.size[i]; k++)
        norm += (double)gradient[k] * (double)gradient[k];
    norm = sqrt(norm);
    assert_true(norm > 0);
    for (uint32_t direction = 0; direction < DIRECTIONS; direction++) {
        double expected, got = 0;

        for (size_t k = 0; k < f->model.size[i]; k++) {
            d[k] = plan_draw(500 + direction, k) < 0 ? -1 : 1;
            got += (double)gradient[k] * (double)d[k];
        }
        expected = (4 * slope(f, i, d, STEP / 2) - slope(f, i, d, STEP)) / 3;
        if (!(fabs(got - expected) <= RELATIVE * norm + noise))
            fail_msg("%s: %s, direction %u: %.6g by backward, %.6g by differences, norm %.3g", f->setting->name,
                     sp_plan_param_at(f->model.plan, i)->name, direction, got, expected, norm);
    }
    free(d);
    free(gradient);
}

static void test_gradients(void **state)
{
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        struct fixture f;
        double loss;

        open_fixture(&f, *state, &settings[k]);
        run(&f);
        if (!settings[k].linear && settings[k].temperature <= 0) {
            assert_ok(sp_plan_loss(f.model.plan, &loss)); /* as backward left it */
            assert_true(fabs(loss - loss_of(&f)) < 1e-6 * (1 + fabs(loss)));
        }
        for (size_t i = settings[k].linear; i < f.model.params; i++) /* a linear pass has words of ones */
            check_gradient(&f, i);
        model_release(&f.model);
    }
}

/* ---- slices ------------------------------------------------------------------------------------------------------ */

/* Within 1e-5 of the largest. */
static void compare(const char *name, const float *got, const float *expected, size_t count)
{
    float most = 0;

    for (size_t k = 0; k < count; k++)
        most = fmaxf(most, fabsf(expected[k]));
    assert_true(most > 0);
    for (size_t k = 0; k < count; k++)
        if (!(fabsf(got[k] - expected[k]) <= 1e-5f * most))
            fail_msg("%s[%zu] of %zu: %.9g, expected %.9g", name, k, count, (double)got[k], (double)expected[k]);
}

/* Slices of any size give the same loss and gradients but for rounding, and the same bits when run again. */
static void test_slices(void **state)
{
    static const size_t bytes[] = { 0, 1, ROW, 2 * ROW, 7 * ROW + 3, 100 * ROW };
    float *first[2][HEAD + 1] = { { NULL } };

    for (size_t k = 0; k < 2 * sizeof bytes / sizeof *bytes; k++) {
        struct setting s = { .name = "slices", .tied = k % 2, .every = 2, .softcap = 3, .logits = bytes[k / 2] };
        double loss[2], expected;
        struct fixture f;

        open_fixture(&f, *state, &s);
        expected = loss_of(&f);
        for (int round = 0; round < 2; round++) {
            run(&f);
            assert_ok(sp_plan_loss(f.model.plan, &loss[round]));
            assert_true(fabs(loss[round] - expected) < 1e-6 * expected && loss[round] == loss[0]);
            for (size_t i = 0; i < f.model.params; i++) {
                float *got = model_gradient(&f.model, i);

                if (!first[k % 2][i]) {
                    first[k % 2][i] = got;
                    continue;
                }
                compare(sp_plan_param_at(f.model.plan, i)->name, got, first[k % 2][i], f.model.size[i]);
                if (k < 2)
                    assert_memory_equal(got, first[k % 2][i], f.model.size[i] * sizeof *got);
                free(got);
            }
        }
        model_release(&f.model);
    }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i <= HEAD; i++)
            free(first[k][i]);
}

/* Micro-batches of unequal numbers of targets give the gradients of one batch: the mean over all of the step's. */
static void test_micro_batches(void **state)
{
    static const struct setting setting = { .name = "micro-batches", .tied = true, .every = 2, .logits = 4 * ROW };
    float *whole[HEAD + 1] = { NULL };
    struct fixture f;
    int all;

    open_fixture(&f, *state, &setting);
    run(&f);
    all = f.terms;
    for (size_t i = 0; i < f.model.params; i++)
        whole[i] = model_gradient(&f.model, i);
    for (int from = 0, to = 0; from < 4; from = to) { /* sequences 0 and 1, then the others */
        struct sp_plan_batch batch = f.tokens.batch;
        uint32_t bounds[5], first = f.tokens.bounds[from];

        to = from + 2;
        for (int s = from; s <= to; s++)
            bounds[s - from] = f.tokens.bounds[s] - first;
        batch.ids += first;
        batch.bounds = bounds;
        batch.targets = f.tokens.classes + first;
        batch.sequences = 2;
        batch.tokens = batch.target_count = (int)(f.tokens.bounds[to] - first);
        for (int t = 0; t < batch.tokens; t++)
            batch.terms += f.tokens.classes[first + (uint32_t)t] != (uint32_t)SP_NO_TARGET;
        f.pass.loss_scale = (float)batch.terms / (float)all;
        f.pass.accumulate = from > 0;
        assert_ok(sp_plan_set_batch(f.model.plan, &batch));
        run(&f);
    }
    for (size_t i = 0; i < f.model.params; i++) {
        float *got = model_gradient(&f.model, i);

        compare(sp_plan_param_at(f.model.plan, i)->name, got, whole[i], f.model.size[i]);
        free(got);
        free(whole[i]);
    }
    model_release(&f.model);
}

/* ---- what the host reads ----------------------------------------------------------------------------------------- */

static void check_rows(struct fixture *f, const float losses[TOKENS], const float hits[TOKENS])
{
    float hidden[TOKENS * H];
    int right = 0;

    hidden_states(hidden, f);
    for (int t = 0; t < TOKENS; t++) {
        uint32_t target = f->tokens.classes[t];
        double logits[VOCAB], expected = 0, hit = 0;

        logits_of(logits, f, hidden, t);
        if (target != (uint32_t)SP_NO_TARGET) {
            expected = loss_of_row(logits, target, 1);
            hit = 1;
            for (int v = 0; v < VOCAB; v++)
                hit = logits[v] > logits[target] ? 0 : hit;
        }
        assert_true(fabs((double)losses[t] - expected) <= 2e-6 * (1 + expected));
        assert_true((double)hits[t] == hit);
        right += hit > 0;
    }
    assert_true(right >= 2 && right < TOKENS / 2);
}

/* Row losses and the last logits, of a plan for training and of one without; the same bits from both. */
static void test_evaluation(void **state)
{
    static const struct setting setting = { .name = "evaluation", .every = 2, .softcap = 2, .logits = 2 * ROW };
    static const struct sp_plan_limits limits = { .tokens = 24, .sequences = 5, .longest = 8, .logits = 2 * ROW };
    float losses[2][TOKENS], hits[2][TOKENS], last[2][4 * VOCAB], hidden[TOKENS * H];
    double loss[2];

    for (int training = 0; training < 2; training++) {
        struct fixture f;

        open_fixture(&f, *state, &setting);
        if (!training) {
            model_release(&f.model);
            model_compile(&f.model, *state, build(&setting), "auto", &limits);
            assert_null(f.model.gradient[BELOW]);
        }
        assert_int_equal(sp_plan_outputs(f.model.plan), 0);
        assert_true(sp_plan_loss_tokens(f.model.plan));
        assert_ok(sp_plan_set_batch(f.model.plan, &f.tokens.batch));
        assert_ok(sp_plan_forward(f.model.plan, &f.pass));
        hidden_states(hidden, &f);
        for (uint32_t t = 0; t < TOKENS; t += 4) { /* some targets that are right, of which there are few by chance */
            double logits[VOCAB];
            uint32_t best = 0;

            logits_of(logits, &f, hidden, (int)t);
            for (uint32_t v = 1; v < VOCAB; v++)
                best = logits[v] > logits[best] ? v : best;
            if (f.tokens.classes[t] != (uint32_t)SP_NO_TARGET)
                f.tokens.classes[t] = best;
        }
        assert_ok(sp_plan_set_batch(f.model.plan, &f.tokens.batch));
        assert_ok(sp_plan_forward(f.model.plan, &f.pass));
        assert_ok(sp_plan_loss(f.model.plan, &loss[training]));
        assert_true(fabs(loss[training] - loss_of(&f)) < 1e-6 * loss[training]);
        assert_ok(sp_plan_row_losses(f.model.plan, losses[training], hits[training])); /* whose loss is not known */
        check_rows(&f, losses[training], hits[training]);
        assert_ok(sp_plan_last_logits(f.model.plan, last[training]));
        for (int s = 0; s < 4; s++) {
            double logits[VOCAB];

            logits_of(logits, &f, hidden, (int)f.tokens.bounds[s + 1] - 1);
            for (int v = 0; v < VOCAB; v++)
                assert_true(fabs((double)last[training][s * VOCAB + v] - logits[v]) < 2e-6);
        }
        model_release(&f.model);
    }
    assert_true(loss[0] == loss[1]);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    assert_memory_equal(hits[0], hits[1], sizeof hits[0]);
    assert_memory_equal(last[0], last[1], sizeof last[0]);
}

/* A batch without any target, or without targets at all: no loss, and gradients of zeros. */
static void test_no_targets(void **state)
{
    static const struct setting setting = { .name = "no targets", .tied = true, .every = 0 };

    for (int given = 0; given < 2; given++) {
        float losses[TOKENS], hits[TOKENS];
        struct fixture f;
        double loss;

        open_fixture(&f, *state, &setting);
        if (!given)
            f.tokens.batch.targets = NULL, f.tokens.batch.target_count = 0;
        assert_ok(sp_plan_set_batch(f.model.plan, &f.tokens.batch));
        run(&f);
        assert_ok(sp_plan_loss(f.model.plan, &loss));
        assert_true(loss == 0);
        for (size_t i = 0; i < f.model.params; i++) {
            float *gradient = model_gradient(&f.model, i);

            for (size_t k = 0; k < f.model.size[i]; k++)
                assert_true(gradient[k] == 0);
            free(gradient);
        }
        assert_ok(sp_plan_forward(f.model.plan, &f.pass));
        assert_ok(sp_plan_row_losses(f.model.plan, losses, hits));
        for (int t = 0; t < TOKENS; t++)
            assert_true(losses[t] == 0 && hits[t] == 0);
        model_release(&f.model);
    }
}

/* ---- sinks ------------------------------------------------------------------------------------------------------- */

enum { EVERY = 7, ENTRIES = VOCAB * H / EVERY, CANDIDATES = 30 };

/* In slices of two rows a head's gradient at some positions, SpIEL's candidates and an example's squares are those of
 * its dense gradient; and its layer's inputs are all hidden states. */
static void test_sinks(void **state)
{
    static const struct setting setting = { .name = "sinks", .every = 2, .logits = 2 * ROW };
    uint32_t positions[ENTRIES];
    const uint32_t *candidates;
    float *dense, got[VOCAB * H], sum[CANDIDATES], hidden[TOKENS * H];
    struct sp_buffer *squares, *scratch, *workspace;
    struct sp_square_sink square;
    struct sp_input_sink input;
    struct sp_delta *delta;
    struct sp_window *window;
    struct sp_param *head;
    struct fixture f;

    open_fixture(&f, *state, &setting);
    run(&f);
    dense = model_gradient(&f.model, HEAD);
    head = sp_plan_param_at(f.model.plan, HEAD);
    for (uint32_t k = 0; k < ENTRIES; k++)
        positions[k] = k * EVERY;
    assert_ok(sp_delta_create(&delta, *state,
                              &(struct sp_delta_target){ head->name, &head->weight, positions, ENTRIES, NULL }, 1));
    assert_ok(sp_window_create(&window, *state, &(struct sp_window_target){ &head->weight, CANDIDATES }, 1));
    f.model.gradients[HEAD] = (struct sp_param_gradient){ .sink = sp_window_sink(window, 0, sp_delta_sink(delta, 0)) };
    assert_ok(sp_window_open(window));
    for (int step = 0; step < 2; step++) { /* the first chooses the candidates */
        float norm[2] = { 1, 1 };
        struct sp_buffer *norms;

        run(&f);
        assert_ok(sp_buffer_read(got, sp_delta_part(delta, 0).gradients, 0, ENTRIES * sizeof *got));
        for (size_t k = 0; k < ENTRIES; k++)
            assert_true(fabsf(got[k] - dense[positions[k]]) < 1e-6f);
        assert_ok(sp_buffer_create(&norms, *state, sizeof norm));
        assert_ok(sp_buffer_write(norms, 0, norm, sizeof norm));
        assert_ok(sp_window_add_step(window, norms));
        assert_ok(sp_window_read(&candidates, sum, got, window, 0));
        sp_buffer_free(norms);
        for (size_t k = 0; k < CANDIDATES; k++)
            assert_true(fabsf(sum[k] - (float)(step + 1) * dense[candidates[k]]) < 2e-6f);
    }
    assert_ok(sp_buffer_create(&squares, *state, sizeof got));
    assert_ok(sp_buffer_create(&scratch, *state, sizeof got));
    assert_ok(sp_buffer_create(&workspace, *state, sizeof got));
    sp_square_sink_init(&square, head->weight.family, squares, scratch, workspace);
    f.model.gradients[HEAD].sink = &square.sink;
    for (int example = 1; example <= 2; example++) {
        f.pass.accumulate = example > 1;
        run(&f);
        assert_ok(sp_buffer_read(got, squares, 0, sizeof got));
        for (size_t k = 0; k < VOCAB * H; k++)
            assert_true(fabsf(got[k] - (float)example * dense[k] * dense[k]) < 1e-6f);
    }
    sp_input_sink_init(&input, squares, workspace);
    f.pass.accumulate = false;
    f.model.gradients[HEAD].sink = &input.sink;
    f.model.gradients[BELOW].sink = NULL;
    assert_ok(sp_plan_forward(f.model.plan, &f.pass));
    hidden_states(hidden, &f);
    assert_ok(sp_plan_observe(f.model.plan, &f.pass));
    assert_ok(sp_buffer_read(got, squares, 0, H * sizeof *got));
    for (int i = 0; i < H; i++) {
        double expected = 0;

        for (int t = 0; t < TOKENS; t++)
            expected += pow((double)hidden[t * H + i], 2);
        assert_true(fabs((double)got[i] - expected) < 1e-5 * expected);
    }
    sp_buffer_free(squares);
    sp_buffer_free(scratch);
    sp_buffer_free(workspace);
    sp_window_free(window);
    sp_delta_free(delta);
    free(dense);
    model_release(&f.model);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

/* Neither logits of all tokens nor, for a head that is trained at some positions, their gradient are ever there. */
static void test_memory(void **state)
{
    enum { LARGE = 5003, MOST = 1000 };
    const struct sp_plan_limits limits = { .tokens = MOST, .sequences = 5, .longest = MOST, .training = true,
                                           .transposed = true, .logits = 8 * LARGE * sizeof(float) };
    const struct sp_gemm_family *family;
    struct sp_plan *plan;
    int word, head;

    assert_ok(sp_plan_create(&plan));
    word = sp_plan_param(plan, SP_PARAM_TABLE, LARGE, H, "word");
    head = sp_plan_param(plan, SP_PARAM_LINEAR, LARGE, H, "head");
    sp_nn_language_loss(plan, sp_nn_embedding(plan, word, -1, -1, -1), head, 0);
    sp_plan_param_at(plan, (size_t)head)->role = SP_PARAM_SPARSE;
    assert_ok(sp_gemm_choose(&family, *state, "auto"));
    assert_ok(sp_plan_compile(plan, *state, family, &limits));
    assert_true(sp_plan_memory(plan).activations < (size_t)MOST * LARGE * sizeof(float) / 5);
    sp_plan_free(plan);
}

/* Numbers that are not finite are found in the head, in the logits, or nowhere. */
static void test_not_finite(void **state)
{
    static const struct setting setting = { .name = "not finite", .every = 1 };
    static const float values[] = { NAN, 3e38f, 1 };
    static const char *const expected[] = { "head", "the output of head", "" };

    for (int k = 0; k < 6; k++) {
        char name[SP_PARAM_NAME + 32];
        struct fixture f;

        open_fixture(&f, *state, &setting);
        f.pass.forward_only = k >= 3;
        for (size_t i = 0; i < f.model.size[HEAD]; i++)
            f.model.value[HEAD][i] *= values[k % 3];
        for (size_t i = 0; i < f.model.size[BIAS]; i++)
            f.model.value[BIAS][i] += 5;
        model_upload(&f.model, BIAS);
        model_upload(&f.model, HEAD);
        assert_ok(sp_plan_find_not_finite(f.model.plan, &f.pass, name));
        assert_string_equal(name, expected[k % 3]);
        model_release(&f.model);
    }
}

static void test_refusals(void **state)
{
    static const struct setting setting = { .name = "refusals", .every = 1 };
    struct sp_addition addition = { NULL }, *additions[HEAD + 1] = { [HEAD] = &addition };
    struct sp_plan *plan;
    struct fixture f;
    int word;

    open_fixture(&f, *state, &setting);
    f.tokens.classes[3] = VOCAB;
    assert_error(sp_plan_set_batch(f.model.plan, &f.tokens.batch), SP_EINVAL,
                 "the target 37 is outside the model's vocabulary head of 37");
    f.tokens.classes[3] = (uint32_t)-1;
    assert_error(sp_plan_set_batch(f.model.plan, &f.tokens.batch), SP_EINVAL, "the target -1 is outside");
    f.tokens.classes[3] = VOCAB - 1;
    f.tokens.batch.target_count = 4;
    assert_error(sp_plan_set_batch(f.model.plan, &f.tokens.batch), SP_EINVAL, "one for each token");
    f.tokens.batch.target_count = TOKENS;
    assert_ok(sp_plan_set_batch(f.model.plan, &f.tokens.batch));
    f.pass.additions = additions;
    assert_error(sp_plan_forward(f.model.plan, &f.pass), SP_EINVAL, "head: nothing can be added");
    model_release(&f.model);

    assert_ok(sp_plan_create(&plan));
    word = sp_plan_param(plan, SP_PARAM_TABLE, VOCAB, H, "word");
    assert_int_equal(sp_nn_language_loss(plan, sp_nn_embedding(plan, word, -1, -1, -1), word, 0), -1);
    assert_contains(plan->message, "word (37 x 20) makes no logits");
    sp_plan_free(plan);
}

/* By the kernels of GPUs. */
static void test_lanes(void **state)
{
    sp_device_set_lanes(*state, 64);
    test_gradients(state);
    test_evaluation(state);
    sp_device_set_lanes(*state, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),  cmocka_unit_test(test_slices),     cmocka_unit_test(test_micro_batches),
        cmocka_unit_test(test_evaluation), cmocka_unit_test(test_no_targets), cmocka_unit_test(test_sinks),
        cmocka_unit_test(test_memory),     cmocka_unit_test(test_not_finite), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_lanes),
    };

    return cmocka_run_group_tests_name("language loss", tests, open_device, close_device);
}
