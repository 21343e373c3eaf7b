/*
 * The sparse delta and the dense sink on the device: values in every layout of every GEMM family, exact undo, masked
 * gradients. Sizes that no tile divides: those of tests/data/reference/binary, for the sake of compiled kernels.
 */
#include "tests/unit/device_support.h"

#include "runtime/base/rng.h"
#include "runtime/op/column_sum.h"
#include "runtime/op/op.h"
#include "runtime/op/transpose.h"
#include "runtime/sparse/delta.h"
#include "runtime/sparse/dense.h"
#include "runtime/sparse/observe.h"
#include "runtime/sparse/window.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WEIGHTS = 3 };

static int tokens; /* of the batch whose gradients are looked at */

static const int outs[WEIGHTS] = { 37, 20, 2 }, ins[WEIGHTS] = { 20, 37, 20 };

/* A family's weights with their values on the host. */
struct weights {
    struct sp_device *device;
    struct sp_gemm_weight weight[WEIGHTS];
    float *values[WEIGHTS];
    uint32_t *positions[WEIGHTS];
    size_t counts[WEIGHTS];
    struct sp_delta *delta;
};

static float draw(uint32_t sub, size_t i)
{
    return (float)(2 * sp_rng_uniform(5, SP_RNG_SKETCH, sub, i) - 1);
}

static size_t size_of(int w)
{
    return (size_t)outs[w] * (size_t)ins[w];
}

static struct sp_buffer *upload(struct sp_device *device, const void *data, size_t bytes)
{
    struct sp_buffer *buffer;

    assert_ok(sp_buffer_create(&buffer, device, bytes));
    assert_ok(sp_buffer_write(buffer, 0, data, bytes));
    return buffer;
}

/* Weight 0 gets a third of its positions, weight 1 none, weight 2 all. */
static void choose(struct weights *w, int k)
{
    w->positions[k] = calloc(size_of(k), sizeof(uint32_t));
    for (size_t i = 0; i < size_of(k); i++)
        if (k == 2 || (k == 0 && sp_rng_u32(7, SP_RNG_SKETCH, 0, i) % 3 == 0))
            w->positions[k][w->counts[k]++] = (uint32_t)i;
}

static void create(struct weights *w, struct sp_device *device, const struct sp_gemm_family *family)
{
    struct sp_delta_target targets[WEIGHTS];

    *w = (struct weights){ .device = device };
    for (int k = 0; k < WEIGHTS; k++) {
        struct sp_buffer *plain;

        w->values[k] = calloc(size_of(k), sizeof(float));
        for (size_t i = 0; i < size_of(k); i++)
            w->values[k][i] = draw((uint32_t)k, i);
        plain = upload(device, w->values[k], size_of(k) * sizeof(float));
        assert_ok(sp_gemm_weight_create(&w->weight[k], device, family, outs[k], ins[k], true));
        assert_ok(sp_gemm_weight_pack(&w->weight[k], plain));
        sp_buffer_free(plain);
        choose(w, k);
        targets[k] = (struct sp_delta_target){ "w", &w->weight[k], w->positions[k], w->counts[k], NULL };
    }
    assert_ok(sp_delta_create(&w->delta, device, targets, WEIGHTS));
}

static void release(struct weights *w)
{
    sp_delta_free(w->delta);
    for (int k = 0; k < WEIGHTS; k++) {
        sp_gemm_weight_free(&w->weight[k]);
        free(w->values[k]);
        free(w->positions[k]);
    }
}

/* The values of a layout must be `expected` (out x in), bit for bit. */
static void check_layout(const struct sp_gemm_weight *weight, enum sp_gemm_kind kind, const float *expected, size_t n)
{
    struct sp_buffer *buffer = kind == SP_GEMM_FORWARD ? weight->forward : weight->backward;
    float *held = malloc(sp_buffer_size(buffer));

    assert_ok(sp_buffer_read(held, buffer, 0, sp_buffer_size(buffer)));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at;

        sp_gemm_weight_positions(&at, weight, kind, &i, 1);
        assert_true((at + 1) * sizeof(float) <= sp_buffer_size(buffer));
        if (memcmp(&held[at], &expected[i], sizeof(float)) != 0)
            fail_msg("position %u: %.9g, expected %.9g", i, (double)held[at], (double)expected[i]);
    }
    free(held);
}

static void check_read(const struct sp_gemm_weight *weight, const float *expected, size_t n)
{
    float *got = calloc(n, sizeof *got);

    assert_ok(sp_gemm_weight_read(got, weight));
    assert_memory_equal(got, expected, n * sizeof *got);
    free(got);
}

/* What the products compute must be `expected`, too: X = 1 gives Y = W^T, dY = 1 gives dX = W. */
static void check_products(struct sp_device *device, const struct sp_gemm_weight *weight, const float *expected)
{
    int out = weight->out, in = weight->in, larger = out > in ? out : in;
    size_t n = (size_t)out * (size_t)in;
    float *unit = calloc((size_t)larger * (size_t)larger, sizeof *unit), *got = calloc(n, sizeof *got);
    float *zeros = calloc((size_t)larger, sizeof *zeros);
    struct sp_buffer *x, *y, *bias = upload(device, zeros, (size_t)larger * sizeof *zeros);

    assert_ok(sp_buffer_create(&y, device, n * sizeof *got));
    for (int direction = 0; direction < 2; direction++) {
        int rows = direction ? out : in;

        memset(unit, 0, (size_t)rows * (size_t)rows * sizeof *unit);
        for (int i = 0; i < rows; i++)
            unit[i * rows + i] = 1;
        x = upload(device, unit, (size_t)rows * (size_t)rows * sizeof *unit);
        assert_ok(direction ? sp_gemm_backward(device, weight, y, x, rows, SP_ACTIVATION_NONE, NULL, false)
                            : sp_gemm_forward(device, weight, y, x, rows, bias, SP_ACTIVATION_NONE, NULL));
        assert_ok(sp_buffer_read(got, y, 0, n * sizeof *got));
        for (int o = 0; o < out; o++)
            for (int i = 0; i < in; i++)
                assert_true(got[direction ? o * in + i : i * out + o] == expected[o * in + i]);
        sp_buffer_free(x);
    }
    sp_buffer_free(y);
    sp_buffer_free(bias);
    free(unit);
    free(got);
    free(zeros);
}

/* Oclgrind interprets kernels: the products are left out, all families but the first, and thousands of tokens. */
static bool interpreted(void)
{
    const char *driver = getenv("SPEFT_TEST_DRIVER");

    return driver && strcmp(driver, "oclgrind") == 0;
}

static void check_weights(const struct weights *w, float *const expected[WEIGHTS])
{
    for (int k = 0; k < WEIGHTS; k++) {
        check_layout(&w->weight[k], SP_GEMM_FORWARD, expected[k], size_of(k));
        check_layout(&w->weight[k], SP_GEMM_BACKWARD, expected[k], size_of(k));
        check_read(&w->weight[k], expected[k], size_of(k));
        if (!interpreted())
            check_products(w->device, &w->weight[k], expected[k]);
    }
}

/* Sets the delta's values to `scale` times something and applies them; *expected becomes what the weights then are. */
static void set_values(struct weights *w, float scale, float *expected[WEIGHTS])
{
    for (int k = 0; k < WEIGHTS; k++) {
        float *values = calloc(w->counts[k] + 1, sizeof *values), *back = calloc(w->counts[k] + 1, sizeof *back);

        memcpy(expected[k], w->values[k], size_of(k) * sizeof(float));
        for (size_t i = 0; i < w->counts[k]; i++) {
            values[i] = scale * draw(50 + (uint32_t)k, i);
            expected[k][w->positions[k][i]] += values[i];
        }
        assert_ok(sp_delta_write(w->delta, (size_t)k, values));
        assert_ok(sp_delta_read(back, w->delta, (size_t)k));
        assert_memory_equal(values, back, w->counts[k] * sizeof *values);
        free(values);
        free(back);
    }
    assert_ok(sp_delta_apply(w->delta));
}

static bool suits(const struct sp_gemm_family *family, struct sp_device *device)
{
    /* its layout is tiled's: none */
    return sp_gemm_choose(&family, device, family->name) == 0 && strcmp(family->name, "clblast") != 0;
}

static void test_apply(void **state)
{
    for (size_t f = 0; f < sp_gemm_family_count; f++) {
        float *expected[WEIGHTS];
        struct weights w;

        if (!suits(sp_gemm_families[f], *state))
            continue;
        create(&w, *state, sp_gemm_families[f]);
        for (int k = 0; k < WEIGHTS; k++)
            expected[k] = calloc(size_of(k), sizeof(float));
        check_weights(&w, w.values);
        set_values(&w, 1, expected);
        check_weights(&w, expected);
        set_values(&w, 1e-6f, expected); /* the new values replace the old ones */
        check_weights(&w, expected);
        set_values(&w, 0, expected);
        check_weights(&w, w.values);
        for (int k = 0; k < WEIGHTS; k++)
            free(expected[k]);
        release(&w);
    }
}

/* dW of weight k in double precision. */
static double *reference(int k, const float *dy, const float *x)
{
    double *dw = calloc(size_of(k), sizeof *dw);

    for (int t = 0; t < tokens; t++)
        for (int o = 0; o < outs[k]; o++)
            for (int i = 0; i < ins[k]; i++)
                dw[o * ins[k] + i] += (double)dy[t * outs[k] + o] * (double)x[t * ins[k] + i];
    return dw;
}

/* Of a sum over tokens, what rounding may come to beside a share of the result; 1 for 21 of them. */
static double slack(void)
{
    return sqrt(tokens / 21.0);
}

static void check_close(const float *got, const double *dw, const uint32_t *positions, size_t count, double factor)
{
    for (size_t i = 0; i < count; i++) {
        double expected = factor * dw[positions ? positions[i] : i];

        if (!(fabs((double)got[i] - expected) <= 1e-5 * (slack() + fabs(expected))))
            fail_msg("entry %zu: %.9g, expected %.9g", i, (double)got[i], expected);
    }
}

/* Sums of squared gradients and of squared inputs, in buffers that hold NaN before. */
static void check_squares(struct weights *w, int k, struct sp_wgrad_input in, const double *dw, const float *x)
{
    size_t n = size_of(k), columns = (size_t)ins[k], workspace_bytes = sp_column_sum_workspace(tokens, ins[k]);
    float *got = calloc(n, sizeof *got);
    struct sp_buffer *squares, *gradient, *workspace, *inputs;
    struct sp_square_sink square;
    struct sp_input_sink input;

    assert_ok(sp_buffer_create(&squares, w->device, n * sizeof *got));
    assert_ok(sp_buffer_create(&gradient, w->device, n * sizeof *got));
    if (workspace_bytes < n * sizeof *got)
        workspace_bytes = n * sizeof *got;
    assert_ok(sp_buffer_create(&workspace, w->device, workspace_bytes));
    assert_ok(sp_buffer_create(&inputs, w->device, columns * sizeof *got));
    assert_ok(sp_buffer_fill(squares, 0, 0x7fc00000, n * sizeof *got));
    assert_ok(sp_buffer_fill(inputs, 0, 0x7fc00000, columns * sizeof *got));
    sp_square_sink_init(&square, w->weight[k].family, squares, gradient, workspace);
    sp_input_sink_init(&input, inputs, workspace);
    for (int pass = 0; pass < 2; pass++) {
        in.accumulate = pass > 0;
        assert_ok(square.sink.add(&square.sink, w->device, &in));
        assert_ok(input.sink.add(&input.sink, w->device, &in));
        assert_ok(sp_buffer_read(got, squares, 0, n * sizeof *got));
        for (size_t i = 0; i < n; i++)
            assert_true(fabs((double)got[i] - (1 + pass) * dw[i] * dw[i]) <=
                        (1 + pass) * 1e-5 * pow(slack() + fabs(dw[i]), 2));
        assert_ok(sp_buffer_read(got, inputs, 0, columns * sizeof *got));
        for (size_t i = 0; i < columns; i++) {
            double sum = 0;

            for (size_t t = 0; t < (size_t)tokens; t++)
                sum += (double)x[t * columns + i] * (double)x[t * columns + i];
            assert_true(fabs((double)got[i] - (1 + pass) * sum) <= 1e-5 * (1 + sum));
        }
    }
    sp_buffer_free(squares);
    sp_buffer_free(gradient);
    sp_buffer_free(workspace);
    sp_buffer_free(inputs);
    free(got);
}

/* One weight's gradient through its sink and through a dense one: stored, then added to. */
static void check_gradient(struct weights *w, int k, struct sp_wgrad_transposed *transposed)
{
    size_t x_count = (size_t)tokens * (size_t)ins[k], dy_count = (size_t)tokens * (size_t)outs[k], n = size_of(k);
    float *x = calloc(x_count, sizeof *x), *dy = calloc(dy_count, sizeof *dy), *got = calloc(n + 1, sizeof *got);
    struct sp_buffer *dense;
    struct sp_dense_sink sink;
    double *dw;

    for (size_t i = 0; i < x_count; i++)
        x[i] = draw(90 + (uint32_t)k, i);
    for (size_t i = 0; i < dy_count; i++)
        dy[i] = draw(80 + (uint32_t)k, i);
    dw = reference(k, dy, x);
    assert_ok(sp_buffer_create(&dense, w->device, n * sizeof *got));
    assert_ok(sp_buffer_fill(dense, 0, 0x7fc00000, n * sizeof *got)); /* storing must not read */
    sp_dense_sink_init(&sink, w->weight[k].family, dense);

    struct sp_wgrad_input in = { .dy = upload(w->device, dy, dy_count * sizeof *dy),
                                 .x = upload(w->device, x, x_count * sizeof *x),
                                 .tokens = tokens, .out = outs[k], .in = ins[k], .transposed = transposed };
    struct sp_wgrad_sink *const sinks[2] = { &sink.sink, sp_delta_sink(w->delta, (size_t)k) };

    for (int pass = 0; pass < 2; pass++) {
        in.accumulate = pass > 0;
        transposed->x_in_xt = NULL;
        for (int s = 0; s < 2; s++)
            assert_ok(sinks[s]->add(sinks[s], w->device, &in));
        assert_ok(sp_buffer_read(got, dense, 0, n * sizeof *got));
        check_close(got, dw, NULL, n, 1 + pass);
    }
    check_squares(w, k, in, dw, x);
    sp_buffer_free(dense);
    sp_buffer_free(in.dy);
    sp_buffer_free(in.x);
    free(dw);
    free(x);
    free(dy);
    free(got);
}

/* Each weight's part of the gradients is its own. */
static void check_parts(struct weights *w)
{
    for (int k = 0; k < WEIGHTS; k++) {
        float *x = calloc((size_t)tokens * (size_t)ins[k], sizeof *x),
              *dy = calloc((size_t)tokens * (size_t)outs[k], sizeof *dy);
        float *gradients = calloc(w->counts[k] + 1, sizeof *gradients);
        double *dw;

        if (w->counts[k])
            assert_ok(sp_buffer_read(gradients, sp_delta_part(w->delta, (size_t)k).gradients, 0,
                                     w->counts[k] * sizeof *gradients));
        for (size_t i = 0; i < (size_t)tokens * (size_t)ins[k]; i++)
            x[i] = draw(90 + (uint32_t)k, i);
        for (size_t i = 0; i < (size_t)tokens * (size_t)outs[k]; i++)
            dy[i] = draw(80 + (uint32_t)k, i);
        dw = reference(k, dy, x);
        check_close(gradients, dw, w->positions[k], w->counts[k], 2);
        free(gradients);
        free(dw);
        free(x);
        free(dy);
    }
}

static void check_gradients(void **state)
{
    size_t bytes = 64 * (size_t)sp_transpose_stride(tokens) * sizeof(float);
    struct sp_wgrad_transposed transposed = { 0 };

    assert_ok(sp_buffer_create(&transposed.xt, *state, bytes));
    assert_ok(sp_buffer_create(&transposed.dyt, *state, bytes));
    for (size_t f = 0; f < sp_gemm_family_count; f++) {
        struct weights w;

        if (!suits(sp_gemm_families[f], *state))
            continue;
        create(&w, *state, sp_gemm_families[f]);
        for (int k = 0; k < WEIGHTS; k++)
            check_gradient(&w, k, &transposed);
        check_parts(&w);
        release(&w);
    }
    sp_buffer_free(transposed.xt);
    sp_buffer_free(transposed.dyt);
}

static void test_gradient(void **state)
{
    tokens = 21;
    check_gradients(state);
}

static void test_gradient_of_many_tokens(void **state)
{
    if (interpreted())
        skip();
    tokens = 4201;
    check_gradients(state);
}

/* ---- supports that change ---------------------------------------------------------------------------------------- */

/* A weight of zeros with both signs, changed at some places and restored: the same bits. Then other positions. */
static void test_move(void **state)
{
    float *expected[WEIGHTS];
    struct weights w;
    struct sp_delta_target targets[WEIGHTS];
    uint32_t others[2] = { 3, 8 };

    for (int k = 0; k < WEIGHTS; k++)
        expected[k] = calloc(size_of(k), sizeof(float));
    create(&w, *state, sp_gemm_families[0]);
    set_values(&w, 1, expected);
    assert_ok(sp_delta_restore(w.delta));
    check_weights(&w, w.values);

    set_values(&w, 1, expected); /* moved without restoring: the changes stay, and count as original */
    for (int k = 0; k < WEIGHTS; k++)
        targets[k] = (struct sp_delta_target){ "w", &w.weight[k], others, k == 1 ? 2 : 0, NULL };
    assert_ok(sp_delta_move(w.delta, targets));
    check_weights(&w, expected);
    w.counts[0] = w.counts[2] = 0;
    w.counts[1] = 2;
    free(w.positions[1]);
    w.positions[1] = malloc(sizeof others);
    memcpy(w.positions[1], others, sizeof others);
    for (int k = 0; k < WEIGHTS; k++)
        memcpy(w.values[k], expected[k], size_of(k) * sizeof(float));
    set_values(&w, 1, expected);
    check_weights(&w, expected);
    assert_ok(sp_delta_restore(w.delta));
    check_weights(&w, w.values);
    for (int k = 0; k < WEIGHTS; k++)
        free(expected[k]);
    release(&w);
}

static void test_negative_zero(void **state)
{
    const float zeros[] = { 0.0f, -0.0f, 1.0f, -0.0f }, changes[] = { 1, 2 };
    const uint32_t positions[] = { 1, 3 };
    struct sp_buffer *plain = upload(*state, zeros, sizeof zeros);
    struct sp_gemm_weight weight;
    struct sp_delta *delta;

    assert_ok(sp_gemm_weight_create(&weight, *state, sp_gemm_families[0], 2, 2, true));
    assert_ok(sp_gemm_weight_pack(&weight, plain));
    assert_ok(sp_delta_create(&delta, *state, &(struct sp_delta_target){ "w", &weight, positions, 2, NULL }, 1));
    assert_ok(sp_delta_write(delta, 0, changes));
    assert_ok(sp_delta_apply(delta));
    assert_ok(sp_delta_restore(delta));
    check_layout(&weight, SP_GEMM_FORWARD, zeros, 4);
    sp_delta_free(delta);
    sp_gemm_weight_free(&weight);
    sp_buffer_free(plain);
}

/* ---- the window of SpIEL-AG -------------------------------------------------------------------------------------- */

/* Gradients of a 2 x 3 weight by hand, with X = 1: dW is dY^T, entry (o, i) of token i. */
static const float by_hand[3][6] = {
    { 1, -5, 2, 0, 4, -2 },  /* first: |dW| of (0, 1), (1, 1) and, of three at 2, the lowest: (0, 2) */
    { 9, 1, 1, 9, -1, 9 },   /* second micro-batch of the first step: the others do not matter now */
    { 0, 2, -4, 0, 0.5f, 7 } /* second step */
};

static struct sp_wgrad_input input_by_hand(struct sp_device *device, int g, bool accumulate,
                                           struct sp_wgrad_transposed *transposed)
{
    static const float unit[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 };
    float dy[6];

    for (int o = 0; o < 2; o++)
        for (int t = 0; t < 3; t++)
            dy[t * 2 + o] = by_hand[g][o * 3 + t];
    transposed->x_in_xt = NULL;
    return (struct sp_wgrad_input){ .dy = upload(device, dy, sizeof dy),
                                    .x = upload(device, unit, sizeof unit),
                                    .tokens = 3,
                                    .out = 2,
                                    .in = 3,
                                    .accumulate = accumulate,
                                    .transposed = transposed };
}

static void test_window(void **state)
{
    const uint32_t active[] = { 0, 2, 5 }, expected[] = { 1, 2, 4 };
    const float norm[2] = { 1, 0.5f }, zeros[6] = { 0 };
    struct sp_wgrad_transposed transposed = { 0 };
    struct sp_buffer *plain = upload(*state, zeros, sizeof zeros), *clip = upload(*state, norm, sizeof norm);
    struct sp_gemm_weight weight;
    struct sp_delta *delta;
    struct sp_window *window;
    struct sp_wgrad_sink *sink;
    const uint32_t *candidates;
    float sum[3], squares[3], gradient[3];

    assert_ok(sp_buffer_create(&transposed.xt, *state, 3 * (size_t)sp_transpose_stride(3) * sizeof(float)));
    assert_ok(sp_buffer_create(&transposed.dyt, *state, 3 * (size_t)sp_transpose_stride(3) * sizeof(float)));
    assert_ok(sp_gemm_weight_create(&weight, *state, sp_gemm_families[0], 2, 3, true));
    assert_ok(sp_gemm_weight_pack(&weight, plain));
    assert_ok(sp_delta_create(&delta, *state, &(struct sp_delta_target){ "w", &weight, active, 3, NULL }, 1));
    assert_ok(sp_window_create(&window, *state, &(struct sp_window_target){ &weight, 3 }, 1));
    for (int again = 0; again < 2; again++) { /* a second window forgets the first */
        assert_ok(sp_window_open(window));
        sink = sp_window_sink(window, 0, sp_delta_sink(delta, 0));
        for (int g = 0; g < 3; g++) {
            struct sp_wgrad_input in = input_by_hand(*state, g, g == 1, &transposed);

            assert_ok(sink->add(sink, *state, &in));
            if (g > 0)
                assert_ok(sp_window_add_step(window, clip)); /* halves every gradient */
            sp_buffer_free(in.dy);
            sp_buffer_free(in.x);
        }
        assert_ok(sp_window_read(&candidates, sum, squares, window, 0));
        assert_memory_equal(candidates, expected, sizeof expected);
        /* steps: (-5 + 1, 2 + 1, 4 - 1) / 2 = (-2, 1.5, 1.5), then (2, -4, 0.5) / 2 = (1, -2, 0.25) */
        assert_memory_equal(sum, ((const float[]){ -1, -0.5f, 1.75f }), sizeof sum);
        assert_memory_equal(squares, ((const float[]){ 5, 6.25f, 2.3125f }), sizeof squares);
        assert_ok(sp_buffer_read(gradient, sp_delta_part(delta, 0).gradients, 0, sizeof gradient));
        /* the delta's own, as without a window */
        assert_memory_equal(gradient, ((const float[]){ 0, -4, 7 }), sizeof gradient);
    }
    sp_window_free(window);
    sp_delta_free(delta);
    sp_gemm_weight_free(&weight);
    sp_buffer_free(plain);
    sp_buffer_free(clip);
    sp_buffer_free(transposed.xt);
    sp_buffer_free(transposed.dyt);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_apply), cmocka_unit_test(test_gradient),
                                        cmocka_unit_test(test_gradient_of_many_tokens),
                                        cmocka_unit_test(test_move), cmocka_unit_test(test_negative_zero),
                                        cmocka_unit_test(test_window) };

    return cmocka_run_group_tests_name("sparse", tests, open_device, close_device);
}
