#include "runtime/train/loss_watch.h"

#include <math.h>

#define FACTOR 1.5

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

bool sp_loss_watch_is_astray(const struct sp_loss_watch *w)
{
    return w->above >= SP_LOSS_WATCH_WINDOWS;
}
