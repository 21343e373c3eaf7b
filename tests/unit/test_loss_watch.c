/* When a loss counts as far above its start: explosions of every shape do, what noise makes of a sound run does not. */
#include "runtime/base/rng.h"
#include "runtime/train/loss_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#define GUESS log(2)

/* The step at which it is said; 0: never. It must be said once. */
static size_t watch(struct sp_loss_watch *w, double floor, size_t total, double (*loss)(size_t step))
{
    size_t said = 0;

    sp_loss_watch_init(w, floor, total);
    for (size_t step = 1; step <= total; step++)
        if (sp_loss_watch_add(w, loss(step))) {
            assert_int_equal(said, 0);
            said = step;
        }
    return said;
}

static double uniform(size_t step)
{
    return (double)sp_rng_u32(7, SP_RNG_SKETCH, 0, step) / 4294967296.0;
}

/* At the second step, in the first window. */
static double at_once(size_t step)
{
    return step == 1 ? 0.7 : 20 + 30 * uniform(step);
}

static double later(size_t step)
{
    return step < 45 ? 0.7 - 0.01 * (double)step : 1.8;
}

/* Seen with a real model of six classes at rate 1: high at once, then wandering between guessing and twice that. */
static double wanders(size_t step)
{
    return step == 1 ? log(6) : step < 5 ? 20 : 2 + 2 * uniform(step);
}

/* A trained head that is driven back to guessing. */
static double forgotten(size_t step)
{
    return step < 12 ? 0.05 + 0.02 * uniform(step) : 0.8;
}

static void test_explosions(void **state)
{
    struct sp_loss_watch w;

    (void)state;
    assert_int_equal(watch(&w, GUESS, 200, at_once), 60); /* the first window, and five */
    assert_true(w.start == 0.7 && w.last > 25 && w.last < 45);
    assert_true(sp_loss_watch_is_astray(&w));
    assert_int_equal(watch(&w, GUESS, 200, later), 90);
    assert_true(w.last > 1.6 && w.last <= 1.8);
    assert_int_equal(watch(&w, GUESS, 200, forgotten), 60);
    assert_int_equal(watch(&w, log(6), 200, wanders), 60);
    assert_int_equal(watch(&w, GUESS, 20, at_once), 12); /* windows of two steps */
    assert_int_equal(watch(&w, GUESS, 6, at_once), 6);
    assert_int_equal(watch(&w, GUESS, 5, at_once), 0); /* too short to say before the end */
}

/* Rows one by one, mostly known, some very wrong. */
static double hard_rows(size_t step)
{
    return uniform(step) < 0.06 ? 4 + 3 * uniform(step + 100000) : 0.002;
}

static double guessing(size_t step)
{
    return 0.4 + 0.65 * uniform(step);
}

/* The first row happens to be easy. */
static double easy_start(size_t step)
{
    return step == 1 ? 0.001 : guessing(step);
}

/* Two rows of fifty are far from all others: nearly all of the variance, which here is 40. */
static double far_labels(size_t step)
{
    return uniform(step) < 0.04 ? 1000 : 0.1;
}

static double bump(size_t step)
{
    return step > 40 && step <= 80 ? 3 : 0.5;
}

static void test_noise(void **state)
{
    static double (*const sound[])(size_t) = { hard_rows, guessing, easy_start, bump };
    struct sp_loss_watch w;

    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        for (size_t total = 100; total <= 100000; total *= 10)
            assert_int_equal(watch(&w, GUESS, total, sound[i]), 0);
    assert_int_equal(watch(&w, 4 * 40, 100000, far_labels), 0);
}

static double recovers(size_t step)
{
    return step > 40 && step <= 100 ? 3 : 0.5;
}

/* What came back is not astray at the end, though it was said. */
static void test_recovery(void **state)
{
    struct sp_loss_watch w;

    (void)state;
    assert_int_equal(watch(&w, GUESS, 200, recovers), 90);
    assert_false(sp_loss_watch_is_astray(&w));
}

static double comes_back(size_t step)
{
    return step == 2 ? 1200 : step == 3 ? 460 : 0.6;
}

static double late(size_t step)
{
    return step < 1960 ? 0.5 : 9;
}

/* What the rows of the first batch and of the last give at the end decides where windows are too few. */
static void test_end(void **state)
{
    struct sp_loss_watch w;

    (void)state;
    for (size_t total = 1; total <= 5; total++) {
        watch(&w, GUESS, total, at_once);
        assert_false(sp_loss_watch_is_astray(&w));
        assert_true(sp_loss_watch_end(&w, 0.7, 30, 20));
        assert_true(sp_loss_watch_is_astray(&w));
        assert_true(w.start == 0.7 && w.last >= 20 && w.last < 50);
        watch(&w, GUESS, total, at_once);
        /* the first rows are of the class that is said to all */
        assert_int_equal(sp_loss_watch_end(&w, 0.7, 0, 20), total >= 2);
        watch(&w, GUESS, total, hard_rows);
        assert_false(sp_loss_watch_end(&w, 0.002, 0.01, 6.9));
    }
    watch(&w, GUESS, 5, comes_back);
    assert_false(sp_loss_watch_end(&w, 0.7, 0.5, 0.4));
    watch(&w, GUESS, 2000, late);
    assert_false(sp_loss_watch_is_astray(&w));
    assert_true(sp_loss_watch_end(&w, 0.7, 8, 5)); /* in the last windows of a long run */
    watch(&w, GUESS, 3, guessing);
    assert_false(sp_loss_watch_end(&w, 0.7, 1.3, 9));   /* not the first rows: those at the end were hard */
    assert_false(sp_loss_watch_end(&w, 0.7, 9, 1.3));   /* nor the other way round */
    assert_false(sp_loss_watch_end(&w, 5, 9, 9));       /* they were from the beginning */
    assert_false(sp_loss_watch_end(&w, 0.01, 1.3, 1.3)); /* a model that knew them has come to guess: no explosion */
    assert_false(sp_loss_watch_is_astray(&w));
    assert_false(sp_loss_watch_held_out(&w, 0.9, 3)); /* training rows learnt by heart */
    assert_false(sp_loss_watch_held_out(&w, 0.1, 6.9)); /* 10 times guessing's, not the start's */
    assert_false(sp_loss_watch_is_astray(&w));
    assert_true(sp_loss_watch_held_out(&w, 0.1, 7));
    assert_true(sp_loss_watch_is_astray(&w) && w.start == 0.1 && w.last == 7);
    watch(&w, GUESS, 200, at_once);
    assert_false(sp_loss_watch_end(&w, 0.7, 30, 20)); /* told already */
    assert_true(sp_loss_watch_is_astray(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explosions),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests_name("loss watch", tests, NULL, NULL);
}
