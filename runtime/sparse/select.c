#include "runtime/sparse/select.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    float score;
    uint32_t tensor, position;
};

struct sp_select {
    struct candidate *best; /* the chosen of what was added so far are among them */
    size_t count, room, wanted;
};

int sp_select_create(struct sp_select **out, size_t count)
{
    *out = sp_calloc(1, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    (*out)->wanted = count;
    return 0;
}

void sp_select_free(struct sp_select *select)
{
    if (!select)
        return;
    free(select->best);
    free(select);
}

/* a before b: the higher score, then the lower tensor, then the lower position. A total order, as scores are not NaN. */
static int before(const struct candidate *a, const struct candidate *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    if (a->tensor != b->tensor)
        return a->tensor < b->tensor;
    return a->position < b->position;
}

static void swap(struct candidate *a, struct candidate *b)
{
    struct candidate t = *a;

    *a = *b;
    *b = t;
}

static struct candidate *median(struct candidate *a, struct candidate *b, struct candidate *c)
{
    if (before(a, b))
        return before(b, c) ? b : before(a, c) ? c : a;
    return before(a, c) ? a : before(b, c) ? c : b;
}

/* Moves the first `k` of the order to the front (quickselect; all elements differ, as their places do). */
static void partition_first(struct candidate *x, size_t n, size_t k)
{
    size_t low = 0, high = n;

    while (k > low && k < high) {
        struct candidate *last = &x[high - 1];
        size_t middle = low;

        swap(median(&x[low], &x[low + (high - low) / 2], last), last);
        for (size_t i = low; i < high - 1; i++)
            if (before(&x[i], last))
                swap(&x[i], &x[middle++]);
        swap(&x[middle], last);
        if (k <= middle)
            high = middle;
        else
            low = middle + 1;
    }
}

static int push(struct sp_select *select, struct candidate candidate)
{
    if (select->count == select->room && select->count >= 2 * select->wanted + 4096) {
        partition_first(select->best, select->count, select->wanted);
        select->count = select->wanted;
    }
    SP_TRY(sp_grow(&select->best, select->count, &select->room, sizeof *select->best, SIZE_MAX / sizeof *select->best,
                   "candidates"));
    select->best[select->count++] = candidate;
    return 0;
}

int sp_select_add(struct sp_select *select, uint32_t tensor, const float *scores, size_t n, const char *name)
{
    if (n > UINT32_MAX)
        return sp_error(SP_ELIMIT, "%s has %zu entries; positions are 32 bits wide", name, n);
    for (size_t i = 0; i < n; i++) {
        if (isnan(scores[i]))
            return sp_error(SP_ENUMERIC, "the score of %s at position %zu is not a number", name, i);
        if (select->wanted)
            SP_TRY(push(select, (struct candidate){ scores[i], tensor, (uint32_t)i }));
    }
    return 0;
}

static int by_position(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int sp_select_positions(uint32_t **out, size_t *count, struct sp_select *select, uint32_t tensor)
{
    if (select->count > select->wanted) {
        partition_first(select->best, select->count, select->wanted);
        select->count = select->wanted;
    }
    *count = 0;
    for (size_t i = 0; i < select->count; i++)
        *count += select->best[i].tensor == tensor;
    *out = sp_calloc(*count, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    for (size_t i = 0, k = 0; i < select->count; i++)
        if (select->best[i].tensor == tensor)
            (*out)[k++] = select->best[i].position;
    qsort(*out, *count, sizeof **out, by_position);
    return 0;
}
