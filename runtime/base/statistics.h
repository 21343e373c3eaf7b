/*
 * The statistics of a few repeated runs (layer 0): mean, deviation, Student's t, and Holm's correction for several
 * comparisons (S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979).
 */
#ifndef SP_BASE_STATISTICS_H
#define SP_BASE_STATISTICS_H

#include <stddef.h>

/* NaN for no values. */
double sp_statistics_mean(const double *values, size_t count);

/* The sample's standard deviation, sqrt(sum (x - mean)^2 / (n - 1)); NaN for fewer than two values. */
double sp_statistics_deviation(const double *values, size_t count);

/* P(|T| >= |t|) for Student's t with `freedom` > 0 degrees of freedom. */
double sp_statistics_t_tails(double t, double freedom);

/* The t for which sp_statistics_t_tails(t, freedom) is `tails`, in (0, 1). */
double sp_statistics_t_critical(double tails, double freedom);

/* Holm's adjusted p-values, in the order of `p`: below the level alpha are those that a family of `count` tests may
 * reject. A NaN is no test: it stays and does not count. */
void sp_statistics_holm(double *adjusted, const double *p, size_t count);

#endif
