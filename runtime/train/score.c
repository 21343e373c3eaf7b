#include "runtime/train/score.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <math.h>
#include <stdlib.h>

int sp_class_counts_init(struct sp_class_counts *out, size_t classes)
{
    *out = (struct sp_class_counts){ .classes = classes, .hits = sp_calloc(3 * classes, sizeof *out->hits) };
    if (!out->hits)
        return SP_ENOMEM;
    out->named = out->hits + classes;
    out->held = out->named + classes;
    return 0;
}

void sp_class_counts_add(struct sp_class_counts *counts, uint32_t predicted, uint32_t truth)
{
    counts->rows++;
    counts->named[predicted]++;
    counts->held[truth]++;
    counts->hits[truth] += predicted == truth;
    counts->right += predicted == truth;
}

void sp_class_counts_release(struct sp_class_counts *counts)
{
    free(counts->hits);
    *counts = (struct sp_class_counts){ 0 };
}

void sp_score_classes(struct sp_class_scores *out, const struct sp_class_counts *counts)
{
    const double *hits = counts->hits, *named = counts->named, *held = counts->held, total = counts->rows;
    double f1 = 0, products = 0, named_squares = 0, held_squares = 0, scale;
    size_t present = 0, classes = counts->classes, truths = 0, said = 0;
    double guess = 0;

    for (size_t c = classes == 2 ? 1 : 0; c < classes; c++)
        if (classes == 2 || named[c] + held[c] > 0) {
            present++;
            f1 += named[c] + held[c] > 0 ? 2 * hits[c] / (named[c] + held[c]) : 0;
        }
    for (size_t c = 0; c < classes; c++) {
        products += named[c] * held[c];
        named_squares += named[c] * named[c];
        held_squares += held[c] * held[c];
        truths += held[c] > 0;
        said = named[c] > 0 ? c : said;
        guess -= held[c] > 0 ? held[c] / total * log(held[c] / total) : 0;
    }
    scale = sqrt((total * total - named_squares) * (total * total - held_squares));
    *out = (struct sp_class_scores){
        .accuracy = counts->right / total,
        .f1 = present ? f1 / (double)present : 0,
        .matthews_correlation = scale > 0 ? (counts->right * total - products) / scale : 0,
        .one = named[said] == total && truths > 1,
        .said = (uint32_t)said,
        .guess = guess,
    };
}

static double variance(const double *x, size_t n)
{
    double mean = 0, sum = 0;

    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean) / (double)n;
    return sum;
}

static double correlation(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;

    for (size_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

struct ranked {
    double value;
    size_t at;
};

static int by_value(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;

    return (x > y) - (x < y);
}

/* Ranks from 1, equal values sharing the mean of theirs. */
static int ranks(double *out, const double *values, size_t n)
{
    struct ranked *sorted = sp_calloc(n, sizeof *sorted);

    if (!sorted)
        return SP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct ranked){ values[i], i };
    qsort(sorted, n, sizeof *sorted, by_value);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && sorted[j].value == sorted[i].value; j++)
            ;
        for (size_t k = i; k < j; k++)
            out[sorted[k].at] = 0.5 * (double)(i + 1 + j);
    }
    free(sorted);
    return 0;
}

int sp_score_values(struct sp_value_scores *out, const float *predicted, const float *truth, size_t n)
{
    double *work = sp_calloc(4 * n, sizeof *work), *x = work, *y = work + n;
    int rc = work ? 0 : SP_ENOMEM;

    *out = (struct sp_value_scores){ 0 };
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)predicted[i];
        y[i] = (double)truth[i];
        out->mse += (x[i] - y[i]) * (x[i] - y[i]) / (double)n;
    }
    out->variance = variance(y, n);
    out->spread = out->variance > 0 ? sqrt(variance(x, n) / out->variance) : 0;
    out->pearson = correlation(x, y, n);
    SP_GO(ranks(work + 2 * n, x, n));
    SP_GO(ranks(work + 3 * n, y, n));
    out->spearman = correlation(work + 2 * n, work + 3 * n, n);
out:
    free(work);
    return rc;
}
