#include "runtime/sparse/outer.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/support.h"

#include <stdbool.h>
#include <stdlib.h>

/* A row or column by its number. */
struct line {
    float value;
    uint32_t index;
};

/* A row's best product not yet looked at. A float times a float is exact in a double: equal means equal. */
struct front {
    double product;
    uint32_t position;
    uint32_t row, col; /* in sorted order */
};

struct search {
    struct line *rows, *cols; /* those above 0, the largest first, of equal ones the lower number */
    size_t row_count, col_count, width;
    struct front *heap;
    size_t count;
};

static int by_value(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static struct line *sorted(size_t *count, const float *values, size_t n)
{
    struct line *lines = sp_calloc(n, sizeof *lines);

    *count = 0;
    for (size_t i = 0; lines && i < n; i++)
        if (values[i] > 0)
            lines[(*count)++] = (struct line){ values[i], (uint32_t)i };
    if (lines)
        qsort(lines, *count, sizeof *lines, by_value);
    return lines;
}

static bool before(const struct front *a, const struct front *b)
{
    return a->product != b->product ? a->product > b->product : a->position < b->position;
}

static struct front front_at(const struct search *s, uint32_t row, uint32_t col)
{
    const struct line *r = &s->rows[row], *c = &s->cols[col];

    return (struct front){ (double)r->value * (double)c->value, (uint32_t)(r->index * s->width + c->index), row, col };
}

static void push(struct search *s, struct front front)
{
    size_t i = s->count++;

    for (; i > 0 && before(&front, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = front;
}

/* Puts `front` in the place of the best and lets it sink. */
static void replace(struct search *s, struct front front)
{
    size_t i = 0;

    for (size_t child; (child = 2 * i + 1) < s->count; i = child) {
        if (child + 1 < s->count && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], &front))
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = front;
}

/* Takes the best product that is left; a row is reached when the one before it gave its first. */
static struct front pop(struct search *s)
{
    struct front best = s->heap[0];

    if (best.col + 1 < s->col_count)
        replace(s, front_at(s, best.row, best.col + 1));
    else
        replace(s, s->heap[--s->count]);
    if (best.col == 0 && best.row + 1 < s->row_count)
        push(s, front_at(s, best.row + 1, 0));
    return best;
}

/* The first inactive positions whose product is zero. */
static void take_zeros(uint32_t *out, size_t taken, size_t wanted, const float *R, const float *C, size_t cols,
                       const uint32_t *active, size_t active_count)
{
    size_t a = 0;

    for (uint32_t position = 0; taken < wanted; position++) {
        while (a < active_count && active[a] < position)
            a++;
        if ((a < active_count && active[a] == position) || (R[position / cols] > 0 && C[position % cols] > 0))
            continue;
        out[taken++] = position;
    }
}

int sp_outer_largest(uint32_t *out, size_t wanted, const float *R, size_t rows, const float *C, size_t cols,
                     const uint32_t *active, size_t active_count)
{
    struct search s = { .width = cols };
    size_t taken = 0;
    int rc = 0;

    s.rows = sorted(&s.row_count, R, rows);
    s.cols = sorted(&s.col_count, C, cols);
    s.heap = sp_calloc(rows + 1, sizeof *s.heap);
    if (!s.rows || !s.cols || !s.heap) {
        rc = SP_ENOMEM;
        goto out;
    }
    if (wanted && s.row_count && s.col_count)
        push(&s, front_at(&s, 0, 0));
    while (taken < wanted && s.count) {
        struct front best = pop(&s);

        if (!sp_support_has(active, active_count, best.position))
            out[taken++] = best.position;
    }
    take_zeros(out, taken, wanted, R, C, cols, active, active_count);
    sp_support_sort(out, wanted);
out:
    free(s.rows);
    free(s.cols);
    free(s.heap);
    return rc;
}
