/* Supports that change: merges, unions, extremes and products against plain loops, on random cases. No device. */
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/sparse/outer.h"
#include "runtime/sparse/support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES = 300, ROOM = 400 };

static uint32_t draws; /* so far, of the group */

static uint32_t draw(uint32_t below)
{
    return (uint32_t)((uint64_t)sp_rng_u32(3, SP_RNG_SKETCH, 0, draws++) * below >> 32);
}

/* A random part of 0 ... n - 1, each with chance share / 8, sorted. */
static size_t part_of(uint32_t *out, uint32_t n, uint32_t share)
{
    size_t count = 0;

    for (uint32_t i = 0; i < n; i++)
        if (draw(8) < share)
            out[count++] = i;
    return count;
}

static bool in(const uint32_t *list, size_t count, uint32_t position, size_t *at)
{
    for (*at = 0; *at < count; ++*at)
        if (list[*at] == position)
            return true;
    return false;
}

/* Every position that is kept or added is there once, in order, with the entry that it was; state follows. */
static void test_update(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        uint32_t n = draw(ROOM) + 1, old[ROOM], picked[ROOM], dropped[ROOM], added[ROOM], now[2 * ROOM], from[2 * ROOM];
        uint32_t words[ROOM], moved[2 * ROOM], mapped[2 * ROOM];
        size_t count = part_of(old, n, draw(9)), d = part_of(picked, (uint32_t)count, draw(9)),
               a = part_of(added, n, draw(9));
        size_t got, next = 0, kept = 0, at;

        for (size_t k = 0; k < d; k++)
            dropped[k] = old[picked[k]];
        for (size_t k = 0; k < count; k++)
            words[k] = 1000 + old[k];
        got = sp_support_update(now, from, old, count, dropped, d, added, a);
        sp_remap_words(moved, words, from, got, 7);
        for (uint32_t position = 0; position < n; position++) {
            bool was = in(old, count, position, &at), stays = was && !in(dropped, d, position, &(size_t){ 0 });

            if (!stays && !in(added, a, position, &(size_t){ 0 }))
                continue;
            assert_true(next < got);
            assert_int_equal(now[next], position);
            assert_int_equal(from[next], was ? (uint32_t)at : SP_REMAP_NEW);
            assert_int_equal(moved[next++], was ? 1000 + position : 7);
            kept += was;
        }
        assert_int_equal(next, got);
        assert_int_equal(sp_support_map(mapped, now, got, old, count), kept);
        assert_memory_equal(mapped, from, got * sizeof *from);
    }
}

static void test_union(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        uint32_t n = draw(ROOM) + 1, a[ROOM], b[ROOM], out[2 * ROOM];
        float aw[ROOM], bw[ROOM], words[2 * ROOM];
        size_t na = part_of(a, n, draw(9)), nb = part_of(b, n, draw(9)), count, next = 0;

        for (size_t k = 0; k < na; k++)
            aw[k] = (float)a[k];
        for (size_t k = 0; k < nb; k++)
            bw[k] = -1 - (float)b[k];
        count = sp_support_union(out, words, a, aw, na, b, bw, nb);
        for (uint32_t position = 0; position < n; position++) {
            bool first = in(a, na, position, &(size_t){ 0 });

            if (!first && !in(b, nb, position, &(size_t){ 0 }))
                continue;
            assert_int_equal(out[next], position);
            assert_true(words[next++] == (first ? (float)position : -1 - (float)position));
        }
        assert_int_equal(next, count);
        assert_int_equal(sp_support_union(out, NULL, a, NULL, na, b, NULL, nb), count);
    }
}

/* How many of x come before i in the order: larger (or smaller) magnitude, then the lower index. */
static size_t rank_of(const float *x, size_t n, size_t i, bool largest)
{
    size_t rank = 0;

    for (size_t k = 0; k < n; k++) {
        bool more = largest ? fabsf(x[k]) > fabsf(x[i]) : fabsf(x[k]) < fabsf(x[i]);

        rank += more || (fabsf(x[k]) == fabsf(x[i]) && k < i);
    }
    return rank;
}

static void test_extremes(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        size_t n = draw(ROOM) + 1, wanted = draw((uint32_t)n + 1), next;
        uint32_t out[ROOM], kinds = 1 + draw(c % 2 ? 5 : 100000); /* many ties, or few */
        float x[ROOM];

        for (size_t i = 0; i < n; i++) {
            x[i] = ((float)draw(kinds) - (float)(kinds / 2)) * ldexpf(1, (int)draw(c % 3 ? 1 : 120) - 60);
            if (draw(50) == 0)
                x[i] = draw(2) ? INFINITY : -0.0f;
        }
        for (int largest = 0; largest < 2; largest++) {
            memset(out, 0xff, sizeof out);
            (largest ? sp_support_largest : sp_support_smallest)(out, wanted, x, n);
            next = 0;
            for (size_t i = 0; i < n; i++)
                if (rank_of(x, n, i, largest) < wanted)
                    assert_int_equal(out[next++], i);
            assert_int_equal(next, wanted);
            assert_true(wanted == ROOM || out[wanted] == UINT32_MAX); /* nothing past the end */
        }
    }
}

/* All products, sorted by the rule. */
static void check_products(const float *R, size_t rows, const float *C, size_t cols, const uint32_t *active,
                           size_t count)
{
    size_t n = rows * cols, inactive = n - count, wanted = draw((uint32_t)inactive + 1), next = 0;
    uint32_t *out = calloc(wanted + 1, sizeof *out);
    double *products = calloc(n, sizeof *products);
    size_t at;

    for (size_t p = 0; p < n; p++)
        products[p] = in(active, count, (uint32_t)p, &at) ? -1 : (double)R[p / cols] * (double)C[p % cols];
    assert_int_equal(sp_outer_largest(out, wanted, R, rows, C, cols, active, count), 0);
    for (size_t p = 0; p < n; p++) {
        size_t rank = 0;

        for (size_t q = 0; q < n; q++)
            rank += products[q] > products[p] || (products[q] == products[p] && q < p);
        if (products[p] >= 0 && rank < wanted)
            assert_int_equal(out[next++], p);
    }
    assert_int_equal(next, wanted);
    free(out);
    free(products);
}

static void test_products(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        uint32_t rows = draw(20) + 1, cols = draw(20) + 1, active[ROOM + 1], kinds = 1 + draw(c % 2 ? 4 : 1000);
        float R[20], C[20];

        for (uint32_t i = 0; i < rows; i++)
            R[i] = draw(4) ? (float)draw(kinds) / 7 : 0;
        for (uint32_t i = 0; i < cols; i++)
            C[i] = draw(4) ? (float)draw(kinds) / 7 : 0;
        for (uint32_t i = 0; c % 3 == 0 && i < rows && i < cols; i++)
            C[i] = R[i]; /* SM3's own ties: R_i C_j = R_j C_i */
        check_products(R, rows, C, cols, active, part_of(active, rows * cols, draw(9)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_update), cmocka_unit_test(test_union),
                                        cmocka_unit_test(test_extremes), cmocka_unit_test(test_products) };

    return cmocka_run_group_tests_name("support", tests, NULL, NULL);
}
