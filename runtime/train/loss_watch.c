#include "runtime/train/loss_watch.h"

#include <math.h>

#define WINDOW 10
#define FIVE 5 /* windows in a row */
#define FACTOR 2

void sp_loss_watch_init(struct sp_loss_watch *watch, double floor, size_t total)
{
    size_t tenth = total / WINDOW;

    *watch = (struct sp_loss_watch){ .floor = floor, .window = tenth >= WINDOW ? WINDOW : tenth ? tenth : 1 };
}

/* A window's mean against the limit; the first one makes it. */
static void close_window(struct sp_loss_watch *w, double mean)
{
    if (w->steps == w->window) {
        w->start = fmin(mean, fmax(w->first, w->floor));
        w->limit = fmax(FACTOR * w->start, w->floor);
        return;
    }
    w->above = mean > w->limit ? w->above + 1 : 0;
    w->last = w->above ? w->last + (mean - w->last) / (double)(w->above < FIVE ? w->above : FIVE) : 0;
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
    if (w->told || w->above < FIVE)
        return false;
    w->told = true;
    return true;
}

bool sp_loss_watch_is_astray(const struct sp_loss_watch *w)
{
    return w->above >= FIVE;
}
