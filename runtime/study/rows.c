/*
 * The noise of a validation set, row by row. Each row's part in a run's score is read from predictions.jsonl: right or
 * wrong for an accuracy; for Pearson's r its influence zx zy - r (zx^2 + zy^2) / 2 (S. J. Devlin, R. Gnanadesikan and
 * J. R. Kettenring, "Robust estimation and outlier detection with correlation coefficients", Biometrika 62, 1975). The
 * difference of two methods, averaged over the seeds, has then a value for each row, and the standard error of their
 * mean is that of the difference of the scores.
 */
#include "runtime/study/study.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/statistics.h"
#include "runtime/train/files.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 30)

/* One line's label and prediction: right or not in *x, or both values. */
static bool read_line(double *x, double *y, const char *line, size_t length, bool values)
{
    json_t *object;
    const json_t *label, *prediction;
    bool good;

    if (sp_json_parse(&object, line, length, "", 1, false) < 0)
        return false;
    label = json_object_get(object, "label");
    prediction = json_object_get(object, "prediction");
    good = values ? json_is_number(label) && json_is_number(prediction)
                  : json_is_string(label) && json_is_string(prediction);
    *x = values ? json_number_value(label) : json_equal(label, prediction);
    *y = json_number_value(prediction);
    json_decref(object);
    return good;
}

/* In place: x becomes each row's influence on Pearson's r of x and y. */
static bool influences(double *x, const double *y, size_t n)
{
    double mx = sp_statistics_mean(x, n), my = sp_statistics_mean(y, n), xx = 0, yy = 0, xy = 0;

    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx) / (double)n;
        yy += (y[i] - my) * (y[i] - my) / (double)n;
        xy += (x[i] - mx) * (y[i] - my) / (double)n;
    }
    if (!(xx > 0 && yy > 0))
        return false;
    for (size_t i = 0; i < n; i++) {
        double zx = (x[i] - mx) / sqrt(xx), zy = (y[i] - my) / sqrt(yy);

        x[i] = zx * zy - xy / sqrt(xx * yy) * (zx * zx + zy * zy) / 2;
    }
    return true;
}

/* Adds `sign` times each row's part to sums[rows]; false when the run's rows cannot be read, or its metric has no such
 * parts. */
static bool add_rows(double *sums, size_t rows, double sign, const struct sp_study *study,
                     const struct sp_study_run *run)
{
    const struct sp_score *score = sp_task_score(NULL, sp_study_score_name(study, run));
    char *path = sp_fs_join(run->config.output_dir, SP_FILE_PREDICTIONS), *text = NULL;
    bool values = score && score->kind == SP_SCORE_CORRELATION,
         good = values || (score && score->kind == SP_SCORE_SHARE);
    double *x = sp_calloc(rows, sizeof *x), *y = sp_calloc(rows, sizeof *y);
    size_t length, n = 0;

    good = good && path && x && y && sp_fs_read(&text, &length, path, FILE_LIMIT) == 0;
    for (const char *line = text; good && *line;) {
        const char *end = strchr(line, '\n');
        size_t size = end ? (size_t)(end - line) : strlen(line);

        good = n < rows && read_line(&x[n], &y[n], line, size, values);
        n++;
        line += end ? size + 1 : size;
    }
    good = good && n == rows && (!values || influences(x, y, n));
    for (size_t i = 0; good && i < rows; i++)
        sums[i] += sign * x[i];
    free(x);
    free(y);
    free(text);
    free(path);
    return good;
}

double sp_study_rows_error(const struct sp_study *study, const struct sp_study_run *const *a,
                           const struct sp_study_run *const *b, size_t pairs)
{
    size_t rows = pairs ? (size_t)json_integer_value(json_object_get(json_object_get(a[0]->result, "after"), "rows"))
                        : 0;
    double *sums = rows > 1 ? sp_calloc(rows, sizeof *sums) : NULL, error = NAN;
    bool good = sums != NULL;

    for (size_t i = 0; good && i < pairs; i++)
        good = add_rows(sums, rows, 1 / (double)pairs, study, a[i]) &&
               add_rows(sums, rows, -1 / (double)pairs, study, b[i]);
    if (good)
        error = sp_statistics_deviation(sums, rows) / sqrt((double)rows);
    free(sums);
    return error;
}
