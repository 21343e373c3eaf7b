#include "runtime/train/loss_watch.h"

#include <math.h>
#include <stdlib.h>

#define FACTOR 1.5
#define END_FACTOR 2
#define GARBAGE_FACTOR 10

void sp_loss_watch_init(struct sp_loss_watch *watch, double floor, size_t total)
{
    size_t window = total >= 1000 ? total / 100 : total >= 100 ? 10 : total / 10;

    *watch = (struct sp_loss_watch){ .floor = floor, .window = window ? window : 1 };
}

/* A window's mean against the limit; the first one makes it. */
static void close_window(struct sp_loss_watch *w, double mean)
{
    if (w->steps == w->window) {
        w->start = fmin(mean, fmax(w->first, w->floor));
        w->limit = fmax(FACTOR * w->start, w->floor);
        return;
    }
    w->recent[(w->steps / w->window - 2) % SP_LOSS_WATCH_WINDOWS] = mean;
    w->above = mean > w->limit ? w->above + 1 : 0;
    if (w->above)
        w->last += (mean - w->last) / fmin((double)w->above, SP_LOSS_WATCH_WINDOWS);
    else
        w->last = 0;
}

bool sp_loss_watch_add(struct sp_loss_watch *w, double loss)
{
    if (w->steps++ == 0)
        w->first = loss;
    w->sum += loss;
    if (w->steps % w->window != 0)
        return false;
    close_window(w, w->sum / (double)w->window);
    w->sum = 0;
    if (w->told || w->above < SP_LOSS_WATCH_WINDOWS)
        return false;
    w->told = true;
    return true;
}

/* Whether it has still to be told. */
static bool end_astray(struct sp_loss_watch *w, double start, double last)
{
    bool told = w->told;

    if (!w->ended) {
        w->start = start;
        w->last = last;
    }
    w->ended = w->told = true;
    return !told;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The lower median of both and of the last five windows after the first, or as many as there are. */
static double end_median(const struct sp_loss_watch *w, double first, double last)
{
    double seen[SP_LOSS_WATCH_WINDOWS + 2] = { first, last };
    size_t windows = w->steps / w->window, count = 2;

    for (size_t k = 0; k + 1 < windows && k < SP_LOSS_WATCH_WINDOWS; k++)
        seen[count++] = w->recent[k];
    qsort(seen, count, sizeof *seen, by_size);
    return seen[(count - 1) / 2];
}

bool sp_loss_watch_end(struct sp_loss_watch *w, double before, double first, double last)
{
    double level = fmax(before, w->floor), middle = end_median(w, first, last);

    return (fmin(first, last) > END_FACTOR * level || middle > GARBAGE_FACTOR * level) &&
           end_astray(w, before, fmax(middle, (first + last) / 2));
}

bool sp_loss_watch_held_out(struct sp_loss_watch *w, double before, double now)
{
    return now > GARBAGE_FACTOR * fmax(before, w->floor) && end_astray(w, before, now);
}

bool sp_loss_watch_is_astray(const struct sp_loss_watch *w)
{
    return w->ended || w->above >= SP_LOSS_WATCH_WINDOWS;
}
