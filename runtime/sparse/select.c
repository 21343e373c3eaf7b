#include "runtime/sparse/select.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/support.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    float score;
    uint32_t tensor, position;
};

struct sp_select {
    struct candidate *best; /* the chosen of what was added so far are among them */
    size_t count, room, wanted;
    bool has_cut; /* `wanted` candidates are no worse than this one: what comes after it is not chosen */
    struct candidate cut;

    /* once positions were asked for */
    size_t *starts; /* [tensors + 1]: where each one's positions begin */
    uint32_t *positions;
    size_t tensors;
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
    free(select->starts);
    free(select->positions);
    free(select);
}

/* a before b: the higher score, then the lower tensor, then the lower position. A total order, as scores are not
 * NaN. */
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

/* Leaves the chosen, and remembers the last of them in the order. */
static void cut_down(struct sp_select *select)
{
    partition_first(select->best, select->count, select->wanted);
    select->count = select->wanted;
    select->has_cut = true;
    select->cut = select->best[0];
    for (size_t i = 1; i < select->count; i++)
        if (before(&select->cut, &select->best[i]))
            select->cut = select->best[i];
}

static int push(struct sp_select *select, struct candidate candidate)
{
    if (select->has_cut && !before(&candidate, &select->cut))
        return 0;
    if (select->count == select->room && select->count >= 2 * select->wanted + 4096)
        cut_down(select);
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

/* Lays the chosen positions out by tensor, once: `best` gives way to them. */
static int settle(struct sp_select *select)
{
    uint32_t last = 0;

    if (select->count > select->wanted)
        cut_down(select);
    for (size_t i = 0; i < select->count; i++)
        last = select->best[i].tensor > last ? select->best[i].tensor : last;
    select->tensors = (size_t)last + 1;
    select->starts = sp_calloc(select->tensors + 1, sizeof *select->starts);
    select->positions = sp_calloc(select->count, sizeof *select->positions);
    if (!select->starts || !select->positions)
        return SP_ENOMEM;
    for (size_t i = 0; i < select->count; i++)
        select->starts[select->best[i].tensor + 1]++;
    for (size_t t = 0; t < select->tensors; t++)
        select->starts[t + 1] += select->starts[t];
    for (size_t i = select->count; i-- > 0;) /* starts[t + 1] goes down to the tensor's first */
        select->positions[--select->starts[select->best[i].tensor + 1]] = select->best[i].position;
    memmove(select->starts, select->starts + 1, select->tensors * sizeof *select->starts);
    select->starts[select->tensors] = select->count;
    free(select->best);
    select->best = NULL;
    return 0;
}

int sp_select_positions(uint32_t **out, size_t *count, struct sp_select *select, uint32_t tensor)
{
    size_t first;

    if (!select->starts)
        SP_TRY(settle(select));
    first = tensor < select->tensors ? select->starts[tensor] : select->count;
    *count = tensor < select->tensors ? select->starts[tensor + 1] - first : 0;
    *out = sp_calloc(*count, sizeof **out);
    if (!*out)
        return SP_ENOMEM;
    memcpy(*out, select->positions + first, *count * sizeof **out);
    sp_support_sort(*out, *count);
    return 0;
}
