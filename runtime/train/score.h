/*
 * Task metrics on the host (layer 5), in double precision. Classification: accuracy; F1 of the second class for two
 * classes, the mean over the classes that occur (predicted or true) for more; Matthews correlation, in its multi-class
 * form R_K. Regression: Pearson and Spearman (average ranks for ties) correlation, mean squared error. A correlation
 * that is not defined (a constant side) is 0. What tells a model that has come to guess is there, too.
 */
#ifndef SP_TRAIN_SCORE_H
#define SP_TRAIN_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_class_scores {
    double accuracy, f1, matthews_correlation;
    bool one; /* all rows are said to be of one class, and are of more */
    uint32_t said;
    double guess; /* the loss of who knows no more than the classes' shares in these rows: their entropy */
};

/* Rows counted by class, which is all that the metrics of a classification need of them. */
struct sp_class_counts {
    size_t classes;
    double rows, right;
    double *hits, *named, *held; /* [classes]: rows of the class found, rows said to be of it, rows of it */
};

int sp_class_counts_init(struct sp_class_counts *out, size_t classes);
void sp_class_counts_add(struct sp_class_counts *counts, uint32_t predicted, uint32_t truth); /* both below `classes` */
void sp_class_counts_release(struct sp_class_counts *counts); /* safe on a zeroed one */

/* Of at least one row. */
void sp_score_classes(struct sp_class_scores *out, const struct sp_class_counts *counts);

struct sp_value_scores {
    double pearson, spearman, mse;
    /* the predictions' standard deviation in units of the truth's, 0 where that is 0; the truth's variance */
    double spread, variance;
};

int sp_score_values(struct sp_value_scores *out, const float *predicted, const float *truth, size_t n);

#endif
