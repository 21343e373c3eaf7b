/*
 * Updating supports: a reselection's work on the host for 40 million entries over 200 matrices, a fifth of them
 * replaced.
 *
 *     support [--entries 40000000] [--matrices 200] [--share 0.2]
 *
 * Each matrix has 32 times as many places as entries. Timed: the merge pass that takes positions out and puts others
 * in, and moving four words of state of each entry along (value, AdamW's two moments, birth). Prints one JSON line,
 * seconds.
 */
#include "runtime/base/clock.h"
#include "runtime/base/rng.h"
#include "runtime/sparse/support.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATES = 4, PLACES = 32 };

/* One matrix's lists. */
struct matrix {
    uint32_t *positions, *next, *from, *dropped, *added, *state[STATES], *moved;
    size_t count, dropped_count, added_count;
};

static uint32_t *words(size_t count)
{
    uint32_t *out = calloc(count + 1, sizeof *out);

    if (!out) {
        fprintf(stderr, "support: out of memory\n");
        exit(1);
    }
    return out;
}

static void allocate(struct matrix *m, size_t count)
{
    uint32_t **lists[] = { &m->positions, &m->next, &m->from, &m->dropped, &m->added, &m->moved };

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        *lists[i] = words(2 * count);
    for (int s = 0; s < STATES; s++)
        m->state[s] = words(count);
    m->count = count;
}

static void release(struct matrix *m)
{
    uint32_t *const lists[] = { m->positions, m->next, m->from, m->dropped, m->added, m->moved };

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        free(lists[i]);
    for (int s = 0; s < STATES; s++)
        free(m->state[s]);
}

/* Entry k at a random place of its own PLACES; dropped by chance, and as many added in places that stay free. */
static void fill(struct matrix *m, uint32_t number, double share)
{
    uint32_t limit = (uint32_t)(share * 4294967295.0);

    m->dropped_count = m->added_count = 0;
    for (size_t k = 0; k < m->count; k++) {
        uint32_t place = sp_rng_u32(1, SP_RNG_SKETCH, number, 2 * k) % (PLACES - 1);

        m->positions[k] = (uint32_t)k * PLACES + place;
        if (sp_rng_u32(1, SP_RNG_SKETCH, number, 2 * k + 1) < limit)
            m->dropped[m->dropped_count++] = m->positions[k];
        if (sp_rng_u32(2, SP_RNG_SKETCH, number, k) < limit)
            m->added[m->added_count++] = (uint32_t)k * PLACES + PLACES - 1;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "entries", required_argument, NULL, 'e' },
                                             { "matrices", required_argument, NULL, 'm' },
                                             { "share", required_argument, NULL, 's' },
                                             { NULL, 0, NULL, 0 } };
    size_t entries = 40000000, matrices = 200, after = 0;
    double share = 0.2, merge = 0, state = 0;
    struct matrix m = { 0 };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'e')
            entries = strtoul(optarg, NULL, 10);
        else if (option == 'm')
            matrices = strtoul(optarg, NULL, 10);
        else if (option == 's')
            share = strtod(optarg, NULL);
        else
            return 2;
    }
    allocate(&m, entries / matrices);
    for (uint32_t i = 0; i < matrices; i++) {
        double began, merged;
        size_t count;

        fill(&m, i, share);
        began = sp_clock_now();
        count = sp_support_update(m.next, m.from, m.positions, m.count, m.dropped, m.dropped_count, m.added,
                                  m.added_count);
        merged = sp_clock_now();
        for (int s = 0; s < STATES; s++)
            sp_remap_words(m.moved, m.state[s], m.from, count, 0);
        state += sp_clock_now() - merged;
        merge += merged - began;
        after += count;
    }
    release(&m);
    printf("{\"entries\": %zu, \"entries_after\": %zu, \"matrices\": %zu, \"merge_seconds\": %.3f, \"state_seconds\": "
           "%.3f, \"seconds\": %.3f}\n",
           entries / matrices * matrices, after, matrices, merge, state, merge + state);
    return 0;
}
