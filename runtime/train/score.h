/*
 * Task metrics on the host (layer 5), in double precision. Classification: accuracy; F1 of the second class for two classes,
 * the mean over the classes that occur (predicted or true) for more; Matthews correlation, in its multi-class form R_K.
 * Regression: Pearson and Spearman (average ranks for ties) correlation, mean squared error. A correlation that is not
 * defined (a constant side) is 0.
 */
#ifndef SP_TRAIN_SCORE_H
#define SP_TRAIN_SCORE_H

#include <stddef.h>
#include <stdint.h>

struct sp_class_scores {
    double accuracy, f1, matthews_correlation;
};

/* predicted[n], truth[n] below `classes`. */
int sp_score_classes(struct sp_class_scores *out, const uint32_t *predicted, const uint32_t *truth, size_t n, size_t classes);

struct sp_value_scores {
    double pearson, spearman, mse;
};

int sp_score_values(struct sp_value_scores *out, const float *predicted, const float *truth, size_t n);

#endif
