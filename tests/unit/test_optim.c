/* Learning-rate schedules against their formulas; AdamW with clipping against double precision, on the device. */
#include "tests/unit/device_support.h"
#include "tests/unit/near.h"

#include "runtime/base/rng.h"
#include "runtime/optim/optim.h"
#include "runtime/optim/schedule.h"

#include <math.h>
#include <stdlib.h>

enum { VIEWS = 3, STEPS = 6 };

static const size_t counts[VIEWS] = { 1, 77, 5003 };

static double factor(const char *name, size_t step, size_t total, size_t warmup)
{
    double out = -1;

    assert_ok(sp_schedule_factor(&out, name, step, total, warmup));
    return out;
}

static void test_schedules(void **state)
{
    (void)state;
    for (size_t t = 0; t < 10; t++) {
        assert_near(factor("linear", t, 10, 0), 1 - (double)t / 10, 1e-12);
        assert_near(factor("constant", t, 10, 0), 1, 0);
        assert_near(factor("cosine", t, 10, 0), (1 + cos(M_PI * (double)t / 10)) / 2, 1e-12);
    }
    for (size_t t = 0; t < 4; t++) {
        assert_near(factor("linear", t, 10, 4), (double)t / 4, 1e-12);
        assert_near(factor("cosine", t, 10, 4), (double)t / 4, 1e-12);
        assert_near(factor("constant", t, 10, 4), (double)t / 4, 1e-12);
    }
    for (size_t t = 4; t < 10; t++) {
        assert_near(factor("linear", t, 10, 4), (double)(10 - t) / 6, 1e-12);
        assert_near(factor("cosine", t, 10, 4), (1 + cos(M_PI * (double)(t - 4) / 6)) / 2, 1e-12);
        assert_near(factor("constant", t, 10, 4), 1, 0);
    }
    assert_near(factor("linear", 9, 10, 10), 0.9, 1e-12); /* nothing but warm-up */
    assert_near(factor("linear", 9, 10, 20), 0.45, 1e-12); /* and not all of it */
    assert_near(factor("linear", 0, 1, 0), 1, 0);
    assert_error(sp_schedule_factor(&(double){ 0 }, "polynomial", 0, 1, 0), SP_EINVAL, "polynomial");
}

static void test_warmup(void **state)
{
    (void)state;
    assert_int_equal(sp_schedule_warmup(0, 100), 0);
    assert_int_equal(sp_schedule_warmup(7, 100), 7);
    assert_int_equal(sp_schedule_warmup(1, 100), 1);
    assert_int_equal(sp_schedule_warmup(0.06, 375), 23); /* 22.5, rounded up */
    assert_int_equal(sp_schedule_warmup(0.5, 3), 2);
    assert_int_equal(sp_schedule_warmup(1e-9, 3), 1);
}

/* The vectors on the device and, in double precision, on the host. */
struct vectors {
    struct sp_device *device;
    struct sp_optim_view views[VIEWS];
    double *value[VIEWS], *m[VIEWS], *v[VIEWS];
    float *gradient[VIEWS];
    struct sp_optim *optim;
};

static float draw(uint32_t sub, size_t i)
{
    return (float)(2 * sp_rng_uniform(11, SP_RNG_SKETCH, sub, i) - 1);
}

static void create(struct vectors *x, struct sp_device *device, const struct sp_optim_options *options)
{
    *x = (struct vectors){ .device = device };
    for (uint32_t k = 0; k < VIEWS; k++) {
        size_t n = counts[k], bytes = n * sizeof(float);
        float *host = calloc(n, sizeof *host);

        x->value[k] = calloc(n, sizeof(double));
        x->m[k] = calloc(n, sizeof(double));
        x->v[k] = calloc(n, sizeof(double));
        x->gradient[k] = calloc(n, sizeof(float));
        for (size_t i = 0; i < n; i++)
            x->value[k][i] = (double)(host[i] = draw(k, i));
        x->views[k] = (struct sp_optim_view){ .name = "x", .count = n, .rows = (int)n, .cols = 1, .decay = k != 1 };
        assert_ok(sp_buffer_create(&x->views[k].value, device, bytes));
        assert_ok(sp_buffer_create(&x->views[k].gradient, device, bytes));
        assert_ok(sp_buffer_write(x->views[k].value, 0, host, bytes));
        free(host);
    }
    assert_ok(sp_optim_create(&x->optim, device, sp_optimizer_find("adamw"), x->views, VIEWS, options));
}

static void release(struct vectors *x)
{
    sp_optim_free(x->optim);
    for (int k = 0; k < VIEWS; k++) {
        sp_buffer_free(x->views[k].value);
        sp_buffer_free(x->views[k].gradient);
        free(x->value[k]);
        free(x->m[k]);
        free(x->v[k]);
        free(x->gradient[k]);
    }
}

/* New gradients for step `step`; their norm. Entry 0 of each vector has none: its moments stay zero. */
static double set_gradients(struct vectors *x, uint32_t step)
{
    double squares = 0;

    for (uint32_t k = 0; k < VIEWS; k++) {
        for (size_t i = 0; i < counts[k]; i++) {
            x->gradient[k][i] = i ? draw(100 + 10 * step + k, i) * (i % 3 ? 1e-3f : 1) : 0;
            squares += (double)x->gradient[k][i] * (double)x->gradient[k][i];
        }
        assert_ok(sp_buffer_write(x->views[k].gradient, 0, x->gradient[k], counts[k] * sizeof(float)));
    }
    return sqrt(squares);
}

/* The step in double precision, as optim.h and README of the reference numbers have it. */
static void step_host(struct vectors *x, const struct sp_optim_options *o, double lr, double norm, uint32_t step)
{
    double clip = o->max_grad_norm > 0 ? fmin(1, o->max_grad_norm / (norm + 1e-6)) : 1;

    for (int k = 0; k < VIEWS; k++)
        for (size_t i = 0; i < counts[k]; i++) {
            double g = (double)x->gradient[k][i] * clip, *p = &x->value[k][i], *m = &x->m[k][i], *v = &x->v[k][i];

            *p *= 1 - lr * (x->views[k].decay ? o->weight_decay : 0);
            *m = o->beta1 * *m + (1 - o->beta1) * g;
            *v = o->beta2 * *v + (1 - o->beta2) * g * g;
            *p -= lr * (*m / (1 - pow(o->beta1, step))) / (sqrt(*v / (1 - pow(o->beta2, step))) + o->epsilon);
        }
}

static void check_values(struct vectors *x)
{
    for (int k = 0; k < VIEWS; k++) {
        float *got = calloc(counts[k], sizeof *got);

        assert_ok(sp_buffer_read(got, x->views[k].value, 0, counts[k] * sizeof *got));
        for (size_t i = 0; i < counts[k]; i++)
            if (!(fabs((double)got[i] - x->value[k][i]) <= 2e-6))
                fail_msg("vector %d, entry %zu: %.9g, expected %.9g", k, i, (double)got[i], x->value[k][i]);
        free(got);
    }
}

static void check_optim(struct sp_device *device, const struct sp_optim_options *options)
{
    struct vectors x;

    create(&x, device, options);
    for (uint32_t step = 1; step <= STEPS; step++) {
        double expected = set_gradients(&x, step), norm, lr = 0.02 / step;

        assert_ok(sp_optim_norm(&norm, x.optim));
        assert_near(norm, expected, 1e-5 * expected); /* before clipping */
        assert_ok(sp_optim_step(x.optim, lr));
        step_host(&x, options, lr, expected, step);
        check_values(&x);
    }
    release(&x);
}

static void test_adamw(void **state)
{
    check_optim(*state, &(struct sp_optim_options){ 0.9, 0.999, 1e-8, 0, 0 });
    check_optim(*state, &(struct sp_optim_options){ 0.9, 0.999, 1e-8, 0.1, 1 });
    check_optim(*state, &(struct sp_optim_options){ 0.5, 0.8, 1e-2, 1, 1e6 }); /* a limit that nothing reaches */
    check_optim(*state, &(struct sp_optim_options){ 0, 0, 1e-8, 0, 0.01 });
}

static void test_not_finite(void **state)
{
    const float values[] = { NAN, INFINITY, -INFINITY, 1e30f };
    struct vectors x;
    double norm;

    create(&x, *state, &(struct sp_optim_options){ 0.9, 0.999, 1e-8, 0, 1 });
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        set_gradients(&x, 1);
        assert_ok(sp_buffer_write(x.views[2].gradient, 4999 * sizeof(float), &values[i], sizeof(float)));
        assert_ok(sp_optim_norm(&norm, x.optim));
        assert_false(isfinite(norm)); /* 1e30 squared is more than a float holds */
    }
    release(&x);
}

static void test_memory(void **state)
{
    size_t before = sp_device_memory(*state), vectors = 0;
    struct vectors x;

    for (int k = 0; k < VIEWS; k++)
        vectors += counts[k] * sizeof(float);
    create(&x, *state, &(struct sp_optim_options){ 0.9, 0.999, 1e-8, 0, 1 });
    assert_int_equal(sp_optim_memory(x.optim), 2 * vectors);
    assert_in_range(sp_device_memory(*state) - before, 4 * vectors, 4 * vectors + 4096); /* and some for the norm */
    release(&x);
    assert_int_equal(sp_device_memory(*state), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),  cmocka_unit_test(test_warmup), cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests_name("optim", tests, open_device, close_device);
}
