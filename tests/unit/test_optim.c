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

static double norm_of(struct sp_optim *optim)
{
    float norm;

    assert_ok(sp_optim_norm(optim, NULL, 0));
    assert_ok(sp_buffer_read(&norm, sp_optim_norm_buffer(optim), 0, sizeof norm));
    return (double)norm;
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
    static const char *const names[VIEWS] = { "first", "second", "third" };

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
        x->views[k] = (struct sp_optim_view){
            .name = names[k], .count = n, .rows = (int)n, .cols = 1, .decay = k != 1
        };
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

        norm = norm_of(x.optim);
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

/* ---- SM3 --------------------------------------------------------------------------------------------------------- */

/* A 2 x 3 matrix with entries (0, 0), (0, 2) and (1, 2), two steps by hand; lr 0.1, decay 0.5 on the second. */
static void test_sm3_by_hand(void **state)
{
    const uint32_t positions[] = { 0, 2, 5 };
    const float zeros[3] = { 0 }, first[] = { 3, 1, 2 }, second[] = { 1, 2, 1 };
    struct sp_optim_view view = { .name = "x", .count = 3, .rows = 2, .cols = 3, .decay = true };
    float value[3], accumulators[5];
    struct sp_optim *optim;
    double norm;

    assert_ok(sp_buffer_create(&view.value, *state, sizeof value));
    assert_ok(sp_buffer_create(&view.gradient, *state, sizeof value));
    assert_ok(sp_buffer_create(&view.positions, *state, sizeof positions));
    assert_ok(sp_buffer_write(view.value, 0, zeros, sizeof zeros));
    assert_ok(sp_buffer_write(view.positions, 0, positions, sizeof positions));
    assert_ok(sp_optim_create(&optim, *state, sp_optimizer_find("sm3"), &view, 1,
                              &(struct sp_optim_options){ .weight_decay = 0.5 }));
    assert_int_equal(sp_optim_memory(optim, 1), 5 * sizeof(float));

    /* u = 9, 1, 4: each value moves by lr; R = 9, 4 and C = 9, 0, 4 */
    assert_ok(sp_buffer_write(view.gradient, 0, first, sizeof first));
    norm = norm_of(optim);
    assert_near(norm, sqrt(14), 1e-6);
    assert_ok(sp_optim_step(optim, 0.1));
    assert_ok(sp_buffer_read(value, view.value, 0, sizeof value));
    for (int k = 0; k < 3; k++)
        assert_near((double)value[k], -0.1 * 0.95, 1e-7);
    assert_ok(sp_optim_accumulators(accumulators, optim, 0));
    assert_memory_equal(accumulators, ((const float[]){ 9, 4, 9, 0, 4 }), sizeof accumulators);

    /* u = min(9, 9) + 1 = 10, min(9, 4) + 4 = 8, min(4, 4) + 1 = 5; R = 10, 5 and C = 10, 0, 8 */
    assert_ok(sp_buffer_write(view.gradient, 0, second, sizeof second));
    norm_of(optim);
    assert_ok(sp_optim_step(optim, 0.1));
    assert_ok(sp_buffer_read(value, view.value, 0, sizeof value));
    assert_near((double)value[0], (-0.095 - 0.1 / sqrt(10)) * 0.95, 1e-7);
    assert_near((double)value[1], (-0.095 - 0.2 / sqrt(8)) * 0.95, 1e-7);
    assert_near((double)value[2], (-0.095 - 0.1 / sqrt(5)) * 0.95, 1e-7);
    assert_ok(sp_optim_accumulators(accumulators, optim, 0));
    assert_memory_equal(accumulators, ((const float[]){ 10, 5, 10, 0, 8 }), sizeof accumulators);

    /* they belong to rows and columns and stay when entries go, but not when all starts anew */
    view.count = 1;
    assert_ok(
        sp_optim_move(optim, 0, &(struct sp_optim_move){ .view = view, .from = (const uint32_t[]){ SP_REMAP_NEW } }));
    assert_ok(sp_optim_accumulators(accumulators, optim, 0));
    assert_memory_equal(accumulators, ((const float[]){ 10, 5, 10, 0, 8 }), sizeof accumulators);
    assert_ok(sp_optim_move(optim, 0,
                            &(struct sp_optim_move){
                                .view = view, .from = (const uint32_t[]){ SP_REMAP_NEW }, .anew = true }));
    assert_ok(sp_optim_accumulators(accumulators, optim, 0));
    assert_memory_equal(accumulators, ((const float[5]){ 0 }), sizeof accumulators);
    sp_optim_free(optim);
    sp_buffer_free(view.value);
    sp_buffer_free(view.gradient);
    sp_buffer_free(view.positions);
}

/* ---- entries that come and go ------------------------------------------------------------------------------------ */

/* A view of `count` values on the device, all zero. */
static struct sp_optim_view make_view(struct sp_device *device, size_t count)
{
    struct sp_optim_view view = { .name = "x", .count = count, .rows = (int)count, .cols = 1, .moving = true };

    assert_ok(sp_buffer_create(&view.value, device, count * sizeof(float)));
    assert_ok(sp_buffer_create(&view.gradient, device, count * sizeof(float)));
    assert_ok(sp_buffer_fill(view.value, 0, 0, count * sizeof(float)));
    return view;
}

static void free_view(struct sp_optim_view *view)
{
    sp_buffer_free(view->value);
    sp_buffer_free(view->gradient);
}

/* An entry that grows with the gradients 0.3 and -0.1 of a window of two steps behind it: m = 0.1 (1 - 1/4) and v =
 * 0.05 (1 - 9/16) with beta1 = 1/2, beta2 = 3/4. The gradient 0.2 then gives m = 0.1375 and v = 0.02640625 at age 3, so
 * that the step is lr (0.1375 / (7/8)) / sqrt(0.02640625 / (37/64)) = 0.1 * 0.15714286 / 0.21371868; an entry that grew
 * from nothing moves by lr. */
static void test_seed_by_hand(void **state)
{
    struct sp_optim_view old = make_view(*state, 1), now = make_view(*state, 2), bare = make_view(*state, 1);
    const float one[] = { 1, 1 }, gradient[] = { 0.2f, 7 }, mean = 0.1f, square = 0.05f;
    const uint32_t seeded[] = { SP_REMAP_NEW, 0 }, fresh = SP_REMAP_NEW;
    float value[2];
    struct sp_optim *optim;
    double norm;

    assert_ok(sp_optim_create(&optim, *state, sp_optimizer_find("adamw"), (struct sp_optim_view[]){ old, bare }, 2,
                              &(struct sp_optim_options){ 0.5, 0.75, 1e-12, 0, 0 }));
    for (int step = 0; step < 2; step++) {
        assert_ok(sp_buffer_write(old.gradient, 0, one, sizeof *one));
        assert_ok(sp_buffer_write(bare.gradient, 0, one, sizeof *one));
        norm_of(optim);
        assert_ok(sp_optim_step(optim, 0.1));
    }
    assert_ok(sp_optim_move(optim, 0, &(struct sp_optim_move){ now, seeded, &mean, &square, 2, false }));
    assert_ok(sp_optim_move(optim, 1, &(struct sp_optim_move){ .view = bare, .from = &fresh }));
    assert_ok(sp_buffer_fill(bare.value, 0, 0, sizeof(float)));
    assert_ok(sp_buffer_write(now.gradient, 0, gradient, sizeof gradient));
    assert_ok(sp_buffer_write(bare.gradient, 0, gradient, sizeof *gradient));
    norm = norm_of(optim);
    assert_near(norm, sqrt(2 * 0.04 + 49), 1e-6);
    assert_ok(sp_optim_step(optim, 0.1));
    assert_ok(sp_buffer_read(value, now.value, 0, sizeof value));
    assert_near((double)value[0], -0.1 * 0.15714286 / 0.21371868, 1e-7);
    assert_ok(sp_buffer_read(value, bare.value, 0, sizeof *value));
    assert_near((double)value[0], -0.1, 1e-7);
    sp_optim_free(optim);
    free_view(&old);
    free_view(&now);
    free_view(&bare);
}

/* One entry in double precision. */
struct entry {
    double value, m, v, age;
};

/* Steps with random moves between them: each entry's moments and age go where it goes, new ones start anew or from
 * seeds. */
static void test_state_follows(void **state)
{
    enum { MOST = 300, MOVES = 12 };
    const struct sp_optim_options options = { 0.9, 0.99, 1e-8, 0, 0 };
    struct entry entries[MOST] = { { 0 } }, next[MOST];
    float values[MOST] = { 0 }, gradient[MOST], mean[MOST], square[MOST];
    uint32_t from[MOST];
    struct sp_optim_view view = make_view(*state, 100);
    struct sp_optim *optim;

    assert_ok(sp_optim_create(&optim, *state, sp_optimizer_find("adamw"), &view, 1, &options));
    for (uint32_t t = 1; t <= 5 * MOVES; t++) {
        for (size_t k = 0; k < view.count; k++) {
            struct entry *e = &entries[k];
            double g = (double)(gradient[k] = draw(1000 + t, k));

            e->age++;
            e->m = 0.9 * e->m + 0.1 * g;
            e->v = 0.99 * e->v + 0.01 * g * g;
            e->value -= 0.01 * e->m / (1 - pow(0.9, e->age)) / (sqrt(e->v / (1 - pow(0.99, e->age))) + 1e-8);
        }
        assert_ok(sp_buffer_write(view.gradient, 0, gradient, view.count * sizeof *gradient));
        norm_of(optim);
        assert_ok(sp_optim_step(optim, 0.01));
        assert_ok(sp_buffer_read(values, view.value, 0, view.count * sizeof *values));
        for (size_t k = 0; k < view.count; k++)
            assert_near((double)values[k], entries[k].value, 2e-6);
        if (t % 5)
            continue;
        struct sp_optim_view now = make_view(*state, 50 + sp_rng_u32(1, SP_RNG_SKETCH, t, 0) % 200);
        bool seeded = t % 2;
        size_t fresh = 0;

        for (size_t k = 0; k < now.count; k++) {
            from[k] = sp_rng_u32(2, SP_RNG_SKETCH, t, k) % (uint32_t)(2 * view.count);
            if (from[k] < view.count) {
                next[k] = entries[from[k]];
            } else {
                from[k] = SP_REMAP_NEW;
                mean[fresh] = draw(2000 + t, k);
                square[fresh] = mean[fresh] * mean[fresh] + 0.1f;
                next[k] = (struct entry){ 0 };
                if (seeded)
                    next[k] = (struct entry){ 0, (double)mean[fresh] * (1 - pow(0.9, 4)),
                                              (double)square[fresh] * (1 - pow(0.99, 4)), 4 };
                fresh++;
            }
            values[k] = (float)next[k].value;
        }
        assert_ok(sp_buffer_write(now.value, 0, values, now.count * sizeof *values));
        assert_ok(sp_optim_move(optim, 0,
                                &(struct sp_optim_move){ now, from, seeded ? mean : NULL, seeded ? square : NULL, 4,
                                                         false }));
        memcpy(entries, next, sizeof entries);
        free_view(&view);
        view = now;
    }
    sp_optim_free(optim);
    free_view(&view);
}

/* A gradient that is not finite, or one of the losses, holds up its own step and those behind it. */
static void test_gate(void **state)
{
    static const struct sp_optim_options options = { 0.9, 0.999, 1e-8, 0.1, 1 };
    const float values[] = { 1, NAN, -INFINITY };
    struct sp_buffer *losses;
    struct vectors x;

    assert_ok(sp_buffer_create(&losses, *state, sizeof values));
    assert_ok(sp_buffer_write(losses, 0, values, sizeof values));
    for (size_t i = 0; i < 4; i++) { /* how many of the losses; with the first alone all is well */
        create(&x, *state, &options);
        double norm = set_gradients(&x, 1);

        if (i == 0)
            assert_ok(sp_buffer_write(x.views[2].gradient, 0, &values[1], sizeof *values));
        assert_ok(sp_optim_norm(x.optim, losses, i));
        assert_ok(sp_optim_step(x.optim, 1));
        if (i == 1)
            step_host(&x, &options, 1, norm, 1);
        check_values(&x);
        if (i != 1) {
            set_gradients(&x, 2);
            assert_ok(sp_optim_norm(x.optim, losses, 1));
            assert_ok(sp_optim_step(x.optim, 1));
            check_values(&x);
        }
        release(&x);
    }
    sp_buffer_free(losses);
}

static void test_not_finite(void **state)
{
    const float values[] = { NAN, INFINITY, -INFINITY, 1e30f };
    struct vectors x;
    const char *name;
    bool finite;

    create(&x, *state, &(struct sp_optim_options){ 0.9, 0.999, 1e-8, 0, 1 });
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        set_gradients(&x, 1);
        assert_ok(sp_buffer_write(x.views[2].gradient, 4999 * sizeof(float), &values[i], sizeof(float)));
        assert_false(isfinite(norm_of(x.optim))); /* 1e30 squared is more than a float holds */
        assert_ok(sp_optim_find_not_finite(&name, &finite, x.optim));
        assert_string_equal(name, x.views[2].name);
        assert_int_equal(finite, i == 3);
    }
    set_gradients(&x, 1);
    norm_of(x.optim);
    assert_ok(sp_optim_find_not_finite(&name, &finite, x.optim));
    assert_null(name);
    assert_true(finite);
    release(&x);
}

static void test_memory(void **state)
{
    size_t before = sp_device_memory(*state), vectors = 0;
    struct vectors x;

    for (int k = 0; k < VIEWS; k++)
        vectors += counts[k] * sizeof(float);
    create(&x, *state, &(struct sp_optim_options){ 0.9, 0.999, 1e-8, 0, 1 });
    assert_int_equal(sp_optim_memory(x.optim, 1), 2 * counts[0] * sizeof(float));
    assert_int_equal(sp_optim_memory(x.optim, VIEWS), 2 * vectors);
    assert_in_range(sp_device_memory(*state) - before, 4 * vectors, 4 * vectors + 4096); /* and some for the norm */
    release(&x);
    assert_int_equal(sp_device_memory(*state), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),  cmocka_unit_test(test_warmup), cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_gate),   cmocka_unit_test(test_memory),
        cmocka_unit_test(test_sm3_by_hand), cmocka_unit_test(test_seed_by_hand), cmocka_unit_test(test_state_follows),
    };

    return cmocka_run_group_tests_name("optim", tests, open_device, close_device);
}
